import SSHKeys

/// The lines of a file in the form of ssh_config(5), taken apart but not yet understood.
///
/// A line has a keyword and arguments, parted by blanks or one equals sign. Arguments may be quoted; a word that begins
/// with `#` ends the line. No line goes on in the next one.
struct ConfigurationFile: Sendable {
    let path: String
    let lines: [ConfigurationLine]

    init(path: String, bytes: [UInt8]) {
        self.path = path
        var lines: [ConfigurationLine] = []
        for (index, text) in ByteOrderMark.skipped(in: bytes).split(separator: 0x0a, omittingEmptySubsequences: false)
            .enumerated()
        {
            if let line = ConfigurationLine(text, number: index + 1) { lines.append(line) }
        }
        self.lines = lines
    }
}

/// One line that has a keyword.
struct ConfigurationLine: Sendable, Equatable {
    /// Counted from 1; 0 for what stood on a command line.
    let number: Int
    /// In lower case.
    let keyword: String
    /// The keyword as it was written.
    let spelling: String
    /// All that follows the keyword and its equals sign, quotes and comments included.
    let rest: String
    /// The words that follow; nil where a quote is not closed.
    let arguments: [String]?

    /// - Returns: nil for an empty line or a comment.
    init?(_ text: ArraySlice<UInt8>, number: Int) {
        // What follows a NUL was never part of the line for OpenSSH either.
        var text = text.prefix { $0 != 0 }
        while let last = text.last, Self.isBlank(last) || last == 0x0c { text = text.dropLast() }
        text = text.drop(while: Self.isBlank)
        guard let first = text.first, first != UInt8(ascii: "#") else { return nil }
        let word: ArraySlice<UInt8>
        if first == UInt8(ascii: "\"") {
            word = text.dropFirst().prefix { $0 != UInt8(ascii: "\"") }
            text = text.dropFirst(word.count + 2)
        } else {
            word = text.prefix { !Self.isBlank($0) && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\"") }
            text = text.dropFirst(word.count)
        }
        guard !word.isEmpty else { return nil }
        text = text.drop(while: Self.isBlank)
        if text.first == UInt8(ascii: "=") { text = text.dropFirst().drop(while: Self.isBlank) }
        self.number = number
        spelling = String(decoding: word, as: UTF8.self)
        keyword = spelling.lowercased()
        rest = String(decoding: text, as: UTF8.self)
        arguments = Self.split(text)
    }

    /// A setting of a command line: `Name=value`, `Name = value` or `Name value`.
    init?(commandLine text: String) { self.init(Array(text.utf8)[...], number: 0) }

    /// A setting that is known to have one value, taken as it is.
    init(keyword: String, value: String) {
        number = 0
        spelling = keyword
        self.keyword = keyword.lowercased()
        rest = value
        arguments = [value]
    }

    /// The rest of the line as a command is written: blanks and equals signs before it do not count.
    var command: String {
        String(decoding: rest.utf8.drop { Self.isBlank($0) || $0 == UInt8(ascii: "=") }, as: UTF8.self)
    }

    /// Splits a line into words. Quotes of either kind hold blanks together; a backslash is an escape before a quote,
    /// a backslash, and, outside quotes, a space; anywhere else it is itself.
    ///
    /// - Returns: nil where a quote is not closed.
    static func split(_ text: ArraySlice<UInt8>) -> [String]? {
        var words: [String] = []
        var word: [UInt8]?
        var quote: UInt8?
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            let next = index + 1 < text.endIndex ? text[index + 1] : 0
            index += 1
            switch byte {
            case UInt8(ascii: "\\") where isEscaped(next, inQuotes: quote != nil):
                word = (word ?? []) + [next]
                index += 1
            case 0x20 where quote == nil, 0x09 where quote == nil:
                if let ended = word { words.append(String(decoding: ended, as: UTF8.self)) }
                word = nil
            case UInt8(ascii: "#") where word == nil:
                return words
            case UInt8(ascii: "\"") where quote == nil, UInt8(ascii: "'") where quote == nil:
                quote = byte
                word = word ?? []
            case quote:
                quote = nil
            default:
                word = (word ?? []) + [byte]
            }
        }
        guard quote == nil else { return nil }
        if let ended = word { words.append(String(decoding: ended, as: UTF8.self)) }
        return words
    }

    private static func isEscaped(_ byte: UInt8, inQuotes: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\"): true
        case 0x20: !inQuotes
        default: false
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
}
