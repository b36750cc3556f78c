import Crypto
import CryptoExtras

/// PBES2 of RFC 8018 section 6.2, as PKCS #8 files are encrypted: PBKDF2 and AES in CBC mode.
struct PBES2 {
    /// What stands between a mistake or a planted file and minutes of work.
    static let maximumIterations = 10_000_000

    private let salt: [UInt8]
    private let iterations: Int
    private let hash: KDF.Insecure.PBKDF2.HashFunction
    private let keySize: Int
    private let iv: [UInt8]
    private let ciphertext: [UInt8]

    /// Reads an EncryptedPrivateKeyInfo (RFC 5958 section 3).
    init(encryptedPrivateKeyInfo bytes: [UInt8]) throws(KeyError) {
        var outer = DERReader(bytes, what: "encrypted PKCS #8 file")
        var info = try outer.sequence("EncryptedPrivateKeyInfo")
        var algorithm = try info.sequence("encryptionAlgorithm")
        let scheme = try algorithm.element(0x06, "algorithm")
        // 1.2.840.113549.1.5.13
        guard Array(scheme) == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13] else {
            throw .unsupported(what: "encryption of PKCS #8", name: ObjectIdentifier.dotted(scheme))
        }
        var parameters = try algorithm.sequence("PBES2-params")
        var derivation = try parameters.sequence("keyDerivationFunc")
        let function = try derivation.element(0x06, "algorithm")
        // 1.2.840.113549.1.5.12
        guard Array(function) == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12] else {
            throw .unsupported(what: "key derivation", name: ObjectIdentifier.dotted(function))
        }
        var options = try derivation.sequence("PBKDF2-params")
        salt = Array(try options.element(0x04, "salt"))
        iterations = try options.integer("iterationCount", upTo: Self.maximumIterations)
        guard iterations > 0, !salt.isEmpty else {
            throw .malformed(what: "PBKDF2-params", reason: "no iterations or no salt")
        }
        let statedKeySize = options.nextTag == 0x02 ? try options.integer("keyLength", upTo: 64) : nil
        hash = try Self.pseudorandomFunction(&options)
        (keySize, iv) = try Self.cipher(&parameters)
        guard statedKeySize == nil || statedKeySize == keySize else {
            throw .malformed(what: "PBKDF2-params", reason: "a key length that is not the cipher's")
        }
        ciphertext = Array(try info.element(0x04, "encryptedData"))
    }

    private static func pseudorandomFunction(
        _ options: inout DERReader
    ) throws(KeyError) -> KDF.Insecure.PBKDF2.HashFunction {
        guard !options.isAtEnd else { return .insecureSHA1 }
        var algorithm = try options.sequence("prf")
        let identifier = try algorithm.element(0x06, "algorithm")
        let fault = KeyError.unsupported(what: "PBKDF2 function", name: ObjectIdentifier.dotted(identifier))
        // 1.2.840.113549.2.7 and its neighbours
        guard identifier.dropLast().elementsEqual([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2]) else { throw fault }
        switch identifier.last {
        case 7: return .insecureSHA1
        case 9: return .sha256
        case 10: return .sha384
        case 11: return .sha512
        default: throw fault
        }
    }

    private static func cipher(_ parameters: inout DERReader) throws(KeyError) -> (keySize: Int, iv: [UInt8]) {
        var scheme = try parameters.sequence("encryptionScheme")
        let identifier = try scheme.element(0x06, "algorithm")
        let fault = KeyError.unsupported(what: "key file cipher", name: ObjectIdentifier.dotted(identifier))
        // 2.16.840.1.101.3.4.1.2, .22 and .42
        guard identifier.dropLast().elementsEqual([0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1]) else { throw fault }
        let keySize =
            switch identifier.last {
            case 2: 16
            case 22: 24
            case 42: 32
            default: throw fault
            }
        return (keySize, Array(try scheme.element(0x04, "iv")))
    }

    /// - Throws: `KeyError.passphraseNeeded` or `.wrongPassphrase`.
    func decrypted(_ passphrase: [UInt8]?) throws(KeyError) -> [UInt8] {
        guard let passphrase, !passphrase.isEmpty else { throw .passphraseNeeded }
        let key: SymmetricKey
        do {
            key = try KDF.Insecure.PBKDF2.deriveKey(
                from: passphrase, salt: salt, using: hash, outputByteCount: keySize,
                unsafeUncheckedRounds: iterations)
        } catch {
            throw .refused(operation: "PBKDF2", reason: "\(error)")
        }
        return try decryptCBC(ciphertext, key: key, iv: iv)
    }
}

/// The encryption of old PEM files: AES in CBC mode, the key made with MD5 of passphrase and IV.
struct LegacyPEMEncryption {
    private let keySize: Int
    private let iv: [UInt8]

    /// Reads `Proc-Type` and `DEK-Info`; nil for a file that is not encrypted.
    init?(_ pem: PEM) throws(KeyError) {
        func header(_ name: String) -> String? { pem.headers.first { $0.name == name }?.value }
        guard let type = header("Proc-Type"), type.hasSuffix("ENCRYPTED") else { return nil }
        let words = (header("DEK-Info") ?? "").split(separator: ",").map { String($0).trimmed }
        guard words.count == 2, let iv = Self.hexadecimal(words[1]) else {
            throw .malformed(what: "key file", reason: "an encrypted file without its DEK-Info")
        }
        switch words[0] {
        case "AES-128-CBC": keySize = 16
        case "AES-192-CBC": keySize = 24
        case "AES-256-CBC": keySize = 32
        default: throw .unsupported(what: "key file cipher", name: words[0])
        }
        guard iv.count == 16 else {
            throw .malformed(what: "key file", reason: "an initialisation vector of \(iv.count) bytes")
        }
        self.iv = iv
    }

    /// - Throws: `KeyError.passphraseNeeded` or `.wrongPassphrase`.
    func decrypted(_ ciphertext: [UInt8], _ passphrase: [UInt8]?) throws(KeyError) -> [UInt8] {
        guard let passphrase, !passphrase.isEmpty else { throw .passphraseNeeded }
        var key: [UInt8] = []
        var digest: [UInt8] = []
        while key.count < keySize {
            digest = Array(Insecure.MD5.hash(data: digest + passphrase + iv.prefix(8)))
            key += digest
        }
        defer { wipe(&key) }
        return try decryptCBC(ciphertext, key: SymmetricKey(data: key.prefix(keySize)), iv: iv)
    }

    /// The bytes of pairs of hexadecimal digits, or nil.
    static func hexadecimal(_ text: String) -> [UInt8]? {
        let digits = text.map(\.hexDigitValue)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }
}

/// AES in CBC mode with padding that says how long it is; wrong padding means a wrong passphrase.
private func decryptCBC(_ ciphertext: [UInt8], key: SymmetricKey, iv: [UInt8]) throws(KeyError) -> [UInt8] {
    guard !ciphertext.isEmpty, ciphertext.count % KeyFileCipher.blockSize == 0 else {
        throw .malformed(what: "key file", reason: "\(ciphertext.count) encrypted bytes are not whole blocks")
    }
    guard let iv = try? AES._CBC.IV(ivBytes: iv) else {
        throw .malformed(what: "key file", reason: "an initialisation vector of \(iv.count) bytes")
    }
    guard let plain = try? AES._CBC.decrypt(ciphertext, using: key, iv: iv) else { throw .wrongPassphrase }
    return Array(plain)
}
