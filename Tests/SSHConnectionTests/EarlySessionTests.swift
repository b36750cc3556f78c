import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import Testing

@testable import SSHConnection

@Suite("A session asked for behind the request to be let in")
struct EarlySessionTests {
    private static let key = try? PrivateKey.generate(.ed25519)

    /// A pair whose client is keyed and has asked for nothing yet.
    private func keyed(
        client: ConnectionConfiguration = .quick, server: ConnectionConfiguration = .server()
    ) -> JoinedPair {
        let pair = JoinedPair(client: client, server: server)
        pair.client.acts = { _, event in if case .ready = event { true } else { false } }
        pair.start()
        pair.run()
        return pair
    }

    private func logIn(_ pair: JoinedPair, isSigned: Bool = true) throws {
        let key = try #require(Self.key)
        let session = try #require(pair.client.connection.sessionID)
        let data = AuthenticationSignature.signedData(
            sessionID: session, user: "tester", algorithm: "ssh-ed25519", key: key.publicKey.blob)
        let signature = try key.sign(data.readableBytesView, algorithm: "ssh-ed25519")
        let method = AuthenticationMethod.publicKey(
            algorithm: "ssh-ed25519", key: key.publicKey.blob, signature: isSigned ? signature : nil)
        pair.client.attempt { try $0.authenticate(user: "tester", method, opensSession: true) }
    }

    /// What the server is to do with the next requests to be let in, in order; then it accepts.
    private func refuse(_ pair: JoinedPair, times: Int) {
        var left = times
        pair.server.acts = { connection, event in
            guard case .authenticationRequested = event, left > 0 else { return false }
            left -= 1
            try connection.rejectAuthentication(methods: ["publickey"])
            return true
        }
    }

    private func offers(_ pair: JoinedPair) -> Int { pair.server.story.count { $0 == "channelOffered" } }

    @Test("It is open when the user is let in, and whoever opens one gets it")
    func opened() throws {
        let pair = keyed()
        try logIn(pair)
        #expect(pair.run())
        #expect(pair.client.connection.isAuthenticated && offers(pair) == 1)
        #expect(!pair.client.story.contains("channelOpened"), "nobody has asked for it")
        var id: ChannelID?
        pair.client.attempt { id = try $0.openChannel() }
        pair.run()
        let first = try #require(id)
        #expect(pair.client.story.last == "channelOpened" && offers(pair) == 1)
        pair.client.attempt { try $0.request(first, .subsystem(name: "sftp"), wantReply: true) }
        pair.run()
        #expect(pair.client.story.last == "channelReply")
        // The next one is asked for in the usual way.
        pair.client.attempt { id = try $0.openChannel() }
        pair.run()
        #expect(id != first && offers(pair) == 2)
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("Who wants it before the answer gets it with the answer")
    func wantedAtOnce() throws {
        let pair = keyed()
        try logIn(pair)
        var id: ChannelID?
        pair.client.acts = { connection, event in
            if case .authenticated = event { id = try connection.openChannel() }
            return false
        }
        pair.run()
        #expect(id != nil && offers(pair) == 1 && pair.client.story.last == "channelOpened")
    }

    @Test("A user who is not let in has asked for nothing, and is not asked about it again")
    func refused() throws {
        let pair = keyed()
        refuse(pair, times: 2)
        for _ in 0..<2 {
            try logIn(pair)
            pair.run()
        }
        #expect(pair.client.story.suffix(2) == ["authenticationFailed", "authenticationFailed"])
        try logIn(pair)
        pair.run()
        #expect(pair.client.connection.isAuthenticated && offers(pair) == 0)
        pair.client.attempt { _ = try $0.openChannel() }
        pair.run()
        #expect(pair.client.story.last == "channelOpened" && offers(pair) == 1)
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("It is not asked for where it would do harm, or is not likely to be granted")
    func unsuitable() throws {
        let others = ["dropbear_2022.83", "AsyncSSH_2.10.1", "OpenSSH_for_Windows_9.5", "OpenSSH-x", "libssh_0.10.6"]
        for version in others {
            let pair = keyed(server: .server().with { $0.softwareVersion = version })
            try logIn(pair)
            pair.run()
            #expect(pair.client.connection.isAuthenticated && offers(pair) == 0, "\(version)")
        }
        let compressed = keyed(
            client: .quick.with { $0.algorithms.compressionClientToServer = ["zlib@openssh.com"] },
            server: .server().with { $0.algorithms.compressionClientToServer = ["zlib@openssh.com"] })
        try logIn(compressed)
        compressed.run()
        #expect(compressed.client.connection.isAuthenticated && offers(compressed) == 0)
        let question = keyed()
        question.server.acts = { _, event in if case .authenticationRequested = event { true } else { false } }
        try logIn(question, isSigned: false)
        question.run()
        #expect(question.server.failure == nil && !question.server.connection.hasHeardEarlyOpen)
        let stock = keyed(server: .server().with { $0.softwareVersion = "OpenSSH_9.2p1 Debian-2" })
        try logIn(stock)
        stock.run()
        #expect(offers(stock) == 1)
    }

    @Test("A server that let the user in and does not know the request is asked again")
    func unknown() throws {
        let pair = keyed()
        pair.server.acts = { connection, event in
            // As if the request had been read before the user was let in.
            if case .channelOffered(let id, _) = event, self.offers(pair) == 1 {
                try connection.sendUnimplemented()
                try connection.rejectChannel(id, .resourceShortage, "")
                _ = connection.channels.nextMessage()
                return true
            }
            return false
        }
        try logIn(pair)
        pair.run()
        pair.client.attempt { _ = try $0.openChannel() }
        pair.run()
        #expect(offers(pair) == 2 && pair.client.story.last == "channelOpened")
        // Once it is open, nothing is asked again.
        pair.inject(Unimplemented(sequenceNumber: 3), from: pair.server)
        pair.run()
        #expect(offers(pair) == 2 && pair.client.failure == nil)
    }

    @Test("A refusal is told to whoever wants the session, and so is an end that came first")
    func endings() throws {
        let refused = keyed()
        refused.server.acts = { connection, event in
            guard case .channelOffered(let id, _) = event else { return false }
            try connection.rejectChannel(id, .resourceShortage, "no")
            return true
        }
        try logIn(refused)
        refused.run()
        refused.client.attempt { _ = try $0.openChannel() }
        refused.run()
        #expect(refused.client.story.last == "channelRefused")
        refused.server.acts = { _, _ in false }
        refused.client.attempt { _ = try $0.openChannel() }
        refused.run()
        #expect(refused.client.story.last == "channelOpened")

        let closed = keyed()
        closed.server.acts = { connection, event in
            guard case .channelOffered(let id, _) = event else { return false }
            try connection.acceptChannel(id)
            try connection.write(id, ByteBuffer(string: "bye"))
            connection.finishWriting(id)
            connection.close(id)
            return true
        }
        try logIn(closed)
        closed.run()
        var id: ChannelID?
        closed.client.attempt { id = try $0.openChannel() }
        closed.run()
        #expect(closed.client.story.suffix(4) == ["channelOpened", "channelReadable", "channelEOF", "channelClosed"])
        #expect(closed.client.data[try #require(id)].map { String(buffer: $0) } == "bye")
        #expect(closed.client.failure == nil && closed.server.failure == nil)
    }

    @Test("A server does not get to fill a channel's story before anybody reads it")
    func flood() throws {
        let pair = keyed()
        try logIn(pair)
        pair.run()
        for _ in 0..<100 {
            pair.inject(
                ChannelRequest(recipientChannel: 0, kind: .exitStatus(0), wantReply: false), from: pair.server)
        }
        pair.run()
        #expect("\(try #require(pair.client.failure))".contains("nothing was asked for"))
    }

    @Test("A server lets a client ask ahead once, and for a channel only")
    func server() throws {
        for message in [false, true] {
            let pair = keyed()
            pair.server.acts = { _, event in if case .authenticationRequested = event { true } else { false } }
            let open = ChannelOpen(type: .session, senderChannel: 0, initialWindowSize: 1, maximumPacketSize: 1)
            pair.inject(open, from: pair.client)
            pair.run()
            #expect(pair.server.failure == nil && offers(pair) == 0)
            if message {
                pair.inject(open, from: pair.client)
            } else {
                pair.inject(GlobalRequest(request: "x", wantReply: false, fields: ByteBuffer()), from: pair.client)
            }
            pair.run()
            #expect("\(try #require(pair.server.failure))".contains("authentication"))
        }
    }
}
