import NIOCore
import SSHWire

extension KeyExchangeAlgorithm {
    /// Diffie-Hellman in a published group (RFC 4253 section 8, RFC 8268): the messages of an elliptic curve exchange
    /// (they share their numbers), their values as mpints.
    static let diffieHellman: [KeyExchangeAlgorithm] = [
        fixedGroup("diffie-hellman-group16-sha512", .sha512, DiffieHellmanGroup.modp4096),
        fixedGroup("diffie-hellman-group18-sha512", .sha512, DiffieHellmanGroup.modp8192),
    ]

    /// The same with 2048 bits.
    static let smallGroup = fixedGroup("diffie-hellman-group14-sha256", .sha256, DiffieHellmanGroup.modp2048)

    /// The same with SHA-1, for old servers.
    static let weakDiffieHellman: [KeyExchangeAlgorithm] = [
        fixedGroup("diffie-hellman-group14-sha1", .sha1, DiffieHellmanGroup.modp2048),
        fixedGroup("diffie-hellman-group1-sha1", .sha1, DiffieHellmanGroup.oakley2),
    ]

    private static func fixedGroup(
        _ name: String, _ hash: HashAlgorithm, _ group: @autoclosure @escaping @Sendable () -> DiffieHellmanGroup?
    ) -> KeyExchangeAlgorithm {
        KeyExchangeAlgorithm(hash: hash, DiffieHellmanAgreement(name: name, makeGroup: group))
    }
}

/// Diffie-Hellman in one group, e and f taking the places of Q_C and Q_S.
struct DiffieHellmanAgreement: OneRoundAgreement {
    let name: String
    /// The group, set up when it is first needed.
    let makeGroup: @Sendable () -> DiffieHellmanGroup?

    var encoding: PublicValueEncoding { .mpint }

    func start() throws(CryptoError) -> (secret: [UInt8], publicValue: [UInt8]) {
        guard let key = try group().makeKey() else { throw .operationFailed("\(name): making a key") }
        return (key.exponent, key.publicValue.magnitude)
    }

    func respond(to clientValue: [UInt8]) throws(CryptoError) -> (publicValue: [UInt8], sharedSecret: ByteBuffer) {
        guard let key = try group().makeKey() else { throw .operationFailed("\(name): making a key") }
        return (key.publicValue.magnitude, try complete(key.exponent, with: clientValue))
    }

    func complete(_ secret: [UInt8], with serverValue: [UInt8]) throws(CryptoError) -> ByteBuffer {
        guard let shared = try group().agree(secret, with: MPInt(bigEndian: serverValue)) else {
            throw .invalidPublicKey(algorithm: name)
        }
        var encoded = ByteBuffer()
        encoded.writeMPInt(shared)
        return encoded
    }

    private func group() throws(CryptoError) -> DiffieHellmanGroup {
        guard let group = makeGroup() else { throw .operationFailed("the set-up of \(name)") }
        return group
    }
}
