import CopyEngine
import Files
import Platform
import RemoteHosts
import SCP
import SFTP
import SSHClient
import SSHConfig
import SSHNIO
import SSHWire
import Synchronization

extension CopyOptions {
    /// Opens what programs are to read of the copies; nil if nobody wants to know.
    func openReport() throws(Fault) -> EventReport? {
        do throws(FileError) {
            return try EventReport(json: long.json, log: long.log)
        } catch {
            throw .message("\(error)")
        }
    }
}

/// Tells programs how the copies of a command go: as lines of JSON on standard output (`--json`), and as a log (`--log`).
///
/// The shape of the lines is `docs/events.schema.json`.
final class EventReport: Sendable {
    /// Where the lines go.
    private struct Place {
        let descriptor: Int32
        let isJSON: Bool
    }

    private struct State {
        /// Files under way; a copy of its own numbers them from the beginning again.
        var files: [CopyFile: Int] = [:]
        var begun = 0
        var tally = CopyTally()
        var shown = ContinuousClock.now
        var failure: FileError?
    }

    private let places: [Place]
    private let log: BytePath?
    private let started = ContinuousClock.now
    private let state = Mutex(State())

    /// Opens what is to be written; to be called while the process still may.
    ///
    /// - Returns: nil if nobody wants to know.
    /// - Throws: `FileError` if the log cannot be written.
    init?(json: Bool, log: BytePath?) throws(FileError) {
        var places: [Place] = []
        if json { places.append(Place(descriptor: 1, isJSON: true)) }
        if let log {
            do throws(SystemCall.Failure) {
                let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC
                let descriptor = try SystemCall.open(at: AT_FDCWD, log.bytes, flags, 0o666)
                places.append(Place(descriptor: descriptor, isJSON: false))
            } catch {
                throw FileError(path: log, operation: .open, errno: error.number)
            }
        }
        guard !places.isEmpty else { return nil }
        self.places = places
        self.log = log
    }

    // MARK: What happens

    func receive(_ event: CopyEvent) {
        state.withLock { state in
            state.tally.count(event)
            switch event {
            case .planned(let file):
                write(EventRecord("planned").with(path: file.path).with("size", file.size), &state)
            case .started(let file):
                state.begun += 1
                state.files[file] = state.begun
                write(
                    EventRecord("start").with("file", state.begun).with(path: file.path).with("size", file.size)
                        .with("present", file.present), &state)
            case .bytes: tellProgress(&state)
            case .interrupted(let file): end(file, "interrupted", &state)
            case .finished(let file, let isComplete):
                end(file, "finished", &state) { $0.with("complete", isComplete) }
            case .verified(let file):
                write(record("verified", file, state), &state)
            case .connections(let count, let host):
                write(EventRecord("connections").with("host", host).with("count", count), &state)
            case .problem(let error): tell(error, &state)
            case .note, .trace: break
            }
        }
    }

    func receive(_ event: HostEvent) {
        guard case .retrying(let host, let reason, let pause) = event else { return }
        let record = EventRecord("retry").with("host", host).with("reason", reason).with("pause", pause)
        state.withLock { write(record, &$0) }
    }

    /// A copy is over: what of it was no event is counted.
    func count(_ summary: CopySummary) { state.withLock { $0.tally.count(summary) } }

    /// What has ended a copy, or kept it from beginning.
    func tell(_ error: any Error) {
        state.withLock { state in
            state.tally.countFailure()
            tell(error, &state)
        }
    }

    /// All copies are over.
    ///
    /// - Parameter status: what the command ends with.
    /// - Returns: why not everything could be written, if that is so.
    func finish(_ status: CInt) -> FileError? {
        state.withLock { state in
            let seconds = (ContinuousClock.now - started) / .milliseconds(1)
            let summary = state.tally.summary
            write(
                EventRecord("summary").with("files", summary.files).with("bytes", summary.bytes)
                    .with("verified", summary.verified).with("leftOut", summary.leftOut)
                    .with("skipped", summary.skipped).with("errors", summary.errors)
                    .with("milliseconds", Int64(seconds)).with("status", status), &state)
            return state.failure
        }
    }

    // MARK: Records

    private func record(_ event: String, _ file: CopyFile, _ state: State) -> EventRecord {
        let record = EventRecord(event)
        // Under the number it was begun with, as long as that is known.
        return (state.files[file].map { record.with("file", $0) } ?? record).with(path: file.path)
    }

    private func end(
        _ file: CopyFile, _ event: String, _ state: inout State, _ more: (EventRecord) -> EventRecord = { $0 }
    ) {
        write(more(record(event, file, state)), &state)
        state.files[file] = nil
    }

    /// Once a second at most.
    private func tellProgress(_ state: inout State) {
        let now = ContinuousClock.now
        guard now - state.shown >= .seconds(1) else { return }
        state.shown = now
        let summary = state.tally.summary
        write(EventRecord("progress").with("files", summary.files).with("bytes", summary.bytes), &state)
    }

    private func tell(_ error: any Error, _ state: inout State) {
        var record = EventRecord("error").with("code", Self.code(error)).with("message", "\(error)")
        if let error = error as? CopyError {
            record = record.with(path: error.path).with("end", error.end == .source ? "source" : "target")
        }
        if let error = error as? FileError { record = record.with(path: error.path) }
        write(record, &state)
    }

    /// The word for what went wrong, the same in every release.
    static func code(_ error: any Error) -> String {
        switch error {
        case let error as CopyError: error.code
        case let error as FileError: error.cause.code
        case let error as ClientError: code(error)
        case is CopyOptions.Fault, is ConfigurationError: "usage"
        case is ConnectionLost, is TransportError: "connection-lost"
        case is SFTPError, is SCPError, is SFTPUnavailable: "protocol"
        case is CancellationError: "cancelled"
        default: "failure"
        }
    }

    private static func code(_ error: ClientError) -> String {
        switch error {
        case .unresolvable, .unreachable, .unreachableThrough, .jumpLoop, .handshakeTimeout, .program: "unreachable"
        case .lost: "connection-lost"
        case .hostKeyRejected: "host-key-rejected"
        case .permissionDenied, .tooManyAttempts, .endlessLogin: "login-refused"
        case .badOption: "usage"
        case .requestRefused: "request-refused"
        }
    }

    private func write(_ record: EventRecord, _ state: inout State) {
        for place in places {
            var bytes = Array((place.isJSON ? record.json : record.line).utf8)[...]
            while !bytes.isEmpty, state.failure == nil {
                let count = bytes.withUnsafeBytes { SystemCall.write(place.descriptor, $0) }
                if count > 0 {
                    bytes = bytes.dropFirst(count)
                } else if errno != EINTR {
                    let path = place.isJSON ? "standard output" : log ?? ""
                    state.failure = FileError(path: path, operation: .write, errno: errno)
                }
            }
        }
    }
}
