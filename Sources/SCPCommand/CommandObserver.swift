import FileTransfer
import Files
import SSHClient
import Synchronization

/// Tells the person at the terminal how a copy goes: the meter on standard output, what went wrong on standard error.
final class CommandObserver: TransferObserver {
    private let meter: ProgressMeter?
    private let verbosity: Int
    private let files = Mutex<[FileInTransfer: ProgressFile]>([:])

    init(options: CopyOptions) {
        meter = options.quiet ? nil : ProgressMeter()
        verbosity = options.verbosity
    }

    func fileStarted(_ file: FileInTransfer) {
        guard
            let line = meter?.begin(
                name: file.path.lastComponent, total: UInt64(max(0, file.size)),
                startingAt: UInt64(max(0, file.present)))
        else { return }
        files.withLock { $0[file] = line }
    }

    func bytesTransferred(_ count: Int, of file: FileInTransfer) {
        guard meter != nil else { return }
        files.withLock { $0[file] }?.advance(by: count)
    }

    func fileFinished(_ file: FileInTransfer, isComplete: Bool) {
        guard meter != nil else { return }
        files.withLock { $0.removeValue(forKey: file) }?.finish()
    }

    func fileInterrupted(_ file: FileInTransfer) {
        guard meter != nil else { return }
        files.withLock { $0.removeValue(forKey: file) }?.withdraw()
    }

    func warning(_ text: String) { Self.tell(text) }

    var wantsTrace: Bool { verbosity >= 3 }

    func trace(_ text: String) { StandardError.write("debug3: \(text)\n") }

    /// One line on standard error. A remote scp has already put its name before what it says.
    static func tell(_ text: String) { StandardError.write(text.hasPrefix("scp: ") ? text + "\n" : "scp: \(text)\n") }
}
