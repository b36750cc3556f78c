import NIOCore
import SSHCrypto
import SSHWire

/// Which way a packet went.
package enum PacketDirection: String, Sendable {
    case sent
    case received
}

/// A packet that passed, its payload in the clear with what describes it without its secrets.
package struct ObservedPacket: Sendable {
    package let direction: PacketDirection
    package let sequenceNumber: UInt32
    /// Its whole size on the wire, in bytes: the length field, what it counts, and the MAC.
    package let size: Int
    /// `packet_length` and `padding_length`.
    package let sizes: PacketSizes
    package let payload: ByteBuffer
    package let trace: MessageTrace

    /// The size of the MAC or of an AEAD's tag, in bytes.
    package var macLength: Int { size - 4 - sizes.packetLength }
}

/// Sees what a connection does, for `-v` and `-vvv`; it changes nothing.
package protocol ConnectionObserver: Sendable {
    /// Whether ``packet(_:sequenceNumber:size:payload:trace:)`` is to be called; each call costs a copy of the payload.
    var wantsPackets: Bool { get }
    /// A packet passed.
    func packet(_ packet: ObservedPacket)
    /// A step of the story, in words.
    ///
    /// - Parameter level: the number of `-v` from which on it is told.
    func note(_ level: Int, _ text: @autoclosure () -> String)
}

extension ConnectionObserver {
    package var wantsPackets: Bool { true }
}
