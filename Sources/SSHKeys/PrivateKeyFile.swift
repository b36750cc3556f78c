import Platform
import SSHWire

extension PrivateKey {
    /// Reads a private key file of any format here: those of ``init(text:passphrase:)``, and Dropbear's, which is no text.
    ///
    /// - Parameters:
    ///   - bytes: the content of the file.
    ///   - passphrase: the bytes of the passphrase, where there is one.
    /// - Throws: as ``init(text:passphrase:)``.
    public init(file bytes: [UInt8], passphrase: [UInt8]? = nil) throws(KeyError) {
        if let file = DropbearKeyFile(bytes) {
            self = try file.privateKey()
        } else if PuTTYKeyFile.isText(bytes) {
            try self.init(
                text: String(decoding: ByteOrderMark.skipped(in: bytes), as: UTF8.self), passphrase: passphrase)
        } else {
            try self.init(pem: PEM(requiredIn: bytes), passphrase: passphrase)
        }
    }

    /// Reads a private key file: OpenSSH's own format, PEM (PKCS #1, SEC 1), PKCS #8, PuTTY's `.ppk`.
    ///
    /// - Parameters:
    ///   - text: the content of the file.
    ///   - passphrase: the bytes of the passphrase, where there is one.
    /// - Throws: `KeyError.passphraseNeeded` and `.wrongPassphrase` for an encrypted file, else what is wrong with it.
    public init(text: String, passphrase: [UInt8]? = nil) throws(KeyError) {
        if let file = try PuTTYKeyFile(ifIn: text) {
            self = try file.privateKey(passphrase: passphrase)
            return
        }
        var bytes = Array(text.utf8)
        defer { wipe(&bytes) }
        try self.init(pem: PEM(requiredIn: bytes), passphrase: passphrase)
    }

    private init(pem: consuming PEM, passphrase: [UInt8]?) throws(KeyError) {
        var pem = pem
        defer { wipe(&pem.bytes) }
        if pem.label == OpenSSHKeyFile.label {
            var file = try OpenSSHKeyFile(bytes: pem.bytes)
            defer { file.wipe() }
            self = try file.privateKey(passphrase: passphrase)
            return
        }
        if pem.label == "ENCRYPTED PRIVATE KEY" {
            let plain = try PBES2(encryptedPrivateKeyInfo: pem.bytes).decrypted(passphrase)
            self = try PrivateKey.decrypted(label: "PRIVATE KEY", plain)
        } else if let encryption = try LegacyPEMEncryption(pem) {
            self = try PrivateKey.decrypted(label: pem.label, try encryption.decrypted(pem.bytes, passphrase))
        } else {
            self = try PrivateKey(label: pem.label, bytes: pem.bytes)
        }
    }

    /// Whether a file holds a private key, readable or not: for readers of other files, which must not show what it says.
    package static func isIn(_ file: [UInt8]) -> Bool {
        DropbearKeyFile(file) != nil || PuTTYKeyFile.isText(file[...]) || PEM.isIn(file)
    }

    /// Reads what stands in a PEM block of that label.
    private init(label: String, bytes: [UInt8]) throws(KeyError) {
        let material =
            switch label {
            case "RSA PRIVATE KEY": try PrivateKeyMaterial(pkcs1: bytes)
            case "EC PRIVATE KEY": try PrivateKeyMaterial(sec1: bytes)
            case "PRIVATE KEY": try PrivateKeyMaterial(pkcs8: bytes)
            default: throw KeyError.unsupported(what: "key file format", name: PeerText(label))
            }
        try self.init(material: material, comment: "")
    }

    /// Reads what was encrypted. These formats have no other sign of a wrong passphrase than nonsense.
    private static func decrypted(label: String, _ plain: [UInt8]) throws(KeyError) -> PrivateKey {
        var plain = plain
        defer { wipe(&plain) }
        do throws(KeyError) {
            return try PrivateKey(label: label, bytes: plain)
        } catch .malformed {
            throw .wrongPassphrase
        } catch {
            throw error
        }
    }
}

extension PublicKey {
    /// Reads the public key that a private key file of any format here shows without its passphrase.
    ///
    /// - Returns: nil for a format that hides it.
    /// - Throws: `KeyError` for a file that holds no private key or a malformed one.
    public init?(privateKeyFile bytes: [UInt8]) throws(KeyError) {
        if let file = DropbearKeyFile(bytes) {
            self = try file.privateKey().publicKey
        } else {
            try self.init(privateKeyText: String(decoding: ByteOrderMark.skipped(in: bytes), as: UTF8.self))
        }
    }

    /// Reads the public key that a private key file shows without its passphrase.
    ///
    /// OpenSSH's own format and PuTTY's do, encrypted or not.
    ///
    /// - Returns: nil for a format that hides it.
    /// - Throws: `KeyError` for a file that holds no private key or a malformed one.
    public init?(privateKeyText text: String) throws(KeyError) {
        if let file = try PuTTYKeyFile(ifIn: text) {
            self = file.publicKey
            return
        }
        let pem = try PEM(requiredIn: Array(text.utf8))
        guard pem.label == OpenSSHKeyFile.label else { return nil }
        self = try OpenSSHKeyFile(bytes: pem.bytes).publicKey
    }
}
