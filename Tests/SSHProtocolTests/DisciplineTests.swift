import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import Testing

@testable import SSHProtocol

@Suite("Discipline of the transport layer")
struct DisciplineTests {
    /// A pair in which both KEXINITs have been sent and one side's first packets are of the test's making.
    private func strictness(client: Bool, server: Bool) -> JoinedPair {
        let pair = JoinedPair()
        pair.client.connection.transport.offersStrictOrder = client
        pair.server.connection.transport.offersStrictOrder = server
        return pair
    }

    private func sequences(_ end: Endpoint) -> (UInt32, UInt32) {
        let transport = end.connection.transport
        return (transport.outbound.counter.sequenceNumber, transport.inbound.counter.sequenceNumber)
    }

    @Test(
        "Sequence numbers start anew with each NEWKEYS when both sides are strict, and else go on",
        arguments: [(true, true), (true, false), (false, true), (false, false)])
    func sequenceNumbers(_ client: Bool, _ server: Bool) {
        let pair = strictness(client: client, server: server)
        pair.start()
        pair.run()
        #expect(pair.client.connection.isAuthenticated)
        #expect(sequences(pair.client) == (sequences(pair.server).1, sequences(pair.server).0))
        // Behind NEWKEYS the client sent its extensions, a service request and a request to be let in.
        #expect(sequences(pair.client).0 == (client && server ? 3 : 6))
        pair.client.attempt { try $0.rekey() }
        pair.run()
        #expect(sequences(pair.client).0 == (client && server ? 0 : 9))
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    /// The plaintext packet of a message.
    private func packet(_ message: some Message) throws -> [UInt8] {
        var sealer = PlaintextSealer()
        var output = ByteBuffer()
        try sealer.seal(head: message.encoded(), body: nil, sequenceNumber: 0, into: &output)
        return Array(output.readableBytesView)
    }

    @Test("IGNORE before the first NEWKEYS ends a strict exchange and does nothing to another", arguments: 0..<4)
    func injectedIgnore(_ index: Int) throws {
        for strict in [true, false] {
            let pair = strictness(client: strict, server: strict)
            var debug = Debug()
            debug.text = ByteBuffer(string: "x")
            let extra = try [packet(Ignore()), packet(debug), packet(Unimplemented()), packet(Ignore())][index]
            // The attacker puts a packet before the server's first packet, or behind it.
            let before = index == 3
            var done = false
            pair.tamper = { role, position, bytes in
                guard role == .server, !done else { return }
                done = true
                let line = (bytes.firstIndex(of: 10) ?? 0) + 1
                if before {
                    bytes.insert(contentsOf: extra, at: line)
                } else {
                    let size = bytes[line..<(line + 4)].reduce(0) { $0 << 8 | Int($1) }
                    bytes.insert(contentsOf: extra, at: line + 4 + size)
                }
            }
            pair.start()
            pair.run()
            if strict {
                #expect(pair.client.failure != nil)
                #expect(!pair.client.connection.isAuthenticated)
            } else {
                #expect(pair.client.story.contains("hostKey"))
            }
        }
    }

    @Test("IGNORE and DEBUG of the peer itself are allowed before NEWKEYS where the exchange is not strict")
    func honestIgnore() throws {
        let pair = strictness(client: false, server: false)
        pair.server.attempt { try $0.start() }
        pair.inject(Ignore(), from: pair.server)
        var debug = Debug()
        debug.alwaysDisplay = true
        debug.text = ByteBuffer(string: "hi")
        pair.inject(debug, from: pair.server)
        pair.client.attempt { try $0.start() }
        pair.run()
        #expect(pair.client.connection.isAuthenticated)
        #expect(pair.client.story.contains("debug"))
    }

    /// The prefix truncation of CVE-2023-48795: an IGNORE injected in the clear makes up for the first packet behind
    /// NEWKEYS, which is removed. ChaCha20-Poly1305 takes its nonce from the sequence number alone.
    @Test("A packet removed behind NEWKEYS is noticed when the exchange is strict")
    func terrapin() throws {
        for strict in [true, false] {
            let pair = JoinedPair(
                client: .quick.with {
                    $0.algorithms.ciphersClientToServer = ["chacha20-poly1305@openssh.com"]
                    $0.algorithms.ciphersServerToClient = ["chacha20-poly1305@openssh.com"]
                })
            pair.client.connection.transport.offersStrictOrder = strict
            let ignore = try packet(Ignore())
            var (isFirst, isDone) = (true, false)
            pair.tamper = { role, _, bytes in
                guard role == .server, !isDone else { return }
                if isFirst, !strict {
                    isFirst = false
                    bytes.insert(contentsOf: ignore, at: (bytes.firstIndex(of: 10) ?? 0) + 1)
                } else if let at = bytes.firstRange(of: [0, 0, 0, 12, 10, NewKeys.number]) {
                    // All behind NEWKEYS in this read is EXT_INFO.
                    isDone = true
                    bytes.removeSubrange((at.lowerBound + 16)...)
                }
            }
            pair.start()
            pair.run()
            #expect(isDone)
            #expect(!pair.client.story.contains("extensions"))
            // Without strictness the attack works, which is what strictness is for.
            #expect(pair.client.connection.isAuthenticated == !strict)
        }
    }

    @Test("EXT_INFO comes only to a client that asked for it")
    func extensionInfo() {
        for asks in [true, false] {
            let pair = JoinedPair()
            pair.client.connection.transport.asksForExtensions = asks
            pair.start()
            pair.run()
            #expect(pair.client.connection.isAuthenticated)
            #expect(pair.client.story.contains("extensions") == asks)
        }
    }

    @Test(
        "A packet the peer sends on a guess is dropped when the guess was wrong, and used when it was right",
        arguments: [true, false])
    func guess(_ isRight: Bool) throws {
        // The server guesses nothing of use, so the client is the one to guess here.
        let server = Endpoint(
            .server, .server().with { $0.algorithms.kex = ["curve25519-sha256", "ecdh-sha2-nistp256"] })
        let client = Endpoint(.client, .quick)
        server.attempt { try $0.start() }
        var offer = ConnectionConfiguration.quick.algorithms
        offer.kex = isRight ? ["curve25519-sha256"] : ["ecdh-sha2-nistp256", "curve25519-sha256"]
        var message = KexInit(offer, markers: [])
        message.firstKexPacketFollows = true
        let payload = try message.encoded()
        let method = try #require(KeyExchangeAlgorithm.named(offer.kex[0])).makeClient()
        client.attempt { connection in
            connection.transport.outbound.output.writeString("SSH-2.0-guesser\r\n")
            try connection.transport.outbound.send(head: payload, body: nil)
            try connection.transport.outbound.send(head: method.initialPayload, body: nil)
        }
        let bytes = try #require(client.output())
        server.attempt { try $0.receive(bytes) }
        #expect(server.failure == nil)
        // The reply goes out where the guess was right: it is an answer to the guessed packet.
        #expect((server.connection.sessionID != nil) == isRight)
        if !isRight {
            // Preferring another method made the guess wrong; the exchange goes on with the method both have.
            let second = try #require(KeyExchangeAlgorithm.named("ecdh-sha2-nistp256")).makeClient()
            client.attempt { try $0.transport.outbound.send(head: second.initialPayload, body: nil) }
            let more = try #require(client.output())
            server.attempt { try $0.receive(more) }
            #expect(server.failure == nil)
            #expect(server.connection.sessionID != nil)
        }
    }

    @Test("A disconnect of the peer's is reported with its code and its text made printable")
    func disconnectReported() {
        let pair = JoinedPair.authenticated()
        pair.server.attempt { $0.disconnect(.tooManyConnections, "go\u{1b} away") }
        pair.run()
        guard case .disconnected(.tooManyConnections, #"go\033 away"#) = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
        // The dead do not answer.
        #expect(pair.client.output() == nil)
    }

    static let faults: [(DisconnectReason, ConnectionError)] = [
        (.protocolVersionNotSupported, .unsupportedVersion("x")), (.keyExchangeFailed, .noCommonAlgorithm("x")),
        (.keyExchangeFailed, .keyExchangeFailed("x")), (.macError, .packetCorrupt("x")),
        (.protocolError, .malformed(message: "x", fault: .trailingBytes(message: "x", count: 1))),
        (.protocolError, .unexpected(message: 1, during: "x")), (.protocolError, .violation("x")),
        (.hostKeyNotVerifiable, .hostKeyRejected),
    ]

    @Test("Each fault leaves as a DISCONNECT with its reason code", arguments: 0..<faults.count)
    func faultBytes(_ index: Int) throws {
        let (reason, error) = Self.faults[index]
        let end = Endpoint(.client, .quick)
        end.attempt { try $0.start() }
        _ = end.output()
        end.connection.fail(error)
        var packet = try #require(try end.connection.takeOutput(limit: 1000))
        var payload = ByteBuffer()
        var opener = PlaintextOpener()
        _ = try opener.open(&packet, sequenceNumber: 0, into: &payload)
        #expect(Array(payload.readableBytesView.prefix(5)) == [1, 0, 0, 0, UInt8(reason.rawValue)])
        #expect(String(buffer: try Disconnect(payload: payload).text) == "\(error)")
        #expect(packet.readableBytes == 0)
    }

    @Test("After the end everything throws what the end was, and nothing traps")
    func afterTheEnd() throws {
        let (pair, id) = JoinedPair.withChannel()
        pair.inject(ChannelEOF(recipientChannel: 77), from: pair.server)
        pair.run()
        var connection = pair.client.connection
        let key = try PrivateKey.generate(.ed25519).publicKey
        let verbs: [(inout Connection) throws -> Void] = [
            { try $0.start() }, { try $0.receive(ByteBuffer(string: "x")) }, { try $0.acceptHostKey() },
            { try $0.authenticate(user: "u", .none) }, { try $0.answer([]) }, { try $0.acceptAuthentication() },
            { try $0.rejectAuthentication(methods: []) },
            { try $0.acknowledge(ShownKey(key: key, certificate: nil, algorithm: "a", securityKey: nil)) },
            { try $0.requestInformation(UserAuthInfoRequest()) }, { try $0.sendBanner("x") },
            { _ = try $0.openChannel() }, { try $0.acceptChannel(id) },
            { try $0.rejectChannel(id, .connectFailed, "") },
            { try $0.request(id, .exitStatus(1), wantReply: true) }, { try $0.replyToRequest(id, success: true) },
            { try $0.write(id, ByteBuffer(string: "x")) }, { try $0.globalRequest("x", wantReply: true) },
            { try $0.ignore() }, { try $0.rekey() }, { try $0.clock(1) },
        ]
        for verb in verbs {
            #expect { try verb(&connection) } throws: { error in
                if case ConnectionError.violation = error { true } else { false }
            }
        }
        connection.finishWriting(id)
        connection.close(id)
        connection.release(id)
        connection.disconnect()
        connection.fail(.closed)
        #expect(throws: Never.self) { try connection.consumed(id, 1, at: .now) }
        #expect(try connection.takeOutput(limit: 1000) == nil)
        _ = connection.takeReceived(id)
        while connection.nextEvent() != nil {}
    }

    @Test("Unknown messages are answered with UNIMPLEMENTED and their sequence number")
    func unimplemented() throws {
        let (pair, _) = JoinedPair.withChannel()
        for number in [0, 8, 22, 29, 101, 127, 128, 191, 194, 255] as [UInt8] {
            let sequence = pair.client.connection.transport.outbound.counter.sequenceNumber
            pair.inject(ByteBuffer(bytes: [number, 1, 2, 3]), from: pair.client)
            if let bytes = pair.client.output() { pair.server.attempt { try $0.receive(bytes) } }
            var output = try #require(pair.server.output())
            _ = try pair.client.connection.transport.inbound.next(&output)
            let answer = try Unimplemented(payload: pair.client.connection.transport.inbound.payload)
            #expect(answer.sequenceNumber == sequence)
            #expect(output.readableBytes == 0)
        }
        #expect(pair.server.failure == nil)
    }

    @Test("A ping is answered with its data, and a pong with nothing")
    func ping() throws {
        let (pair, _) = JoinedPair.withChannel()
        var ping = Ping()
        ping.data = ByteBuffer(string: "are you there")
        pair.inject(ping, from: pair.client)
        pair.inject(Pong(data: ping.data), from: pair.client)
        if let bytes = pair.client.output() { pair.server.attempt { try $0.receive(bytes) } }
        var output = try #require(pair.server.output())
        _ = try pair.client.connection.transport.inbound.next(&output)
        #expect(try Pong(payload: pair.client.connection.transport.inbound.payload).data == ping.data)
        #expect(output.readableBytes == 0)
    }

    @Test("Global requests are told, and refused in their order where an answer is wanted")
    func globalRequests() throws {
        let (pair, _) = JoinedPair.withChannel()
        pair.client.attempt { connection in
            try connection.globalRequest("keepalive@openssh.com", wantReply: true)
            try connection.globalRequest("quiet@example.org", wantReply: false)
            try connection.globalRequest("other@example.org", wantReply: true)
        }
        pair.run()
        #expect(pair.server.story.count { $0 == "globalRequest" } == 3)
        #expect(pair.client.story.count { $0 == "globalReply" } == 2)
        #expect(pair.client.failure == nil)
    }

    @Test("Empty payloads and packets too long end the connection")
    func emptyPayload() {
        let (pair, _) = JoinedPair.withChannel()
        pair.inject(ByteBuffer(), from: pair.client)
        pair.run()
        #expect(pair.server.failure != nil)
    }

    @Test("Nothing of a connection's insides is in its description")
    func description() {
        let (pair, _) = JoinedPair.withChannel()
        #expect("\(pair.client.connection)" == "SSH connection (client)")
        #expect(String(reflecting: pair.client.connection) == "SSH connection (client)")
        var dumped = ""
        dump(pair.client.connection, to: &dumped)
        #expect(dumped.utf8.count < 100)
    }
}
