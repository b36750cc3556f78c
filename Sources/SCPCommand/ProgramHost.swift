import FileTransfer
import NIOCore
import SSHClient
import SSHWire
import Synchronization

/// A host that another program reaches, or stands for: the one of `-S`, which takes the arguments of ssh(1), or the SFTP
/// server of `-D`.
final class ProgramHost: RemoteHost {
    private let program: String
    private let remote: Location.Remote
    /// What comes before the host.
    private let arguments: [[UInt8]]
    /// What comes before the host where the command is a subsystem.
    private let subsystemFlags: [String]
    private let isVerbose: Bool
    /// What was started, to be looked after at the end.
    private let started = Mutex<[ProgramStream]>([])

    /// - Parameter arguments: options for the program; the host and the command follow.
    init(
        program: String, arguments: [String], subsystemFlags: [String] = [], remote: Location.Remote, isVerbose: Bool
    ) {
        self.program = program
        self.remote = remote
        self.arguments = arguments.map { Array($0.utf8) }
        self.subsystemFlags = subsystemFlags
        self.isVerbose = isVerbose
    }

    func exec(_ command: [UInt8]) async throws -> any RemoteSession {
        ProgramSession(stream: try await start(command, options: []))
    }

    func sftp() -> SFTPOpener {
        let isUsed = Used()
        return { [self] in
            guard isUsed.take() else { throw CopyOptions.Fault.message("\(program): one session at a time") }
            let stream = try await start(Array("sftp".utf8), options: subsystemFlags)
            return SFTPStream(stream: stream, host: remote.host)
        }
    }

    func close() async -> Bool {
        var isComplete = true
        for stream in started.withLock({ $0 }) where await !stream.end() { isComplete = false }
        return isComplete
    }

    private func start(_ command: [UInt8], options: [String]) async throws -> ProgramStream {
        if isVerbose {
            let user = remote.user ?? "(unspecified)"
            let words = "program \(program), host \(remote.host), user \(user), command \(Printable.text(command))"
            StandardError.write("Executing: \(words)\n")
        }
        let stream = try await ProgramStream.start(
            program, arguments + options.map { Array($0.utf8) } + [Array("--".utf8), Array(remote.host.utf8), command])
        started.withLock { $0.append(stream) }
        return stream
    }
}

/// Something that can be taken once.
private final class Used: Sendable {
    private let isTaken = Mutex(false)

    func take() -> Bool {
        isTaken.withLock { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
    }
}

private struct ProgramSession: RemoteSession {
    let stream: ProgramStream

    func read() async throws -> ByteBuffer? { try await stream.read() }
    func write(_ bytes: ByteBuffer) async throws { try await stream.write(bytes) }
    func finishWriting() async throws { try await stream.finishWriting() }
    func waitForEnd() async -> Bool { await stream.end() }
    func close() { Task { await stream.end() } }
}

/// A program that speaks SFTP, or should.
private final class SFTPStream: ByteStream {
    private let stream: ProgramStream
    private let host: String
    private let hasSpoken = Mutex(false)

    init(stream: ProgramStream, host: String) {
        self.stream = stream
        self.host = host
    }

    /// - Throws: `CopyOptions.Fault` if the program ends before it has said anything: it has told why on standard error,
    ///   and that is not to be taken for a server without SFTP.
    func read() async throws -> ByteBuffer? {
        let bytes = try await stream.read()
        if bytes == nil, !hasSpoken.withLock({ $0 }) { throw closed }
        hasSpoken.withLock { $0 = true }
        return bytes
    }

    func write(_ bytes: ByteBuffer) async throws {
        do {
            try await stream.write(bytes)
        } catch {
            throw closed
        }
    }

    func finishWriting() async throws { try await stream.finishWriting() }

    private var closed: CopyOptions.Fault { .message("\(host): Connection closed") }
}
