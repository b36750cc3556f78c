import SSHWire

/// A text armour (RFC 7468; RFC 1421 for the headers of old files): a label, headers, base64.
struct PEM {
    let label: String
    /// Headers between the first line and the base64, in the old form `Name: value`.
    let headers: [(name: String, value: String)]
    var bytes: [UInt8]

    /// Takes the first armoured block whose label ends in `PRIVATE KEY` out of a text; nil where there is none.
    ///
    /// Where line ends were lost on the way, as in a variable of a build server, and became blanks, `\n` or nothing, the
    /// block is read all the same.
    ///
    /// - Throws: `KeyError.malformed` for a block without an end, or whose content is not base64.
    init?(privateKeyIn bytes: [UInt8]) throws(KeyError) {
        guard let begin = Self.marker("BEGIN", in: bytes[...]) else { return nil }
        label = String(decoding: begin.label, as: UTF8.self)
        let rest = bytes[begin.range.upperBound...]
        guard let end = Self.marker("END", in: rest), end.label == begin.label else {
            throw .malformed(what: "key file", reason: "no line -----END \(label)-----")
        }
        var body = PEMBody(rest[..<end.range.lowerBound])
        defer { body.wipe() }
        guard let decoded = Base64.decode(body.base64, skippingWhitespace: true) else {
            let reason = body.hasLines ? "its content is not base64" : "its line ends are lost, and more with them"
            throw .malformed(what: "key file", reason: PeerText(reason))
        }
        headers = body.headers
        self.bytes = decoded
    }

    /// Takes the first armoured private key out of a text that must hold one.
    init(requiredIn text: [UInt8]) throws(KeyError) {
        guard let pem = try PEM(privateKeyIn: text) else {
            throw .malformed(what: "key file", reason: PeerText(Self.complaint(text)))
        }
        self = pem
    }

    /// What a text without a private key is in place of one.
    private static func complaint(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        if bytes.allSatisfy({ isBlank($0) }) { return "it is empty" }
        if bytes.contains(0) { return "no private key in it; is it UTF-16 text? It must be ASCII" }
        if (try? PublicKey(openSSHLine: text)) != nil { return "it holds a public key, not the private one" }
        if text.contains("PRIVATE KEY") { return "no line -----BEGIN … PRIVATE KEY----- in it" }
        return "no private key in it"
    }

    /// Whether a private key begins somewhere in a text.
    static func isIn(_ text: [UInt8]) -> Bool { marker("BEGIN", in: text[...]) != nil }

    private typealias Marker = (label: ArraySlice<UInt8>, range: Range<Int>)

    /// The first `-----BEGIN … PRIVATE KEY-----` of a text, or `END`.
    private static func marker(_ kind: String, in text: ArraySlice<UInt8>) -> Marker? {
        let (head, tail) = (Array("-----\(kind) ".utf8), Array("-----".utf8))
        var rest = text
        while let dash = rest.firstIndex(of: UInt8(ascii: "-")) {
            rest = rest[dash...]
            guard rest.starts(with: head) else {
                rest = rest.dropFirst()
                continue
            }
            let label = rest.dropFirst(head.count).prefix { isLabel($0) }
            rest = rest[label.endIndex...]
            guard rest.starts(with: tail), label.count <= 64, label.suffix(11).elementsEqual("PRIVATE KEY".utf8) else {
                continue
            }
            return (label, dash..<label.endIndex + tail.count)
        }
        return nil
    }

    private static func isLabel(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x20
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
