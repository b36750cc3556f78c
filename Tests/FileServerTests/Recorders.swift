import CopyEngine
import FileServer
import Files
import NIOCore
import SSHWire
import Synchronization
import TestSupport
import Testing

/// Keeps what a client's transfer tells.
final class Recorder: CopyObserver {
    private let kept = Mutex([String]())

    var warnings: [String] { kept.withLock { $0 } }

    func receive(_ event: CopyEvent) {
        if case .problem(let error) = event { kept.withLock { $0.append("\(error)") } }
    }
}

/// Keeps what a server tells of its clients.
final class ServerRecorder: ServedTransferObserver {
    private let kept = Mutex((lines: [String](), transfers: [ServedTransfer]()))

    /// What happened, one after another.
    var lines: [String] { kept.withLock { $0.lines } }
    var transfers: [ServedTransfer] { kept.withLock { $0.transfers } }

    private func add(_ line: String) { kept.withLock { $0.lines.append(line) } }
    private func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }

    func opened(_ path: [UInt8], forWriting: Bool) { add("open \(text(path))\(forWriting ? " to write" : "")") }
    func closed(_ transfer: ServedTransfer) {
        add("close \(text(transfer.path)) \(transfer.outcome)")
        kept.withLock { $0.transfers.append(transfer) }
    }
    func changed(_ change: ServedChange) { add("\(change.operation) \(text(change.path))") }
    func refused(_ refusal: ServedRefusal) { add("refused \(refusal.operation) \(text(refusal.path))") }
}

extension FileSystem {
    /// Runs a command line as a server does, with the protocol's other end at a stream.
    ///
    /// - Returns: its exit status.
    func serve(
        _ line: String, _ stream: MemoryStream, home: String = "/", isReadOnly: Bool = false,
        observer: any ServedTransferObserver = SilentServedTransferObserver()
    ) async throws -> UInt32 {
        let server = SCPServer(files: self, home: Array(home.utf8), isReadOnly: isReadOnly, observer: observer)
        let command = try RemoteCommandLine.parse(Array(line.utf8))
        return try await DiskExecutor.run {
            switch command {
            case .scpSink(let request): return try await server.serve(request, stream: stream)
            case .scpSource(let request): return try await server.serve(request, stream: stream)
            case .sftp: throw TestSupportError("no SFTP here")
            }
        }
    }
}
