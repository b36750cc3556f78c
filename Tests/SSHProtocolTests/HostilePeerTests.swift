import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import TestSupport
import Testing

@testable import SSHProtocol

/// A peer that holds the keys and sends what it likes.
@Suite("Hostile peers")
struct HostilePeerTests {
    enum Phase: CaseIterable {
        case beforeKeys, duringExchange, beforeAuthentication, judging, authenticated, channelOpen, closing, rekeying
    }

    /// A pair of which `hostile` may send anything next.
    private func pair(in phase: Phase, hostile: Role) -> JoinedPair {
        switch phase {
        case .beforeKeys:
            let pair = JoinedPair()
            pair.start()
            return pair
        case .duringExchange:
            let pair = JoinedPair()
            pair.client.acts = { _, event in if case .hostKey = event { true } else { false } }
            pair.start()
            pair.run(rounds: 1)
            return pair
        case .beforeAuthentication:
            let pair = JoinedPair()
            pair.client.acts = { _, event in if case .ready = event { true } else { false } }
            pair.start()
            pair.run()
            return pair
        case .judging:
            let pair = JoinedPair()
            pair.client.method = .keyboardInteractive(submethods: "")
            pair.server.acts = { connection, event in
                guard case .authenticationRequested = event else { return false }
                try connection.requestInformation(UserAuthInfoRequest())
                return true
            }
            pair.start()
            pair.run()
            return pair
        case .authenticated:
            return .authenticated()
        case .channelOpen:
            return JoinedPair.withChannel().0
        case .closing:
            let (pair, id) = JoinedPair.withChannel()
            let victim = hostile == .client ? pair.server : pair.client
            victim.attempt { $0.close(id) }
            _ = victim.output()
            return pair
        case .rekeying:
            let (pair, _) = JoinedPair.withChannel()
            let victim = hostile == .client ? pair.server : pair.client
            victim.attempt { try $0.rekey() }
            _ = victim.output()
            return pair
        }
    }

    private func expectAlive(_ end: Endpoint, _ comment: Comment) {
        if case .violation(let text) = end.failure, text.description.hasPrefix("not a ConnectionError") {
            Issue.record(comment)
        }
        // Whatever came, the connection can still be asked everything.
        _ = end.handleEvents()
        _ = end.output()
        end.connection.disconnect()
        _ = end.output()
    }

    /// A body that is nearly right: random, or a valid one with a few bytes changed.
    private func body(_ number: UInt8, _ random: inout SeededGenerator) -> ByteBuffer {
        var payload = ByteBuffer(integer: number)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: payload.writeBytes(random.bytes(Int.random(in: 0...60, using: &random)))
        case 1:
            // Small integers are channel numbers and lengths that exist.
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                payload.writeInteger(UInt32.random(in: 0...3, using: &random))
            }
        case 2:
            payload.writeInteger(0 as UInt32)
            payload.writeSSHString(random.bytes(Int.random(in: 0...30, using: &random)))
            payload.writeBytes(random.bytes(Int.random(in: 0...8, using: &random)))
        default:
            payload.writeSSHString(
                ["session", "exec", "publickey", "", "none", "x"].randomElement(using: &random) ?? "")
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                payload.writeInteger([0, 1, 5, .max].randomElement(using: &random) ?? 0 as UInt32)
            }
        }
        return payload
    }

    @Test("No message of any number in any phase does more than end the connection", arguments: Phase.allCases)
    func anyMessage(_ phase: Phase) {
        var random = SeededGenerator(seed: 17)
        for hostileRole in [Role.client, .server] {
            var current = pair(in: phase, hostile: hostileRole)
            for number in UInt8.min...UInt8.max {
                let (hostile, victim) =
                    hostileRole == .client ? (current.client, current.server) : (current.server, current.client)
                current.inject(body(number, &random), from: hostile)
                if let bytes = hostile.output() { victim.attempt { try $0.receive(bytes) } }
                _ = victim.handleEvents()
                _ = victim.output()
                if victim.failure != nil || hostile.failure != nil {
                    expectAlive(victim, "message \(number) in \(phase)")
                    current = pair(in: phase, hostile: hostileRole)
                }
            }
        }
    }

    @Test("Long runs of random messages on an open connection do no more than end it")
    func runs() {
        var random = SeededGenerator(seed: 23)
        let numbers: [UInt8] = [2, 4, 7, 20, 21, 30, 31, 50, 80, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 192]
        for round in 0..<60 {
            let hostileRole: Role = round % 2 == 0 ? .client : .server
            let current = pair(in: .channelOpen, hostile: hostileRole)
            let (hostile, victim) =
                hostileRole == .client ? (current.client, current.server) : (current.server, current.client)
            for _ in 0..<40 where victim.failure == nil {
                current.inject(body(numbers.randomElement(using: &random) ?? 94, &random), from: hostile)
                if let bytes = hostile.output() { victim.attempt { try $0.receive(bytes) } }
                _ = victim.handleEvents()
                _ = victim.output()
            }
            expectAlive(victim, "round \(round)")
        }
    }

    @Test("Valid messages with a byte changed do no more than end the connection")
    func mutated() throws {
        let messages: [any Message] = [
            KexInit(.everything, markers: []), ExtensionInfo([.init(name: "server-sig-algs", value: ByteBuffer())]),
            UserAuthRequest(user: "u", method: .password(ByteBuffer(string: "p"), new: nil)),
            GlobalRequest(request: "hostkeys-00@openssh.com", wantReply: true),
            ChannelOpen(type: .session, senderChannel: 3, initialWindowSize: 9, maximumPacketSize: 9),
            ChannelWindowAdjust(recipientChannel: 0, bytesToAdd: 5),
            ChannelData(recipientChannel: 0, data: ByteBuffer(string: "data")),
            ChannelRequest(recipientChannel: 0, kind: .exec(command: ByteBuffer(string: "ls")), wantReply: true),
        ]
        var random = SeededGenerator(seed: 31)
        for message in messages {
            let payload = try message.encoded()
            var current = pair(in: .channelOpen, hostile: .client)
            for index in 1..<min(payload.readableBytes, 80) {
                var copy = payload
                copy.setInteger(UInt8.random(in: .min ... .max, using: &random), at: index)
                current.inject(copy, from: current.client)
                if let bytes = current.client.output() { current.server.attempt { try $0.receive(bytes) } }
                _ = current.server.handleEvents()
                _ = current.server.output()
                if current.server.failure != nil || current.client.failure != nil || message is KexInit {
                    expectAlive(current.server, "\(type(of: message)) with byte \(index) changed")
                    current = pair(in: .channelOpen, hostile: .client)
                }
            }
        }
    }
}
