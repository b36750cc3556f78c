import Crypto
import NIOCore
import Platform
import SSHWire

extension KeyExchangeAlgorithm {
    /// X25519 beside a post-quantum key encapsulation: safe while either of the two is.
    ///
    /// draft-ietf-sshm-mlkem-hybrid-kex, draft-ietf-sshm-ntruprime-ssh
    static let hybrids: [KeyExchangeAlgorithm] = {
        var methods: [KeyExchangeAlgorithm] = []
        if #available(macOS 26, *) {
            methods.append(
                KeyExchangeAlgorithm(
                    hash: .sha256,
                    HybridAgreement<MLKEM768Encapsulation>(name: "mlkem768x25519-sha256", hash: .sha256)))
        }
        for name in ["sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"] {
            methods.append(
                KeyExchangeAlgorithm(
                    hash: .sha512, HybridAgreement<Sntrup761Encapsulation>(name: name, hash: .sha512)))
        }
        return methods
    }()
}

/// A key encapsulation mechanism.
protocol KeyEncapsulation {
    associatedtype PrivateKey

    static var publicKeyLength: Int { get }
    static var ciphertextLength: Int { get }

    static func makeKey() -> (privateKey: PrivateKey, publicKey: [UInt8])?
    /// A secret and its ciphertext; nil where the public key is not valid.
    static func encapsulate(to publicKey: [UInt8]) -> (secret: [UInt8], ciphertext: [UInt8])?
    static func decapsulate(_ ciphertext: [UInt8], with privateKey: PrivateKey) -> [UInt8]?
}

/// ML-KEM-768 (FIPS 203).
@available(macOS 26, *)
enum MLKEM768Encapsulation: KeyEncapsulation {
    static let publicKeyLength = 1184
    static let ciphertextLength = 1088

    static func makeKey() -> (privateKey: MLKEM768.PrivateKey, publicKey: [UInt8])? {
        guard let key = try? MLKEM768.PrivateKey() else { return nil }
        return (key, Array(key.publicKey.rawRepresentation))
    }

    static func encapsulate(to publicKey: [UInt8]) -> (secret: [UInt8], ciphertext: [UInt8])? {
        guard let key = try? MLKEM768.PublicKey(rawRepresentation: publicKey), let result = try? key.encapsulate()
        else {
            return nil
        }
        return (result.sharedSecret.withUnsafeBytes { Array($0) }, Array(result.encapsulated))
    }

    static func decapsulate(_ ciphertext: [UInt8], with privateKey: MLKEM768.PrivateKey) -> [UInt8]? {
        (try? privateKey.decapsulate(ciphertext))?.withUnsafeBytes { Array($0) }
    }
}

/// A key encapsulation and X25519 side by side: each public value is the one's followed by the other's, and K is the hash
/// of both secrets, as a string.
struct HybridAgreement<Encapsulation: KeyEncapsulation>: OneRoundAgreement {
    let name: String
    let hash: HashAlgorithm

    func start() throws(CryptoError) -> (
        secret: (Encapsulation.PrivateKey, Curve25519Keys), publicValue: [UInt8]
    ) {
        guard let key = Encapsulation.makeKey() else { throw .operationFailed("\(name): making a key") }
        let curveKey = Curve25519Keys.generate()
        return ((key.privateKey, curveKey), key.publicKey + curveKey.publicValue)
    }

    func respond(to clientValue: [UInt8]) throws(CryptoError) -> (publicValue: [UInt8], sharedSecret: ByteBuffer) {
        let parts = try split(clientValue, at: Encapsulation.publicKeyLength)
        let curveKey = Curve25519Keys.generate()
        guard let encapsulated = Encapsulation.encapsulate(to: parts.encapsulation),
            let curveSecret = curveKey.agree(with: parts.curve)
        else { throw .invalidPublicKey(algorithm: name) }
        return (
            encapsulated.ciphertext + curveKey.publicValue, combine(encapsulated.secret, curveSecret)
        )
    }

    func complete(
        _ secret: (Encapsulation.PrivateKey, Curve25519Keys), with serverValue: [UInt8]
    ) throws(CryptoError) -> ByteBuffer {
        let parts = try split(serverValue, at: Encapsulation.ciphertextLength)
        guard let encapsulated = Encapsulation.decapsulate(parts.encapsulation, with: secret.0),
            let curveSecret = secret.1.agree(with: parts.curve)
        else { throw .invalidPublicKey(algorithm: name) }
        return combine(encapsulated, curveSecret)
    }

    private func split(
        _ value: [UInt8], at length: Int
    ) throws(CryptoError) -> (encapsulation: [UInt8], curve: [UInt8]) {
        guard value.count == length + Curve25519Keys.length else { throw .invalidPublicKey(algorithm: name) }
        return (Array(value[..<length]), Array(value[length...]))
    }

    private func combine(_ encapsulated: [UInt8], _ curveSecret: [UInt8]) -> ByteBuffer {
        var encoded = ByteBuffer()
        encoded.writeSSHString(hash.digest(encapsulated + curveSecret))
        return encoded
    }
}
