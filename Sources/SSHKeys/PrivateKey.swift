import Crypto
import CryptoExtras
import NIOCore
import SSHWire

/// A private key that signs in this process.
public struct PrivateKey: Sendable {
    /// The public half.
    public let publicKey: PublicKey
    /// What the key's owner wrote beside it.
    public var comment: String
    /// The secret half.
    let material: PrivateKeyMaterial

    init(material: PrivateKeyMaterial, comment: String) throws(KeyError) {
        self.material = material
        self.comment = comment
        publicKey = try material.publicKey()
    }

    /// Makes a new key.
    ///
    /// - Parameters:
    ///   - type: a type other than those of security keys.
    ///   - bits: the modulus of an RSA key, a multiple of 8 from 1024 to 8192; of no meaning for other types.
    /// - Throws: `KeyError.unsupported` or `KeyError.refused`.
    public static func generate(
        _ type: KeyType, bits: Int = 3072, comment: String = ""
    ) throws(KeyError) -> PrivateKey {
        let material: PrivateKeyMaterial
        switch type {
        case .ed25519: material = .ed25519(Curve25519.Signing.PrivateKey())
        case .ecdsaP256: material = .p256(P256.Signing.PrivateKey())
        case .ecdsaP384: material = .p384(P384.Signing.PrivateKey())
        case .ecdsaP521: material = .p521(P521.Signing.PrivateKey())
        case .rsa:
            guard bits % 8 == 0, (1024...8192).contains(bits) else {
                throw .unsupported(what: "RSA key size", name: PeerText(String(bits)))
            }
            do {
                material = .rsa(.library(try _RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: bits))))
            } catch {
                throw .refused(operation: "making an RSA key", reason: "\(error)")
            }
        case .securityKeyEd25519, .securityKeyECDSA:
            throw .unsupported(what: "making a key of type", name: PeerText(type.name))
        }
        return try PrivateKey(material: material, comment: comment)
    }

    /// The names of the algorithms this key is to sign with, best first.
    ///
    /// An RSA key also signs with `ssh-rsa`, which is SHA-1, when a caller asks for it by name.
    public var signatureAlgorithms: [String] {
        SignatureAlgorithm.defaults.filter { $0.keyType == publicKey.type }.map(\.name)
    }

    /// Signs `data` and returns the signature blob: the algorithm's name and the signature.
    ///
    /// - Throws: `KeyError.unknownAlgorithm`, `.unsuitableAlgorithm` or `.refused`.
    public func sign(_ data: some Collection<UInt8>, algorithm: String) throws(KeyError) -> ByteBuffer {
        guard let wanted = SignatureAlgorithm.named(algorithm) else { throw .unknownAlgorithm(PeerText(algorithm)) }
        guard wanted.keyType == publicKey.type else {
            throw .unsuitableAlgorithm(algorithm: PeerText(algorithm), keyType: publicKey.type.name)
        }
        let signature: ByteBuffer
        do {
            signature = try material.signature(of: Array(data), algorithm: algorithm)
        } catch {
            throw .refused(operation: "signing with \(algorithm)", reason: "\(error)")
        }
        var blob = ByteBuffer()
        blob.writeSSHString(algorithm)
        blob.writeSSHString(signature)
        return blob
    }
}

extension PrivateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The public half only: no secret reaches a log this way.
    public var description: String { "\(publicKey.type.name) private key \(publicKey.fingerprint())" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The secret numbers of a key, in the form signing takes.
enum PrivateKeyMaterial: Sendable {
    case ed25519(Curve25519.Signing.PrivateKey)
    case p256(P256.Signing.PrivateKey)
    case p384(P384.Signing.PrivateKey)
    case p521(P521.Signing.PrivateKey)
    case rsa(RSASigner)

    /// The public half, worked out from the secret one.
    func publicKey() throws(KeyError) -> PublicKey {
        switch self {
        case .ed25519(let key): return PublicKey(type: .ed25519, material: .ed25519(key.publicKey))
        case .p256(let key): return PublicKey(type: .ecdsaP256, material: .p256(key.publicKey))
        case .p384(let key): return PublicKey(type: .ecdsaP384, material: .p384(key.publicKey))
        case .p521(let key): return PublicKey(type: .ecdsaP521, material: .p521(key.publicKey))
        case .rsa(let key):
            return PublicKey(type: .rsa, material: .rsa(try key.publicNumbers()))
        }
    }

    /// The signature alone, without the algorithm's name.
    func signature(of data: [UInt8], algorithm: String) throws -> ByteBuffer {
        switch self {
        case .ed25519(let key):
            return ByteBuffer(bytes: Array(try key.signature(for: data)))
        case .p256(let key):
            return Self.joined(Array(try key.signature(for: SHA256.hash(data: data)).rawRepresentation))
        case .p384(let key):
            return Self.joined(Array(try key.signature(for: SHA384.hash(data: data)).rawRepresentation))
        case .p521(let key):
            return Self.joined(Array(try key.signature(for: SHA512.hash(data: data)).rawRepresentation))
        case .rsa(let key):
            guard let hash = RSAHash(algorithm: algorithm) else { throw KeyError.unknownAlgorithm(PeerText(algorithm)) }
            return ByteBuffer(bytes: try key.sign(data, hash))
        }
    }

    /// RFC 5656 section 3.1.2: r and s as mpints.
    private static func joined(_ raw: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeMPInt(MPInt(bigEndian: raw.prefix(raw.count / 2)))
        buffer.writeMPInt(MPInt(bigEndian: raw.suffix(raw.count / 2)))
        return buffer
    }
}
