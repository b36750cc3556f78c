import Crypto
import CryptoExtras
import Platform

/// A cipher that needs a MAC beside it, under its key and at its place in the stream of packets.
enum PacketCipher: Sendable {
    case ctr(CTRKeystream)
    case cbc(CBCChain)
    case tripleDESCBC(TripleDES, chain: UInt64)

    /// - Throws: ``CryptoError/keyLength(algorithm:expected:found:)``, or `operationFailed` for an AEAD.
    init(_ algorithm: CipherAlgorithm, keys: DirectionKeys) throws(CryptoError) {
        switch algorithm.mode {
        case .ctr: self = .ctr(CTRKeystream(keys: keys))
        case .cbc: self = .cbc(CBCChain(key: keys.encryptionKey, last: keys.iv))
        case .tripleDESCBC:
            let key = keys.encryptionKey.withUnsafeBytes { Array($0) }
            guard let des = TripleDES(key: key) else {
                throw .keyLength(algorithm: algorithm.name, expected: TripleDES.keyLength, found: key.count)
            }
            self = .tripleDESCBC(des, chain: keys.iv.reduce(0) { $0 << 8 | UInt64($1) })
        case .gcm, .chacha20Poly1305: throw .operationFailed("\(algorithm.name) beside a MAC")
        }
    }

    var blockSize: Int {
        switch self {
        case .ctr: CTRKeystream.blockSize
        case .cbc: CBCChain.blockSize
        case .tripleDESCBC: TripleDES.blockSize
        }
    }

    /// Whether each block's plaintext hangs on the ciphertext before it.
    var isChained: Bool {
        if case .ctr = self { false } else { true }
    }

    /// Encrypts whole blocks at the present place of the stream, without moving on.
    func encrypt(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) -> Data {
        switch self {
        case .ctr(let keystream): try keystream.apply(to: bytes)
        case .cbc(let chain): try chain.encrypt(bytes)
        case .tripleDESCBC(let des, let chain): Data(des.encryptCBC(bytes, iv: chain))
        }
    }

    /// Decrypts whole blocks at the present place of the stream, without moving on.
    func decrypt(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) -> Data {
        switch self {
        case .ctr(let keystream): try keystream.apply(to: bytes)
        case .cbc(let chain): try chain.decrypt(bytes)
        case .tripleDESCBC(let des, let chain): Data(des.decryptCBC(bytes, iv: chain))
        }
    }

    /// Moves on over ciphertext of whole blocks.
    mutating func advance(over ciphertext: UnsafeRawBufferPointer) {
        guard ciphertext.count >= blockSize else { return }
        switch self {
        case .ctr(var keystream):
            keystream.advance(bytes: ciphertext.count)
            self = .ctr(keystream)
        case .cbc(var chain):
            chain.last = Array(ciphertext.suffix(CBCChain.blockSize))
            self = .cbc(chain)
        case .tripleDESCBC(let des, _):
            let last = ciphertext.suffix(TripleDES.blockSize).reduce(0) { $0 << 8 | UInt64($1) }
            self = .tripleDESCBC(des, chain: last)
        }
    }
}

/// AES in counter mode, the counter going on from packet to packet (RFC 4344 section 4).
struct CTRKeystream: Sendable {
    static let blockSize = 16

    private let key: SymmetricKey
    private var counter: UInt128

    /// - Parameter keys: an initial vector of 16 bytes: the first counter, big-endian.
    init(keys: DirectionKeys) {
        key = keys.encryptionKey
        counter = keys.iv.reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// Encrypts or decrypts bytes at the present place of the keystream, without moving on.
    func apply(to bytes: UnsafeRawBufferPointer) throws(CryptoError) -> Data {
        let result = withUnsafeBytes(of: counter.bigEndian) { counter -> Data? in
            guard let nonce = try? AES._CTR.Nonce(nonceBytes: counter) else { return nil }
            return try? AES._CTR.encrypt(bytes, using: key, nonce: nonce)
        }
        guard let result else { throw .operationFailed("AES-CTR") }
        return result
    }

    /// Moves on over whole blocks.
    mutating func advance(bytes: Int) {
        counter &+= UInt128(truncatingIfNeeded: bytes / Self.blockSize)
    }
}

/// AES in CBC mode, each packet chained to the one before it (RFC 4253 section 6.3).
struct CBCChain: Sendable {
    static let blockSize = 16

    let key: SymmetricKey
    /// The last block of ciphertext; the initial vector at first.
    var last: [UInt8]

    func encrypt(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) -> Data {
        guard let iv = try? AES._CBC.IV(ivBytes: last),
            let result = try? AES._CBC.encrypt(bytes, using: key, iv: iv, noPadding: true)
        else { throw .operationFailed("AES-CBC") }
        return result
    }

    func decrypt(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) -> Data {
        guard let iv = try? AES._CBC.IV(ivBytes: last),
            let result = try? AES._CBC.decrypt(bytes, using: key, iv: iv, noPadding: true)
        else { throw .operationFailed("AES-CBC") }
        return result
    }
}
