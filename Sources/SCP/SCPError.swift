import SSHWire

/// What ended an exchange of SCP records, with the value at fault.
public enum SCPError: Error, Equatable, Sendable {
    /// A record or a message goes on past this number of bytes.
    case lineTooLong(limit: Int)
    /// A line with nothing on it stands where a record should.
    case emptyLine
    /// A line is no record at all: often what a remote shell or its start-up files print.
    case notARecord([UInt8])
    /// A field of a T, C or D record is missing or malformed; `value` is the record.
    case invalidField(record: Character, field: String, value: [UInt8])
    /// A name is empty, `.` or `..`, or holds a slash or a NUL (CVE-2018-20685).
    case unexpectedName([UInt8])
    /// A name does not match what was asked for (CVE-2019-6111).
    case nameNotRequested([UInt8])
    /// A directory came although no recursive copy was asked for.
    case directoryNotRequested([UInt8])
    /// Directories are nested deeper than this.
    case directoriesTooDeep(limit: Int)
    /// An E record came while no directory was open.
    case endWithoutDirectory
    /// A T record was not followed by a C or D record.
    case timesWithoutEntry(next: Character?)
    /// The request that names are compared with stands for too many alternatives.
    case invalidRequest([UInt8])
    /// The byte after a file's data is neither zero nor the start of a message.
    case missingEndOfFile(name: [UInt8], found: UInt8)
    /// The sink answered with something that is no acknowledgement.
    case unexpectedAnswer([UInt8])
    /// The sink answered although nothing was asked.
    case answerWithoutQuestion([UInt8])
    /// The sink cannot start, and says why.
    case notReady([UInt8])
    /// The peer ends the session, and says why.
    case fatal([UInt8])
    /// The peer's bytes ended inside a file.
    case endedInFile(name: [UInt8], received: Int64, size: Int64)
    /// The peer's bytes ended inside a directory.
    case endedInDirectory(name: [UInt8])
    /// The peer's bytes ended inside a record.
    case endedInRecord([UInt8])
    /// The peer's bytes ended before it answered.
    case endedBeforeAnswer(to: String)
    /// The caller of a machine broke its order; no peer can cause this.
    case outOfOrder(String)
}

extension SCPError: CustomStringConvertible {
    private static let chatterRemedy =
        " (do the log-in scripts of the shell there print it? They must be silent where there is no terminal)"

    public var description: String {
        switch self {
        case .lineTooLong(let limit): "protocol error: line longer than \(limit) bytes"
        case .emptyLine: "protocol error: unexpected <newline>"
        case .notARecord(let line):
            "protocol error: expected control record, found \(Printable.quoted(line))\(Self.chatterRemedy)"
        case .invalidField(let record, let field, let value):
            "protocol error: \(record) record: \(field): \(Printable.quoted(value))"
        case .unexpectedName(let name): "error: unexpected filename: \(Printable.quoted(name))"
        case .nameNotRequested(let name):
            "protocol error: filename does not match request: \(Printable.quoted(name))"
        case .directoryNotRequested(let name):
            "protocol error: received directory without -r: \(Printable.quoted(name))"
        case .directoriesTooDeep(let limit): "protocol error: directories nested deeper than \(limit)"
        case .endWithoutDirectory: "protocol error: end of a directory that was not begun"
        case .timesWithoutEntry(let next):
            "protocol error: times followed by \(next.map { "a \($0) record" } ?? "nothing")"
        case .invalidRequest(let pattern): "invalid pattern \(Printable.quoted(pattern))"
        case .missingEndOfFile(let name, let found):
            "protocol error: byte \(found) where \(Printable.quoted(name)) should end"
        case .unexpectedAnswer(let line):
            "protocol error: unexpected answer \(Printable.quoted(line))\(Self.chatterRemedy)"
        case .answerWithoutQuestion(let line):
            "protocol error: answer without a question: \(Printable.quoted(line))"
        case .notReady(let text), .fatal(let text): Printable.text(text)
        case .endedInFile(let name, let received, let size):
            "lost connection: \(Printable.text(name)): \(received) of \(size) bytes received"
        case .endedInDirectory(let name): "lost connection in directory \(Printable.text(name))"
        case .endedInRecord(let line): "lost connection after \(Printable.quoted(line))"
        case .endedBeforeAnswer(let what): "lost connection before the answer to \(what)"
        case .outOfOrder(let what): "internal error: \(what)"
        }
    }
}
