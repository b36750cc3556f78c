import Logging
import Metrics
import MetricsTestKit
import NIOCore
import NIOPosix
import SFTP
import SSHClient
import SSHConfig
import SSHKeys
import SSHNIO
import SSHServer
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import FileServer
@testable import Files

/// Keeps the lines of a log.
private final class KeptLog: LogHandler, Sendable {
    private let kept = Mutex<[String]>([])
    var logLevel: Logger.Level {
        get { .debug }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    var lines: [String] { kept.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in self } }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        kept.withLock { $0.append(([event.message.description] + fields).joined(separator: " ")) }
    }

    /// Waits until a line has all of these.
    func line(with parts: String...) async throws -> String {
        var found: String?
        try await eventually("a line with \(parts) in \(lines)") {
            found = lines.first { line in parts.allSatisfy { line.contains($0) } }
            return found != nil
        }
        return found ?? ""
    }
}

@Suite("A server in this process", .timeLimit(.minutes(hangMinutes)))
struct ServerTests {
    private func start(
        _ files: MemoryFileSystem = MemoryFileSystem(["a.txt": "hello"]), log: KeptLog = KeptLog(),
        metrics: any MetricsFactory = NOOPMetricsHandler.instance, _ change: (inout ServerLimits) -> Void = { _ in }
    ) async throws -> SSHServer {
        var configuration = ServerConfiguration(hostKeys: [try .generate(.ed25519)])
        configuration.limits.penalizesFailures = false
        // Limits that no client meets, however slow the machine is.
        configuration.limits.loginGrace = 3600
        change(&configuration.limits)
        return try await SSHServer.start(
            on: [.address("127.0.0.1", port: 0)], configuration: configuration,
            policy: StaticPolicy(users: ["me": .password("secret")]),
            handler: FileService(files, logger: log.logger, metrics: metrics), logger: log.logger, metrics: metrics)
    }

    @Test("A program's own event loops carry a connection, and end with it")
    func ownGroup() async throws {
        let server = try await start()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (own, other) = (try await connect(server, on: group), try await connect(server))
        #expect(own.failure == nil)
        _ = try await own.subsystem("sftp")
        try await group.shutdownGracefully()
        await #expect(throws: (any Error).self) { _ = try await own.subsystem("sftp") }
        _ = try await other.subsystem("sftp")
        await other.close()
        await server.stop()
    }

    @Test("Three lines start it, and files of memory are read and written")
    func threeLines() async throws {
        let files = MemoryFileSystem(["a.txt": "hello"])
        let server = try await SSHServer.start(serving: files, users: ["me": .password("secret")])
        let client = try await connect(server)
        let sftp = try await SFTPClient(stream: client.subsystem("sftp"))
        let handle = try await sftp.open(Array("a.txt".utf8), .read)
        let bytes = try #require(try await sftp.read(handle, at: 0, length: 100))
        #expect(String(buffer: bytes) == "hello")
        let new = try await sftp.open(Array("/b.txt".utf8), [.write, .create])
        try await sftp.write(new, at: 0, ByteBuffer(string: "good day"))
        try await sftp.close(new)
        #expect(files["b.txt"] == "good day")
        await client.close()
        await server.stop()
        #expect(server.connectionCount == 0)
    }

    @Test("Log-ins, files and refusals leave a line each")
    func lines() async throws {
        let log = KeptLog()
        let server = try await start(log: log)
        await #expect(throws: (any Error).self) {
            _ = try await connect(server, password: "wrong") { $0.numberOfPasswordPrompts = 1 }
        }
        let client = try await connect(server)
        let channel = try await client.exec("scp -f a.txt")
        try await channel.write(ByteBuffer(bytes: [0, 0, 0]))
        while try await channel.read() != nil {}
        await channel.waitForClose()
        #expect(try await channel.exitStatus == .status(0))
        let refused = try await client.exec("rm -rf /")
        while try await refused.read() != nil {}
        await refused.waitForClose()
        #expect(try await refused.exitStatus == .status(1))
        await client.close()
        #expect(try await log.line(with: "login failed", "user=me").contains("address=127.0.0.1"))
        _ = try await log.line(with: "login ", "user=me", "port=")
        _ = try await log.line(with: "file ", "a.txt", "read=5", "outcome=complete", "seconds=")
        _ = try await log.line(with: "request refused", "rm")
        _ = try await log.line(with: "connection ended", "user=me")
        #expect(!log.lines.contains { $0.contains("secret") || $0.contains("wrong\"") })
        await server.stop()
    }

    @Test("A client that says goodbye in the middle has not failed; its open file is told of")
    func goodbye() async throws {
        let log = KeptLog()
        let server = try await start(log: log)
        let client = try await connect(server)
        let sftp = try await SFTPClient(stream: client.subsystem("sftp"))
        _ = try await sftp.open(Array("new.txt".utf8), [.write, .create])
        await client.close()
        await server.stop()
        _ = try await log.line(with: "file ", "path=/new.txt", "outcome=interrupted")
        #expect(!log.lines.contains { $0.contains("session failed") }, "\(log.lines)")
    }

    @Test("Connections, log-ins, files and their bytes, failures and refusals are counted")
    func counters() async throws {
        let metrics = TestMetrics()
        let server = try await start(metrics: metrics) { $0.connections = 1 }
        await #expect(throws: (any Error).self) {
            _ = try await connect(server, password: "wrong") { $0.numberOfPasswordPrompts = 1 }
        }
        try await eventually("the end of the connection") { server.connectionCount == 0 }
        let client = try await connect(server)
        await #expect(throws: (any Error).self) { _ = try await connect(server) }
        let sftp = try await SFTPClient(stream: client.subsystem("sftp"))
        let old = try await sftp.open(Array("a.txt".utf8), .read)
        _ = try await sftp.read(old, at: 0, length: 100)
        try await sftp.close(old)
        let new = try await sftp.open(Array("b.txt".utf8), [.write, .create])
        try await sftp.write(new, at: 0, ByteBuffer(string: "good day"))
        try await sftp.close(new)
        let command = try await client.exec("rm -rf /")
        await command.waitForClose()
        // Left open: it ends with the session, and not well.
        _ = try await sftp.open(Array("c.txt".utf8), [.write, .create])
        await client.close()
        await server.stop()

        // The wrong password was tried as an answer and as a password.
        let counted = Dictionary(metrics.counters.map { ($0.label, $0.totalValue) }, uniquingKeysWith: +)
        #expect(
            counted == [
                "scpd_connections_total": 2, "scpd_refused_connections_total": 1, "scpd_logins_total": 1,
                "scpd_failed_logins_total": 2, "scpd_files_total": 3, "scpd_failed_files_total": 1,
                "scpd_read_bytes_total": 5, "scpd_written_bytes_total": 8, "scpd_refused_requests_total": 1,
            ])
    }

    @Test("A client that is gone without a word is noticed, one that is silent and there is kept")
    func keepAlive() async throws {
        let log = KeptLog()
        let server = try await start(log: log) {
            $0.keepAliveInterval = 1
            // So long may the client's thread wait for its turn.
            $0.keepAliveCount = 10
        }
        let silent = try await connect(server)
        let relay = try Relay(to: server.port, fault: .blackHole(.toServer, after: 64 << 10))
        defer { relay.stop() }
        let lost = try await connect(server) { $0.port = relay.port }
        let sftp = try await SFTPClient(stream: lost.subsystem("sftp"))
        let file = try await sftp.open(Array("a.txt".utf8), [.write])
        let write = Task { try await sftp.write(file, at: 0, ByteBuffer(repeating: 1, count: 128 << 10)) }
        _ = try await log.line(with: "connection ended", "Timeout")
        try await eventually("the end of the connection") { server.connectionCount == 1 }
        #expect(silent.failure == nil)
        await lost.close()
        await #expect(throws: (any Error).self) { try await write.value }
        await silent.close()
        await server.stop()
    }

    @Test("A stop lets a session end that is under way, and takes nobody new")
    func gracefulStop() async throws {
        let server = try await start()
        let port = server.port
        let client = try await connect(server)
        let idle = try await connect(server)
        let sftp = try await SFTPClient(stream: client.subsystem("sftp"))
        let handle = try await sftp.open(Array("a.txt".utf8), .read)
        let stopped = Task { await server.stop(patience: .seconds(3600)) }
        // A connection without a session ends at once.
        try await eventually("its end") { idle.failure != nil }
        let bytes = try await sftp.read(handle, at: 0, length: 5)
        #expect(bytes.map { String(buffer: $0) } == "hello")
        await #expect(throws: (any Error).self) {
            _ = try await connect(server) { $0.port = port }
        }
        await sftp.close()
        await stopped.value
        #expect(server.connectionCount == 0)
    }

    @Test("A session that does not end is ended when the patience with it has")
    func impatientStop() async throws {
        let server = try await start()
        let client = try await connect(server)
        _ = try await SFTPClient(stream: client.subsystem("sftp"))
        await server.stop(patience: .milliseconds(100))
        try await eventually("the session's end") { server.connectionCount == 0 }
        try await eventually("the client's end") { client.failure != nil }
    }

    @Test("A connection that carries nothing is ended, one that carries something is not")
    func idle() async throws {
        // A machine that stands still for as long as the limit makes any connection idle.
        for limit in [2, 8, 32, 128] {
            let server = try await start { $0.idleSeconds = limit }
            let idle = try await connect(server)
            var sftp: SFTPClient?
            let pause = try await use(for: .seconds(2 * limit)) {
                if sftp == nil { sftp = try await SFTPClient(stream: connect(server).subsystem("sftp")) }
                _ = try await sftp?.stat(Array("a.txt".utf8))
            }
            try await eventually("the end of the idle one") { idle.failure != nil }
            #expect("\(try #require(idle.failure))".contains("idle"))
            await server.stop(patience: .zero)
            guard let pause else { return }
            #expect(pause >= .seconds(limit))
        }
        Issue.record("the connection that carries something was ended each time")
    }

    @Test("Channels and connections beyond the limits are refused, and those there are go on")
    func limits() async throws {
        let server = try await start {
            $0.sessionsPerConnection = 3
            $0.connections = 2
        }
        let client = try await connect(server)
        var sessions: [SFTPClient] = []
        for _ in 0..<3 { sessions.append(try await SFTPClient(stream: client.subsystem("sftp"))) }
        await #expect(throws: (any Error).self) { _ = try await client.subsystem("sftp") }
        let second = try await connect(server)
        await #expect(throws: (any Error).self) { _ = try await connect(server) }
        for sftp in sessions { _ = try await sftp.stat(Array("a.txt".utf8)) }
        await second.close()
        await client.close()
        await server.stop()
    }

    @Test("Who does not log in in time is sent away")
    func grace() async throws {
        let log = KeptLog()
        let server = try await start(log: log) { $0.loginGrace = 1 }
        let silent = try await RawClient.connect(server.port)
        try await silent.closed()
        _ = try await log.line(with: "connection ended before login", "Timeout")
        await server.stop()
    }

    @Test(
        "Bytes that are no SSH end their connection alone",
        arguments: [
            "GET / HTTP/1.1\r\n\r\n", "SSH-1.5-old\r\n", "SSH-2.0-x\r\n" + String(repeating: "\u{7f}", count: 5000),
            "SSH-2.0-x\r\n\u{0}\u{0}\u{0}\u{1}\u{1}", String(repeating: "x", count: 100_000),
        ])
    func garbage(_ text: String) async throws {
        let log = KeptLog()
        let server = try await start(log: log)
        let client = try await connect(server)
        let raw = try await RawClient.connect(server.port)
        try? await raw.send(Array(text.utf8))
        try await raw.closed()
        _ = try await log.line(with: "connection ended before login")
        let sftp = try await SFTPClient(stream: client.subsystem("sftp"))
        #expect(try await sftp.stat(Array("a.txt".utf8)).size == 5)
        await client.close()
        await server.stop()
    }

    @Test("A client that asks and does not read is held back, and slows nobody else")
    func slowReader() async throws {
        let files = MemoryFileSystem()
        try files.write([UInt8](repeating: 7, count: 8 << 20), to: "big")
        let server = try await start(files)
        let slow = try await connect(server) { $0.receiveWindow = 64 << 10 }
        let stream = try await slow.exec("scp -f big")
        // Agrees to everything and reads nothing.
        try await stream.write(ByteBuffer(repeating: 0, count: 4))
        let client = try await connect(server)
        let sftp = try await SFTPClient(stream: client.subsystem("sftp"))
        for _ in 0..<100 { #expect(try await sftp.stat(Array("big".utf8)).size == 8 << 20) }
        await client.close()
        await server.stop(patience: .zero)
    }
}

/// A TCP connection that knows nothing of SSH.
private final class RawClient: Sendable {
    private let channel: any Channel

    private init(_ channel: any Channel) { self.channel = channel }

    static func connect(_ port: Int) async throws -> RawClient {
        RawClient(
            try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get())
    }

    func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }
    func closed() async throws { try await channel.closeFuture.get() }
}
