import FileServer
import Files
import NIOCore
import Platform
import SFTP
import SSHWire
import Synchronization
import TestSupport
import Testing

/// One direction of bytes in memory.
private actor SFTPTestPipe {
    private var buffered: [ByteBuffer] = []
    private var count = 0
    private var ended = false
    private var reader: CheckedContinuation<Void, Never>?
    private var writer: CheckedContinuation<Void, Never>?
    private let limit = 1 << 20

    func write(_ bytes: ByteBuffer) async {
        guard !ended else { return }
        buffered.append(bytes)
        count += bytes.readableBytes
        reader?.resume()
        reader = nil
        while count > limit, !ended { await withCheckedContinuation { writer = $0 } }
    }

    func end() {
        ended = true
        for waiting in [reader, writer] { waiting?.resume() }
        (reader, writer) = (nil, nil)
    }

    func read() async -> ByteBuffer? {
        while buffered.isEmpty {
            if ended { return nil }
            await withCheckedContinuation { reader = $0 }
        }
        let first = buffered.removeFirst()
        count -= first.readableBytes
        writer?.resume()
        writer = nil
        return first
    }
}

/// An end of two pipes in memory.
struct SFTPTestStream: ByteStream {
    private let input: SFTPTestPipe
    private let output: SFTPTestPipe

    func read() async throws -> ByteBuffer? { await input.read() }
    func write(_ bytes: ByteBuffer) async throws { await output.write(bytes) }
    func finishWriting() async throws { await output.end() }
    /// Ends both directions, as a connection that is gone.
    func cut() async {
        await input.end()
        await output.end()
    }

    static func pair() -> (SFTPTestStream, SFTPTestStream) {
        let (there, back) = (SFTPTestPipe(), SFTPTestPipe())
        return (SFTPTestStream(input: back, output: there), SFTPTestStream(input: there, output: back))
    }
}

/// Keeps what a server tells.
final class ServedRecorder: ServedTransferObserver {
    private let state = Mutex((opened: [String](), closed: [ServedTransfer](), refused: [ServedRefusal]()))

    var opened: [String] { state.withLock { $0.opened } }
    var closed: [ServedTransfer] { state.withLock { $0.closed } }
    var refused: [ServedRefusal] { state.withLock { $0.refused } }

    func opened(_ path: [UInt8], forWriting: Bool) {
        state.withLock { $0.opened.append(String(decoding: path, as: UTF8.self)) }
    }
    func closed(_ transfer: ServedTransfer) { state.withLock { $0.closed.append(transfer) } }
    func refused(_ refusal: ServedRefusal) { state.withLock { $0.refused.append(refusal) } }
}

/// Starts a session with a server on a thread of its own; it ends with the client's.
func serve(_ server: SFTPServer) -> SFTPTestStream {
    let (near, far) = SFTPTestStream.pair()
    Task {
        try? await DiskExecutor.run { try? await server.serve(far) }
        await far.cut()
    }
    return near
}

/// Runs a test with a client of a server of a new directory: `root` is served, what is beside it is not.
func withSFTP(
    _ confinement: DirectoryConfinement? = nil, isReadOnly: Bool = false, openHandles: Int = 1000,
    observer: any ServedTransferObserver = SilentServedTransferObserver(),
    _ body: (SFTPClient, TemporaryDirectory) async throws -> Void
) async throws {
    let place = try TemporaryDirectory()
    try place.makeDirectory("root")
    let root = try DirectoryRoot(path: Array(place.file("root").utf8), confinement: confinement)
    let server = SFTPServer(
        files: root, options: .init(isReadOnly: isReadOnly, openHandles: openHandles), observer: observer)
    let stream = serve(server)
    let client = try await SFTPClient(stream: stream)
    do {
        try await body(client, place)
    } catch {
        await client.close()
        throw error
    }
    await client.close()
}

/// The status a call is answered with; nil if it went well.
func status(_ body: () async throws -> Void) async throws -> SFTPStatusCode? {
    do {
        try await body()
        return nil
    } catch let status as SFTPStatus {
        return status.code
    }
}
