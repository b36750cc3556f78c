import Logging
import Platform
import SSHWire

/// Writes each log message as one line of `key=value` pairs on standard error: the time, the level, what happened, and
/// of whom and what. Under systemd, which notes the time itself, a priority stands in its place.
struct LogLines: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    private let isJournal = Self.isJournal(getenv("JOURNAL_STREAM").map { String(cString: $0) })

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = isJournal ? "<\(Self.priority(event.level))>" : WallClock.text() + " \(event.level) "
        line += Self.text(event.message.description, metadata.merging(event.metadata ?? [:]) { $1 }) + "\n"
        // In one call, so that lines of several threads do not mix.
        var bytes = Array(line.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// What follows the time and the level.
    static func text(_ message: String, _ metadata: Logger.Metadata) -> String {
        metadata.sorted { $0.key < $1.key }.reduce(into: Printable.text(message.utf8)) { line, field in
            line += " \(field.key)=\(quoted("\(field.value)"))"
        }
    }

    /// Bytes of a value that are shown: no path of a system's is longer, but clients make up longer ones.
    private static let longestValue = 4096

    /// A value as one word: in quotation marks, where it needs them, with a backslash before those and backslashes in it.
    static func quoted(_ text: String) -> String {
        // By scalars: a mark that combines with a quotation mark does not hide it.
        let printable = Printable.text(text.utf8.prefix(longestValue)).unicodeScalars
        let isPlain =
            !printable.isEmpty && !printable.contains { $0.properties.isWhitespace || $0 == "\"" || $0 == "=" }
        guard !isPlain else { return String(printable) }
        var word = "\"".unicodeScalars
        for scalar in printable {
            if scalar == "\"" || scalar == "\\" { word.append("\\") }
            word.append(scalar)
        }
        return String(word) + "\""
    }

    /// Whether standard error is the stream to the journal that systemd names, as `device:inode`; the name alone is
    /// inherited by whatever a service starts.
    static func isJournal(_ name: String?, descriptor: Int32 = STDERR_FILENO) -> Bool {
        var status = stat()
        guard let name, fstat(descriptor, &status) == 0 else { return false }
        return name == "\(status.st_dev):\(status.st_ino)"
    }

    /// The number syslog(3) has for a level.
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
