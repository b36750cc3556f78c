/// A text armour (RFC 7468; RFC 1421 for the headers of old files): a label, headers, base64.
struct PEM {
    let label: String
    /// Headers between the first line and the base64, in the old form `Name: value`.
    let headers: [(name: String, value: String)]
    var bytes: [UInt8]

    /// Takes the first armoured block whose label ends in `PRIVATE KEY` out of a text; nil where there is none.
    ///
    /// - Throws: `KeyError.malformed` for a block without an end, or whose content is not base64.
    init?(privateKeyIn text: String) throws(KeyError) {
        var lines = text.utf8.split(omittingEmptySubsequences: false) { $0 == 0x0a }
            .map { String(decoding: $0, as: UTF8.self).trimmed }[...]
        while let line = lines.popFirst() {
            guard let label = Self.label(of: line, after: "-----BEGIN "), label.hasSuffix("PRIVATE KEY") else {
                continue
            }
            try self.init(label: label, lines: &lines)
            return
        }
        return nil
    }

    /// Takes the first armoured private key out of a text that must hold one.
    init(requiredIn text: String) throws(KeyError) {
        guard let pem = try PEM(privateKeyIn: text) else {
            throw .malformed(what: "key file", reason: "no private key in it")
        }
        self = pem
    }

    private init(label: String, lines: inout ArraySlice<String>) throws(KeyError) {
        self.label = label
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []
        var ended = false
        while let line = lines.popFirst() {
            if Self.label(of: line, after: "-----END ") == label {
                ended = true
                break
            }
            if let colon = line.firstIndex(of: ":"), body.isEmpty {
                headers.append((String(line[..<colon]).trimmed, String(line[line.index(after: colon)...]).trimmed))
            } else {
                body += line.utf8
            }
        }
        guard ended else { throw .malformed(what: "key file", reason: "no line -----END \(label)-----") }
        guard let bytes = Base64.decode(body, skippingWhitespace: true) else {
            throw .malformed(what: "key file", reason: "its content is not base64")
        }
        self.headers = headers
        self.bytes = bytes
    }

    /// Armours bytes, with lines of `width` characters.
    static func text(label: String, bytes: [UInt8], width: Int) -> String {
        let base64 = Array(Base64.encode(bytes).utf8)
        var text = "-----BEGIN \(label)-----\n"
        for start in stride(from: 0, to: base64.count, by: width) {
            text += String(decoding: base64[start..<min(start + width, base64.count)], as: UTF8.self) + "\n"
        }
        return text + "-----END \(label)-----\n"
    }

    private static func label(of line: String, after prefix: String) -> String? {
        guard line.hasPrefix(prefix), line.hasSuffix("-----"), line.utf8.count >= prefix.utf8.count + 5 else {
            return nil
        }
        return String(line.dropFirst(prefix.count).dropLast(5))
    }
}

extension String {
    /// The text without blanks at its ends.
    var trimmed: String {
        var bytes = utf8[...]
        bytes = bytes.drop { isBlank($0) }
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
