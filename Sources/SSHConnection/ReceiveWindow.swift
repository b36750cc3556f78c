/// The window of a channel that we grant the peer (RFC 4254 section 5.2).
///
/// It is returned early, and it grows while the reader keeps up: a long link then never waits for it, and a slow disk
/// never makes it hold more memory than it can drain.
package struct ReceiveWindow: Sendable {
    package struct Policy: Sendable {
        /// Granted when the channel opens, in bytes. What a transfer asks for ahead fits into it: a window that begins
        /// small is not seen to be what holds back a peer far away, as all of it is always on its way.
        package var initial = 24 << 20
        /// What it may grow to, in bytes.
        package var maximum = 32 << 20
        package init() {}
        package init(initial: Int, maximum: Int) {
            self.initial = initial
            self.maximum = maximum
        }
    }

    private let policy: Policy
    /// How much the peer may have on its way or unread here.
    package private(set) var size: Int
    /// What the peer may still send.
    package private(set) var remaining: Int
    /// What was received and not yet read.
    package private(set) var unread = 0
    /// What was read and not yet granted again.
    private var consumed = 0

    package init(_ policy: Policy) {
        self.policy = policy
        size = policy.initial
        remaining = policy.initial
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
        var grant = consumed
        // The peer used up most of the window although the reader is not behind: the window is what holds it back.
        if remaining < size / 2 && unread < size / 4 && size < policy.maximum {
            let larger = min(size * 2, policy.maximum)
            grant += larger - size
            size = larger
        }
        consumed = 0
        remaining += grant
        return UInt32(grant)
    }
}
