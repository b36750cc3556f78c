import SSHWire

/// What a client asks a file server for with a command line.
public enum RemoteCommand: Equatable, Sendable {
    /// `scp -t`: files are received.
    case scpSink(SCPSinkRequest)
    /// `scp -f`: files are sent.
    case scpSource(SCPSourceRequest)
    /// A program that speaks SFTP.
    case sftp(SFTPServerRequest)

    /// Which protocol is spoken, and by which end of it.
    public enum Kind: String, Equatable, Sendable {
        case scpSink = "scp -t"
        case scpSource = "scp -f"
        case sftp = "SFTP"
    }

    public var kind: Kind {
        switch self {
        case .scpSink: .scpSink
        case .scpSource: .scpSource
        case .sftp: .sftp
        }
    }

    /// The longest command line that is taken, in bytes.
    public static let longestLine = 64 * 1024
}

/// The words of `scp -t`.
public struct SCPSinkRequest: Equatable, Sendable {
    public var target: CommandWord
    /// Takes directories (`-r`).
    public var recursive = false
    /// Sets modes and times as they are sent (`-p`).
    public var preserve = false
    /// The target must be a directory that exists (`-d`).
    public var targetMustBeDirectory = false

    public init(target: CommandWord) { self.target = target }
}

/// The words of `scp -f`.
public struct SCPSourceRequest: Equatable, Sendable {
    public var sources: [CommandWord]
    /// Sends directories (`-r`).
    public var recursive = false
    /// Sends times (`-p`).
    public var preserve = false

    public init(sources: [CommandWord]) { self.sources = sources }
}

/// The words of `sftp-server` or `internal-sftp`.
public struct SFTPServerRequest: Equatable, Sendable {
    /// Nothing may be changed (`-R`).
    public var isReadOnly = false
    /// Where relative paths start (`-d`); nil for the home directory.
    public var startDirectory: CommandWord?

    public init(isReadOnly: Bool = false, startDirectory: CommandWord? = nil) {
        self.isReadOnly = isReadOnly
        self.startDirectory = startDirectory
    }
}

/// Why a command line is not served.
public enum RemoteCommandError: Error, Equatable, Sendable {
    /// No command at all.
    case empty
    /// Another program than those whose work is done here.
    case otherProgram([UInt8])
    /// Something only a shell would understand; none is run.
    case shellSyntax(String)
    case unfinishedQuote(String)
    /// `~name`: the home directory of somebody.
    case otherHome([UInt8])
    case unknownOption(program: String, option: String)
    /// An option lacks its argument.
    case missingArgument(program: String, option: String)
    /// `scp` without `-t` and `-f`, or with both: it would copy between other places.
    case noDirection
    case noPath
    /// More than one target, or a pattern that stands for several or none.
    case ambiguousTarget
    case unexpectedWord([UInt8])
    /// Braces stand for too many paths, or too many files match.
    case tooManyPaths(limit: Int)
    case tooManyBraces
    /// Too much is to be looked at to find what patterns match.
    case tooMuchToExpand(limit: Int)
    case tooLong(limit: Int)
    /// The client wants to speak another protocol than the command that is forced on it.
    case notForced(RemoteCommand.Kind, asked: RemoteCommand.Kind)
}

extension RemoteCommandError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty: "only scp and sftp are served, and no command was given"
        case .otherProgram(let name): "only scp and sftp are served, not \(Printable.quoted(name.prefix(100)))"
        case .shellSyntax(let what):
            "only scp and sftp are served, by no shell: unquoted \(Printable.quoted(what.utf8))"
        case .unfinishedQuote(let quote): "unfinished \(quote) in the command"
        case .otherHome(let name): "the home of \(Printable.quoted(name.prefix(100))) is not served"
        case .unknownOption(let program, let option): "\(program): unknown option \(Printable.text(option.utf8))"
        case .missingArgument(let program, let option): "\(program): option \(option) lacks its argument"
        case .noDirection: "scp: only -t and -f are served"
        case .noPath: "scp: no path was given"
        case .ambiguousTarget: "ambiguous target"
        case .unexpectedWord(let word): "unexpected \(Printable.quoted(word.prefix(100)))"
        case .tooManyPaths(let limit): "more than \(limit) paths"
        case .tooManyBraces: "too many braces"
        case .tooMuchToExpand(let limit): "the patterns ask for more than \(limit) names to be looked at"
        case .tooLong(let limit): "command longer than \(limit) bytes"
        case .notForced(let forced, let asked): "only \(forced.rawValue) is served to this key, not \(asked.rawValue)"
        }
    }
}
