/// The kinds of key this package knows, by the names they have on the wire.
public enum KeyType: String, CaseIterable, Hashable, Sendable {
    /// RFC 8709.
    case ed25519 = "ssh-ed25519"
    /// RFC 5656 section 3.1.
    case ecdsaP256 = "ecdsa-sha2-nistp256"
    case ecdsaP384 = "ecdsa-sha2-nistp384"
    case ecdsaP521 = "ecdsa-sha2-nistp521"
    /// RFC 4253 section 6.6.
    case rsa = "ssh-rsa"
    /// Keys inside a FIDO security key (OpenSSH's PROTOCOL.u2f); their signatures can be verified, not made.
    case securityKeyEd25519 = "sk-ssh-ed25519@openssh.com"
    case securityKeyECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"

    /// The name on the wire.
    public var name: String { rawValue }

    /// What fingerprint listings call the type.
    public var shortName: String {
        switch self {
        case .ed25519: "ED25519"
        case .ecdsaP256, .ecdsaP384, .ecdsaP521: "ECDSA"
        case .rsa: "RSA"
        case .securityKeyEd25519: "ED25519-SK"
        case .securityKeyECDSA: "ECDSA-SK"
        }
    }

    /// The curve of an ECDSA key.
    var curve: NISTCurve? {
        switch self {
        case .ecdsaP256, .securityKeyECDSA: .p256
        case .ecdsaP384: .p384
        case .ecdsaP521: .p521
        case .ed25519, .rsa, .securityKeyEd25519: nil
        }
    }

    /// Whether the key lives in a FIDO security key.
    package var isSecurityKey: Bool { self == .securityKeyEd25519 || self == .securityKeyECDSA }
}

/// The curves of RFC 5656 section 10.1 that every implementation has.
enum NISTCurve: String, CaseIterable {
    case p256 = "nistp256"
    case p384 = "nistp384"
    case p521 = "nistp521"

    /// The bytes of one coordinate, and of each half of a signature.
    var coordinateSize: Int {
        switch self {
        case .p256: 32
        case .p384: 48
        case .p521: 66
        }
    }

    var bitCount: Int {
        switch self {
        case .p256: 256
        case .p384: 384
        case .p521: 521
        }
    }
}

/// A way of signing, as negotiated for host keys and named in authentication requests, and the key type it needs.
public struct SignatureAlgorithm: Hashable, Sendable {
    /// The name on the wire.
    public let name: String
    /// The type of key it signs with.
    public let keyType: KeyType

    /// Every algorithm this package can verify, best first.
    public static let all: [SignatureAlgorithm] =
        defaults + [
            // SHA-1: only for a peer that knows nothing else, and only when named.
            SignatureAlgorithm(name: "ssh-rsa", keyType: .rsa)
        ]

    /// The algorithms offered when the user names none, best first.
    public static let defaults: [SignatureAlgorithm] = [
        SignatureAlgorithm(name: "ssh-ed25519", keyType: .ed25519),
        SignatureAlgorithm(name: "ecdsa-sha2-nistp256", keyType: .ecdsaP256),
        SignatureAlgorithm(name: "ecdsa-sha2-nistp384", keyType: .ecdsaP384),
        SignatureAlgorithm(name: "ecdsa-sha2-nistp521", keyType: .ecdsaP521),
        SignatureAlgorithm(name: "sk-ssh-ed25519@openssh.com", keyType: .securityKeyEd25519),
        SignatureAlgorithm(name: "sk-ecdsa-sha2-nistp256@openssh.com", keyType: .securityKeyECDSA),
        // RFC 8332.
        SignatureAlgorithm(name: "rsa-sha2-512", keyType: .rsa),
        SignatureAlgorithm(name: "rsa-sha2-256", keyType: .rsa),
    ]

    /// The algorithm of that name, or nil.
    public static func named(_ name: String) -> SignatureAlgorithm? {
        all.first { $0.name == name }
    }
}
