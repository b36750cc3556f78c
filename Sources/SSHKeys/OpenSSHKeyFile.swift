import Crypto
import NIOCore
import Platform
import SSHWire

/// A file of OpenSSH's own format (OpenSSH's PROTOCOL.key), its envelope read and its secret part still closed.
struct OpenSSHKeyFile {
    static let label = "OPENSSH PRIVATE KEY"
    static let magic = Array("openssh-key-v1\0".utf8)
    /// What stands between a mistake or a planted file and minutes of work.
    static let maximumRounds = 65536

    let publicKey: PublicKey
    private let cipherName: String
    private let salt: [UInt8]
    private let rounds: Int
    private var secret: [UInt8]
    private let tag: [UInt8]

    var isEncrypted: Bool { cipherName != "none" }

    /// Reads the envelope: cipher, key derivation, public key, and the secret part as it is.
    init(bytes: [UInt8]) throws(KeyError) {
        let what = "OpenSSH key file"
        guard bytes.starts(with: Self.magic) else {
            throw .malformed(what: what, reason: "it does not begin with openssh-key-v1")
        }
        var reader = ByteBuffer(bytes: bytes.dropFirst(Self.magic.count))
        (cipherName, salt, rounds) = try Self.readProtection(&reader, what)
        let count = try reading(what) { () throws(WireError) in try reader.readUInt32("number of keys") }
        guard count == 1 else { throw .malformed(what: what, reason: "\(count) keys in it, not 1") }
        let blob = try reading(what) { () throws(WireError) in try reader.readSSHString("public key") }
        publicKey = try PublicKey(blob: blob)
        let body = try reading(what) { () throws(WireError) in try reader.readSSHString("private key") }
        secret = Array(body.readableBytesView)
        body.wipeForAll()
        tag = Array(reader.readableBytesView)
        let wantedTag = isEncrypted ? try KeyFileCipher.named(cipherName).tagSize : 0
        guard tag.count == wantedTag else {
            throw .malformed(what: what, reason: "\(tag.count) bytes after the private key, not \(wantedTag)")
        }
    }

    /// Overwrites the secret part, which is one also in a file without a passphrase.
    mutating func wipe() { Platform.wipe(&secret) }

    private static func readProtection(
        _ reader: inout ByteBuffer, _ what: String
    ) throws(KeyError) -> (cipher: String, salt: [UInt8], rounds: Int) {
        let cipher = try reading(what) { () throws(WireError) in try reader.readSSHText("cipher") }
        let derivation = try reading(what) { () throws(WireError) in try reader.readSSHText("key derivation") }
        var options = try reading(what) { () throws(WireError) in try reader.readSSHString("derivation options") }
        guard (cipher == "none") == (derivation == "none") else {
            throw .malformed(
                what: what, reason: "cipher \(Printable.name(cipher)) with key derivation \(Printable.name(derivation))"
            )
        }
        if cipher == "none" { return (cipher, [], 0) }
        guard derivation == "bcrypt" else { throw .unsupported(what: "key derivation", name: PeerText(derivation)) }
        let salt = try reading(what) { () throws(WireError) in try options.readSSHString("salt") }
        let rounds = try reading(what) { () throws(WireError) in try options.readUInt32("rounds") }
        guard options.readableBytes == 0, salt.readableBytes > 0, (1...UInt32(maximumRounds)).contains(rounds) else {
            throw .malformed(what: what, reason: "bcrypt options out of range (\(rounds) rounds)")
        }
        return (cipher, Array(salt.readableBytesView), Int(rounds))
    }

    /// Opens the secret part.
    ///
    /// - Throws: `KeyError.passphraseNeeded`, `.wrongPassphrase`, or what is malformed.
    func privateKey(passphrase: [UInt8]?) throws(KeyError) -> PrivateKey {
        var plain = try decrypted(passphrase)
        defer { Platform.wipe(&plain) }
        let what = "OpenSSH key file"
        let whole = ByteBuffer(bytes: plain)
        defer { whole.wipeForAll() }
        var reader = whole
        let first = try reading(what) { () throws(WireError) in try reader.readUInt32("check number") }
        let second = try reading(what) { () throws(WireError) in try reader.readUInt32("check number") }
        guard first == second else {
            throw isEncrypted ? .wrongPassphrase : .malformed(what: what, reason: "its two check numbers differ")
        }
        let material = try PrivateKeyMaterial(readingOpenSSH: &reader)
        let comment = try reading(what) { () throws(WireError) in try reader.readSSHString("comment") }
        let padding = Array(reader.readableBytesView)
        guard padding.count < 16, padding.enumerated().allSatisfy({ $0 + 1 == Int($1) }) else {
            throw .malformed(what: what, reason: "its padding is not 1, 2, 3 and so on")
        }
        let key = try PrivateKey(
            material: material, comment: String(decoding: comment.readableBytesView, as: UTF8.self))
        guard key.publicKey == publicKey else {
            throw .malformed(what: what, reason: "its public key is not that of its private key")
        }
        return key
    }

    private func decrypted(_ passphrase: [UInt8]?) throws(KeyError) -> [UInt8] {
        let cipher = isEncrypted ? try KeyFileCipher.named(cipherName) : nil
        guard !secret.isEmpty, secret.count % (cipher?.blockSize ?? 8) == 0 else {
            throw .malformed(
                what: "OpenSSH key file", reason: "\(secret.count) bytes of private key are not whole blocks")
        }
        // Memory of its own, which the caller overwrites.
        guard let cipher else { return secret.withUnsafeBytes { Array($0) } }
        guard let passphrase, !passphrase.isEmpty else { throw .passphraseNeeded }
        var keyAndIV = try BcryptPBKDF.derive(
            passphrase: passphrase, salt: salt, rounds: rounds, count: cipher.keySize + cipher.ivSize)
        defer { Platform.wipe(&keyAndIV) }
        var key = Array(keyAndIV.prefix(cipher.keySize))
        defer { Platform.wipe(&key) }
        let iv = Array(keyAndIV.suffix(cipher.ivSize))
        guard let plain = cipher.decrypt(secret, tag: tag, key: key, iv: iv) else { throw .wrongPassphrase }
        return plain
    }
}

extension PrivateKey {
    /// Writes the key in OpenSSH's own format, which `ssh-keygen` and every recent program reads.
    ///
    /// - Parameters:
    ///   - passphrase: encrypts the file; nil or empty leaves it readable to whoever can read the file.
    ///   - cipher: OpenSSH's name of the cipher, of those that `ssh-keygen -Z` takes.
    ///   - rounds: of the key derivation, 1 to 65536; the time to open the file grows with them.
    /// - Throws: `KeyError.unsupported` for the cipher, `KeyError.malformed` for the rounds.
    public func openSSHFile(
        passphrase: [UInt8]? = nil, cipher: String = "aes256-ctr", rounds: Int = 24
    ) throws(KeyError) -> String {
        var plain = ByteBuffer()
        let check = UInt32.random(in: .min ... .max)
        plain.writeInteger(check)
        plain.writeInteger(check)
        try material.writeOpenSSH(publicKey: publicKey, to: &plain)
        plain.writeSSHString(comment)

        var file = ByteBuffer(bytes: OpenSSHKeyFile.magic)
        if let passphrase, !passphrase.isEmpty {
            let cipher = try KeyFileCipher.named(cipher)
            Self.pad(&plain, to: cipher.blockSize)
            try seal(plain, passphrase: passphrase, cipher: cipher, rounds: rounds, to: &file)
        } else {
            Self.pad(&plain, to: 8)
            file.writeSSHString("none")
            file.writeSSHString("none")
            file.writeSSHString("")
            file.writeInteger(1, as: UInt32.self)
            file.writeSSHString(publicKey.blobBytes)
            file.writeSSHString(plain)
        }
        return PEM.text(label: OpenSSHKeyFile.label, bytes: Array(file.readableBytesView), width: 70)
    }

    /// Writes what follows the magic in an encrypted file.
    private func seal(
        _ plain: ByteBuffer, passphrase: [UInt8], cipher: KeyFileCipher, rounds: Int, to file: inout ByteBuffer
    ) throws(KeyError) {
        guard (1...OpenSSHKeyFile.maximumRounds).contains(rounds) else {
            throw .malformed(what: "rounds", reason: "\(rounds), not 1 to \(OpenSSHKeyFile.maximumRounds)")
        }
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        var keyAndIV = try BcryptPBKDF.derive(
            passphrase: passphrase, salt: salt, rounds: rounds, count: cipher.keySize + cipher.ivSize)
        defer { wipe(&keyAndIV) }
        let key = Array(keyAndIV.prefix(cipher.keySize))
        let iv = Array(keyAndIV.suffix(cipher.ivSize))
        guard let sealed = cipher.encrypt(Array(plain.readableBytesView), key: key, iv: iv) else {
            throw .refused(operation: "encrypting a key file", reason: PeerText(cipher.name))
        }
        file.writeSSHString(cipher.name)
        file.writeSSHString("bcrypt")
        file.writeSSHString { options in
            options.writeSSHString(salt)
            options.writeInteger(UInt32(rounds))
        }
        file.writeInteger(1, as: UInt32.self)
        file.writeSSHString(publicKey.blobBytes)
        file.writeSSHString(sealed.ciphertext)
        file.writeBytes(sealed.tag)
    }

    private static func pad(_ buffer: inout ByteBuffer, to blockSize: Int) {
        var next: UInt8 = 1
        while buffer.readableBytes % blockSize != 0 {
            buffer.writeInteger(next)
            next += 1
        }
    }
}
