import FileTransfer
import NIOCore
import SCP
import SSHWire

/// Serves the SCP protocol's remote end, what `scp -t` and `scp -f` do on other servers, inside the process.
///
/// ```swift
/// let server = SCPServer(files: MemoryFileSystem(["a.txt": "hello"]))
/// guard case .scpSource(let request) = try RemoteCommandLine.parse(line) else { return 1 }
/// return try await server.serve(request, stream: session.stream)
/// ```
///
/// What cannot be copied is told to the client in the protocol, and the session goes on with what follows.
public struct SCPServer: Sendable {
    private let places: ServedPlaces
    private let isReadOnly: Bool
    private let observer: any TransferObserver

    /// - Parameters:
    ///   - home: where relative paths start, and what `~` stands for: a path from the root that is shown.
    ///   - isReadOnly: whether `scp -t` is refused.
    ///   - observer: told of every file and of all that went wrong, on threads of the server's.
    public init(
        files: any ServedFileSystem, home: [UInt8] = [UInt8(ascii: "/")], isReadOnly: Bool = false,
        observer: any TransferObserver = SilentObserver()
    ) {
        places = ServedPlaces(files: files, home: home)
        self.isReadOnly = isReadOnly
        self.observer = observer
    }

    /// Sends the files a client asks for (`scp -f`).
    ///
    /// - Returns: the exit status: 0 if all was sent and kept, else 1.
    /// - Throws: ``SCPError`` or the stream's error if the session ended before its time.
    public func serve(
        _ request: SCPSourceRequest, stream: any ByteStream
    ) async throws -> UInt32 {
        let (places, observer) = (places, observer)
        let summary: TransferSummary? = try await DiskExecutor.run {
            var sources: [LocalPath] = []
            do throws(RemoteCommandError) {
                let expansion = WordExpansion(places: places)
                for word in request.sources {
                    sources += try expansion.paths(of: word).map { LocalPath($0) }
                    guard sources.count <= WordExpansion.limit else {
                        throw RemoteCommandError.tooManyPaths(limit: WordExpansion.limit)
                    }
                }
            } catch {
                try await Self.refuse(error, stream)
                return nil
            }
            let walk = ServedWalk(places: places, sources: sources, recursive: request.recursive)
            return try await SCPUploadSession.run(
                walk, stream: stream,
                options: .init(recursive: request.recursive, preserve: request.preserve, role: .loggingServer),
                observer: observer)
        }
        return status(summary)
    }

    /// Receives the files a client sends (`scp -t`).
    ///
    /// - Returns: the exit status: 0 if all was received and kept, else 1.
    /// - Throws: ``FileError`` if the target is not as it must be, ``SCPError`` if the client breaks the protocol or ends
    ///   before its time, or the stream's error. The client has been told.
    public func serve(
        _ request: SCPSinkRequest, stream: any ByteStream
    ) async throws -> UInt32 {
        let (places, observer, isReadOnly) = (places, observer, isReadOnly)
        let summary: TransferSummary? = try await DiskExecutor.run {
            let target: LocalPath
            do throws(RemoteCommandError) {
                let paths = try WordExpansion(places: places).paths(of: request.target)
                guard paths.count == 1, let path = paths.first else { throw RemoteCommandError.ambiguousTarget }
                target = LocalPath(path)
            } catch {
                try await Self.refuse(error, stream)
                return nil
            }
            return try await SCPDownloadSession.run(
                stream: stream,
                options: .init(recursive: request.recursive, preserve: request.preserve, role: .loggingServer),
                observer: observer
            ) { () throws(FileError) in
                if isReadOnly { throw FileError(path: target, operation: .open, errno: readOnlyFileSystem) }
                return try ServedTreeWriter(
                    places: places, target: target, preserve: request.preserve,
                    targetMustBeDirectory: request.targetMustBeDirectory)
            }
        }
        return status(summary)
    }

    /// The one path a word stands for.
    ///
    /// - Throws: ``RemoteCommandError``.
    func place(of word: CommandWord) throws(RemoteCommandError) -> [UInt8] {
        let paths = try WordExpansion(places: places).paths(of: word)
        guard paths.count == 1, let path = paths.first else { throw .ambiguousTarget }
        return places.absolute(path)
    }

    /// Says in the protocol why there is no session, and ends.
    private static func refuse(_ error: RemoteCommandError, _ stream: any ByteStream) async throws {
        var answer = ByteBuffer()
        SCPRecord.fatal(Array("scp: \(error)".utf8)).encode(into: &answer)
        try await stream.write(answer)
        try await stream.finishWriting()
    }

    private func status(_ summary: TransferSummary?) -> UInt32 {
        summary.map { $0.errors == 0 } == true ? 0 : 1
    }
}
