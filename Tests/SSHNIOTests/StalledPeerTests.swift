import NIOCore
import SSHProtocol
import SSHWire
import TestSupport
import Testing

@testable import SSHNIO

/// Whoever waits for a peer that has stalled is free as soon as its task is cancelled, at every wait there is.
@Suite("A peer that has stalled", .timeLimit(.minutes(hangMinutes)))
struct StalledPeerTests {
    private func expectCancelled<Value: Sendable>(
        sourceLocation: SourceLocation = #_sourceLocation, _ body: @escaping @Sendable () async throws -> Value
    ) async {
        let task = Task { try await body() }
        // Whether it waits already or not must make no difference.
        for _ in 0..<20 { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self, sourceLocation: sourceLocation) { _ = try await task.value }
    }

    /// A client with a channel to a server that reads nothing and answers nothing on it.
    private func stalledChannel() async throws -> (EchoServer, Transport, SSHChannel) {
        let server = try await EchoServer.start()
        let transport = try await TransportTests.connect(server)
        let channel = try await transport.openChannel()
        #expect(try await channel.exec(ByteBuffer(string: EchoServer.Command.hang.rawValue)))
        return (server, transport, channel)
    }

    @Test("Reading, writing with a full window, the exit status and the close end with their task")
    func channel() async throws {
        let (server, transport, channel) = try await stalledChannel()
        await expectCancelled { try await channel.read() }
        await expectCancelled {
            while true { try await channel.write(ByteBuffer(repeating: 1, count: 1 << 20)) }
        }
        await expectCancelled { try await channel.exitStatus }
        let closing = Task { await channel.waitForClose() }
        closing.cancel()
        await closing.value
        #expect(transport.failure == nil)
        await transport.close()
        await server.stop()
    }

    @Test("Opening a channel or a session ends with its task, and what is opened all the same is closed")
    func opening() async throws {
        var pair = try await PeerPair.keyed()
        try await pair.logIn()
        let client = pair.client
        await expectCancelled { try await client.openChannel() }
        await expectCancelled { try await client.openSession([.subsystem(name: "sftp")]) }
        // The server grants the channels at last: nobody has them.
        pair.server.serveSessions(atMost: 10) { _, _ in true }
        let channel = try await client.openChannel()
        #expect(try await channel.subsystem("sftp"))
        await pair.stop()
    }

    @Test("A waiter takes the first of an answer and a cancellation, whichever comes first")
    func waiter() async throws {
        let answered = Waiter<Int>()
        #expect(answered.resume(returning: 1))
        #expect(!answered.resume(returning: 2))
        #expect(try await answered.wait() == 1)
        let cancelled = Waiter<Int>()
        let task = Task { try await cancelled.wait() }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(!cancelled.resume(returning: 3))
    }

    @Test("A call that blocks is left behind")
    func blocking() async throws {
        let gate = Waiter<Void>()
        await expectCancelled {
            try await BlockingCall.run {
                while !gate.isOver {}
            } onCancel: {
                gate.resume()
            }
        }
        #expect(try await BlockingCall.run { 7 } == 7)
    }

    @Test("The exit status is there for whoever asks, however late it comes")
    func exitStatus() async throws {
        let server = try await EchoServer.start()
        let transport = try await TransportTests.connect(server)
        for _ in 0..<50 {
            let channel = try await transport.openChannel()
            #expect(try await channel.exec(ByteBuffer(string: EchoServer.Command.echo.rawValue)))
            try await channel.finishWriting()
            while try await channel.read() != nil {}
            #expect(try await channel.exitStatus == .status(3))
        }
        await transport.close()
        await server.stop()
    }

    @Test("Without a status the end of the connection is told")
    func lostStatus() async throws {
        let (server, transport, channel) = try await stalledChannel()
        let task = Task { try await channel.exitStatus }
        await transport.close()
        await #expect(throws: TransportError.self) { _ = try await task.value }
        await server.stop()
    }

    @Test("A peer that owes something and takes nothing, ends no exchange or says nothing is given up")
    func limits() async throws {
        let (server, transport, channel) = try await stalledChannel()
        var limits = SilenceLimits()
        limits.mostQuestions = 0
        limits.noWindow = 1
        transport.watch(limits)
        await #expect(throws: TransportError.self) {
            while true { try await channel.write(ByteBuffer(repeating: 1, count: 1 << 20)) }
        }
        guard case .stalled(.window, seconds: 1) = transport.failure else {
            Issue.record("\(String(describing: transport.failure))")
            return
        }
        await server.stop()
    }
}
