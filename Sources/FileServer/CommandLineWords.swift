import Files

/// A word of a command line as a shell would see it, not yet expanded.
///
/// Its text is a pattern: what was quoted, and would mean something to a shell if it were not, has a backslash before it.
public struct CommandWord: Equatable, Sendable {
    /// The pattern, without the `~` it may have begun with.
    public var pattern: [UInt8]
    /// Whether it began with an unquoted `~`, by itself or before a slash: the home directory.
    public var isAtHome: Bool

    public init(pattern: [UInt8], isAtHome: Bool = false) {
        self.pattern = pattern
        self.isAtHome = isAtHome
    }

    /// A word with nothing to expand in it.
    public init(quoting text: [UInt8]) {
        pattern = []
        isAtHome = false
        for byte in text { appendLiteral(byte) }
    }

    mutating func appendLiteral(_ byte: UInt8) {
        if byte == Self.backslash || Self.special.contains(byte) { pattern.append(Self.backslash) }
        pattern.append(byte)
    }

    /// The word without its quotes, where nothing is to be expanded.
    public var literal: [UInt8] { (isAtHome ? [UInt8(ascii: "~")] : []) + Self.unescaped(pattern) }

    /// Whether braces or wildcards stand in it.
    var isPattern: Bool { Self.hasWildcard(pattern) || Self.hasUnescaped(pattern, Set("{".utf8)) }

    /// Whether a pattern without braces may stand for several names.
    static func hasWildcard(_ pattern: [UInt8]) -> Bool { hasUnescaped(pattern, Set("*?[".utf8)) }

    private static func hasUnescaped(_ pattern: [UInt8], _ bytes: Set<UInt8>) -> Bool {
        var index = 0
        while index < pattern.count {
            if pattern[index] == backslash {
                index += 2
                continue
            }
            if bytes.contains(pattern[index]) { return true }
            index += 1
        }
        return false
    }

    static let backslash = UInt8(ascii: "\\")
    /// What a pattern gives a meaning to, but for the backslash.
    static let special = Set("*?[]{},~-!^".utf8)

    /// A pattern's text with nothing to expand in it.
    static func unescaped(_ pattern: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(pattern.count)
        var isEscaped = false
        for byte in pattern {
            if byte == backslash, !isEscaped {
                isEscaped = true
            } else {
                result.append(byte)
                isEscaped = false
            }
        }
        if isEscaped { result.append(backslash) }
        return result
    }
}

/// Takes a command line apart as POSIX shells do (XCU 2.2, Quoting): `'…'`, `"…"` and `\`. What would make a shell do
/// more than pass words to one program is refused.
struct CommandWordReader {
    private var rest: ArraySlice<UInt8>
    private var word = CommandWord(pattern: [])
    /// Inside a word, which may still be empty (`''`).
    private var isInWord = false

    /// - Throws: ``RemoteCommandError`` for unfinished quotes and for shell syntax.
    static func words(of line: [UInt8]) throws(RemoteCommandError) -> [CommandWord] {
        guard line.count <= RemoteCommand.longestLine else {
            throw .tooLong(limit: RemoteCommand.longestLine)
        }
        var reader = CommandWordReader(rest: line[...])
        var words: [CommandWord] = []
        while let word = try reader.next() { words.append(word) }
        return words
    }

    private init(rest: ArraySlice<UInt8>) { self.rest = rest }

    private mutating func next() throws(RemoteCommandError) -> CommandWord? {
        (word, isInWord) = (CommandWord(pattern: []), false)
        while let byte = rest.first {
            rest = rest.dropFirst()
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"):
                if isInWord { return word }
            case UInt8(ascii: "\n"):
                // Behind the last word it ends the line; before another it would begin a second command.
                guard rest.allSatisfy({ Self.blank.contains($0) }) else { throw .shellSyntax("newline") }
                rest = []
            case UInt8(ascii: "'"): try readSingleQuoted()
            case UInt8(ascii: "\""): try readDoubleQuoted()
            case CommandWord.backslash: try readEscaped()
            case UInt8(ascii: "~") where !isInWord: try readTilde()
            case 0: throw .shellSyntax("NUL")
            case _ where Self.refused.contains(byte):
                throw .shellSyntax(String(decoding: [byte], as: UTF8.self))
            default:
                isInWord = true
                word.pattern.append(byte)
            }
        }
        return isInWord ? word : nil
    }

    private static let blank = Set(" \t\n".utf8)
    private static let refused = Set(";|&<>()$`".utf8)

    private mutating func readSingleQuoted() throws(RemoteCommandError) {
        isInWord = true
        guard let end = rest.firstIndex(of: UInt8(ascii: "'")) else { throw .unfinishedQuote("'") }
        for byte in rest[..<end] {
            guard byte != 0 else { throw .shellSyntax("NUL") }
            word.appendLiteral(byte)
        }
        rest = rest[(end + 1)...]
    }

    private mutating func readDoubleQuoted() throws(RemoteCommandError) {
        isInWord = true
        while let byte = rest.first {
            rest = rest.dropFirst()
            switch byte {
            case UInt8(ascii: "\""): return
            case 0: throw .shellSyntax("NUL")
            case UInt8(ascii: "$"), UInt8(ascii: "`"):
                throw .shellSyntax(String(decoding: [byte], as: UTF8.self))
            case CommandWord.backslash:
                guard let next = rest.first else { throw .unfinishedQuote("\"") }
                switch next {
                case UInt8(ascii: "\n"): rest = rest.dropFirst()
                case UInt8(ascii: "$"), UInt8(ascii: "`"), UInt8(ascii: "\""), CommandWord.backslash:
                    rest = rest.dropFirst()
                    word.appendLiteral(next)
                default: word.appendLiteral(byte)
                }
            default: word.appendLiteral(byte)
            }
        }
        throw .unfinishedQuote("\"")
    }

    private mutating func readEscaped() throws(RemoteCommandError) {
        guard let next = rest.first else {
            // A backslash with nothing behind it stands for itself.
            isInWord = true
            return word.appendLiteral(CommandWord.backslash)
        }
        rest = rest.dropFirst()
        guard next != 0 else { throw .shellSyntax("NUL") }
        // A line that goes on.
        if next == UInt8(ascii: "\n") { return }
        isInWord = true
        word.appendLiteral(next)
    }

    private mutating func readTilde() throws(RemoteCommandError) {
        isInWord = true
        let end = rest.firstIndex { Set("/ \t\n".utf8).contains($0) } ?? rest.endIndex
        guard end == rest.startIndex else { throw .otherHome(Array(rest[..<end])) }
        word.isAtHome = true
    }
}
