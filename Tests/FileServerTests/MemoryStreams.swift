import FileServer
import FileTransfer
import NIOCore
import SSHWire
import Synchronization
import TestSupport
import Testing

/// An end of two pipes in memory.
struct MemoryStream: ByteStream {
    let input: MemoryPipe
    let output: MemoryPipe
    var cutsRandomly = false

    func read() async throws -> ByteBuffer? {
        await input.read(randomly: cutsRandomly).map { ByteBuffer(bytes: $0) }
    }
    func write(_ bytes: ByteBuffer) async throws { await output.write(Array(bytes.readableBytesView)) }
    func finishWriting() async throws { await output.end() }

    /// A client's end and a server's.
    static func pair(cutsRandomly: Bool = false) -> (client: MemoryStream, server: MemoryStream) {
        let (there, back) = (MemoryPipe(), MemoryPipe())
        return (
            MemoryStream(input: back, output: there, cutsRandomly: cutsRandomly),
            MemoryStream(input: there, output: back, cutsRandomly: cutsRandomly)
        )
    }
}

/// Keeps what a transfer tells.
final class Recorder: TransferObserver {
    private let kept = Mutex((warnings: [String](), finished: [String: Bool]()))

    var warnings: [String] { kept.withLock { $0.warnings } }
    /// Whether each file was copied whole, by its path.
    var finished: [String: Bool] { kept.withLock { $0.finished } }

    func warning(_ text: String) { kept.withLock { $0.warnings.append(text) } }
    func fileFinished(_ file: FileInTransfer, isComplete: Bool) {
        kept.withLock { $0.finished["\(file.path)"] = isComplete }
    }
}

extension MemoryFileSystem {
    /// Runs a command line as a server does, with the protocol's other end at a stream.
    ///
    /// - Returns: its exit status.
    func serve(
        _ line: String, _ stream: MemoryStream, home: String = "/", isReadOnly: Bool = false,
        observer: any TransferObserver = SilentObserver()
    ) async throws -> UInt32 {
        let server = SCPServer(files: self, home: Array(home.utf8), isReadOnly: isReadOnly, observer: observer)
        switch try RemoteCommandLine.parse(Array(line.utf8)) {
        case .scpSink(let request): return try await server.serve(request, stream: stream)
        case .scpSource(let request): return try await server.serve(request, stream: stream)
        case .sftp: throw TestSupportError("no SFTP here")
        }
    }
}
