import NIOCore
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import SSHProtocol

/// Keeps what a connection tells its observer.
final class Recorder: ConnectionObserver {
    struct Packet: Sendable {
        let direction: PacketDirection
        let sequenceNumber: UInt32
        let size: Int
        let lines: [String]
    }
    let wantsPackets: Bool
    private let state = Mutex<(packets: [Packet], notes: [String])>(([], []))

    init(wantsPackets: Bool = true) { self.wantsPackets = wantsPackets }

    var packets: [Packet] { state.withLock { $0.packets } }
    var notes: [String] { state.withLock { $0.notes } }

    func packet(_ packet: ObservedPacket) {
        let lines = packet.trace.describe(packet.payload)
        state.withLock {
            $0.packets.append(
                Packet(
                    direction: packet.direction, sequenceNumber: packet.sequenceNumber, size: packet.size,
                    lines: lines))
        }
    }

    func note(_ level: Int, _ text: @autoclosure () -> String) {
        let text = text()
        state.withLock { $0.notes.append(text) }
    }
}

@Suite("Observers")
struct ObserverTests {
    /// A session with a password and questions, watched at both ends.
    private func session(_ client: Recorder, _ server: Recorder) -> JoinedPair {
        let pair = JoinedPair(observer: client, serverObserver: server)
        pair.records = true
        pair.client.method = .password(ByteBuffer(string: "open-sesame"), new: nil)
        pair.server.acts = { connection, event in
            switch event {
            case .authenticationRequested(let attempt):
                guard case .password = attempt.proof else {
                    var questions = UserAuthInfoRequest()
                    questions.prompts = [.init(text: ByteBuffer(string: "Token: "), echo: false)]
                    try connection.requestInformation(questions)
                    return true
                }
                try connection.rejectAuthentication(methods: ["keyboard-interactive"])
            case .informationGiven: try connection.acceptAuthentication()
            default: return false
            }
            return true
        }
        pair.client.acts = { connection, event in
            switch event {
            case .authenticationFailed:
                try connection.authenticate(user: "tester", .keyboardInteractive(submethods: ""))
            case .informationRequested: try connection.answer([ByteBuffer(string: "31337-token")])
            default: return false
            }
            return true
        }
        pair.start()
        pair.run()
        pair.client.attempt { _ = try $0.openChannel() }
        pair.run()
        pair.client.attempt { try $0.write(ChannelID(number: 0), ByteBuffer(string: "file contents")) }
        pair.run()
        return pair
    }

    @Test("What one end sends is what the other receives, with the same numbers and sizes")
    func bothEnds() {
        let (client, server) = (Recorder(), Recorder())
        let pair = session(client, server)
        #expect(pair.client.connection.isAuthenticated)
        for (from, to, role) in [(client, server, Role.client), (server, client, .server)] {
            let sent = from.packets.filter { $0.direction == .sent }
            let received = to.packets.filter { $0.direction == .received }
            #expect(sent.map(\.sequenceNumber) == received.map(\.sequenceNumber))
            #expect(sent.map(\.size) == received.map(\.size))
            #expect(sent.map(\.lines) == received.map(\.lines))
            // All but the identification line is packets.
            #expect(sent.map(\.size).reduce(0, +) + "SSH-2.0-swift-scp_0.1.0\r\n".utf8.count == pair.sent[role]?.count)
        }
    }

    @Test("Every message of a session is understood, and no secret is shown")
    func understood() {
        let (client, server) = (Recorder(), Recorder())
        _ = session(client, server)
        for recorder in [client, server] {
            let text = (recorder.packets.flatMap(\.lines) + recorder.notes).joined(separator: "\n")
            #expect(!text.contains("malformed") && !text.contains("unknown"), "\(text)")
            #expect(text.contains("SSH_MSG_USERAUTH_INFO_REQUEST (60)"))
            for secret in ["open-sesame", "31337", "file contents"] {
                #expect(!text.contains(secret))
                #expect(!text.contains(Printable.hex(secret.utf8)))
            }
        }
    }

    @Test("An observer that wants no packets is told the story alone")
    func notesOnly() {
        let (client, server) = (Recorder(wantsPackets: false), Recorder(wantsPackets: false))
        _ = session(client, server)
        #expect(client.packets.isEmpty && server.packets.isEmpty)
        #expect(client.notes.contains { $0.hasPrefix("kex: algorithm: curve25519-sha256") })
    }
}
