import NIOCore
import SSHWire
import Testing

@testable import SSHProtocol

@Suite("What waits for a peer is bounded")
struct MemoryLimitTests {
    private func ping(_ size: Int) -> Ping {
        var ping = Ping()
        ping.data = ByteBuffer(repeating: 7, count: size)
        return ping
    }

    /// Sends a message of `from`'s to `to`, which does not send what it has.
    private func carry(_ message: some Message, _ pair: JoinedPair, from: Endpoint, to: Endpoint) {
        pair.inject(message, from: from)
        if let bytes = from.output() { to.attempt { try $0.receive(bytes) } }
    }

    @Test("Answers that nobody reads are counted, before the login and after it", arguments: [Role.client, .server])
    func answers(_ victimRole: Role) {
        for pair in [JoinedPair.keyed(), .authenticated()] {
            let (victim, hostile) = victimRole == .client ? (pair.client, pair.server) : (pair.server, pair.client)
            let limit = victim.connection.memoryLimit
            #expect(limit == (victim.connection.isAuthenticated ? 1 << 20 : 64 << 10))
            for _ in 0..<200 where victim.connection.waitingBytes <= limit {
                carry(ping(30_000), pair, from: hostile, to: victim)
            }
            #expect(victim.connection.waitingBytes > limit)
        }
    }

    @Test("Messages held during an exchange of keys end it before the login", arguments: [Role.client, .server])
    func held(_ victimRole: Role) {
        let pair = JoinedPair.keyed()
        let (victim, hostile) = victimRole == .client ? (pair.client, pair.server) : (pair.server, pair.client)
        victim.attempt { try $0.rekey() }
        _ = victim.output()
        for _ in 0..<4 where victim.failure == nil { carry(ping(30_000), pair, from: hostile, to: victim) }
        #expect("\(String(describing: victim.failure))".contains("key exchange is not answered"))
    }

    @Test("Of a packet that does not end so much may wait before the login, and a packet's size after it")
    func unfinishedPacket() throws {
        let large = ping(200_000)
        for (pair, isTaken) in [(JoinedPair.keyed(), false), (JoinedPair.authenticated(), true)] {
            pair.inject(large, from: pair.client)
            var bytes = try #require(pair.client.output())
            while let piece = bytes.readSlice(length: min(4096, max(1, bytes.readableBytes - 1))),
                bytes.readableBytes > 0
            {
                pair.server.attempt { try $0.receive(piece) }
            }
            #expect((pair.server.failure == nil) == isTaken)
            #expect(pair.server.connection.waitingBytes <= (isTaken ? 256 << 10 : 64 << 10))
        }
    }

    @Test("Requests on channels that nobody has taken are bounded over all channels")
    func requestsAhead() {
        let pair = JoinedPair.authenticated()
        pair.server.acts = { _, event in if case .channelOffered = event { true } else { false } }
        for number in 0..<8 as Range<UInt32> where pair.server.failure == nil {
            pair.inject(
                ChannelOpen(type: .session, senderChannel: number, initialWindowSize: 1, maximumPacketSize: 1),
                from: pair.client)
            pair.inject(
                ChannelRequest(
                    recipientChannel: number, kind: .exec(command: ByteBuffer(repeating: 1, count: 20_000)),
                    wantReply: true), from: pair.client)
            pair.run()
        }
        #expect("\(String(describing: pair.server.failure))".contains("ahead of their channels"))
    }

    @Test("A request ahead is no longer counted once its channel is taken or refused", arguments: [true, false])
    func requestTaken(_ isAccepted: Bool) throws {
        let pair = JoinedPair.authenticated()
        var offered: ChannelID?
        pair.server.acts = { _, event in
            guard case .channelOffered(let id, _) = event else { return false }
            offered = id
            return true
        }
        pair.inject(
            ChannelOpen(type: .session, senderChannel: 0, initialWindowSize: 1, maximumPacketSize: 1), from: pair.client
        )
        pair.inject(
            ChannelRequest(
                recipientChannel: 0, kind: .exec(command: ByteBuffer(repeating: 1, count: 20_000)), wantReply: false),
            from: pair.client)
        pair.run()
        #expect(pair.server.connection.waitingBytes > 20_000)
        let id = try #require(offered)
        pair.server.attempt {
            if isAccepted { try $0.acceptChannel(id) } else { try $0.rejectChannel(id, .connectFailed, "") }
        }
        _ = pair.server.output()
        #expect(pair.server.connection.waitingBytes == 0)
    }

    @Test("An event that waits has no more in memory than its texts")
    func detached() {
        var packet = ByteBuffer(repeating: 1, count: 100_000)
        let slice = packet.readSlice(length: 10) ?? ByteBuffer()
        let events: [ConnectionEvent] = [
            .banner(slice), .extensions(ExtensionInfo([.init(name: "a", value: slice)])),
            .globalRequest(GlobalRequest(request: "a", wantReply: false, fields: slice)),
            .globalReply(to: "a", slice), .passwordChangeRequested(prompt: slice),
            .publicKeyAcceptable(algorithm: "a", key: slice),
            .channelRequest(ChannelID(number: 0), .exec(command: slice), wantReply: false),
        ]
        for event in events {
            #expect(event.memory >= 10 && event.memory < 1000)
            let kept: ByteBuffer? =
                switch event.detached() {
                case .banner(let text), .passwordChangeRequested(let text): text
                case .extensions(let info): info["a"]
                case .globalRequest(let request): request.fields
                case .globalReply(_, let fields): fields
                case .publicKeyAcceptable(_, let key): key
                case .channelRequest(_, .exec(let command), _): command
                default: nil
                }
            #expect(kept == slice && (kept?.storageCapacity ?? .max) < 1000)
        }
    }
}
