import CopyEngine
import NIOCore
import SSHClient
import SSHWire

/// A host at the other end of a connection that somebody's ssh keeps; where that wants no further session, at the other end of one
/// of ours.
public actor SharedHost: RemoteHost {
    public nonisolated let name: String
    private let shared: SharedConnection
    private let log: ClientLog
    private let tell: @Sendable (HostEvent) -> Void
    private let connect: @Sendable () async throws -> ClientHost
    /// Our own connection, once it is needed.
    private var own: Task<ClientHost, any Error>?
    private var sessions: [SharedSession] = []

    /// - Parameter connect: makes a connection of our own.
    package init(
        _ name: String, _ shared: SharedConnection, log: ClientLog, tell: @escaping @Sendable (HostEvent) -> Void,
        connect: @escaping @Sendable () async throws -> ClientHost
    ) {
        self.name = name
        self.shared = shared
        self.log = log
        self.tell = tell
        self.connect = connect
    }

    public var traits: CopyHostTraits { CopyHostTraits() }

    public func openSFTP() async throws -> any ByteStream {
        if let session = try await open(Array("sftp".utf8), isSubsystem: true) { return session }
        return try await ownHost().openSFTP()
    }

    public func run(_ command: [UInt8]) async throws -> any RemoteCommand {
        if let session = try await open(command, isSubsystem: false) { return SharedCommand(session: session) }
        return try await ownHost().run(command)
    }

    public func runQuietly(_ command: [UInt8]) async throws -> any RemoteCommand { try await run(command) }

    /// - Returns: nil where a connection of our own is to be used.
    private func open(_ command: [UInt8], isSubsystem: Bool) async throws -> SharedSession? {
        guard own == nil else { return nil }
        do {
            let session = try await shared.open(command, isSubsystem: isSubsystem) { [tell] bytes in
                tell(.errorOutput(Array(bytes.readableBytesView)))
            }
            sessions.append(session)
            return session
        } catch let error as SharedConnection.Refusal {
            // With one session there already, another one is not worth a connection.
            guard sessions.isEmpty || !isSubsystem else { throw error }
            log.note(1, "The shared connection opens no session: \(error)")
            return nil
        }
    }

    private func ownHost() async throws -> ClientHost {
        if let own { return try await own.value }
        let task = Task { [connect] in try await connect() }
        own = task
        return try await task.value
    }

    private var ownIfThere: ClientHost? {
        get async { try? await own?.value }
    }

    public nonisolated func isLoss(_ error: any Error) -> Bool { false }
    public nonisolated func meansNoSFTP(_ error: any Error) -> Bool {
        if case ClientError.requestRefused = error { return true }
        return false
    }
    public func settle() async { await ownIfThere?.settle() }
    public func recover(from error: any Error, hasProgressed: Bool) async throws { throw error }

    public func close() async -> Bool {
        for session in sessions { session.close() }
        return await ownIfThere?.close() ?? true
    }
}

private struct SharedCommand: RemoteCommand {
    let session: SharedSession

    func read() async throws -> ByteBuffer? { try await session.read() }
    func write(_ bytes: ByteBuffer) async throws { try await session.write(bytes) }
    func finishWriting() async throws { try await session.finishWriting() }
    func waitForEnd() async -> RemoteCommandEnd? { await session.waitForEnd().map { .status($0) } }
    func close() { session.close() }
}
