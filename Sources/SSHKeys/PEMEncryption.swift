import Crypto
import CryptoExtras
import Platform
import SSHCrypto
import SSHWire

/// PBES2 of RFC 8018 section 6.2, as PKCS #8 files are encrypted: PBKDF2 or scrypt, and AES or triple DES in CBC mode.
struct PBES2 {
    private let derivation: PasswordDerivation
    private let cipher: PaddedCBC
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
            throw .unsupported(what: "encryption of PKCS #8", name: PeerText(ObjectIdentifier.dotted(scheme)))
        }
        var parameters = try algorithm.sequence("PBES2-params")
        derivation = try PasswordDerivation(&parameters)
        (cipher, iv) = try Self.cipher(&parameters)
        guard derivation.statedKeySize == nil || derivation.statedKeySize == cipher.keySize else {
            throw .malformed(what: "PBES2-params", reason: "a key length that is not the cipher's")
        }
        ciphertext = Array(try info.element(0x04, "encryptedData"))
    }

    private static func cipher(
        _ parameters: inout DERReader
    ) throws(KeyError) -> (cipher: PaddedCBC, iv: [UInt8]) {
        var scheme = try parameters.sequence("encryptionScheme")
        let identifier = try scheme.element(0x06, "algorithm")
        let cipher: PaddedCBC
        switch Array(identifier) {
        // 2.16.840.1.101.3.4.1.2, .22 and .42
        case [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2]: cipher = .aes(keySize: 16)
        case [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22]: cipher = .aes(keySize: 24)
        case [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42]: cipher = .aes(keySize: 32)
        // 1.2.840.113549.3.7
        case [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7]: cipher = .tripleDES
        default: throw .unsupported(what: "key file cipher", name: PeerText(ObjectIdentifier.dotted(identifier)))
        }
        return (cipher, Array(try scheme.element(0x04, "iv")))
    }

    /// - Throws: `KeyError.passphraseNeeded` or `.wrongPassphrase`.
    func decrypted(_ passphrase: [UInt8]?) throws(KeyError) -> [UInt8] {
        guard let passphrase, !passphrase.isEmpty else { throw .passphraseNeeded }
        let key = try derivation.key(passphrase, count: cipher.keySize)
        return try cipher.decrypt(ciphertext, key: key, iv: iv)
    }
}

/// The key derivation of a PBES2 file.
struct PasswordDerivation {
    private enum Function {
        case pbkdf2(KDF.Insecure.PBKDF2.HashFunction, iterations: Int)
        case scrypt(cost: Int, blockSize: Int, parallelism: Int)
    }

    /// What stands between a mistake or a planted file and minutes of work.
    static let maximumIterations = 10_000_000
    /// The same for scrypt, in bytes of memory.
    static let maximumMemory = 1 << 30

    private let salt: [UInt8]
    private let function: Function
    /// The length of the key in bytes, where the file says it.
    let statedKeySize: Int?

    /// Reads the keyDerivationFunc.
    init(_ parameters: inout DERReader) throws(KeyError) {
        var derivation = try parameters.sequence("keyDerivationFunc")
        let identifier = try derivation.element(0x06, "algorithm")
        switch Array(identifier) {
        // 1.2.840.113549.1.5.12
        case [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12]:
            (salt, function, statedKeySize) = try Self.pbkdf2(&derivation)
        // 1.3.6.1.4.1.11591.4.11
        case [0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11]:
            (salt, function, statedKeySize) = try Self.scrypt(&derivation)
        default: throw .unsupported(what: "key derivation", name: PeerText(ObjectIdentifier.dotted(identifier)))
        }
        guard !salt.isEmpty else { throw .malformed(what: "key derivation", reason: "no salt") }
    }

    private typealias Fields = (salt: [UInt8], function: Function, keySize: Int?)

    /// RFC 8018 appendix A.2.
    private static func pbkdf2(_ derivation: inout DERReader) throws(KeyError) -> Fields {
        var options = try derivation.sequence("PBKDF2-params")
        let salt = Array(try options.element(0x04, "salt"))
        let iterations = try options.integer("iterationCount", upTo: maximumIterations)
        guard iterations > 0 else { throw .malformed(what: "PBKDF2-params", reason: "no iterations") }
        let keySize = options.nextTag == 0x02 ? try options.integer("keyLength", upTo: 64) : nil
        return (salt, .pbkdf2(try hash(&options), iterations: iterations), keySize)
    }

    private static func hash(_ options: inout DERReader) throws(KeyError) -> KDF.Insecure.PBKDF2.HashFunction {
        guard !options.isAtEnd else { return .insecureSHA1 }
        var algorithm = try options.sequence("prf")
        let identifier = try algorithm.element(0x06, "algorithm")
        let fault = KeyError.unsupported(what: "PBKDF2 function", name: PeerText(ObjectIdentifier.dotted(identifier)))
        // 1.2.840.113549.2.7 and its neighbours
        guard identifier.dropLast().elementsEqual([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2]) else { throw fault }
        switch identifier.last {
        case 7: return .insecureSHA1
        case 8: return .insecureSHA224
        case 9: return .sha256
        case 10: return .sha384
        case 11: return .sha512
        default: throw fault
        }
    }

    /// RFC 7914 section 7.1.
    private static func scrypt(_ derivation: inout DERReader) throws(KeyError) -> Fields {
        var options = try derivation.sequence("scrypt-params")
        let salt = Array(try options.element(0x04, "salt"))
        let cost = try options.integer("costParameter", upTo: 1 << 24)
        let blockSize = try options.integer("blockSize", upTo: 1 << 10)
        let parallelism = try options.integer("parallelizationParameter", upTo: 1 << 8)
        guard cost > 1, cost & (cost - 1) == 0, blockSize > 0, parallelism > 0,
            128 * cost * blockSize * parallelism <= maximumMemory
        else {
            throw .malformed(what: "scrypt-params", reason: "\(cost), \(blockSize), \(parallelism) are out of range")
        }
        let keySize = options.nextTag == 0x02 ? try options.integer("keyLength", upTo: 64) : nil
        return (salt, .scrypt(cost: cost, blockSize: blockSize, parallelism: parallelism), keySize)
    }

    /// - Throws: `KeyError.refused` where the library does.
    func key(_ passphrase: [UInt8], count: Int) throws(KeyError) -> [UInt8] {
        do {
            let key =
                switch function {
                case .pbkdf2(let hash, let iterations):
                    try KDF.Insecure.PBKDF2.deriveKey(
                        from: passphrase, salt: salt, using: hash, outputByteCount: count,
                        unsafeUncheckedRounds: iterations)
                case .scrypt(let cost, let blockSize, let parallelism):
                    try KDF.Scrypt.deriveKey(
                        from: passphrase, salt: salt, outputByteCount: count, rounds: cost, blockSize: blockSize,
                        parallelism: parallelism)
                }
            return key.withUnsafeBytes { Array($0) }
        } catch {
            throw .refused(operation: "deriving the key of a file", reason: "\(error)")
        }
    }
}

/// The encryption of old PEM files: AES or triple DES in CBC mode, the key made with MD5 of passphrase and IV.
struct LegacyPEMEncryption {
    private let cipher: PaddedCBC
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
        case "AES-128-CBC": cipher = .aes(keySize: 16)
        case "AES-192-CBC": cipher = .aes(keySize: 24)
        case "AES-256-CBC": cipher = .aes(keySize: 32)
        case "DES-EDE3-CBC": cipher = .tripleDES
        default: throw .unsupported(what: "key file cipher", name: PeerText(words[0]))
        }
        guard iv.count == cipher.blockSize else {
            throw .malformed(what: "key file", reason: "an initialisation vector of \(iv.count) bytes")
        }
        self.iv = iv
    }

    /// - Throws: `KeyError.passphraseNeeded` or `.wrongPassphrase`.
    func decrypted(_ ciphertext: [UInt8], _ passphrase: [UInt8]?) throws(KeyError) -> [UInt8] {
        guard let passphrase, !passphrase.isEmpty else { throw .passphraseNeeded }
        var key: [UInt8] = []
        var digest: [UInt8] = []
        while key.count < cipher.keySize {
            digest = Array(Insecure.MD5.hash(data: digest + passphrase + iv.prefix(8)))
            key += digest
        }
        defer { wipe(&key) }
        return try cipher.decrypt(ciphertext, key: Array(key.prefix(cipher.keySize)), iv: iv)
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

/// A cipher in CBC mode with padding that says how long it is.
enum PaddedCBC {
    case aes(keySize: Int)
    case tripleDES

    var keySize: Int {
        switch self {
        case .aes(let keySize): keySize
        case .tripleDES: TripleDES.keyLength
        }
    }

    var blockSize: Int {
        switch self {
        case .aes: 16
        case .tripleDES: TripleDES.blockSize
        }
    }

    /// - Throws: `KeyError.wrongPassphrase` for wrong padding, which is what a wrong key leaves.
    func decrypt(_ ciphertext: [UInt8], key: [UInt8], iv: [UInt8]) throws(KeyError) -> [UInt8] {
        guard !ciphertext.isEmpty, ciphertext.count % blockSize == 0 else {
            throw .malformed(what: "key file", reason: "\(ciphertext.count) encrypted bytes are not whole blocks")
        }
        guard iv.count == blockSize else {
            throw .malformed(what: "key file", reason: "an initialisation vector of \(iv.count) bytes")
        }
        switch self {
        case .aes:
            guard let iv = try? AES._CBC.IV(ivBytes: iv),
                let plain = try? AES._CBC.decrypt(ciphertext, using: SymmetricKey(data: key), iv: iv)
            else { throw .wrongPassphrase }
            return Array(plain)
        case .tripleDES:
            guard let des = TripleDES(key: key), let iv = KeyFileCipher.number(iv) else { throw .wrongPassphrase }
            var plain = ciphertext.withUnsafeBytes { des.decryptCBC($0, iv: iv) }
            guard let last = plain.last, (1...8).contains(last), plain.suffix(Int(last)).allSatisfy({ $0 == last })
            else { throw .wrongPassphrase }
            plain.removeLast(Int(last))
            return plain
        }
    }
}
