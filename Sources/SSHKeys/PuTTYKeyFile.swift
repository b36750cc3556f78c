import Crypto
import NIOCore
import Platform
import SSHWire

/// A `.ppk` file of PuTTY, versions 2 and 3 (PuTTY manual, appendix C).
struct PuTTYKeyFile {
    static let prefix = "PuTTY-User-Key-File-"
    /// What stands in front of a colon in the other lines.
    static let names = [
        "Encryption", "Comment", "Public-Lines", "Key-Derivation", "Argon2-Memory", "Argon2-Passes",
        "Argon2-Parallelism", "Argon2-Salt", "Private-Lines", "Private-MAC",
    ]

    let publicKey: PublicKey
    private let version: Int
    private let typeName: String
    private let encryption: String
    private let comment: String
    private let secret: [UInt8]
    private let mac: [UInt8]
    /// How version 3 makes keys of the passphrase.
    private let derivation: Derivation?

    private struct Derivation {
        let variant: Argon2.Variant
        let cost: Argon2.Cost
        let salt: [UInt8]

        init(_ fields: [String: String]) throws(KeyError) {
            let name = fields["Key-Derivation"] ?? ""
            guard let variant = Argon2.Variant(rawValue: name) else {
                throw .unsupported(what: "key derivation of PuTTY files", name: PeerText(name))
            }
            guard let memory = fields["Argon2-Memory"].flatMap({ Int($0) }),
                let passes = fields["Argon2-Passes"].flatMap({ Int($0) }),
                let lanes = fields["Argon2-Parallelism"].flatMap({ Int($0) }),
                let salt = fields["Argon2-Salt"].flatMap({ LegacyPEMEncryption.hexadecimal($0) })
            else { throw .malformed(what: "PuTTY key file", reason: "a parameter of Argon2 is missing") }
            self.variant = variant
            self.salt = salt
            cost = Argon2.Cost(memory: memory, passes: passes, lanes: lanes)
        }
    }

    var isEncrypted: Bool { encryption != "none" }

    /// Whether a text is such a file; a byte order mark and blanks may be in front.
    static func isText(_ text: some Collection<UInt8>) -> Bool {
        text.drop { isBlank($0) || [0xef, 0xbb, 0xbf, UInt8(ascii: "\"")].contains($0) }.starts(with: prefix.utf8)
    }

    /// - Returns: nil for a text that is something else.
    init?(ifIn text: String) throws(KeyError) {
        guard Self.isText(text.utf8) else { return nil }
        try self.init(text: text)
    }

    init(text: String) throws(KeyError) {
        let what = "PuTTY key file"
        let restored = PuTTYLines(text)
        var lines = restored.lines[...]
        var fields: [String: String] = [:]
        var blobs: [String: [UInt8]] = [:]
        while let line = lines.popFirst() {
            guard let colon = line.firstIndex(of: ":") else {
                throw .malformed(what: what, reason: "a line without a colon")
            }
            let name = String(line[..<colon])
            guard Self.names.contains(name) || name.hasPrefix(Self.prefix) else {
                throw .malformed(what: what, reason: "a line that has no place in it")
            }
            let value = String(line[line.index(after: colon)...].drop { $0 == " " })
            guard name.hasSuffix("-Lines") else {
                fields[name] = value
                continue
            }
            guard let stated = Int(value), let count = restored.count(of: lines, stated),
                let bytes = Base64.decode(lines.prefix(count).joined().utf8)
            else { throw .malformed(what: what, reason: "\(Printable.name(name)) is not followed by so much base64") }
            blobs[name] = bytes
            lines = lines.dropFirst(count)
        }
        guard let first = fields.first(where: { $0.key.hasPrefix(Self.prefix) }) else {
            throw .malformed(what: what, reason: "it does not begin with \(Self.prefix)")
        }
        guard let version = Int(first.key.dropFirst(Self.prefix.count)), (2...3).contains(version) else {
            throw .unsupported(what: "key file format", name: PeerText(first.key))
        }
        guard let encryption = fields["Encryption"], let publicBlob = blobs["Public-Lines"],
            let secret = blobs["Private-Lines"],
            let mac = fields["Private-MAC"].flatMap({ LegacyPEMEncryption.hexadecimal($0) })
        else { throw .malformed(what: what, reason: "a part of it is missing") }
        self.version = version
        typeName = first.value
        self.encryption = encryption
        comment = fields["Comment"] ?? ""
        self.secret = secret
        self.mac = mac
        derivation = version == 3 && encryption != "none" ? try Derivation(fields) : nil
        publicKey = try PublicKey(blob: ByteBuffer(bytes: publicBlob))
        guard publicKey.type.name == typeName else {
            throw .malformed(
                what: what, reason: "says \(Printable.name(typeName)), but the key is \(publicKey.type.name)")
        }
    }

    /// Opens the secret part and checks the file's MAC.
    ///
    /// - Throws: `KeyError.passphraseNeeded`, `.wrongPassphrase`, or what is malformed or not supported.
    func privateKey(passphrase: [UInt8]?) throws(KeyError) -> PrivateKey {
        var keys = try keys(passphrase)
        defer { keys.wipe() }
        var plain = secret
        if isEncrypted {
            guard
                let opened = try KeyFileCipher.named("aes256-cbc").decrypt(
                    secret, tag: [], key: keys.encryption, iv: keys.iv)
            else {
                throw .malformed(
                    what: "PuTTY key file", reason: "\(secret.count) encrypted bytes are not whole blocks")
            }
            plain = opened
        }
        defer { wipe(&plain) }
        guard isAuthentic(plain, keys.mac) else {
            throw isEncrypted ? .wrongPassphrase : .malformed(what: "PuTTY key file", reason: "its MAC is wrong")
        }
        let material = try PrivateKeyMaterial(putty: plain, publicKey: publicKey)
        let key = try PrivateKey(material: material, comment: comment)
        guard key.publicKey == publicKey else {
            throw .malformed(what: "PuTTY key file", reason: "its public key is not that of its private key")
        }
        return key
    }

    private struct Keys {
        var encryption: [UInt8] = []
        var iv: [UInt8] = []
        var mac: [UInt8] = []

        mutating func wipe() {
            Platform.wipe(&encryption)
            Platform.wipe(&mac)
        }
    }

    private func keys(_ passphrase: [UInt8]?) throws(KeyError) -> Keys {
        guard isEncrypted else { return Keys(mac: version == 2 ? Self.secondMACKey([]) : []) }
        guard encryption == "aes256-cbc" else {
            throw .unsupported(what: "key file cipher", name: PeerText(encryption))
        }
        guard let passphrase, !passphrase.isEmpty else { throw .passphraseNeeded }
        guard let derivation else {
            let digits = [0, 1].flatMap { Array(Insecure.SHA1.hash(data: [0, 0, 0, UInt8($0)] + passphrase)) }
            return Keys(
                encryption: Array(digits.prefix(32)), iv: [UInt8](repeating: 0, count: 16),
                mac: Self.secondMACKey(passphrase))
        }
        var bytes = try Argon2.derive(
            derivation.variant, passphrase: passphrase, salt: derivation.salt, cost: derivation.cost, length: 80)
        defer { Platform.wipe(&bytes) }
        return Keys(encryption: Array(bytes[..<32]), iv: Array(bytes[32..<48]), mac: Array(bytes[48...]))
    }

    /// The MAC's key in version 2.
    private static func secondMACKey(_ passphrase: [UInt8]) -> [UInt8] {
        Array(Insecure.SHA1.hash(data: Array("putty-private-key-file-mac-key".utf8) + passphrase))
    }

    private func isAuthentic(_ plain: [UInt8], _ key: [UInt8]) -> Bool {
        var data = ByteBuffer()
        for text in [typeName, encryption, comment] { data.writeSSHString(text) }
        data.writeSSHString(publicKey.blobBytes)
        data.writeSSHString(plain)
        let bytes = Array(data.readableBytesView)
        let key = SymmetricKey(data: key)
        return version == 3
            ? HMAC<SHA256>.isValidAuthenticationCode(mac, authenticating: bytes, using: key)
            : HMAC<Insecure.SHA1>.isValidAuthenticationCode(mac, authenticating: bytes, using: key)
    }
}

extension PrivateKeyMaterial {
    /// Reads the secret numbers of a PuTTY file; padding may follow them.
    init(putty bytes: [UInt8], publicKey: PublicKey) throws(KeyError) {
        let what = "PuTTY private key"
        var reader = ByteBuffer(bytes: bytes)
        switch publicKey.material {
        case .rsa(let numbers):
            let secret = try reading(what) { () throws(WireError) in
                let d = try reader.readMPInt("d")
                let p = try reader.readMPInt("p")
                let q = try reader.readMPInt("q")
                let coefficient = try reader.readMPInt("iqmp")
                return RSAPrivateNumbers(n: numbers.n, e: numbers.e, d: d, coefficient: coefficient, p: p, q: q)
            }
            self = .rsa(try secret.signer())
        case .ed25519:
            let seed = try reading(what) { () throws(WireError) in try reader.readSSHString("private key") }
            self = try Self.ed25519(seed: Array(seed.readableBytesView))
        case .p256, .p384, .p521:
            guard let curve = publicKey.type.curve else { throw .unsupportedKeyType(PeerText(publicKey.type.name)) }
            let scalar = try reading(what) { () throws(WireError) in try reader.readMPInt("private key") }
            self = try Self.ecdsa(curve, scalar: scalar)
        case .securityKeyEd25519, .securityKeyECDSA:
            throw .unsupported(what: "signing with a key of type", name: PeerText(publicKey.type.name))
        }
    }
}
