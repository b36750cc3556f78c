import FileTransfer
import NIOCore
import SSHClient
import SSHWire

/// A host at the other end of a connection that somebody's ssh keeps; where that wants no further session, at the other
/// end of one of ours.
actor SharedHost: RemoteHost {
    private let shared: SharedConnection
    private let log: ClientLog
    private let connect: @Sendable () async throws -> ClientHost
    /// Our own connection, once it is needed.
    private var own: Task<ClientHost, any Error>?
    private var sessions: [SharedSession] = []

    /// - Parameter connect: makes a connection of our own.
    init(_ shared: SharedConnection, log: ClientLog, connect: @escaping @Sendable () async throws -> ClientHost) {
        self.shared = shared
        self.log = log
        self.connect = connect
    }

    func exec(_ command: [UInt8]) async throws -> any RemoteSession {
        if let session = try await open(command, isSubsystem: false) { return SharedHostSession(session: session) }
        return try await ownHost().exec(command)
    }

    nonisolated func sftp() -> SFTPOpener {
        { [self] in try await openSFTP() }
    }

    private func openSFTP() async throws -> any ByteStream {
        if let session = try await open(Array("sftp".utf8), isSubsystem: true) { return session }
        return try await ownHost().sftp()()
    }

    /// - Returns: nil where a connection of our own is to be used.
    private func open(_ command: [UInt8], isSubsystem: Bool) async throws -> SharedSession? {
        guard own == nil else { return nil }
        do {
            let session = try await shared.open(command, isSubsystem: isSubsystem) { bytes in
                StandardError.write(Printable.text(bytes.readableBytesView, keepingNewlines: true))
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

    func close() async -> Bool {
        for session in sessions { session.close() }
        return await (try? own?.value)?.close() ?? true
    }
}

private struct SharedHostSession: RemoteSession {
    let session: SharedSession

    func read() async throws -> ByteBuffer? { try await session.read() }
    func write(_ bytes: ByteBuffer) async throws { try await session.write(bytes) }
    func finishWriting() async throws { try await session.finishWriting() }
    func waitForEnd() async -> Bool { await session.waitForEnd() == 0 }
    func close() { session.close() }
}
