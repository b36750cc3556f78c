import FileTransfer
import Synchronization

/// Tells a server's observer of the files that an SCP session sends or receives.
final class SCPTransferLog: TransferObserver {
    private struct Open {
        let path: LocalPath
        let start = ContinuousClock.now
        var bytes: UInt64 = 0
    }

    private struct State {
        /// By their numbers: a file that was sent is open until the client has answered for it.
        var open: [Int: Open] = [:]
        /// What was said last, and of no file yet.
        var warning: String?
    }

    private let places: ServedPlaces
    private let forWriting: Bool
    private let state = Mutex(State())

    init(places: ServedPlaces, forWriting: Bool) {
        self.places = places
        self.forWriting = forWriting
    }

    func fileStarted(_ file: FileInTransfer) {
        places.observer.opened(places.absolute(file.path), forWriting: forWriting)
        state.withLock { state in
            state.open[file.number] = Open(path: file.path)
            state.warning = nil
        }
    }

    func bytesTransferred(_ count: Int, of file: FileInTransfer) {
        state.withLock { $0.open[file.number]?.bytes += UInt64(count) }
    }

    func warning(_ text: String) { state.withLock { $0.warning = text } }

    func fileFinished(_ file: FileInTransfer, isComplete: Bool) {
        let (open, warning) = state.withLock { state in
            defer { state.warning = nil }
            return (state.open.removeValue(forKey: file.number), state.warning)
        }
        guard let open else { return }
        close(open, isComplete ? .complete : warning.map { .failed($0) } ?? .interrupted)
    }

    /// Nothing more comes of the files that are still open.
    func end() {
        for (_, open) in state.withLock({ $0.open }).sorted(by: { $0.key < $1.key }) { close(open, .interrupted) }
    }

    private func close(_ open: Open, _ outcome: ServedTransfer.Outcome) {
        places.observer.closed(
            ServedTransfer(
                path: places.absolute(open.path), bytesRead: forWriting ? 0 : open.bytes,
                bytesWritten: forWriting ? open.bytes : 0, duration: ContinuousClock.now - open.start, outcome: outcome)
        )
    }
}
