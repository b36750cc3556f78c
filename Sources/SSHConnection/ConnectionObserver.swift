import NIOCore
import SSHWire

/// Which way a packet went.
package enum PacketDirection: String, Sendable {
    case sent
    case received
}

/// Sees what a connection does, for `-v` and `-vvv`; it changes nothing.
package protocol ConnectionObserver: Sendable {
    /// Whether ``packet(_:sequenceNumber:size:payload:trace:)`` is to be called; each call costs a copy of the payload.
    var wantsPackets: Bool { get }
    /// A packet passed: its whole size on the wire in bytes, and its payload in the clear, with what
    /// describes it without its secrets.
    func packet(
        _ direction: PacketDirection, sequenceNumber: UInt32, size: Int, payload: ByteBuffer, trace: MessageTrace)
    /// A step of the story, in words.
    ///
    /// - Parameter level: the number of `-v` from which on it is told.
    func note(_ level: Int, _ text: @autoclosure () -> String)
}

extension ConnectionObserver {
    package var wantsPackets: Bool { true }
}
