import Files
import NIOCore
import SFTP
import SSHWire
import Synchronization

/// Hashes of files on a server, over one connection to it: by the server's own SFTP (`check-file`), or by a program that is
/// run there.
actor RemoteHasher {
    private enum Means {
        case checkFile(SFTPClient)
        /// And the directory where relative paths begin.
        case program(HashProgram, home: BytePath)
    }

    /// How long a server may take to begin something that it may not know.
    private static let timeLimit = Duration.seconds(30)

    private let host: any CopyHost
    private let note: @Sendable (CopyNote) -> Void
    private var means: Task<Means?, any Error>?
    private var reader: Task<SFTPClient, any Error>?

    /// - Parameter note: told what is done, for a person who wants to know.
    init(_ host: any CopyHost, note: @escaping @Sendable (CopyNote) -> Void) {
        self.host = host
        self.note = note
    }

    /// Whether the server has any means to hash files.
    ///
    /// - Throws: only for a lost connection, as all here.
    func hasMeans() async throws -> Bool { try await findMeans() != nil }

    /// The hash of a file's first `count` bytes, or of all of it; nil if the server cannot tell.
    func hash(of path: BytePath, first count: Int64?) async throws -> FileHash? {
        guard let means = try await findMeans() else { return nil }
        return try await unlessLost {
            switch means {
            case .checkFile(let client): return try await Self.check(client, path, first: count)
            case .program(let program, let home):
                let isAbsolute = path.bytes.first == UInt8(ascii: "/")
                return try await program.hash(
                    of: isAbsolute ? path.bytes : home.appending(path.withoutTilde?.bytes ?? path.bytes).bytes,
                    first: count)
            }
        }
    }

    /// The hash of all of a file, of which every byte is brought here; nil if it cannot be read.
    func readBack(_ path: BytePath) async throws -> FileHash? {
        let reader = reader ?? Task { [host] in try await SFTPClient(stream: try await host.openSFTP()) }
        self.reader = reader
        return try await unlessLost { try await reader.valueUnlessCancelled().hash(of: path.bytes) }
    }

    /// Ends what was begun. What is still being found out is not waited for.
    func close() async {
        means?.cancel()
        reader?.cancel()
        switch try? await means?.value {
        case .checkFile(let client): await client.close()
        case .program(let program, _): await program.close()
        case nil: break
        }
        await (try? reader?.value)?.close()
    }

    // MARK: Means

    private func findMeans() async throws -> Means? {
        if let means { return try await means.valueUnlessCancelled() }
        let task = Task { [host, note] in
            let means = try await unlessLost { try await Self.findMeans(host, note) }
            if means == nil { note(.noMeansToHash) }
            return means
        }
        means = task
        return try await task.valueUnlessCancelled()
    }

    private static func findMeans(_ host: any CopyHost, _ note: @Sendable (CopyNote) -> Void) async throws -> Means? {
        // Where there is no SFTP, a shell begins where relative paths do.
        var home: BytePath = ""
        if let client = try await unlessRefused(host, { try await SFTPClient(stream: try await host.openSFTP()) }) {
            if client.server.has(.checkFile) {
                note(.hashing(by: "SFTP server (check-file)"))
                return .checkFile(client)
            }
            home = BytePath(try await client.realpath([UInt8(ascii: ".")]))
            // A server gives few channels at a time.
            await client.close()
        }
        guard await host.traits.runsCommands else { return nil }
        let begun = try await within(timeLimit) {
            try await HashProgram.begin(on: try await host.runQuietly(Array(HashProgram.command.utf8)))
        }
        guard let program = begun else { return nil }
        note(.hashing(by: program.name))
        return .program(program, home: home)
    }

    private static func unlessRefused<T>(_ host: any CopyHost, _ body: () async throws -> T) async throws -> T? {
        do {
            return try await body()
        } catch  where !host.isLoss(error) && !(error is CancellationError) {
            return nil
        }
    }

    /// Forgets what was found out while a copy had the server's one channel.
    func beginAgain() async {
        await close()
        (means, reader) = (nil, nil)
    }

    private static func check(_ client: SFTPClient, _ path: BytePath, first count: Int64?) async throws -> FileHash? {
        // A length of 0 means all there is.
        if count == 0 { return nil }
        var fields = ByteBuffer()
        fields.writeSSHString(path.bytes)
        fields.writeSSHString("sha256")
        fields.writeInteger(UInt64(0))
        fields.writeInteger(UInt64(count ?? 0))
        fields.writeInteger(UInt32(0))
        let request = SFTPRequest.extended(name: SFTPExtension.checkFileName.rawValue, fields: fields)
        guard case .extended(var reply) = try await client.ask(request),
            try reply.readSSHText("extension") == "check-file",
            try reply.readSSHText("hash-algo-used") == "sha256"
        else { return nil }
        return FileHash(reply.readableBytesView)
    }

    // MARK: What goes wrong

    /// What `body` gives; nil if it fails, unless that is because the connection is lost.
    private nonisolated func unlessLost<T: Sendable>(_ body: @Sendable () async throws -> T?) async throws -> T? {
        do {
            return try await body()
        } catch  where !host.isLoss(error) && !(error is CancellationError) {
            return nil
        }
    }

    /// What `body` gives; nil if that takes longer than `limit`, and then it is cancelled.
    private static func within<T: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async throws -> T?
    ) async throws -> T? {
        let task = Task { try await body() }
        let isLate = Mutex(false)
        let timer = Task {
            try await Task.sleep(for: limit)
            isLate.withLock { $0 = true }
            task.cancel()
        }
        defer { timer.cancel() }
        do {
            return try await task.ownValue()
        } catch is CancellationError where isLate.withLock({ $0 }) {
            return nil
        }
    }
}
