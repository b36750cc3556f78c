/// Reads the command lines that clients send in place of a subsystem's name, and those of forced commands.
///
/// Nothing is ever handed to a shell: `scp` with `-t` or `-f` is understood, and the names of SFTP servers, and anything
/// else is refused. Options stand where getopt(3) takes them, one by one or joined (`-rpt`), up to the first path or `--`.
public enum RemoteCommandLine {
    /// - Throws: ``RemoteCommandError``.
    public static func parse(_ line: [UInt8]) throws(RemoteCommandError) -> RemoteCommand {
        let words = try CommandWordReader.words(of: line)
        guard let first = words.first else { throw .empty }
        let program = first.literal
        let name = program[((program.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
        guard !first.isAtHome, !first.isPattern else { throw .otherProgram(program) }
        switch String(decoding: name, as: UTF8.self) {
        case "scp": return try scp(words.dropFirst())
        case "sftp-server", "internal-sftp": return .sftp(try sftp(words.dropFirst()))
        default: throw .otherProgram(program)
        }
    }

    private struct SCPOptions {
        var recursive = false
        var preserve = false
        var targetMustBeDirectory = false
        var isSink = false
        var isSource = false
    }

    private static func scp(_ words: ArraySlice<CommandWord>) throws(RemoteCommandError) -> RemoteCommand {
        var options = SCPOptions()
        var reader = OptionReader(program: "scp", words: words)
        while let option = try reader.next() {
            switch option {
            case UInt8(ascii: "r"): options.recursive = true
            case UInt8(ascii: "p"): options.preserve = true
            case UInt8(ascii: "d"): options.targetMustBeDirectory = true
            case UInt8(ascii: "t"): options.isSink = true
            case UInt8(ascii: "f"): options.isSource = true
            // What is said and shown is the client's affair.
            case UInt8(ascii: "v"), UInt8(ascii: "q"): break
            default: throw reader.unknown(option)
            }
        }
        guard options.isSink != options.isSource else { throw .noDirection }
        guard let first = reader.words.first else { throw .noPath }
        if options.isSource {
            var request = SCPSourceRequest(sources: Array(reader.words))
            (request.recursive, request.preserve) = (options.recursive, options.preserve)
            return .scpSource(request)
        }
        guard reader.words.count == 1 else { throw .ambiguousTarget }
        var request = SCPSinkRequest(target: first)
        (request.recursive, request.preserve) = (options.recursive, options.preserve)
        request.targetMustBeDirectory = options.targetMustBeDirectory
        return .scpSink(request)
    }

    /// The options of OpenSSH's sftp-server(8) that mean something here, and those that may be passed over.
    private static func sftp(_ words: ArraySlice<CommandWord>) throws(RemoteCommandError) -> SFTPServerRequest {
        var request = SFTPServerRequest()
        var reader = OptionReader(program: "sftp-server", words: words)
        while let option = try reader.next() {
            switch option {
            case UInt8(ascii: "R"): request.isReadOnly = true
            case UInt8(ascii: "d"): request.startDirectory = try reader.argument(of: option)
            // Where and how much is logged is the server's affair.
            case UInt8(ascii: "e"): break
            case UInt8(ascii: "f"), UInt8(ascii: "l"): _ = try reader.argument(of: option)
            default: throw reader.unknown(option)
            }
        }
        if let word = reader.words.first { throw .unexpectedWord(word.literal) }
        return request
    }
}

/// Takes options off the front of words.
private struct OptionReader {
    let program: String
    private(set) var words: ArraySlice<CommandWord>
    /// What is left of a word of joined options.
    private var letters: ArraySlice<UInt8> = []

    init(program: String, words: ArraySlice<CommandWord>) {
        self.program = program
        self.words = words
    }

    /// The next option's letter; nil where the paths start.
    mutating func next() throws(RemoteCommandError) -> UInt8? {
        if letters.isEmpty {
            guard let word = words.first?.literal, word.first == UInt8(ascii: "-"), word.count > 1 else { return nil }
            words = words.dropFirst()
            if word == Array("--".utf8) { return nil }
            guard word[1] != UInt8(ascii: "-") else {
                throw .unknownOption(program: program, option: String(decoding: word, as: UTF8.self))
            }
            letters = word.dropFirst()
        }
        let letter = letters.first
        letters = letters.dropFirst()
        return letter
    }

    /// The rest of the word, or the next one.
    mutating func argument(of option: UInt8) throws(RemoteCommandError) -> CommandWord {
        if !letters.isEmpty {
            defer { letters = [] }
            return CommandWord(quoting: Array(letters))
        }
        guard let word = words.first else { throw .missingArgument(program: program, option: name(option)) }
        words = words.dropFirst()
        return word
    }

    func unknown(_ option: UInt8) -> RemoteCommandError { .unknownOption(program: program, option: name(option)) }

    private func name(_ option: UInt8) -> String { String(decoding: [UInt8(ascii: "-"), option], as: UTF8.self) }
}
