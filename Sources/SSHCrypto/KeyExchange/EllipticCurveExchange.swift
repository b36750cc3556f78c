import Crypto
import NIOCore
import Platform
import SSHWire

extension KeyExchangeAlgorithm {
    /// Elliptic curve Diffie-Hellman on Curve25519 (RFC 8731).
    static let curve25519: [KeyExchangeAlgorithm] = [
        KeyExchangeAlgorithm(hash: .sha256, CurveAgreement<Curve25519Keys>(name: "curve25519-sha256")),
        KeyExchangeAlgorithm(hash: .sha256, CurveAgreement<Curve25519Keys>(name: "curve25519-sha256@libssh.org")),
    ]

    /// Elliptic curve Diffie-Hellman on the NIST curves (RFC 5656 section 4).
    static let nistCurves: [KeyExchangeAlgorithm] = [
        KeyExchangeAlgorithm(hash: .sha256, CurveAgreement<P256.KeyAgreement.PrivateKey>(name: "ecdh-sha2-nistp256")),
        KeyExchangeAlgorithm(hash: .sha384, CurveAgreement<P384.KeyAgreement.PrivateKey>(name: "ecdh-sha2-nistp384")),
        KeyExchangeAlgorithm(hash: .sha512, CurveAgreement<P521.KeyAgreement.PrivateKey>(name: "ecdh-sha2-nistp521")),
    ]
}

/// A private key of a curve, its public values in the form SSH sends them.
protocol CurveKey: Sendable {
    static func generate() -> Self
    var publicValue: [UInt8] { get }
    /// The shared secret, big-endian; nil where the peer's value is not a point to be used.
    func agree(with peerValue: [UInt8]) -> [UInt8]?
}

/// Diffie-Hellman on a curve, K encoded as an mpint.
struct CurveAgreement<Key: CurveKey>: OneRoundAgreement {
    let name: String

    func start() -> (secret: Key, publicValue: [UInt8]) {
        let key = Key.generate()
        return (key, key.publicValue)
    }

    func respond(to clientValue: [UInt8]) throws(CryptoError) -> (publicValue: [UInt8], sharedSecret: ByteBuffer) {
        let key = Key.generate()
        return (key.publicValue, try complete(key, with: clientValue))
    }

    func complete(_ secret: Key, with serverValue: [UInt8]) throws(CryptoError) -> ByteBuffer {
        guard let shared = secret.agree(with: serverValue) else { throw .invalidPublicKey(algorithm: name) }
        var encoded = ByteBuffer()
        encoded.writeMPInt(MPInt(bigEndian: shared))
        return encoded
    }
}

/// X25519 (RFC 7748). Its result is taken as a big-endian number (RFC 8731 section 3.1).
struct Curve25519Keys: CurveKey {
    static let length = 32
    private let key: Curve25519.KeyAgreement.PrivateKey

    init(_ key: Curve25519.KeyAgreement.PrivateKey) { self.key = key }

    static func generate() -> Curve25519Keys { Curve25519Keys(Curve25519.KeyAgreement.PrivateKey()) }

    var publicValue: [UInt8] { Array(key.publicKey.rawRepresentation) }

    func agree(with peerValue: [UInt8]) -> [UInt8]? {
        guard peerValue.count == Self.length,
            let peer = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: peerValue),
            let shared = try? key.sharedSecretFromKeyAgreement(with: peer)
        else { return nil }
        let bytes = shared.withUnsafeBytes { Array($0) }
        // A point of small order gives zero, whoever's key meets it.
        guard bytes.reduce(0, |) != 0 else { return nil }
        return bytes
    }
}

extension P256.KeyAgreement.PrivateKey: CurveKey {
    static func generate() -> P256.KeyAgreement.PrivateKey { P256.KeyAgreement.PrivateKey() }

    var publicValue: [UInt8] { Array(publicKey.x963Representation) }

    func agree(with peerValue: [UInt8]) -> [UInt8]? {
        // Uncompressed points only; the library checks that they are on the curve.
        guard peerValue.count == 65, peerValue.first == 4,
            let peer = try? P256.KeyAgreement.PublicKey(x963Representation: peerValue),
            let shared = try? sharedSecretFromKeyAgreement(with: peer)
        else { return nil }
        return shared.withUnsafeBytes { Array($0) }
    }
}

extension P384.KeyAgreement.PrivateKey: CurveKey {
    static func generate() -> P384.KeyAgreement.PrivateKey { P384.KeyAgreement.PrivateKey() }

    var publicValue: [UInt8] { Array(publicKey.x963Representation) }

    func agree(with peerValue: [UInt8]) -> [UInt8]? {
        // Uncompressed points only; the library checks that they are on the curve.
        guard peerValue.count == 97, peerValue.first == 4,
            let peer = try? P384.KeyAgreement.PublicKey(x963Representation: peerValue),
            let shared = try? sharedSecretFromKeyAgreement(with: peer)
        else { return nil }
        return shared.withUnsafeBytes { Array($0) }
    }
}

extension P521.KeyAgreement.PrivateKey: CurveKey {
    static func generate() -> P521.KeyAgreement.PrivateKey { P521.KeyAgreement.PrivateKey() }

    var publicValue: [UInt8] { Array(publicKey.x963Representation) }

    func agree(with peerValue: [UInt8]) -> [UInt8]? {
        // Uncompressed points only; the library checks that they are on the curve.
        guard peerValue.count == 133, peerValue.first == 4,
            let peer = try? P521.KeyAgreement.PublicKey(x963Representation: peerValue),
            let shared = try? sharedSecretFromKeyAgreement(with: peer)
        else { return nil }
        return shared.withUnsafeBytes { Array($0) }
    }
}
