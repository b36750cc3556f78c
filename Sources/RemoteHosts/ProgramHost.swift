import CopyEngine
import NIOCore
import SSHClient
import SSHWire
import Synchronization

/// A host that another program reaches, or stands for: one that takes the arguments of ssh(1), or a local SFTP server.
public final class ProgramHost: RemoteHost {
    public let name: String
    private let program: String
    /// What comes before the host.
    private let arguments: [[UInt8]]
    /// What comes before the host where the command is a subsystem.
    private let subsystemFlags: [String]
    /// Told of each command line.
    private let tell: @Sendable (_ command: [UInt8]) -> Void
    /// What was started, to be looked after at the end, and whether SFTP is among it.
    private let started = Mutex<(streams: [ProgramStream], hasSFTP: Bool)>(([], false))

    /// - Parameters:
    ///   - name: the host, as the program takes it.
    ///   - arguments: options for the program; the host and the command follow.
    public init(
        program: String, arguments: [String], subsystemFlags: [String] = [], name: String,
        tell: @escaping @Sendable (_ command: [UInt8]) -> Void
    ) {
        self.program = program
        self.name = name
        self.arguments = arguments.map { Array($0.utf8) }
        self.subsystemFlags = subsystemFlags
        self.tell = tell
    }

    public var traits: CopyHostTraits {
        var traits = CopyHostTraits()
        traits.runsCommands = !subsystemFlags.isEmpty
        return traits
    }

    /// One session for all: a program that asks for a password asks once.
    public func openSFTP() async throws -> any ByteStream {
        let isFirst = started.withLock { started in
            defer { started.hasSFTP = true }
            return !started.hasSFTP
        }
        guard isFirst else { throw ProgramError.oneSessionOnly(program) }
        return SFTPProgramStream(stream: try await start(Array("sftp".utf8), options: subsystemFlags), host: name)
    }

    public func run(_ command: [UInt8]) async throws -> any RemoteCommand {
        ProgramCommand(stream: try await start(command, options: []))
    }

    public func runQuietly(_ command: [UInt8]) async throws -> any RemoteCommand { try await run(command) }

    public func isLoss(_ error: any Error) -> Bool { false }
    public func meansNoSFTP(_ error: any Error) -> Bool { false }
    public func settle() async {}
    public func recover(from error: any Error, hasProgressed: Bool) async throws { throw error }

    public func close() async -> Bool {
        var isComplete = true
        for stream in started.withLock({ $0.streams }) where await !stream.end() { isComplete = false }
        return isComplete
    }

    private func start(_ command: [UInt8], options: [String]) async throws -> ProgramStream {
        tell(command)
        let stream = try await ProgramStream.start(
            program, arguments + options.map { Array($0.utf8) } + [Array("--".utf8), Array(name.utf8), command])
        started.withLock { $0.streams.append(stream) }
        return stream
    }
}

/// What a program that reaches a host cannot do.
public enum ProgramError: Error, Equatable, Sendable {
    case oneSessionOnly(String)
    /// It ended before the server said anything; it has told why on its standard error.
    case closed(host: String)
}

extension ProgramError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .oneSessionOnly(let program): "\(program): one session at a time"
        case .closed(let host): "\(host): Connection closed"
        }
    }
}

private struct ProgramCommand: RemoteCommand {
    let stream: ProgramStream

    func read() async throws -> ByteBuffer? { try await stream.read() }
    func write(_ bytes: ByteBuffer) async throws { try await stream.write(bytes) }
    func finishWriting() async throws { try await stream.finishWriting() }
    func waitForEnd() async -> RemoteCommandEnd? { await stream.end() ? .status(0) : .status(1) }
    func close() { Task { await stream.end() } }
}

/// A program that speaks SFTP, or should.
private final class SFTPProgramStream: ByteStream {
    private let stream: ProgramStream
    private let host: String
    private let hasSpoken = Mutex(false)

    init(stream: ProgramStream, host: String) {
        self.stream = stream
        self.host = host
    }

    /// - Throws: ``ProgramError/closed(host:)``, which is not to be taken for a server without SFTP.
    func read() async throws -> ByteBuffer? {
        let bytes = try await stream.read()
        if bytes == nil, !hasSpoken.withLock({ $0 }) { throw ProgramError.closed(host: host) }
        hasSpoken.withLock { $0 = true }
        return bytes
    }

    func write(_ bytes: ByteBuffer) async throws {
        do {
            try await stream.write(bytes)
        } catch {
            throw ProgramError.closed(host: host)
        }
    }

    func finishWriting() async throws { try await stream.finishWriting() }
}
