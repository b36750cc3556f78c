import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import Testing

@testable import SSHProtocol

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

    private func logIn(_ pair: JoinedPair, isSigned: Bool = true, session: [ChannelRequestKind] = []) throws {
        let key = try #require(Self.key)
        let identifier = try #require(pair.client.connection.sessionID)
        let data = AuthenticationSignature.signedData(
            sessionID: identifier, user: "tester", algorithm: "ssh-ed25519", key: key.publicKey.blob)
        let signature = try key.sign(data.readableBytesView, algorithm: "ssh-ed25519")
        let method = AuthenticationMethod.publicKey(
            algorithm: "ssh-ed25519", key: key.publicKey.blob, signature: isSigned ? signature : nil)
        pair.client.attempt { try $0.authenticate(user: "tester", method, session: session) }
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

    /// Has somebody on the client's side want a session.
    @discardableResult
    private func open(_ pair: JoinedPair, requests: [ChannelRequestKind] = []) -> ChannelID? {
        var id: ChannelID?
        pair.client.attempt { id = try $0.openChannel(requests: requests) }
        pair.run()
        return id
    }

    private func offers(_ pair: JoinedPair) -> Int { pair.server.story.count { $0 == "channelOffered" } }

    @Test("It is open when the user is let in, and whoever opens one gets it")
    func opened() throws {
        let pair = keyed()
        try logIn(pair)
        #expect(pair.run())
        #expect(pair.client.connection.isAuthenticated && offers(pair) == 1)
        #expect(!pair.client.story.contains("channelOpened"), "nobody has asked for it")
        let first = try #require(open(pair))
        #expect(pair.client.story.last == "channelOpened" && offers(pair) == 1)
        pair.client.attempt { try $0.request(first, .subsystem(name: "sftp"), wantReply: true) }
        pair.run()
        #expect(pair.client.story.last == "channelReply")
        // The next one is asked for in the usual way.
        #expect(open(pair) != first && offers(pair) == 2)
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
        open(pair)
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
        #expect(question.server.failure == nil && !question.client.connection.hasOpenedAhead)
        let stock = keyed(server: .server().with { $0.softwareVersion = "OpenSSH_9.2p1 Debian-2" })
        try logIn(stock)
        stock.run()
        #expect(offers(stock) == 1)
    }

    private static let start: [ChannelRequestKind] = [
        .environment(name: "LANG", value: "C"), .subsystem(name: "sftp"),
    ]
    private func requests(_ pair: JoinedPair) -> Int { pair.server.story.count { $0 == "channelRequest" } }

    @Test("Requests made on it are answered to whoever opens a session for the same")
    func requestsAhead() throws {
        for isWantedAtOnce in [false, true] {
            let pair = keyed()
            pair.client.acts = { connection, event in
                if isWantedAtOnce, case .authenticated = event { _ = try connection.openChannel(requests: Self.start) }
                return false
            }
            try logIn(pair, session: Self.start)
            pair.run()
            #expect(requests(pair) == 2, "made before anybody opened a session")
            #expect(pair.client.story.contains("channelReply") == isWantedAtOnce)
            if !isWantedAtOnce { open(pair, requests: Self.start) }
            #expect(pair.client.story.suffix(2) == ["channelOpened", "channelReply"])
            #expect(offers(pair) == 1 && requests(pair) == 2)
            #expect(pair.client.failure == nil && pair.server.failure == nil)
        }
    }

    @Test("Whoever wants something else gets a session of its own")
    func otherRequests() throws {
        let pair = keyed()
        try logIn(pair, session: Self.start)
        pair.run()
        let exec = ChannelRequestKind.exec(command: ByteBuffer(string: "ls"))
        let own = open(pair, requests: [exec])
        #expect(offers(pair) == 2 && pair.client.story.suffix(2) == ["channelOpened", "channelReply"])
        #expect(open(pair) != own && offers(pair) == 3)
        open(pair, requests: Self.start)
        #expect(offers(pair) == 3, "the one asked for ahead is still there")
    }

    @Test("Requests can be made on a session asked for ahead without any")
    func laterRequests() throws {
        let pair = keyed()
        try logIn(pair)
        pair.run()
        open(pair, requests: Self.start)
        #expect(offers(pair) == 1 && requests(pair) == 2)
        #expect(pair.client.story.suffix(2) == ["channelOpened", "channelReply"])
    }

    @Test("A user who is not let in has made no requests, and is let in later all the same")
    func refusedRequests() throws {
        let pair = keyed()
        refuse(pair, times: 1)
        for _ in 0..<2 {
            try logIn(pair, session: Self.start)
            pair.run()
        }
        #expect(pair.client.connection.isAuthenticated && offers(pair) == 0 && requests(pair) == 0)
        open(pair, requests: Self.start)
        #expect(offers(pair) == 1 && requests(pair) == 2 && pair.client.story.last == "channelReply")
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("A server that does not know them is asked again when the session is wanted", arguments: [false, true])
    func unknownRequests(isWanted: Bool) throws {
        let pair = keyed()
        forgetFirstOpen(pair, packets: 3)
        pair.client.acts = { connection, event in
            if isWanted, case .authenticated = event { _ = try connection.openChannel(requests: Self.start) }
            return false
        }
        try logIn(pair, session: Self.start)
        pair.run()
        if !isWanted { open(pair, requests: Self.start) }
        #expect(offers(pair) == 2 && requests(pair) == 2)
        #expect(pair.client.story.suffix(2) == ["channelOpened", "channelReply"])
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("A server that numbers its first channel otherwise has not got the requests, and the connection ends")
    func otherNumber() throws {
        for session in [[], Self.start] {
            let pair = keyed()
            pair.server.acts = { _, event in if case .channelOffered = event { true } else { false } }
            try logIn(pair, session: session)
            pair.run()
            var message = ChannelOpenConfirmation()
            message.senderChannel = 5
            message.maximumPacketSize = 1
            pair.inject(message, from: pair.server)
            pair.run()
            #expect(pair.client.failure.map { "\($0)".contains("number 5") } == (session.isEmpty ? nil : true))
        }
    }

    @Test("A server that refuses the session has requests for no channel, and the connection ends with its reason")
    func refusedSession() throws {
        let pair = keyed()
        pair.server.acts = { connection, event in
            guard case .channelOffered(let id, _) = event else { return false }
            try connection.rejectChannel(id, .resourceShortage, "too many")
            return true
        }
        try logIn(pair, session: Self.start)
        pair.run()
        #expect("\(try #require(pair.client.failure))" == "channel open failed (4): too many")
    }

    @Test("An answer to the requests before the session is open is none")
    func answerTooEarly() throws {
        let pair = keyed()
        pair.server.acts = { _, event in if case .channelOffered = event { true } else { false } }
        try logIn(pair, session: Self.start)
        pair.run()
        pair.inject(ChannelSuccess(recipientChannel: 0), from: pair.server)
        pair.run()
        #expect("\(try #require(pair.client.failure))".contains("to no request"))
    }

    @Test("A client may make so many requests before its channel is accepted and no more")
    func manyRequests() throws {
        let many = (0..<100).map { ChannelRequestKind.environment(name: "A\($0)", value: "") }
        let pair = keyed()
        try logIn(pair, session: many)
        pair.run()
        #expect("\(try #require(pair.server.failure))".contains("out of place"))
    }

    /// Has the server say that it does not know the packets read last, in place of looking at the first channel asked for.
    private func forgetFirstOpen(_ pair: JoinedPair, packets: UInt32 = 1) {
        pair.server.acts = { connection, event in
            guard case .channelOffered(let id, _) = event, self.offers(pair) == 1 else { return false }
            let next = connection.transport.inbound.counter.sequenceNumber
            for number in (next - packets)..<next {
                try connection.transport.sendNow(Unimplemented(sequenceNumber: number))
            }
            try connection.rejectChannel(id, .resourceShortage, "")
            _ = connection.channels.nextMessage()
            return true
        }
    }

    @Test("A server that let the user in and does not know the request is asked again", arguments: [false, true])
    func unknown(isWanted: Bool) throws {
        let pair = keyed()
        forgetFirstOpen(pair)
        pair.client.acts = { connection, event in
            if isWanted, case .authenticated = event { _ = try connection.openChannel() }
            return false
        }
        try logIn(pair)
        pair.run()
        #expect(offers(pair) == (isWanted ? 2 : 1))
        if !isWanted { open(pair) }
        #expect(offers(pair) == 2 && pair.client.story.last == "channelOpened")
        for number: UInt32 in 0..<8 { pair.inject(Unimplemented(sequenceNumber: number), from: pair.server) }
        pair.run()
        #expect(offers(pair) == 2 && pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("A server that looks at the request before its verdict may refuse it or not know it")
    func lookedAtTooEarly() throws {
        for isRefusal in [false, true] {
            let pair = keyed()
            var attempts = 0
            pair.server.acts = { connection, event in
                guard case .authenticationRequested = event else { return false }
                attempts += 1
                guard attempts == 1 else { return false }
                let packet = connection.transport.inbound.counter.sequenceNumber
                let early: any Message =
                    isRefusal
                    ? ChannelOpenFailure(recipientChannel: 0, reason: .administrativelyProhibited, text: "")
                    : Unimplemented(sequenceNumber: packet)
                try connection.transport.outbound.send(head: try early.encoded(), body: nil)
                if isRefusal { try connection.rejectAuthentication(methods: ["publickey"]) }
                return isRefusal
            }
            try logIn(pair)
            pair.run()
            if isRefusal { try logIn(pair) }
            pair.run()
            #expect(pair.client.connection.isAuthenticated)
            if isRefusal {
                open(pair)
                #expect(pair.client.story.last == "channelOpened" && pair.client.failure == nil)
            } else {
                // Ours looks at it all the same, and confirms a channel that is none any more.
                #expect("\(try #require(pair.client.failure))".contains("not open"))
            }
        }
    }

    @Test("A session that was refused or closed before anybody wanted it is none")
    func endings() throws {
        for isRefusal in [false, true] {
            let pair = keyed()
            pair.server.acts = { connection, event in
                guard case .channelOffered(let id, _) = event, self.offers(pair) == 1 else { return false }
                if isRefusal {
                    try connection.rejectChannel(id, .resourceShortage, "no")
                } else {
                    try connection.acceptChannel(id)
                    try connection.write(id, ByteBuffer(string: "bye"))
                    connection.finishWriting(id)
                    connection.close(id)
                }
                return true
            }
            try logIn(pair)
            pair.run()
            let id = open(pair)
            #expect(pair.client.story.last == "channelOpened" && offers(pair) == 2)
            #expect(pair.client.data[try #require(id)] == nil)
            #expect(pair.client.failure == nil && pair.server.failure == nil)
        }
    }

    @Test("What came before the session was wanted comes when it is, in order")
    func keptEvents() throws {
        let pair = keyed()
        pair.server.acts = { connection, event in
            guard case .channelOffered(let id, _) = event else { return false }
            try connection.acceptChannel(id)
            try connection.write(id, ByteBuffer(string: "hello"))
            connection.finishWriting(id)
            return true
        }
        try logIn(pair)
        pair.run()
        let id = open(pair)
        #expect(pair.client.story.suffix(3) == ["channelOpened", "channelReadable", "channelEOF"])
        #expect(pair.client.data[try #require(id)].map { String(buffer: $0) } == "hello")
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
        #expect("\(try #require(pair.client.failure))".contains("nothing was written"))
    }

    @Test("A server lets a client make so many requests ahead, and only behind a channel's")
    func requestsTooEarly() throws {
        let open = ChannelOpen(type: .session, senderChannel: 0, initialWindowSize: 1, maximumPacketSize: 1)
        let request = ChannelRequest(recipientChannel: 0, kind: .subsystem(name: "sftp"), wantReply: true)
        for (asksForChannel, count) in [(true, 64), (true, 65), (false, 1)] {
            let pair = keyed()
            if asksForChannel { pair.inject(open, from: pair.client) }
            for _ in 0..<count { pair.inject(request, from: pair.client) }
            pair.run()
            #expect((pair.server.failure == nil) == (asksForChannel && count <= 64))
            #expect(requests(pair) == 0)
        }
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
