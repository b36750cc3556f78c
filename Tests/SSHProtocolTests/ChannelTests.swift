import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import TestSupport
import Testing

@testable import SSHProtocol

@Suite("Channels")
struct ChannelTests {
    @Test("A channel is asked for and granted, or refused with reason and text")
    func opening() {
        let pair = JoinedPair.authenticated()
        pair.server.acts = { connection, event in
            guard case .channelOffered(let id, _) = event, id.number == 1 else { return false }
            try connection.rejectChannel(id, .resourceShortage, "no\u{1b}more")
            return true
        }
        pair.client.attempt { _ = try $0.openChannel() }
        pair.client.attempt { _ = try $0.openChannel() }
        pair.run()
        #expect(pair.client.story.suffix(2) == ["channelOpened", "channelRefused"])
        guard case .channelRefused(_, .resourceShortage, #"no\033more"#) = pair.client.events.last else {
            Issue.record("\(pair.client.events)")
            return
        }
    }

    @Test("Types of channel nobody serves are refused with the reason for it")
    func types() {
        let pair = JoinedPair.authenticated()
        pair.client.attempt { _ = try $0.openChannel(.other(name: "x11", fields: ByteBuffer())) }
        pair.client.attempt {
            _ = try $0.openChannel(.directTCPIP(host: "h", port: 1, originHost: "o", originPort: 2))
        }
        // A server may not open channels to a client that asked for none.
        pair.server.attempt { _ = try $0.openChannel() }
        pair.run()
        let reasons = (pair.client.events + pair.server.events).compactMap {
            if case .channelRefused(_, let reason, _) = $0 { reason } else { nil }
        }
        #expect(
            reasons == [.unknownChannelType, .administrativelyProhibited, .administrativelyProhibited])
        #expect(pair.client.failure == nil)
    }

    @Test("A refused channel's number is not used again before the refusal was told")
    func refusedNumber() throws {
        let pair = JoinedPair.authenticated()
        let refused = try pair.client.connection.openChannel(.other(name: "x", fields: ByteBuffer()))
        // Bytes move, events stay where they are.
        for _ in 0..<4 {
            if let output = try pair.client.connection.takeOutput(limit: 1000) {
                try pair.server.connection.receive(output)
            }
            if let output = try pair.server.connection.takeOutput(limit: 1000) {
                try pair.client.connection.receive(output)
            }
        }
        let next = try pair.client.connection.openChannel()
        #expect(next != refused)
        pair.run()
        #expect(pair.client.story.suffix(2) == ["channelRefused", "channelOpened"])
        #expect(try pair.client.connection.openChannel() == refused)
    }

    @Test("Requests are answered in their order, whatever the answers")
    func requests() {
        let (pair, id) = JoinedPair.withChannel()
        var seen: [String] = []
        pair.server.acts = { connection, event in
            guard case .channelRequest(let id, let kind, let wantReply) = event else { return false }
            seen.append(kind.name)
            if wantReply { try connection.replyToRequest(id, success: kind.name != "env") }
            return true
        }
        let exec = ChannelRequestKind.exec(command: ByteBuffer(string: "scp -t ."))
        pair.client.attempt { connection in
            try connection.request(id, .environment(name: "LANG", value: "C"), wantReply: true)
            try connection.request(id, .subsystem(name: "sftp"), wantReply: true)
            try connection.request(id, .other(name: "x", fields: ByteBuffer()), wantReply: false)
            try connection.request(id, exec, wantReply: true)
        }
        pair.run()
        #expect(seen == ["env", "subsystem", "x", "exec"])
        let replies = pair.client.events.compactMap {
            if case .channelReply(id, let success) = $0 { success } else { nil }
        }
        #expect(replies == [false, true, true])
    }

    @Test("A server's request to a client is told, and refused where it wants an answer")
    func requestToClient() {
        let (pair, id) = JoinedPair.withChannel()
        pair.server.attempt {
            try $0.request(id, .other(name: "keepalive@openssh.com", fields: ByteBuffer()), wantReply: true)
        }
        pair.run()
        guard case .channelReply(id, success: false) = pair.server.events.last else {
            Issue.record("\(pair.server.story)")
            return
        }
    }

    @Test("A server may open channels of the types the client has agreed to, and no others")
    func channelsToClient() throws {
        let pair = JoinedPair.authenticated()
        pair.client.attempt { $0.acceptedChannelTypes.insert("auth-agent@openssh.com") }
        var (agent, other) = (ChannelID(number: 0), ChannelID(number: 0))
        pair.server.attempt {
            agent = try $0.openChannel(.other(name: "auth-agent@openssh.com", fields: ByteBuffer()))
            other = try $0.openChannel(.other(name: "x11", fields: ByteBuffer()))
        }
        pair.run()
        let offers = pair.client.events.compactMap {
            if case .channelOffered(let id, let type) = $0 { (id, type.name) } else { nil }
        }
        let mine = try #require(offers.first)
        #expect(offers.count == 1 && mine.1 == "auth-agent@openssh.com")
        #expect(pair.server.story.contains("channelRefused") && other != agent)
        pair.server.attempt { try $0.write(agent, ByteBuffer(string: "question")) }
        pair.client.attempt { try $0.write(mine.0, ByteBuffer(string: "answer")) }
        pair.run()
        #expect(pair.client.data[mine.0] == ByteBuffer(string: "question"))
        #expect(pair.server.data[agent] == ByteBuffer(string: "answer"))
    }

    @Test("Exit status and exit signal reach the client before the channel's end")
    func exit() {
        let (pair, id) = JoinedPair.withChannel()
        let signal = ChannelRequestKind.exitSignal(
            name: "KILL", coreDumped: true, message: ByteBuffer(string: "out of memory"))
        pair.server.attempt { connection in
            try connection.request(id, .exitStatus(7), wantReply: false)
            try connection.request(id, signal, wantReply: false)
            connection.finishWriting(id)
            connection.close(id)
        }
        pair.run()
        let kinds = pair.client.events.compactMap {
            if case .channelRequest(id, let kind, false) = $0 { kind } else { nil }
        }
        #expect(kinds == [.exitStatus(7), signal])
        #expect(
            pair.client.story.suffix(4) == ["channelRequest", "channelRequest", "channelEOF", "channelClosed"])
        #expect(pair.server.story.last == "channelClosed")
    }

    @Test("EOF leaves the other way open; CLOSE from either side ends both", arguments: [false, true])
    func ending(_ serverFirst: Bool) {
        let (pair, id) = JoinedPair.withChannel()
        let (first, second) = serverFirst ? (pair.server, pair.client) : (pair.client, pair.server)
        first.attempt { connection in
            try connection.write(id, ByteBuffer(string: "last words"))
            connection.finishWriting(id)
        }
        pair.run()
        #expect(second.story.suffix(2) == ["channelReadable", "channelEOF"])
        second.attempt { try $0.write(id, ByteBuffer(string: "still heard")) }
        pair.run()
        #expect(first.data[id] == ByteBuffer(string: "still heard"))
        #expect(throws: ConnectionError.self) { try first.connection.write(id, ByteBuffer(string: "x")) }
        second.attempt { $0.close(id) }
        pair.run()
        #expect(first.story.last == "channelClosed")
        #expect(second.story.last == "channelClosed")
        #expect(!first.story.contains("channelEOF"))
        #expect(first.failure == nil && second.failure == nil)
    }

    @Test("Both may send CLOSE at once")
    func closeAtOnce() {
        let (pair, id) = JoinedPair.withChannel()
        pair.client.attempt { $0.close(id) }
        pair.server.attempt { $0.close(id) }
        pair.run()
        #expect(pair.client.story.last == "channelClosed")
        #expect(pair.server.story.last == "channelClosed")
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("Data queued before CLOSE arrives before it")
    func closeAfterData() {
        let (pair, id) = JoinedPair.withChannel(
            server: .server().with { $0.receiveWindow = 10_000 })
        let data = ByteBuffer(bytes: SeededGenerator(seed: 3).with { $0.bytes(100_000) })
        pair.client.attempt { connection in
            try connection.write(id, data)
            connection.close(id)
        }
        pair.run()
        #expect(pair.server.data[id] == data)
        #expect(pair.server.story.last == "channelClosed")
    }

    @Test("A number is used again once the channel is closed and released, and not before")
    func reuse() throws {
        let (pair, id) = JoinedPair.withChannel()
        pair.client.connection.release(id)
        #expect(try pair.client.connection.openChannel() != id, "an open channel cannot be released")
        pair.client.attempt { $0.close(id) }
        pair.run()
        #expect(try pair.client.connection.openChannel() == id)
        pair.run()
        #expect(pair.client.failure == nil && pair.server.failure == nil)
        #expect(pair.client.story.count { $0 == "channelOpened" } == 3)
    }

    @Test("No more channels than allowed are opened, and the connection lives on")
    func limit() throws {
        let pair = JoinedPair.authenticated(
            client: .quick.with { $0.mostChannels = 3 }, server: .server().with { $0.mostChannels = 2 })
        for _ in 0..<3 { _ = try pair.client.connection.openChannel() }
        #expect(throws: ConnectionError.self) { try pair.client.connection.openChannel() }
        pair.run()
        #expect(pair.client.story.suffix(3).sorted() == ["channelOpened", "channelOpened", "channelRefused"])
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("Standard error comes apart from the data, and other types of extended data are dropped")
    func standardError() {
        let (pair, id) = JoinedPair.withChannel()
        for (type, text) in [(1, "oops"), (2, "what"), (1, "!")] as [(UInt32, String)] {
            var message = ChannelExtendedData()
            message.dataType = type
            message.data = ByteBuffer(string: text)
            pair.inject(message, from: pair.server)
        }
        pair.run()
        #expect(pair.client.errorData[id] == ByteBuffer(string: "oops!"))
        #expect(pair.client.data[id] == nil)
    }

    /// What a peer must not send on a channel, and to whom the channel number belongs.
    static let offences: [(String, [any Message])] = [
        ("data after EOF", [ChannelEOF(), ChannelData(recipientChannel: 0, data: ByteBuffer(string: "x"))]),
        ("EOF twice", [ChannelEOF(), ChannelEOF()]),
        ("data after CLOSE", [ChannelClose(), ChannelData(recipientChannel: 0, data: ByteBuffer(string: "x"))]),
        ("CLOSE twice", [ChannelClose(), ChannelClose()]),
        ("a request after CLOSE", [ChannelClose(), ChannelRequest()]),
        ("data for no channel", [ChannelData(recipientChannel: 9, data: ByteBuffer())]),
        ("data for the last number", [ChannelData(recipientChannel: .max, data: ByteBuffer())]),
        ("EOF for no channel", [ChannelEOF(recipientChannel: 9)]),
        ("CLOSE for no channel", [ChannelClose(recipientChannel: 9)]),
        ("a window for no channel", [ChannelWindowAdjust(recipientChannel: 9, bytesToAdd: 1)]),
        ("a request for no channel", [ChannelRequest(recipientChannel: 9, kind: .exitStatus(1), wantReply: true)]),
        ("success for no request", [ChannelSuccess()]),
        ("failure for no request", [ChannelFailure()]),
        ("confirmation of an open channel", [ChannelOpenConfirmation()]),
        ("refusal of an open channel", [ChannelOpenFailure()]),
        ("a window beyond 2^32", [ChannelWindowAdjust(recipientChannel: 0, bytesToAdd: .max)]),
        ("an answer to no global request", [RequestSuccess()]),
        ("a refusal of no global request", [RequestFailure()]),
        (
            "a packet too large",
            [ChannelData(recipientChannel: 0, data: ByteBuffer(repeating: 0, count: 32 * 1024 + 1))]
        ),
        (
            "more than the window",
            Array(
                repeating: ChannelData(recipientChannel: 0, data: ByteBuffer(repeating: 0, count: 32 * 1024)),
                count: 65)
        ),
    ]

    @Test("What breaks the rules of channels ends the connection", arguments: 0..<offences.count)
    func offence(_ index: Int) {
        let (name, messages) = Self.offences[index]
        for serverOffends in [false, true] {
            let (pair, _) = JoinedPair.withChannel()
            let (offender, victim) = serverOffends ? (pair.server, pair.client) : (pair.client, pair.server)
            victim.reads = false
            for message in messages { pair.inject(message, from: offender) }
            pair.run()
            guard case .violation = victim.failure else {
                Issue.record("\(name): \(String(describing: victim.failure))")
                continue
            }
            guard case .disconnected(.protocolError, _) = offender.failure else {
                Issue.record("\(name): the offender heard \(String(describing: offender.failure))")
                continue
            }
        }
    }

    @Test("Confirmations with packets of no size, and offers of them, are not taken")
    func noPacketSize() {
        let pair = JoinedPair.authenticated()
        pair.inject(
            ChannelOpen(type: .session, senderChannel: 0, initialWindowSize: 1, maximumPacketSize: 0),
            from: pair.client)
        pair.run()
        #expect(!pair.server.story.contains("channelOffered"))
    }
}

extension SeededGenerator {
    func with<R>(_ body: (inout SeededGenerator) -> R) -> R {
        var copy = self
        return body(&copy)
    }
}
