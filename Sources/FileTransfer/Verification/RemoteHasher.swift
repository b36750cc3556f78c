import Files
import NIOCore
import SFTP
import SSHWire
import Synchronization

/// How files are hashed where a server has them, on channels beside that of a transfer.
public struct RemoteHashing: Sendable {
    /// Runs a command on the server.
    public typealias Runner = @Sendable (_ command: [UInt8]) async throws -> any ByteStream

    let open: SFTPOpener
    let run: Runner?
    let isLoss: @Sendable (any Error) -> Bool
    let note: @Sendable (String) -> Void

    /// - Parameters:
    ///   - open: opens a further SFTP session, of the connection there is then.
    ///   - run: runs a command there; nil where no commands can be run.
    ///   - isLoss: whether an error means that the connection was lost, and not just that something does not work there.
    ///   - note: told what is done, for a person who wants to know. Printable.
    public init(
        open: @escaping SFTPOpener, run: Runner?, isLoss: @escaping @Sendable (any Error) -> Bool,
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.open = open
        self.run = run
        self.isLoss = isLoss
        self.note = note
    }
}

/// Hashes of files on a server, over one connection to it: by the server's own SFTP (`check-file`), or by a program that is
/// run there.
actor RemoteHasher {
    private enum Means {
        case checkFile(SFTPClient)
        /// And the directory where relative paths begin.
        case program(HashProgram, home: [UInt8])
    }

    /// How long a server may take to begin something that it may not know.
    private static let patience = Duration.seconds(30)

    private let hashing: RemoteHashing
    private var means: Task<Means?, any Error>?
    private var reader: Task<SFTPClient, any Error>?

    init(_ hashing: RemoteHashing) { self.hashing = hashing }

    nonisolated func note(_ text: String) { hashing.note(text) }

    /// Whether the server has any means to hash files.
    ///
    /// - Throws: only for a lost connection, as all here.
    func hasMeans() async throws -> Bool { try await findMeans() != nil }

    /// The hash of a file's first `count` bytes, or of all of it; nil if the server cannot tell.
    func hash(of path: [UInt8], first count: Int64?) async throws -> FileHash? {
        guard let means = try await findMeans() else { return nil }
        return try await unlessLost {
            switch means {
            case .checkFile(let client): return try await Self.check(client, path, first: count)
            case .program(let program, let home):
                let isAbsolute = path.first == UInt8(ascii: "/")
                return try await program.hash(
                    of: isAbsolute ? path : RemotePath.appending(path, to: home), first: count)
            }
        }
    }

    /// The hash of all of a file, of which every byte is brought here; nil if it cannot be read.
    func readBack(_ path: [UInt8]) async throws -> FileHash? {
        let reader = reader ?? Task { [hashing] in try await SFTPClient(stream: try await hashing.open()) }
        self.reader = reader
        return try await unlessLost { try await reader.value.hash(of: path) }
    }

    func close() async {
        switch try? await means?.value {
        case .checkFile(let client): await client.close()
        case .program(let program, _): await program.close()
        case nil: break
        }
        await (try? reader?.value)?.close()
    }

    // MARK: Means

    private func findMeans() async throws -> Means? {
        if let means { return try await means.value }
        let task = Task { [hashing] in
            let means = try await unlessLost { try await Self.findMeans(hashing) }
            if means == nil { hashing.note("the server has no means to hash files") }
            return means
        }
        means = task
        return try await task.value
    }

    private static func findMeans(_ hashing: RemoteHashing) async throws -> Means? {
        let client = try await SFTPClient(stream: try await hashing.open())
        if client.server.has(.checkFile) {
            hashing.note("files are hashed by the SFTP server (check-file)")
            return .checkFile(client)
        }
        let home = try await client.realpath([UInt8(ascii: ".")])
        // A server gives few channels at a time.
        await client.close()
        guard let run = hashing.run else { return nil }
        let begun = try await within(patience) {
            try await HashProgram.begin(on: try await run(Array(HashProgram.command.utf8)))
        }
        guard let program = begun else { return nil }
        hashing.note("files are hashed by the server's \(program.name)")
        return .program(program, home: home)
    }

    private static func check(_ client: SFTPClient, _ path: [UInt8], first count: Int64?) async throws -> FileHash? {
        // A length of 0 means all there is.
        if count == 0 { return nil }
        var fields = ByteBuffer()
        fields.writeSSHString(path)
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
        } catch  where !hashing.isLoss(error) && !(error is CancellationError) {
            return nil
        }
    }

    /// What `body` gives; nil if that takes longer than `limit`, and then it goes on for itself.
    private static func within<T: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async throws -> T?
    ) async throws -> T? {
        let first = Mutex<CheckedContinuation<T?, any Error>?>(nil)
        return try await withCheckedThrowingContinuation { continuation in
            first.withLock { $0 = continuation }
            let end = { @Sendable (result: Result<T?, any Error>) in
                first.withLock { first in
                    defer { first = nil }
                    return first
                }?.resume(with: result)
            }
            let timer = Task {
                if (try? await Task.sleep(for: limit)) != nil { end(.success(nil)) }
            }
            Task {
                do { end(.success(try await body())) } catch { end(.failure(error)) }
                timer.cancel()
            }
        }
    }
}
