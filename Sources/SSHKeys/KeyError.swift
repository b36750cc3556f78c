import SSHWire

/// What was wrong with a key, a signature, a certificate or a file that holds one.
public enum KeyError: Error, Equatable, Sendable {
    /// A field of a key, signature, certificate or key file does not hold what it must.
    case malformed(what: String, reason: PeerText)
    /// The key is of a type that this package does not know.
    case unsupportedKeyType(PeerText)
    /// A well-formed thing that this package cannot work with: a cipher, a key derivation, a curve, a file format.
    case unsupported(what: String, name: PeerText)
    /// No signature algorithm has this name.
    case unknownAlgorithm(PeerText)
    /// The algorithm does not go with the key.
    case unsuitableAlgorithm(algorithm: PeerText, keyType: String)
    /// The signature names another algorithm than the one agreed on.
    case algorithmMismatch(expected: String, found: PeerText)
    /// The signature was not made by this key over these bytes.
    case badSignature(algorithm: String)
    /// The signature of a security key was made without its owner touching it.
    case userNotPresent
    /// The cryptographic library refused to sign or to make a key.
    case refused(operation: String, reason: PeerText)
    /// The file is encrypted, and no passphrase was given.
    case passphraseNeeded
    /// The passphrase does not open the file.
    case wrongPassphrase
}

/// The words hold nothing of a key file but names.
extension KeyError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformed(let what, let reason): "\(what): \(Printable.excerpt(reason.description))"
        case .unsupportedKeyType(let name): "key type \(Printable.name(name.description)) is not supported"
        case .unsupported(let what, let name): "\(what) \(Printable.name(name.description)) is not supported"
        case .unknownAlgorithm(let name): "no signature algorithm is called \(Printable.name(name.description))"
        case .unsuitableAlgorithm(let algorithm, let keyType):
            "signature algorithm \(Printable.name(algorithm.description)) does not go with a key of type "
                + Printable.name(keyType)
        case .algorithmMismatch(let expected, let found):
            "signature made with \(Printable.name(found.description)) where \(Printable.name(expected)) was agreed on"
        case .badSignature(let algorithm): "the \(Printable.name(algorithm)) signature is wrong"
        case .userNotPresent: "the security key was not touched for this signature"
        case .refused(let operation, let reason): "\(operation): \(reason)"
        case .passphraseNeeded: "the key is encrypted: a passphrase is needed"
        case .wrongPassphrase: "the passphrase is wrong"
        }
    }
}
