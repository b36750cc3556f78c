import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHNIO
@testable import SSHProtocol

@Suite("Floods of what nobody reads", .timeLimit(.minutes(hangMinutes)))
struct FloodTests {
    /// What a server may send while the client's user is asked for a password.
    static let beforeLogin: [ByteBuffer] = {
        var debug = Debug()
        debug.alwaysDisplay = true
        debug.text = ByteBuffer(repeating: 0x61, count: 20_000)
        let messages: [any Message] = [
            UserAuthBanner(text: String(repeating: "a", count: 20_000)),
            ExtensionInfo([.init(name: "a", value: ByteBuffer(repeating: 1, count: 20_000))]),
            ExtensionInfo((0..<1000).map { .init(name: "\($0)", value: ByteBuffer()) }), debug,
        ]
        return messages.compactMap { try? $0.encoded() }
    }()

    private func flood(_ end: Transport, _ payload: ByteBuffer, until other: Transport) async throws {
        while other.failure == nil, end.failure == nil {
            try await end.step { (connection) throws(ConnectionError) in try connection.transport.send(payload) }
        }
    }

    private func expectFlooded(_ end: Transport) async throws {
        let reason = try await end.end()
        if case .flooded = reason { return }
        Issue.record("\(reason)")
    }

    @Test("While nobody looks at what a server tells before the login, little of it is kept", arguments: beforeLogin)
    func promptStands(_ payload: ByteBuffer) async throws {
        let pair = try await PeerPair.keyed()
        try await pair.client.step { try $0.authenticate(user: "me", .password(ByteBuffer(string: "x"), new: nil)) }
        try? await flood(pair.server, payload, until: pair.client)
        try await expectFlooded(pair.client)
        #expect(pair.client.events.memory <= 4 * MemoryLimits.beforeLogin)
        await pair.stop()
    }

    @Test("After the login it is more, and still bounded")
    func globalRequests() async throws {
        var pair = try await PeerPair.keyed()
        try await pair.logIn()
        let fields = ByteBuffer(repeating: 1, count: 100_000)
        let request = try GlobalRequest(request: "a@example.org", wantReply: false, fields: fields).encoded()
        for _ in 0..<5 {
            try await pair.server.step { (connection) throws(ConnectionError) in
                try connection.transport.send(request)
            }
        }
        // So much is less than the limit.
        var told = 0
        while told < 5, let event = await pair.clientEvents.next() {
            if case .globalRequest = event { told += 1 }
        }
        #expect(pair.client.failure == nil && told == 5)
        try? await flood(pair.server, request, until: pair.client)
        try await expectFlooded(pair.client)
        await pair.stop()
    }

    @Test("Events come in order to whoever looks, and end with the connection")
    func order() async throws {
        let events = ConnectionEvents()
        for number in 0..<5 { events.yield(.debug("\(number)")) }
        var iterator = events.makeAsyncIterator()
        var told: [String] = []
        for _ in 0..<3 { if case .debug(let text)? = await iterator.next() { told.append("\(text)") } }
        events.finish()
        events.yield(.debug("late"))
        for await event in events { if case .debug(let text) = event { told.append("\(text)") } }
        #expect(told == ["0", "1", "2", "3", "4"] && events.memory == 0)
    }

    @Test("Who waits for an event stops waiting when its task is cancelled, and loses none")
    func cancelled() async throws {
        let events = ConnectionEvents()
        let task = Task {
            var iterator = events.makeAsyncIterator()
            return await iterator.next() == nil
        }
        task.cancel()
        #expect(await task.value)
        events.yield(.debug("kept"))
        var iterator = events.makeAsyncIterator()
        guard case .debug("kept")? = await iterator.next() else {
            Issue.record("lost")
            return
        }
    }
}
