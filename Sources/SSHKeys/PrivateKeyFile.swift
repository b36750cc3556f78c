extension PrivateKey {
    /// Reads a private key file, whatever its format.
    ///
    /// - Parameters:
    ///   - text: the content of the file.
    ///   - passphrase: the bytes of the passphrase, where there is one.
    /// - Throws: `KeyError.passphraseNeeded` and `.wrongPassphrase` for an encrypted file, else what is wrong with it.
    public init(text: String, passphrase: [UInt8]? = nil) throws(KeyError) {
        guard var pem = try PEM(privateKeyIn: text) else {
            throw .malformed(what: "key file", reason: "no private key in it")
        }
        defer { wipe(&pem.bytes) }
        switch pem.label {
        case OpenSSHKeyFile.label:
            self = try OpenSSHKeyFile(bytes: pem.bytes).privateKey(passphrase: passphrase)
        default:
            throw .unsupported(what: "key file format", name: pem.label)
        }
    }
}

extension PublicKey {
    /// Reads the public key that a private key file shows without its passphrase.
    ///
    /// OpenSSH's own format does, encrypted or not.
    ///
    /// - Returns: nil for a format that hides it.
    /// - Throws: `KeyError` for a file that holds no private key or a malformed one.
    public init?(privateKeyText text: String) throws(KeyError) {
        guard let pem = try PEM(privateKeyIn: text) else {
            throw .malformed(what: "key file", reason: "no private key in it")
        }
        guard pem.label == OpenSSHKeyFile.label else { return nil }
        self = try OpenSSHKeyFile(bytes: pem.bytes).publicKey
    }
}
