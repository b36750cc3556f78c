import NIOCore
import SSHWire

// The one-line form of a public key: type, base64 of the blob, comment (sshd(8), AUTHORIZED_KEYS FILE FORMAT).

extension PublicKey {
    /// Reads a line `type base64 [comment]`, the content of a `.pub` file.
    ///
    /// - Throws: `KeyError` when a part is missing, or the type and the blob do not agree.
    public init(openSSHLine line: String) throws(KeyError) {
        self = try PublicKey.parse(openSSHLine: line).key
    }

    /// Reads a line `type base64 [comment]` and keeps the comment, which is empty where there is none.
    ///
    /// - Throws: `KeyError` when a part is missing, or the type and the blob do not agree.
    public static func parse(openSSHLine line: String) throws(KeyError) -> (key: PublicKey, comment: String) {
        var rest = ByteOrderMark.skipped(in: line.utf8)
        let type = nextWord(&rest)
        let base64 = nextWord(&rest)
        guard !type.isEmpty, !base64.isEmpty else {
            throw .malformed(what: "public key line", reason: "type and base64 wanted")
        }
        let key = try PublicKey(typeName: type, base64: base64)
        rest = rest.drop { isBlank($0) }
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return (key, String(decoding: rest, as: UTF8.self))
    }

    /// Reads the two words that stand for a key in key lines, known hosts and authorized keys.
    init(typeName: some Collection<UInt8>, base64: some Collection<UInt8>) throws(KeyError) {
        let name = String(decoding: typeName, as: UTF8.self)
        guard KeyType(rawValue: name) != nil else { throw .unsupportedKeyType(PeerText(name)) }
        guard let blob = Base64.decode(base64) else {
            throw .malformed(what: "public key line", reason: "the key is not base64")
        }
        try self.init(blob: ByteBuffer(bytes: blob))
        guard type.name == name else {
            throw .malformed(
                what: "public key line", reason: "says \(Printable.name(name)), but the key is \(type.name)")
        }
    }

    /// The key's blob in base64.
    package var base64: String { Base64.encode(blobBytes) }

    /// The line `type base64`, without a comment and without a line end.
    public var openSSHLine: String { type.name + " " + Base64.encode(blobBytes) }
}

/// Takes blanks and the word behind them off the front of `text`; an empty word at the end.
func nextWord(_ text: inout Substring.UTF8View) -> Substring.UTF8View {
    text = text.drop { isBlank($0) }
    let word = text.prefix { !isBlank($0) }
    text = text[word.endIndex...]
    return word
}

/// Space, tab, carriage return or line feed.
func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
