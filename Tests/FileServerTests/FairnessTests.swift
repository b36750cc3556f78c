import NIOCore
import Platform
import SFTP
import SSHClient
import SSHKeys
import SSHNIO
import SSHServer
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import FileServer
@testable import Files

/// Does not hear that its sessions are to end.
private final class DeafHandler: SessionHandler {
    private let held = Mutex<[CheckedContinuation<Void, Never>]>([])

    var sessions: Int { held.withLock { $0.count } }

    func accepts(_ request: SessionRequest, from login: Login) -> Bool { true }

    func serve(_ session: ServedSession) async -> UInt32 {
        await withCheckedContinuation { continuation in held.withLock { $0.append(continuation) } }
        return 0
    }

    func release() {
        for continuation in held.withLock({ $0 }) { continuation.resume() }
    }
}

@Suite("A server whose clients ask for too much", .timeLimit(.minutes(hangMinutes)))
struct FairnessTests {
    private func start(_ handler: any SessionHandler, sessions: Int = 16) async throws -> SSHServer {
        var configuration = ServerConfiguration(hostKeys: [try .generate(.ed25519)])
        configuration.limits.loginGrace = 3600
        configuration.limits.sessionsPerConnection = sessions
        return try await SSHServer.start(
            on: [.address("127.0.0.1", port: 0)], configuration: configuration,
            policy: StaticPolicy(users: ["me": .password("secret")]), handler: handler)
    }

    /// Waits until a session is granted.
    private func granted(_ client: SSHClient) async throws {
        try await eventually("another session") { (try? await client.subsystem("sftp")) != nil }
    }

    @Test("Sessions that never wait leave others their turn, and end with their connection")
    func turns() async throws {
        let (paths, entries) = (Count(), Count())
        var files = endlessFiles {
            entries.add()
            usleep(1000)
        }
        files.before = { call, _ throws(FileError.Cause) in
            guard call == .realPath else { return }
            paths.add()
            usleep(5000)
        }
        let server = try await start(FileService(files), sessions: 60)
        let hostile = try await connect(server)
        // An hour's work for each of more sessions than there are threads.
        var requests = ByteBuffer(bytes: [0, 0, 0, 5, 1, 0, 0, 0, 3])
        for _ in 0..<100_000 {
            requests.writeBytes([0, 0, 0, 10, 16, 0, 0, 0, 1, 0, 0, 0, 1, UInt8(ascii: "/")])
        }
        for _ in 0..<20 {
            try await hostile.subsystem("sftp").write(requests)
            _ = try await hostile.exec("scp -f z*")
            let pattern = "z*" + String(repeating: "{0,1,2,3,4,5,6,7,8,9}", count: 3)
            _ = try await hostile.exec("scp -t \(pattern)")
        }
        try await eventually("their work") { paths.value > 100 && entries.value > 100 }
        for _ in 0..<3 {
            let client = try await connect(server)
            let sftp = try await SFTPClient(stream: client.subsystem("sftp"))
            #expect(try await sftp.stat(Array("a.txt".utf8)).size == 5)
            await client.close()
        }
        let before = (paths.value, entries.value)
        try await eventually("more of it") { paths.value > before.0 && entries.value > before.1 }
        await hostile.close()
        try await eventually("its end") { server.connectionCount == 0 }
        await server.stop()
    }

    @Test("Patterns are looked for no longer than their client is there")
    func closedExpansion() async throws {
        let entries = Count()
        let files = endlessFiles {
            entries.add()
            usleep(1000)
        }
        let server = try await start(FileService(files), sessions: 1)
        let client = try await connect(server)
        let channel = try await client.exec("scp -f z*")
        try await eventually("a look at a name") { entries.value > 0 }
        channel.close()
        try await granted(client)
        await client.close()
        await server.stop()
    }

    @Test("A hash is computed no longer than its client is there")
    func closedHash() async throws {
        let place = try TemporaryDirectory()
        try writeFile([], at: place.file("big"))
        #expect(truncate(place.file("big"), 1 << 42) == 0)
        let opened = Count()
        var files = InterposedFiles(try DirectoryRoot(path: bytes(place.path)))
        files.before = { call, _ throws(FileError.Cause) in if call == .open { opened.add() } }
        let server = try await start(FileService(files), sessions: 1)
        let client = try await connect(server)
        let channel = try await client.subsystem("sftp")
        let sftp = try await SFTPClient(stream: channel)
        var fields = ByteBuffer()
        fields.writeSSHString("/big")
        fields.writeSSHString("sha256")
        fields.writeMultipleIntegers(UInt64(0), UInt64(0), UInt32(0))
        let request = SFTPRequest.extended(name: "check-file-name", fields: fields)
        let answer = Task { try await sftp.ask(request) }
        try await eventually("its beginning") { opened.value > 0 }
        channel.close()
        await #expect(throws: (any Error).self) { try await answer.value }
        try await granted(client)
        await client.close()
        await server.stop()
    }

    @Test("Sessions at work count against the limit when their channels have been closed")
    func closedChannels() async throws {
        let gate = Gate()
        let files = endlessFiles { gate.pass() }
        let server = try await start(FileService(files), sessions: 2)
        let client = try await connect(server)
        let channels = [try await client.exec("scp -f z*"), try await client.exec("scp -f z*")]
        try await eventually("their work") { gate.count == 2 }
        for channel in channels {
            channel.close()
            await channel.waitForClose()
        }
        for _ in 0..<3 { await #expect(throws: (any Error).self) { try await client.subsystem("sftp") } }
        gate.open()
        try await granted(client)
        await client.close()
        await server.stop()
    }

    @Test("A session that was told its end makes room at once")
    func oneAfterAnother() async throws {
        let server = try await start(FileService(MemoryFileSystem()), sessions: 1)
        let client = try await connect(server)
        for _ in 0..<200 {
            var channel: SSHChannel?
            try await eventually("a channel") {
                do {
                    channel = try await client.exec("none")
                } catch TransportError.channelRefused {
                    // Its number is free only when the server has read that the last one is closed.
                }
                return channel != nil
            }
            await channel?.waitForClose()
            #expect(try await channel?.exitStatus == .status(1))
        }
        await client.close()
        await server.stop()
    }

    @Test("A session that does not heed the stop does not keep the server from it")
    func deafSession() async throws {
        let handler = DeafHandler()
        let server = try await start(handler)
        let client = try await connect(server)
        _ = try await client.subsystem("sftp")
        try await eventually("the session") { handler.sessions == 1 }
        async let second: Void = server.stop(patience: .seconds(3600))
        await server.stop(patience: .zero)
        await second
        #expect(server.connectionCount == 1)
        handler.release()
        try await eventually("its end") { server.connectionCount == 0 }
        await client.close()
    }

    @Test("Patterns that ask for too much are refused, each with its reason")
    func bounds() async throws {
        for (words, reason) in [
            ("z*", "the patterns ask for more than 1000000 names to be looked at"),
            (String(repeating: "{a}", count: 20_000), "too many braces"),
            (String(repeating: "{a,b}", count: 12_000), "more than 10000 paths"),
        ] {
            let (client, server) = MemoryStream.pair()
            #expect(try await endlessFiles {}.serve("scp -f \(words)", server) == 1)
            #expect(try await client.read().map { String(buffer: $0) } == "\u{2}scp: \(reason)\n")
        }
    }

    @Test("Brackets without an end and lines without words are taken for what they are")
    func longLines() async throws {
        let brackets = String(repeating: "[", count: 60_000)
        let (client, server) = MemoryStream.pair()
        try await client.write(ByteBuffer(bytes: [0]))
        let files = MemoryFileSystem(["a": ""])
        #expect(try await files.serve("scp -f \(brackets)\(String(repeating: "\n", count: 5_000))", server) == 1)
        #expect(try await client.read().map { String(buffer: $0) }?.hasPrefix("\u{1}scp: [[") == true)
        let line = "scp -t a" + String(repeating: "\n", count: 60_000)
        #expect(try RemoteCommandLine.parse(Array(line.utf8)) == RemoteCommandLine.parse(Array("scp -t a".utf8)))
    }
}
