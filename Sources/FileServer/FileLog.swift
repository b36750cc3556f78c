import Files
import Logging
import Metrics
import SSHServer
import SSHWire

/// What a service counts of all sessions' files.
struct FileCounters: Sendable {
    let files: Counter
    let failures: Counter
    let read: Counter
    let written: Counter
    let refusals: Counter

    init(_ metrics: any MetricsFactory) {
        files = Counter(label: "scpd_files_total", factory: metrics)
        failures = Counter(label: "scpd_failed_files_total", factory: metrics)
        read = Counter(label: "scpd_read_bytes_total", factory: metrics)
        written = Counter(label: "scpd_written_bytes_total", factory: metrics)
        refusals = Counter(label: "scpd_refused_requests_total", factory: metrics)
    }
}

/// The lines and counters of one session's files: who, from where, what, how many bytes, how long, how it ended.
final class FileLog: Sendable {
    private let logger: Logger?
    private let counters: FileCounters
    private let session: Logger.Metadata
    /// Where the client's relative paths start.
    private let home: BytePath

    init(logger: Logger?, counters: FileCounters, login: Login, home: [UInt8] = [UInt8(ascii: "/")]) {
        self.logger = logger
        self.counters = counters
        self.home = BytePath(home)
        session = ["user": "\(login.user)", "address": "\(login.address)", "port": "\(login.port)"]
    }

    /// A path as it is logged: from the root that the client is shown, without what says nothing in it.
    func shown(_ path: [UInt8]) -> String {
        guard let first = path.first else { return "" }
        let slash = UInt8(ascii: "/")
        let whole = first == slash ? path : home.appending(path).bytes
        let names = whole.split(separator: slash).filter { $0 != [UInt8(ascii: ".")] }
        return Printable.text([slash] + Array(names.joined(separator: [slash])))
    }

    /// A command that is not served.
    func refused(_ reason: String) {
        counters.refusals.increment()
        log(.notice, "request refused", ["reason": "\(reason)"])
    }

    /// What ended a session before its time.
    func ended(_ error: any Error) {
        log(.info, "session failed", ["reason": "\(Printable.text("\(error)".utf8))"])
    }

    private func log(_ level: Logger.Level, _ words: Logger.Message, _ fields: @autoclosure () -> Logger.Metadata) {
        guard let logger, logger.logLevel <= level else { return }
        logger.log(level: level, words, metadata: session.merging(fields()) { $1 })
    }

    private func count(read: Int, written: Int, isComplete: Bool) {
        counters.files.increment()
        if !isComplete { counters.failures.increment() }
        counters.read.increment(by: read)
        counters.written.increment(by: written)
    }

    /// Seconds with three decimals.
    private static func seconds(_ duration: Duration) -> String {
        let milliseconds = duration / .milliseconds(1)
        return "\((milliseconds).rounded() / 1000)"
    }
}

extension FileLog: ServedTransferObserver {
    func closed(_ transfer: ServedTransfer) {
        let (outcome, isComplete) =
            switch transfer.outcome {
            case .complete: ("complete", true)
            case .failed(let reason): (reason, false)
            case .interrupted: ("interrupted", false)
            }
        count(
            read: Int(clamping: transfer.bytesRead), written: Int(clamping: transfer.bytesWritten),
            isComplete: isComplete)
        log(
            .info, "file",
            [
                "path": "\(shown(transfer.path))", "read": "\(transfer.bytesRead)",
                "written": "\(transfer.bytesWritten)", "seconds": "\(Self.seconds(transfer.duration))",
                "outcome": "\(outcome)",
            ].merging(Self.fields(transfer.attributes)) { $1 }
                .merging(transfer.bytesHashed > 0 ? ["hashed": "\(transfer.bytesHashed)"] : [:]) { $1 })
    }

    func changed(_ change: ServedChange) {
        var fields: Logger.Metadata = ["path": "\(shown(change.path))"]
        if let new = change.newPath { fields["to"] = "\(shown(new))" }
        if let text = change.linkText { fields["target"] = "\(Printable.text(text))" }
        log(.info, "\(change.operation)", fields.merging(Self.fields(change.attributes)) { $1 })
    }

    private static func fields(_ changes: FileChanges) -> Logger.Metadata {
        var fields: Logger.Metadata = [:]
        if let size = changes.size { fields["size"] = "\(size)" }
        if let mode = changes.mode { fields["mode"] = "\(String(mode, radix: 8))" }
        if let owner = changes.owner { fields["owner"] = "\(owner.user):\(owner.group)" }
        if let times = changes.times { fields["modified"] = "\(times.modified.seconds)" }
        return fields
    }

    func refused(_ refusal: ServedRefusal) {
        counters.refusals.increment()
        log(
            .notice, "file refused",
            [
                "operation": "\(refusal.operation)", "path": "\(shown(refusal.path))",
                "reason": "\(refusal.reason)",
            ])
    }
}
