extension PrivateKey {
    /// Reads a private key file, whatever its format.
    ///
    /// - Parameters:
    ///   - text: the content of the file.
    ///   - passphrase: the bytes of the passphrase, where there is one.
    /// - Throws: `KeyError.passphraseNeeded` and `.wrongPassphrase` for an encrypted file, else what is wrong with it.
    public init(text: String, passphrase: [UInt8]? = nil) throws(KeyError) {
        throw .unsupported(what: "key file format", name: "any")
    }
}
