import Files
import NIOCore
import SCP
import SSHWire

/// Serves the SCP protocol's remote end, what `scp -t` and `scp -f` do on other servers, inside the process.
///
/// ```swift
/// let server = SCPServer(files: MemoryFileSystem(["a.txt": "hello"]))
/// guard case .scpSink(let request) = try RemoteCommandLine.parse(line) else { return 1 }
/// return try await DiskExecutor.run { try await server.serve(request, stream: stream) }
/// ```
///
/// What cannot be copied is told to the client in the protocol, and the session goes on with what follows.
public struct SCPServer: Sendable {
    private let places: ServedPlaces
    private let isReadOnly: Bool

    /// - Parameters:
    ///   - home: where relative paths start, and what `~` stands for: a path from the root that is shown.
    ///   - isReadOnly: whether `scp -t` is refused.
    public init(
        files: any FileSystem, home: [UInt8] = [UInt8(ascii: "/")], isReadOnly: Bool = false,
        observer: any ServedTransferObserver = SilentServedTransferObserver()
    ) {
        places = ServedPlaces(files: files, home: home, observer: observer)
        self.isReadOnly = isReadOnly
    }

    /// Sends the files a client asks for (`scp -f`).
    ///
    /// Blocks its thread on the disk: run it where that is allowed, as with `DiskExecutor.run`.
    ///
    /// - Returns: the exit status: 0 if all was sent and kept, else 1.
    /// - Throws: ``SCPError`` or the stream's error if the session ended before its time.
    public func serve(_ request: SCPSourceRequest, stream: any ByteStream) async throws -> UInt32 {
        let sources: [BytePath]
        do {
            sources = try await self.sources(request, stream)
        } catch let error as RemoteCommandError {
            return try await Self.refuse(error, stream)
        }
        let walk = ServedWalk(places: places, sources: sources, recursive: request.recursive)
        let isComplete = try await SCPServerSource.run(
            walk, stream: stream, preserve: request.preserve, log: SCPFileLog(places: places, forWriting: false))
        return isComplete ? 0 : 1
    }

    private func sources(_ request: SCPSourceRequest, _ stream: any ByteStream) async throws -> [BytePath] {
        var expansion = WordExpansion(places: places, stream: stream)
        var sources: [BytePath] = []
        for word in request.sources {
            sources += try await expansion.paths(of: word).map { BytePath($0) }
            guard sources.count <= WordExpansion.limit else {
                throw RemoteCommandError.tooManyPaths(limit: WordExpansion.limit)
            }
        }
        return sources
    }

    /// Receives the files a client sends (`scp -t`).
    ///
    /// Blocks its thread on the disk: run it where that is allowed, as with `DiskExecutor.run`.
    ///
    /// - Returns: the exit status: 0 if all was received and kept, else 1.
    /// - Throws: ``FileError`` if the target is not as it must be, ``SCPError`` if the client breaks the protocol or ends
    ///   before its time, or the stream's error. The client has been told.
    public func serve(_ request: SCPSinkRequest, stream: any ByteStream) async throws -> UInt32 {
        let target: BytePath
        do {
            target = BytePath(try await path(of: request.target, stream))
        } catch let error as RemoteCommandError {
            return try await Self.refuse(error, stream)
        }
        let isComplete = try await SCPServerSink.run(
            stream: stream, recursive: request.recursive, log: SCPFileLog(places: places, forWriting: true)
        ) { () throws(FileError) in
            if isReadOnly { throw places.failure(.readOnly, target, .open) }
            return try ServedTreeWriter(
                places: places, target: target, preserve: request.preserve,
                targetMustBeDirectory: request.targetMustBeDirectory)
        }
        return isComplete ? 0 : 1
    }

    private func path(of word: CommandWord, _ stream: any ByteStream) async throws -> [UInt8] {
        var expansion = WordExpansion(places: places, stream: stream)
        let paths = try await expansion.paths(of: word)
        guard paths.count == 1, let path = paths.first else { throw RemoteCommandError.ambiguousTarget }
        return path
    }

    /// The one place a word stands for: a path from the root that is shown.
    ///
    /// - Throws: ``RemoteCommandError``, `CancellationError` or what ended the stream.
    func place(of word: CommandWord, _ stream: any ByteStream) async throws -> [UInt8] {
        places.absolute(try await path(of: word, stream))
    }

    /// Says in the protocol why there is no session, and ends.
    private static func refuse(_ error: RemoteCommandError, _ stream: any ByteStream) async throws -> UInt32 {
        var answer = ByteBuffer()
        SCPRecord.fatal(Array("scp: \(error)".utf8)).encode(into: &answer)
        try await stream.write(answer)
        try await stream.finishWriting()
        return 1
    }
}
