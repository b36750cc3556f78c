import FileTransfer
import SSHClient
import Synchronization

/// Tells the person at the terminal how a copy goes: the meter on standard output, what went wrong on standard error.
final class CommandObserver: TransferObserver {
    private let meter: ProgressMeter?
    private let verbosity: Int
    /// Whether another end shows the warnings: it is sent them in the protocol.
    private let isRemote: Bool
    private let current = Mutex<ProgressFile?>(nil)

    init(options: CopyOptions) {
        meter = options.quiet || options.serverRole != nil ? nil : ProgressMeter()
        verbosity = options.verbosity
        isRemote = options.serverRole != nil
    }

    func fileStarted(_ path: LocalPath, size: Int64) {
        let file = meter?.begin(name: path.lastComponent, total: UInt64(max(0, size)))
        current.withLock { $0 = file }
    }

    func bytesTransferred(_ count: Int) { current.withLock { $0 }?.advance(by: count) }

    func fileFinished(_ path: LocalPath, isComplete: Bool) {
        current.withLock { file in
            defer { file = nil }
            return file
        }?.finish()
    }

    func warning(_ text: String) { if !isRemote { Self.tell(text) } }

    var wantsTrace: Bool { verbosity >= 1 }

    func trace(_ text: String) { StandardError.write("debug1: \(text)\n") }

    /// One line on standard error. A remote scp has already put its name before what it says.
    static func tell(_ text: String) { StandardError.write(text.hasPrefix("scp: ") ? text + "\n" : "scp: \(text)\n") }
}
