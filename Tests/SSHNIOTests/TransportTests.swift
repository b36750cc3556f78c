import NIOCore
import NIOPosix
import SSHProtocol
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import SSHNIO

@Suite("A connection on a socket", .timeLimit(.minutes(hangMinutes)))
struct TransportTests {
    /// Connects and, unless told otherwise, logs in.
    static func connect(_ server: EchoServer, logsIn: Bool = true) async throws -> Transport {
        let transport = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Transport.start(on: channel, role: .client, configuration: ConnectionConfiguration())
                }
            }
        guard logsIn else { return transport }
        for await event in transport.events {
            switch event {
            case .hostKey:
                try await transport.perform { (connection) throws(ConnectionError) in try connection.acceptHostKey() }
            case .ready:
                try await transport.perform { (connection) throws(ConnectionError) in
                    try connection.authenticate(user: "nobody", .none)
                }
            case .authenticated: return transport
            default: continue
            }
        }
        throw transport.failure ?? .closedByPeer
    }

    private func channel(_ transport: Transport, _ command: EchoServer.Command) async throws -> SSHChannel {
        let channel = try await transport.openChannel()
        #expect(try await channel.exec(ByteBuffer(string: command.rawValue)))
        return channel
    }

    @Test("What is written comes back, more than any window or buffer holds, then EOF, the status and the close")
    func echo() async throws {
        let server = try await EchoServer.start()
        let transport = try await Self.connect(server)
        let channel = try await channel(transport, .echo)
        let block = ByteBuffer(bytes: (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let rounds = 150
        async let written: Void = {
            for _ in 0..<rounds { try await channel.write(block) }
            try await channel.finishWriting()
        }()
        var received = 0
        while var bytes = try await channel.read() {
            while bytes.readableBytes > 0 {
                let offset = received % block.readableBytes
                let count = min(bytes.readableBytes, block.readableBytes - offset)
                #expect(bytes.readSlice(length: count) == block.getSlice(at: offset, length: count))
                received += count
            }
        }
        try await written
        #expect(received == rounds * block.readableBytes)
        await channel.waitForClose()
        #expect(try await channel.exitStatus == .status(3))
        #expect(transport.failure == nil)
        await transport.close()
        await server.stop()
    }

    @Test("Channels of one connection do not disturb each other; numbers are used again")
    func several() async throws {
        let server = try await EchoServer.start()
        let transport = try await Self.connect(server)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<40 {
                group.addTask {
                    let channel = try await self.channel(transport, .echo)
                    let text = ByteBuffer(string: String(repeating: "\(number) ", count: 10_000))
                    try await channel.write(text)
                    try await channel.finishWriting()
                    var all = ByteBuffer()
                    while let bytes = try await channel.read() { all.writeImmutableBuffer(bytes) }
                    #expect(all == text)
                    channel.close()
                    await channel.waitForClose()
                }
            }
            try await group.waitForAll()
        }
        await transport.close()
        await server.stop()
    }

    @Test("Small pieces that wait for a reader are joined, large ones and what was read are left as they are")
    func smallPieces() async throws {
        let server = try await EchoServer.start()
        let transport = try await Self.connect(server)
        let channel = try await channel(transport, .hang)
        let count = 20_000
        func place(_ buffer: ByteBuffer) -> UnsafeRawPointer? { buffer.withUnsafeReadableBytes { $0.baseAddress } }
        // Slices of one piece of memory, as packets are.
        let packet = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        for offset in 0..<count { channel.received(try #require(packet.getSlice(at: offset, length: 1))) }
        let large = ByteBuffer(repeating: 7, count: 50_000)
        channel.received(large)
        channel.received(ByteBuffer(string: "a"))
        let first = try #require(try await channel.read())
        let copy = Array(first.readableBytesView)
        channel.received(ByteBuffer(string: "b"))
        var (joined, pieces) = (first, 1)
        while joined.readableBytes < count {
            joined.writeImmutableBuffer(try #require(try await channel.read()))
            pieces += 1
        }
        #expect(joined == packet && pieces <= 10)
        #expect(Array(first.readableBytesView) == copy)
        let received = try #require(try await channel.read())
        #expect(place(received) == place(large))
        #expect(try await channel.read() == ByteBuffer(string: "ab"))
        await transport.close()
        await server.stop()
    }

    @Test("A refused command is an answer, not an error")
    func refused() async throws {
        let server = try await EchoServer.start()
        let transport = try await Self.connect(server)
        let channel = try await transport.openChannel()
        #expect(try await channel.exec(ByteBuffer(string: "something else")) == false)
        #expect(try await channel.subsystem("sftp") == false)
        await transport.close()
        await server.stop()
    }

    @Test("A server that hangs up ends every reader and writer with the reason")
    func dropped() async throws {
        let server = try await EchoServer.start()
        let transport = try await Self.connect(server)
        let waiting = try await channel(transport, .hang)
        let read = Task { try await waiting.read() }
        let other = try await transport.openChannel()
        _ = try? await other.exec(ByteBuffer(string: "drop"))
        await #expect(throws: TransportError.self) { try await read.value }
        await #expect(throws: TransportError.self) { try await waiting.write(ByteBuffer(string: "x")) }
        await #expect(throws: TransportError.self) { try await transport.openChannel() }
        guard case .closedByPeer = transport.failure else {
            Issue.record("\(String(describing: transport.failure))")
            return
        }
        await server.stop()
    }

    @Test("A writer that nobody reads waits, and is freed by the end of the connection")
    func backPressure() async throws {
        let server = try await EchoServer.start()
        let transport = try await Self.connect(server)
        let channel = try await channel(transport, .hang)
        let block = ByteBuffer(repeating: 0, count: 1 << 20)
        let written = Mutex(0)
        let writer = Task {
            while (try? await channel.write(block)) != nil { written.withLock { $0 += 1 } }
        }
        try await eventually("the first block is written") { written.withLock { $0 } > 0 }
        try await Task.sleep(for: .milliseconds(300))
        await transport.close()
        await writer.value
        let blocks = written.withLock { $0 }
        // The peer's window, our buffer and one block more: no gigabytes.
        #expect(blocks >= 1 && blocks < 64)
        await server.stop()
    }

    @Test("A signal is told from a status")
    func signal() async throws {
        let server = try await EchoServer.start()
        let transport = try await Self.connect(server)
        let channel = try await channel(transport, .fail)
        await channel.waitForClose()
        #expect(try await channel.exitStatus == .signal("KILL"))
        #expect(try await channel.read() == nil)
        await #expect(throws: TransportError.self) { try await channel.write(ByteBuffer(string: "x")) }
        await transport.close()
        await server.stop()
    }

    @Test("A silent server meets the deadline")
    func deadline() async throws {
        let server = try await EchoServer.start(speaks: false)
        let transport = try await Self.connect(server, logsIn: false)
        transport.startDeadline(seconds: 1)
        for await _ in transport.events {}
        guard case .unresponsive(seconds: 1) = transport.failure else {
            Issue.record("\(String(describing: transport.failure))")
            return
        }
        await server.stop()
    }

    @Test("Keepalive leaves a server alone that answers")
    func keepalive() async throws {
        let server = try await EchoServer.start()
        let transport = try await Self.connect(server)
        // So many seconds may the server's thread wait for its turn.
        transport.keepAlive(interval: 1, most: 10)
        try await Task.sleep(for: .seconds(13))
        #expect(transport.failure == nil)
        await transport.close()
        await server.stop()
    }
}
