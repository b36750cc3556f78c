/// Bytes of a peer made safe for a terminal and a log: control characters and broken UTF-8 become escapes.
public enum Printable {
    /// Text with control bytes and invalid UTF-8 as `\ooo`, the way OpenSSH shows a peer's words.
    ///
    /// - Parameter keepingNewlines: leaves newline and tab as they are, and drops a carriage return before a newline.
    public static func text(_ bytes: some Collection<UInt8>, keepingNewlines: Bool = false) -> String {
        let all = Array(bytes)
        guard !all.allSatisfy({ 0x20 <= $0 && $0 < 0x7f }) else { return String(decoding: all, as: UTF8.self) }
        var result = ""
        var decoder = UTF8()
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
                if isSafe(scalar) || (keepingNewlines && (scalar == "\n" || scalar == "\t")) {
                    result.unicodeScalars.append(scalar)
                } else {
                    for byte in iterator.prefix(width) { result += octal(byte) }
                }
                iterator = iterator.dropFirst(width)
            } else {
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
