import Platform

/// What stands between the first and the last line of an armoured key: headers (RFC 1421 section 4.6), then base64.
struct PEMBody {
    private(set) var headers: [(name: String, value: String)] = []
    private(set) var base64: [UInt8] = []
    /// Whether the text has lines; blanks stand in their place where it has not.
    let hasLines: Bool

    init(_ text: ArraySlice<UInt8>) {
        let text = Self.restoringLineEnds(text)
        // The first and the last line end belong to the lines around.
        let inner = text.drop { isBlank($0) }
        // Once for all: what an array grows out of is not overwritten.
        base64.reserveCapacity(inner.count)
        hasLines = inner.contains { $0 == 0x0a || $0 == 0x0d }
        if hasLines {
            readLines(inner)
        } else {
            readWords(inner)
        }
    }

    private mutating func readLines(_ text: ArraySlice<UInt8>) {
        for line in text.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
            if base64.isEmpty, let colon = line.firstIndex(of: UInt8(ascii: ":")) {
                let (name, value) = (line[..<colon], line[(colon + 1)...])
                headers.append(
                    (String(decoding: name, as: UTF8.self).trimmed, String(decoding: value, as: UTF8.self).trimmed))
            } else {
                base64 += line
            }
        }
    }

    /// Neither of the headers in use has a blank in its value.
    private mutating func readWords(_ text: ArraySlice<UInt8>) {
        var words = text.split(whereSeparator: isBlank)[...]
        while let word = words.popFirst() {
            if base64.isEmpty, word.last == UInt8(ascii: ":"), let value = words.popFirst() {
                headers.append(
                    (String(decoding: word.dropLast(), as: UTF8.self), String(decoding: value, as: UTF8.self)))
            } else {
                base64 += word
            }
        }
    }

    mutating func wipe() { Platform.wipe(&base64) }

    /// Makes line ends of `\n` and `\r` that are written as two characters each, as in JSON.
    static func restoringLineEnds(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard text.contains(UInt8(ascii: "\\")) else { return text }
        var result: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let next = rest.first, next == UInt8(ascii: "n") || next == UInt8(ascii: "r")
            {
                rest.removeFirst()
                result.append(0x0a)
            } else {
                result.append(byte)
            }
        }
        return result[...]
    }
}
