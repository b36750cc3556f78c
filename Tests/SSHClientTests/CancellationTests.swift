import NIOCore
import NIOPosix
import SSHKeys
import SSHNIO
import SSHProtocol
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import SSHClient
@testable import SSHConfig

/// A server that stops answering at some point.
private final class StalledServer: Sendable {
    enum Point: CaseIterable {
        /// It says nothing at all.
        case identification
        /// It exchanges keys and answers no request to be let in.
        case login
        /// It lets nobody in and wants a password.
        case password
        /// It lets the user go on for ever, with one more partial success.
        case partialSuccess
    }

    private let channel: any NIOCore.Channel
    var port: Int { channel.localAddress?.port ?? 0 }

    init(at point: Point, host: String = "127.0.0.1") async throws {
        let key = try PrivateKey.generate(.ed25519)
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard point != .identification else { return }
                    var configuration = ConnectionConfiguration()
                    configuration.hostKeys = [key]
                    let transport = try Transport.start(on: channel, role: .server, configuration: configuration)
                    Task { try await Self.serve(transport, point) }
                }
            }
            .bind(host: host, port: 0).get()
    }

    private static func serve(_ transport: Transport, _ point: Point) async throws {
        for await event in transport.events {
            switch (event, point) {
            case (.authenticationRequested, .password), (.authenticationRequested, .partialSuccess):
                try await transport.perform { (connection) throws(ConnectionError) in
                    try connection.rejectAuthentication(
                        methods: ["password"], partialSuccess: point == .partialSuccess)
                }
            default: continue
            }
        }
    }

    func stop() async { try? await channel.close() }
}

/// Tells when it is asked, and answers what it is given; nothing for a person who takes no notice of anything.
private final class Asked: UserInterface {
    private let answer: String?
    private let count = Mutex(0)
    let questions = AsyncStream.makeStream(of: String.self)

    init(answer: String? = nil) { self.answer = answer }

    var asked: Int { count.withLock { $0 } }

    func ask(_ question: String) async -> String? {
        count.withLock { $0 += 1 }
        questions.continuation.yield(question)
        if let answer { return answer }
        // Not even a cancellation ends this.
        return await withCheckedContinuation { (_: CheckedContinuation<String?, Never>) in }
    }

    func askSecret(_ prompt: String) async -> [UInt8]? { await ask(prompt).map { Array($0.utf8) } }
    func tell(_ text: String) {}

    /// Waits until it has been asked.
    func wait() async { for await _ in questions.stream { return } }
}

@Suite("A connection that is given up", .timeLimit(.minutes(hangMinutes)))
struct CancellationTests {
    private func options(port: Int = 1, _ change: (inout ClientOptions) -> Void = { _ in }) -> ClientOptions {
        var options = ClientOptions(host: "127.0.0.1")
        options.port = port
        options.userKnownHostsFiles = []
        options.globalKnownHostsFiles = []
        options.strictHostKeyChecking = .no
        options.identityFiles = []
        options.agentSocket = nil
        change(&options)
        return options
    }

    /// Cancels a connection that is being made when `line` has been logged, or `after` is over.
    private func expectCancelled(
        _ options: ClientOptions, _ interface: any UserInterface = SilentInterface(), at line: String? = nil,
        after: () async throws -> Void = {}, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let lines = AsyncStream.makeStream(of: String.self)
        let log = ClientLog(verbosity: 3) { lines.continuation.yield($0) }
        let task = Task { try await SSHClient.connect(options, interface: interface, log: log) }
        if let line { for await one in lines.stream where one.contains(line) { break } }
        try await after()
        task.cancel()
        await #expect(throws: CancellationError.self, sourceLocation: sourceLocation) { try await task.value }
    }

    @Test("Where the server says nothing")
    func silentServer() async throws {
        let server = try await StalledServer(at: .identification)
        try await expectCancelled(options(port: server.port), at: "Connection established")
        await server.stop()
    }

    @Test("Where the login is not answered")
    func login() async throws {
        let server = try await StalledServer(at: .login)
        try await expectCancelled(options(port: server.port), at: "Next authentication method")
        await server.stop()
    }

    @Test("While a person is asked who answers never, about the host key or for a password")
    func prompt() async throws {
        for checking in [HostKeyChecking.ask, .no] {
            let server = try await StalledServer(at: .password)
            let person = Asked()
            let chosen = options(port: server.port) { $0.strictHostKeyChecking = checking }
            try await expectCancelled(chosen, person, after: { await person.wait() })
            await server.stop()
        }
    }

    @Test("While a program on the way says nothing")
    func proxyCommand() async throws {
        let chosen = options { $0.proxyCommand = "sleep 600" }
        try await expectCancelled(chosen, at: "Executing proxy command")
    }

    @Test("While the program that knows hosts takes its time")
    func knownHostsCommand() async throws {
        let directory = try TemporaryDirectory()
        let mark = directory.file("started")
        let script = directory.file("hosts")
        try writeFile(script, text: "#!/bin/sh\n: >\(mark)\nexec sleep 600\n", mode: 0o700)
        let chosen = options { $0.knownHostsCommand = script }
        try await expectCancelled(
            chosen, after: { try await eventually("the program runs") { (try? TextFile.read(mark)) != nil } })
    }

    @Test("While an agent does not answer")
    func agent() async throws {
        let directory = try TemporaryDirectory()
        let (path, server) = (directory.file("agent"), try await StalledServer(at: .login))
        let silent = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(unixDomainSocketPath: path).get()
        let task = Task { try await AgentClient.connected(to: path).identities() }
        task.cancel()
        await #expect(throws: (any Error).self) { try await task.value }
        try await expectCancelled(options(port: server.port) { $0.agentSocket = path }, at: "kex: algorithm")
        try await silent.close()
        await server.stop()
    }

    @Test("While whoever keeps a shared connection does not answer")
    func controlPath() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("master")
        let silent = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(unixDomainSocketPath: path).get()
        let chosen = options { $0.controlPath = path }
        let task = Task { await SharedConnection.find(chosen, log: ClientLog(verbosity: 0) { _ in }) == nil }
        task.cancel()
        #expect(await task.value)
        try await silent.close()
    }

    @Test("A task that was cancelled before connects to nobody")
    func before() async throws {
        let server = try await StalledServer(at: .identification)
        let chosen = options(port: server.port)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await SSHClient.connect(chosen, interface: SilentInterface())
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await server.stop()
    }

    @Test("A person who answers nonsense about a host key is asked a few times")
    func wrongFingerprint() async throws {
        let server = try await StalledServer(at: .login)
        let person = Asked(answer: "SHA256:not-the-one")
        await #expect {
            try await SSHClient.connect(
                options(port: server.port) { $0.strictHostKeyChecking = .ask }, interface: person)
        } throws: { error in
            if case ClientError.hostKeyRejected(.unknown, _) = error { true } else { false }
        }
        #expect(person.asked < 20)
        await server.stop()
    }

    @Test("Partial successes come to an end")
    func partialSuccess() async throws {
        let server = try await StalledServer(at: .partialSuccess)
        await #expect {
            try await SSHClient.connect(
                options(port: server.port) {
                    $0.preferredAuthentications = ["password"]
                    $0.numberOfPasswordPrompts = 1000
                }, interface: Asked(answer: "x"))
        } throws: { error in
            if case ClientError.endlessLogin = error { true } else { false }
        }
        await server.stop()
    }

    @Test("A key file that is missing is told from one that was refused")
    func missingKeyFile() async throws {
        let error = ClientError.permissionDenied(user: "u", host: "h", methods: [], missingKeyFiles: ["/nowhere"])
        #expect("\(error)".contains("Permission denied"))
        #expect(IdentityList.missingFiles(options { $0.identityFiles = ["/nowhere/key"] }) == ["/nowhere/key"])
    }
}
