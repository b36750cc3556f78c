import Files

/// The command that a server is asked to run: the SCP command execution packet's contents.
public struct SCPCommandLine: Sendable {
    /// By whose rules names and modes are taken, and paths are sent.
    public enum Rules: Sendable {
        /// As `scp -O` always has: the remote user's shell expands the path, and set-id bits are kept with `-p`.
        case scp
        /// Where SCP takes the place of SFTP by itself: the path is quoted so that no shell expands more than its pattern, hidden
        /// names are for patterns that begin with a dot, and modes are masked as SFTP's are.
        case sftp
    }

    /// `scp -v` there.
    public var verbose = false
    public var recursive: Bool
    public var preserve: Bool
    public var rules: Rules

    public init(recursive: Bool, preserve: Bool, rules: Rules) {
        self.recursive = recursive
        self.preserve = preserve
        self.rules = rules
    }

    /// `scp -t`: the server receives into `path`.
    public func sink(_ path: BytePath, targetMustBeDirectory: Bool) -> [UInt8] {
        command(targetMustBeDirectory ? " -d -t " : " -t ", path, isPattern: false)
    }

    /// `scp -f`: the server sends `path`.
    public func source(_ path: BytePath) -> [UInt8] { command(" -f ", path, isPattern: true) }

    private func command(_ role: String, _ path: BytePath, isPattern: Bool) -> [UInt8] {
        var text = "scp"
        if verbose { text += " -v" }
        if recursive { text += " -r" }
        if preserve { text += " -p" }
        text += role
        if path.bytes.first == UInt8(ascii: "-") { text += "-- " }
        return Array(text.utf8) + (rules == .sftp ? Self.quoted(path.bytes, isPattern: isPattern) : path.bytes)
    }

    /// The path for a shell that shall expand wildcards alone, if `isPattern`, and a `~` at its beginning.
    static func quoted(_ path: [UInt8], isPattern: Bool) -> [UInt8] {
        var result: [UInt8] = []
        var rest = path[...]
        if rest.first == UInt8(ascii: "~") {
            let user = rest.prefix { $0 != UInt8(ascii: "/") }
            if user.dropFirst().allSatisfy(isPlain) {
                result += user
                rest = rest.dropFirst(user.count)
            }
        }
        var isEscaped = false
        for byte in rest {
            if isEscaped {
                isEscaped = false
                result += [UInt8(ascii: "\\"), byte]
            } else if isPattern, byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if isPlain(byte) || (isPattern && Array("*?[]!".utf8).contains(byte)) {
                result.append(byte)
            } else if byte == UInt8(ascii: "\n") {
                // A backslash would join two lines.
                result += Array("'\n'".utf8)
            } else {
                result += [UInt8(ascii: "\\"), byte]
            }
        }
        return isEscaped ? result + Array("\\\\".utf8) : result
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x80 || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || Array("/._-+,:@%=".utf8).contains(byte)
    }
}

extension SCPCommandLine {
    init(_ request: CopyRequest, _ rules: Rules) {
        self.init(recursive: request.recursive, preserve: request.preserve, rules: rules)
        verbose = request.isVerbose
        if case .scp = request.source, request.asksForTimes { preserve = true }
    }
}
