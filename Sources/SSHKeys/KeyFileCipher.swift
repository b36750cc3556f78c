import Crypto
import CryptoExtras
import SSHCrypto
import SSHWire

/// The ciphers that private key files are encrypted with, by the names of OpenSSH: all that `ssh-keygen -Z` takes.
struct KeyFileCipher {
    enum Mode { case cbc, tripleDESCBC, ctr, gcm, chacha20Poly1305 }

    let name: String
    let mode: Mode
    /// In bytes.
    let keySize: Int
    /// In bytes.
    let ivSize: Int
    /// The bytes of the authentication tag behind the ciphertext.
    let tagSize: Int

    /// Plaintext is padded to a multiple of this many bytes.
    var blockSize: Int { mode == .tripleDESCBC || mode == .chacha20Poly1305 ? 8 : 16 }

    static let all: [KeyFileCipher] = [
        KeyFileCipher(name: "aes256-ctr", mode: .ctr, keySize: 32, ivSize: 16, tagSize: 0),
        KeyFileCipher(name: "aes192-ctr", mode: .ctr, keySize: 24, ivSize: 16, tagSize: 0),
        KeyFileCipher(name: "aes128-ctr", mode: .ctr, keySize: 16, ivSize: 16, tagSize: 0),
        KeyFileCipher(name: "aes256-cbc", mode: .cbc, keySize: 32, ivSize: 16, tagSize: 0),
        KeyFileCipher(name: "aes192-cbc", mode: .cbc, keySize: 24, ivSize: 16, tagSize: 0),
        KeyFileCipher(name: "aes128-cbc", mode: .cbc, keySize: 16, ivSize: 16, tagSize: 0),
        KeyFileCipher(name: "3des-cbc", mode: .tripleDESCBC, keySize: 24, ivSize: 8, tagSize: 0),
        KeyFileCipher(name: "aes256-gcm@openssh.com", mode: .gcm, keySize: 32, ivSize: 12, tagSize: 16),
        KeyFileCipher(name: "aes128-gcm@openssh.com", mode: .gcm, keySize: 16, ivSize: 12, tagSize: 16),
        KeyFileCipher(
            name: "chacha20-poly1305@openssh.com", mode: .chacha20Poly1305, keySize: 64, ivSize: 0, tagSize: 16),
    ]

    /// - Throws: `KeyError.unsupported` for a name not in `all`.
    static func named(_ name: String) throws(KeyError) -> KeyFileCipher {
        guard let cipher = all.first(where: { $0.name == name }) else {
            throw .unsupported(what: "key file cipher", name: PeerText(name))
        }
        return cipher
    }

    /// Deciphers whole blocks; nil where the tag, or a size, is wrong.
    func decrypt(_ ciphertext: [UInt8], tag: [UInt8], key: [UInt8], iv: [UInt8]) -> [UInt8]? {
        guard isWhole(ciphertext), tag.count == tagSize else { return nil }
        let secret = SymmetricKey(data: key)
        switch mode {
        case .cbc:
            guard let iv = try? AES._CBC.IV(ivBytes: iv) else { return nil }
            return (try? AES._CBC.decrypt(ciphertext, using: secret, iv: iv, noPadding: true)).map { Array($0) }
        case .tripleDESCBC:
            guard let iv = Self.number(iv), let des = TripleDES(key: key) else { return nil }
            return ciphertext.withUnsafeBytes { des.decryptCBC($0, iv: iv) }
        case .ctr:
            guard let nonce = try? AES._CTR.Nonce(nonceBytes: iv) else { return nil }
            return (try? AES._CTR.decrypt(ciphertext, using: secret, nonce: nonce)).map { Array($0) }
        case .gcm:
            guard let nonce = try? AES.GCM.Nonce(data: iv),
                let box = try? AES.GCM.SealedBox(nonce: nonce, ciphertext: ciphertext, tag: tag)
            else { return nil }
            return (try? AES.GCM.open(box, using: secret)).map { Array($0) }
        case .chacha20Poly1305:
            return try? ChaChaPolyKeys(secret).open(ciphertext, tag: tag)
        }
    }

    /// Enciphers whole blocks, and returns the tag, empty where the mode has none; nil where a size is wrong.
    func encrypt(_ plaintext: [UInt8], key: [UInt8], iv: [UInt8]) -> (ciphertext: [UInt8], tag: [UInt8])? {
        guard isWhole(plaintext) else { return nil }
        let secret = SymmetricKey(data: key)
        switch mode {
        case .cbc:
            guard let iv = try? AES._CBC.IV(ivBytes: iv) else { return nil }
            return (try? AES._CBC.encrypt(plaintext, using: secret, iv: iv, noPadding: true)).map { (Array($0), []) }
        case .tripleDESCBC:
            guard let iv = Self.number(iv), let des = TripleDES(key: key) else { return nil }
            return (plaintext.withUnsafeBytes { des.encryptCBC($0, iv: iv) }, [])
        case .ctr:
            guard let nonce = try? AES._CTR.Nonce(nonceBytes: iv) else { return nil }
            return (try? AES._CTR.encrypt(plaintext, using: secret, nonce: nonce)).map { (Array($0), []) }
        case .gcm:
            guard let nonce = try? AES.GCM.Nonce(data: iv) else { return nil }
            return (try? AES.GCM.seal(plaintext, using: secret, nonce: nonce)).map {
                (Array($0.ciphertext), Array($0.tag))
            }
        case .chacha20Poly1305:
            return try? ChaChaPolyKeys(secret).seal(plaintext)
        }
    }

    private func isWhole(_ bytes: [UInt8]) -> Bool { !bytes.isEmpty && bytes.count % blockSize == 0 }

    /// The IV of a cipher with blocks of 8 bytes.
    static func number(_ iv: [UInt8]) -> UInt64? {
        iv.count == TripleDES.blockSize ? iv.reduce(0) { $0 << 8 | UInt64($1) } : nil
    }
}
