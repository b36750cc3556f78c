/// Bytes of a peer made safe for a terminal and a log: control characters and broken UTF-8 become escapes.
///
/// Characters that cannot be seen are escaped too, as they make two names look alike, but for U+200D between two emoji,
/// which joins them into one.
public enum Printable {
    /// Text with control bytes and invalid UTF-8 as `\ooo`, the way OpenSSH shows a peer's words.
    ///
    /// - Parameter keepingNewlines: leaves newline and tab as they are, and drops a carriage return before a newline.
    public static func text(_ bytes: some Collection<UInt8>, keepingNewlines: Bool = false) -> String {
        let all = Array(bytes)
        guard !all.allSatisfy({ 0x20 <= $0 && $0 < 0x7f }) else { return String(decoding: all, as: UTF8.self) }
        var result = ""
        var decoder = UTF8()
        var joiner = EmojiJoiner()
        // Decoding ahead of the copy: an ill-formed sequence is escaped byte by byte.
        var iterator = all[...]
        while !iterator.isEmpty {
            var attempt = iterator.makeIterator()
            decoder = UTF8()
            if case .scalarValue(let scalar) = decoder.decode(&attempt) {
                let width = UTF8.width(scalar)
                if keepingNewlines && scalar == "\r" && iterator.dropFirst().first == UInt8(ascii: "\n") {
                    iterator = iterator.dropFirst()
                    continue
                }
                let joins = joiner.joins(scalar) { emoji(in: iterator.dropFirst(width)) }
                if joins || isSafe(scalar) || (keepingNewlines && (scalar == "\n" || scalar == "\t")) {
                    result.unicodeScalars.append(scalar)
                } else {
                    for byte in iterator.prefix(width) { result += octal(byte) }
                }
                iterator = iterator.dropFirst(width)
            } else {
                joiner = EmojiJoiner()
                result += octal(iterator[iterator.startIndex])
                iterator = iterator.dropFirst()
            }
        }
        return result
    }

    /// Text in quotation marks.
    package static func quoted(_ bytes: some Collection<UInt8>) -> String { "\"\(text(bytes))\"" }

    /// Bytes as two hexadecimal digits each, cut after `limit` bytes.
    package static func hex(_ bytes: some Collection<UInt8>, limit: Int = 32) -> String {
        let digits = Array("0123456789abcdef")
        var result = ""
        for byte in bytes.prefix(limit) {
            result.append(digits[Int(byte >> 4)])
            result.append(digits[Int(byte & 15)])
        }
        return bytes.count > limit ? result + "…" : result
    }

    /// Text where all of it is printable ASCII, else hexadecimal.
    package static func bytes(_ bytes: some Collection<UInt8>) -> String {
        bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f } ? quoted(bytes) : hex(bytes)
    }

    /// A word out of a file, for a message about it: in quotation marks where it looks like a name, and else only its
    /// length, as a word in the wrong place may be a part of a key or a password.
    package static func name(_ word: some StringProtocol) -> String {
        isName(word) ? "\"\(word)\"" : "a word of \(word.utf8.count) bytes"
    }

    /// Whether a word looks like a name and not like a part of something secret, of which letters alone may be a piece, too.
    package static func isName(_ word: some StringProtocol) -> Bool {
        let bytes = Array(word.utf8)
        let parts = bytes.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || nameMarks.contains($0) }
        // Base64 has none of these marks, and a line of it more than so many characters, even where a mark got into it.
        let runs = bytes.split(whereSeparator: nameMarks.contains)
        let isName =
            bytes.count <= (bytes.allSatisfy(isLetter) ? longestRun : 8)
            || (bytes.count <= 64 && runs.allSatisfy { $0.count <= longestRun }
                && bytes.contains(where: nameMarks.contains))
        // The label of an armoured file, such as DSA PRIVATE KEY.
        let isLabel = bytes.count <= 40 && bytes.allSatisfy { (0x41...0x5a).contains($0) || $0 == 0x20 }
        return (parts && isName) || isLabel
    }

    private static let nameMarks = Array("-_.@:,*".utf8)
    /// As in `keyboard-interactive`.
    private static let longestRun = 11

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    /// Text made printable and cut after `limit` bytes.
    package static func excerpt(_ string: some StringProtocol, limit: Int = 256) -> String {
        let bytes = Array(string.utf8)
        guard bytes.count > limit else { return text(bytes) }
        // Not in the middle of a character.
        let end = (0...min(3, limit)).map { limit - $0 }.first { bytes[$0] & 0xc0 != 0x80 } ?? limit
        return text(bytes[..<end]) + "…"
    }

    /// The emoji that bytes begin with.
    private static func emoji(in bytes: ArraySlice<UInt8>) -> Bool {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return false }
        return EmojiJoiner.isEmoji(scalar)
    }

    private static func isSafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }

    private static func octal(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 8)
        return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
    }
}

/// Tells where U+200D, ZERO WIDTH JOINER, makes one emoji of two (Unicode Technical Standard #51, ED-16). Everywhere else
/// it is a character that nobody sees.
private struct EmojiJoiner {
    /// Whether an emoji is complete up to here, so that a joiner may follow.
    private var followsEmoji = false

    /// Takes the next scalar of a text.
    ///
    /// - Returns: whether it is a joiner in its place.
    mutating func joins(_ scalar: Unicode.Scalar, beforeEmoji: () -> Bool) -> Bool {
        switch scalar {
        case "\u{200d}":
            let joins = followsEmoji && beforeEmoji()
            followsEmoji = false
            return joins
        case "\u{fe0f}": break  // asks for the coloured form of the emoji before it
        case _ where scalar.properties.isEmojiModifier: break
        default: followsEmoji = Self.isEmoji(scalar)
        }
        return false
    }

    /// Digits, # and *, (c) and (r) are emoji too, but join nothing.
    static func isEmoji(_ scalar: Unicode.Scalar) -> Bool { scalar.value >= 0x2000 && scalar.properties.isEmoji }
}
