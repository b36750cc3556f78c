import SSHWire

/// The window of a channel that we grant the peer (RFC 4254 section 5.2).
///
/// Where what comes is asked for, as by SFTP, its size is fixed, and it is returned early. A peer that sends whatever the window lets
/// it, as `scp -f` does, is granted what a ``WindowMeasure`` says.
package struct ReceiveWindow: Sendable {
    /// What a link of 1 Gbit/s and 190 ms holds, and more than a download asks for ahead, in bytes. So much waits here at
    /// most where the reader is slow.
    package static let usualSize = 24 << 20

    /// What a measured window begins with, and has at least, in bytes.
    private static let measuredStart = 1 << 20

    /// How much the peer may have on its way or unread here at most, in bytes.
    package let size: Int
    /// What the peer may still send.
    package private(set) var remaining: Int
    /// What was received and not yet read.
    package private(set) var unread = 0
    /// What was read and not yet granted again.
    private var consumed = 0
    private var measure: WindowMeasure?

    /// - Parameter isMeasured: it follows the rate at which data comes.
    package init(size: Int, isMeasured: Bool = false) {
        self.size = size
        remaining = isMeasured ? min(size, Self.measuredStart) : size
        if isMeasured { measure = WindowMeasure(flow: FlowMeasure(limits: remaining...size), window: remaining) }
    }

    /// The reader need not tell of less, in bytes: it must be well below a window, which would else never be granted again.
    package var batch: Int { measure == nil ? min(128 << 10, size / 8) : min(64 << 10, remaining / 8) }

    /// From now on what comes is asked for; returns what to grant.
    package mutating func stopMeasuring() -> UInt32 {
        guard measure != nil else { return 0 }
        measure = nil
        return grant(size - remaining - unread)
    }

    /// Data came; false when it is more than was granted.
    package mutating func received(_ count: Int) -> Bool {
        guard count <= remaining else { return false }
        remaining -= count
        unread += count
        return true
    }

    /// Data was read; returns what to grant now, 0 for nothing yet.
    package mutating func read(_ count: Int, at now: FlowMeasure.Instant) -> UInt32 {
        guard measure != nil else { return discard(count) }
        let count = min(count, unread)
        unread -= count
        return grant(measure?.receive(count, at: now) ?? 0)
    }

    /// Data is read by nobody; returns what to grant now.
    package mutating func discard(_ count: Int) -> UInt32 {
        let count = min(count, unread)
        unread -= count
        consumed += count
        return consumed >= (measure == nil ? size / 8 : 0) ? grant(consumed) : 0
    }

    private mutating func grant(_ count: Int) -> UInt32 {
        consumed = 0
        remaining += count
        return UInt32(count)
    }
}
