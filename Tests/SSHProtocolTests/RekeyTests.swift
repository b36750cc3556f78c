import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import TestSupport
import Testing

@testable import SSHProtocol

@Suite("Key re-exchange")
struct RekeyTests {
    private func rekeys(_ end: Endpoint) -> Int { end.story.count { $0 == "rekeyed" } }

    @Test(
        "Either side may ask for new keys, and both at once", arguments: [(true, false), (false, true), (true, true)])
    func started(_ byClient: Bool, _ byServer: Bool) {
        let (pair, id) = JoinedPair.withChannel()
        let session = pair.client.connection.sessionID
        for round in 1...3 {
            if byClient { pair.client.attempt { try $0.rekey() } }
            if byServer { pair.server.attempt { try $0.rekey() } }
            // Messages and data asked for in the middle of it wait, and arrive.
            pair.client.attempt { connection in
                try connection.write(id, ByteBuffer(string: "up"))
                try connection.request(id, .exitStatus(1), wantReply: true)
            }
            pair.server.attempt { try $0.write(id, ByteBuffer(string: "down")) }
            #expect(pair.run())
            #expect(rekeys(pair.client) == round)
            #expect(rekeys(pair.server) == round)
            #expect(pair.client.story.count { $0 == "channelReply" } == round)
        }
        #expect(pair.client.connection.sessionID == session)
        #expect(pair.server.connection.sessionID == session)
        #expect(pair.server.data[id] == ByteBuffer(string: "upupup"))
        #expect(pair.client.data[id] == ByteBuffer(string: "downdowndown"))
        #expect(pair.client.failure == nil && pair.server.failure == nil)
        // The host key was shown once.
        #expect(pair.client.story.count { $0 == "hostKey" } == 1)
    }

    @Test(
        "New keys by volume while data flows both ways leave the data as it was",
        arguments: ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"])
    func byVolume(_ cipher: String) {
        let size = cipher.hasPrefix("aes128-gcm") ? 8 << 20 : 1 << 20
        let (pair, id) = JoinedPair.withChannel(
            client: .quick.with {
                ($0.algorithms.ciphersClientToServer, $0.algorithms.ciphersServerToClient) = ([cipher], [cipher])
                ($0.algorithms.macsClientToServer, $0.algorithms.macsServerToClient) = (
                    ["hmac-sha2-256"], ["hmac-sha1"]
                )
                $0.rekeyBytes = 64 * 1024
            })
        pair.outputLimit = 50_000
        pair.pieces = 1...70_000
        var random = SeededGenerator(seed: 1)
        let (up, down) = (ByteBuffer(bytes: random.bytes(size)), ByteBuffer(bytes: random.bytes(size)))
        pair.client.attempt { try $0.write(id, up) }
        pair.server.attempt { try $0.write(id, down) }
        #expect(pair.run())
        #expect(pair.server.data[id] == up)
        #expect(pair.client.data[id] == down)
        #expect(rekeys(pair.client) > size / (200 * 1024))
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("Compression starts with the end of authentication and anew with every key")
    func compressed() {
        let zlib = ["zlib@openssh.com"]
        func compressing(_ configuration: inout ConnectionConfiguration) {
            configuration.algorithms.compressionClientToServer = zlib
            configuration.algorithms.compressionServerToClient = zlib
            configuration.rekeyBytes = 64 * 1024
        }
        let (pair, id) = JoinedPair.withChannel(
            client: .quick.with(compressing), server: .server().with(compressing))
        var random = SeededGenerator(seed: 2)
        let noise = random.bytes(512 << 10)
        let up = ByteBuffer(bytes: noise)
        let down = ByteBuffer(bytes: noise.map { $0 & 3 })
        pair.client.attempt { try $0.write(id, up) }
        pair.server.attempt { try $0.write(id, down) }
        #expect(pair.run())
        #expect(pair.server.data[id] == up)
        #expect(pair.client.data[id] == down)
        #expect(rekeys(pair.client) > 1)
        #expect(pair.client.connection.negotiated?.serverToClient.compression == "zlib@openssh.com")
    }

    @Test("New keys come after their time, counted from the first reading of the clock")
    func byTime() {
        let (pair, _) = JoinedPair.withChannel(client: .quick.with { $0.rekeySeconds = 60 })
        for (time, expected) in [(5000, 0), (5059, 0), (5060, 1), (5061, 1), (5119, 1), (5120, 2)] as [(Int64, Int)] {
            pair.client.attempt { try $0.clock(time) }
            pair.run()
            #expect(rekeys(pair.client) == expected, "at \(time)")
        }
        #expect(pair.client.failure == nil)
    }

    @Test("Keys are not replaced before the user is let in")
    func beforeAuthentication() {
        let pair = JoinedPair(
            client: .quick.with { ($0.rekeySeconds, $0.rekeyBytes) = (1, 100) },
            server: .server().with { ($0.rekeySeconds, $0.rekeyBytes) = (1, 100) })
        pair.server.acts = { _, event in if case .authenticationRequested = event { true } else { false } }
        pair.start()
        pair.run()
        for time in 0..<10 as Range<Int64> {
            pair.client.attempt { try $0.clock(time) }
            pair.server.attempt { try $0.clock(time) }
            pair.run()
        }
        #expect(rekeys(pair.client) == 0)
        pair.server.attempt { try $0.acceptAuthentication() }
        pair.server.attempt { try $0.clock(20) }
        pair.run(rounds: 20)
        #expect(rekeys(pair.client) > 0)
    }

    @Test("A server that shows another host key in a later exchange is refused")
    func otherHostKey() throws {
        let (pair, _) = JoinedPair.withChannel()
        let other = try PrivateKey.generate(.ed25519)
        pair.server.connection.transport.replaceHostKeys([other])
        pair.client.attempt { try $0.rekey() }
        pair.run()
        guard case .keyExchangeFailed = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
    }

    @Test("Messages of upper layers between a peer's KEXINIT and its NEWKEYS are refused")
    func dataInBetween() throws {
        let (pair, _) = JoinedPair.withChannel()
        // A lawful KEXINIT, and then data in spite of it.
        pair.server.attempt { try $0.rekey() }
        pair.inject(ChannelData(recipientChannel: 0, data: ByteBuffer(string: "x")), from: pair.server)
        pair.run()
        guard case .unexpected(ChannelData.number, _) = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
    }

    @Test("Data the peer sent before it saw our KEXINIT is still taken")
    func dataOnItsWay() throws {
        let (pair, id) = JoinedPair.withChannel()
        pair.client.attempt { try $0.rekey() }
        pair.server.attempt { try $0.write(id, ByteBuffer(string: "on its way")) }
        pair.run()
        #expect(pair.client.data[id] == ByteBuffer(string: "on its way"))
        #expect(rekeys(pair.client) == 1)
    }

    @Test("A second KEXINIT within an exchange, or NEWKEYS without one, ends the connection")
    func outOfTurn() throws {
        for isKexInit in [true, false] {
            let (pair, _) = JoinedPair.withChannel()
            if isKexInit {
                pair.server.attempt { try $0.rekey() }
                pair.inject(KexInit(.everything, markers: []), from: pair.server)
            } else {
                pair.inject(NewKeys(), from: pair.server)
            }
            pair.run()
            guard case .unexpected = pair.client.failure else {
                Issue.record("\(String(describing: pair.client.failure))")
                continue
            }
        }
    }

    @Test("A peer that answers no KEXINIT but asks for answers cannot make them pile up for ever")
    func heldAnswers() throws {
        let (pair, _) = JoinedPair.withChannel()
        pair.client.attempt { try $0.rekey() }
        _ = pair.client.output()
        var ping = Ping()
        ping.data = ByteBuffer(repeating: 0, count: 200_000)
        for _ in 0..<200 {
            guard pair.client.failure == nil else { break }
            pair.inject(ping, from: pair.server)
            if let bytes = pair.server.output() { pair.client.attempt { try $0.receive(bytes) } }
        }
        guard case .violation = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
    }
}

extension TransportLayer {
    /// Gives the server other keys between exchanges.
    mutating func replaceHostKeys(_ keys: [PrivateKey]) {
        configuration.hostKeys = keys
    }
}
