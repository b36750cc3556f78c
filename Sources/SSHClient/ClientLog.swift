import NIOCore
import SSHCrypto
import SSHProtocol
import SSHWire

/// Tells the story of a connection: `-v` the steps, `-vvv` every packet, field by field.
public struct ClientLog: Sendable {
    public let verbosity: Int
    private let output: @Sendable (String) -> Void

    /// - Parameters:
    ///   - verbosity: 0 for silence, 1 to 3 as `-v` is repeated.
    ///   - output: receives lines, without their ends.
    public init(verbosity: Int, output: @escaping @Sendable (String) -> Void) {
        self.verbosity = verbosity
        self.output = output
    }

    /// The longest line, in characters. The lists of algorithms of a KEXINIT are about as long.
    private static let longestLine = 4096

    /// Tells one thing from `level` on. Whatever of a peer's words is in it is made printable here, and cut.
    public func note(_ level: Int, _ text: @autoclosure () -> String) {
        if verbosity >= level { output("debug\(level): \(PeerText(text(), limit: Self.longestLine))") }
    }

    /// What a connection is to call; nil when nothing would be told.
    var observer: (any ConnectionObserver)? { verbosity > 0 ? StoryObserver(log: self) : nil }
}

private struct StoryObserver: ConnectionObserver {
    let log: ClientLog

    var wantsPackets: Bool { log.verbosity >= 3 }

    func note(_ level: Int, _ text: @autoclosure () -> String) { log.note(level, text()) }

    func packet(_ packet: ObservedPacket) {
        let lines = packet.trace.describe(packet.payload)
        let sizes =
            "packet_length \(packet.sizes.packetLength), padding_length \(packet.sizes.paddingLength), "
            + "MAC \(packet.macLength)"
        log.note(
            3,
            "\(packet.direction.rawValue) packet \(packet.sequenceNumber), \(packet.size) bytes (\(sizes)): "
                + (lines.first ?? ""))
        for line in lines.dropFirst() { log.note(3, "    \(line)") }
    }
}
