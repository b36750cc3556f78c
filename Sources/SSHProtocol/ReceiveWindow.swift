/// The window of a channel that we grant the peer (RFC 4254 section 5.2).
///
/// Its size is fixed, and it is returned early. A window that grew while the reader keeps up would have to guess: all of
/// it is on its way whether the peer is far away or has just nothing more to send.
package struct ReceiveWindow: Sendable {
    /// What a link of 1 Gbit/s and 190 ms holds, and more than a download asks for ahead, in bytes. So much waits here at
    /// most where the reader is slow.
    package static let usualSize = 24 << 20

    /// How much the peer may have on its way or unread here, in bytes.
    package let size: Int
    /// What the peer may still send.
    package private(set) var remaining: Int
    /// What was received and not yet read.
    package private(set) var unread = 0
    /// What was read and not yet granted again.
    private var consumed = 0

    package init(size: Int) {
        self.size = size
        remaining = size
    }

    /// Data came; false when it is more than was granted.
    package mutating func received(_ count: Int) -> Bool {
        guard count <= remaining else { return false }
        remaining -= count
        unread += count
        return true
    }

    /// Data was read; returns what to grant now, 0 for nothing yet.
    package mutating func read(_ count: Int) -> UInt32 {
        let count = min(count, unread)
        unread -= count
        consumed += count
        guard consumed >= size / 8 else { return 0 }
        let grant = consumed
        consumed = 0
        remaining += grant
        return UInt32(grant)
    }
}
