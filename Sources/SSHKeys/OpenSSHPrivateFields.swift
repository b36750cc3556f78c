import Crypto
import CryptoExtras
import NIOCore
import SSHWire

// The secret part of OpenSSH's key files, and of what an agent is given: a type's name and its numbers
// (draft-ietf-sshm-ssh-agent, section 3.2).

extension PrivateKeyMaterial {
    /// Reads the type's name and the numbers that belong to it.
    init(readingOpenSSH reader: inout ByteBuffer) throws(KeyError) {
        let name = try reading("private key") { () throws(WireError) in try reader.readSSHText("key type") }
        guard let type = KeyType(rawValue: name) else { throw .unsupportedKeyType(PeerText(name)) }
        let what = "\(name) private key"
        switch type {
        case .ed25519:
            self = try Self.readEd25519(&reader, what)
        case .ecdsaP256, .ecdsaP384, .ecdsaP521:
            guard let curve = type.curve else { throw .unsupportedKeyType(PeerText(name)) }
            self = try Self.readECDSA(curve, &reader, what)
        case .rsa:
            let numbers = try reading(what) { () throws(WireError) in
                let n = try reader.readMPInt("n")
                let e = try reader.readMPInt("e")
                let d = try reader.readMPInt("d")
                let coefficient = try reader.readMPInt("iqmp")
                let p = try reader.readMPInt("p")
                let q = try reader.readMPInt("q")
                return RSAPrivateNumbers(n: n, e: e, d: d, coefficient: coefficient, p: p, q: q)
            }
            self = .rsa(try numbers.signer())
        case .securityKeyEd25519, .securityKeyECDSA:
            throw .unsupported(what: "signing with a key of type", name: PeerText(name))
        }
    }

    private static func readEd25519(
        _ reader: inout ByteBuffer, _ what: String
    ) throws(KeyError) -> PrivateKeyMaterial {
        let publicHalf = try reading(what) { () throws(WireError) in try reader.readSSHString("public key") }
        let both = try reading(what) { () throws(WireError) in try reader.readSSHString("private key") }
        guard publicHalf.readableBytes == 32, both.readableBytes == 64,
            both.readableBytesView.suffix(32).elementsEqual(publicHalf.readableBytesView)
        else { throw .malformed(what: what, reason: "not 32 bytes of seed and twice the same 32 of public key") }
        return try ed25519(seed: Array(both.readableBytesView.prefix(32)))
    }

    static func readECDSA(
        _ curve: NISTCurve, _ reader: inout ByteBuffer, _ what: String
    ) throws(KeyError) -> PrivateKeyMaterial {
        let name = try reading(what) { () throws(WireError) in try reader.readSSHText("curve") }
        guard name == curve.rawValue else {
            throw .malformed(what: what, reason: "names the curve \(Printable.name(name))")
        }
        let point = try reading(what) { () throws(WireError) in try reader.readSSHString("point") }
        let scalar = try reading(what) { () throws(WireError) in try reader.readMPInt("private key") }
        let material = try ecdsa(curve, scalar: scalar)
        guard material.point == Array(point.readableBytesView) else {
            throw .malformed(what: what, reason: "its point is not that of its private number")
        }
        return material
    }

    /// An Ed25519 key of its 32-byte seed.
    static func ed25519(seed: [UInt8]) throws(KeyError) -> PrivateKeyMaterial {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw .malformed(what: "Ed25519 private key", reason: "\(seed.count) bytes, not 32")
        }
        return .ed25519(key)
    }

    /// An ECDSA key of its private number.
    static func ecdsa(_ curve: NISTCurve, scalar: MPInt) throws(KeyError) -> PrivateKeyMaterial {
        let fault = KeyError.malformed(
            what: "ECDSA private key", reason: "its number is not of the curve \(curve.rawValue)")
        guard let raw = scalar.padded(to: curve.coordinateSize) else { throw fault }
        switch curve {
        case .p256:
            guard let key = try? P256.Signing.PrivateKey(rawRepresentation: raw) else { throw fault }
            return .p256(key)
        case .p384:
            guard let key = try? P384.Signing.PrivateKey(rawRepresentation: raw) else { throw fault }
            return .p384(key)
        case .p521:
            guard let key = try? P521.Signing.PrivateKey(rawRepresentation: raw) else { throw fault }
            return .p521(key)
        }
    }

    /// The public point of an ECDSA key, uncompressed.
    var point: [UInt8]? {
        switch self {
        case .p256(let key): Array(key.publicKey.x963Representation)
        case .p384(let key): Array(key.publicKey.x963Representation)
        case .p521(let key): Array(key.publicKey.x963Representation)
        case .ed25519, .rsa: nil
        }
    }

    /// Writes the type's name and the numbers that belong to it.
    func writeOpenSSH(publicKey: PublicKey, to buffer: inout ByteBuffer) throws(KeyError) {
        buffer.writeSSHString(publicKey.type.name)
        switch self {
        case .ed25519(let key):
            let publicHalf = Array(key.publicKey.rawRepresentation)
            buffer.writeSSHString(publicHalf)
            buffer.writeSSHString(Array(key.rawRepresentation) + publicHalf)
        case .p256(let key): writeECDSA(.p256, Array(key.rawRepresentation), to: &buffer)
        case .p384(let key): writeECDSA(.p384, Array(key.rawRepresentation), to: &buffer)
        case .p521(let key): writeECDSA(.p521, Array(key.rawRepresentation), to: &buffer)
        case .rsa(let key):
            let numbers = try key.numbers()
            for number in [numbers.n, numbers.e, numbers.d, numbers.coefficient, numbers.p, numbers.q] {
                buffer.writeMPInt(number)
            }
        }
    }

    private func writeECDSA(_ curve: NISTCurve, _ scalar: [UInt8], to buffer: inout ByteBuffer) {
        buffer.writeSSHString(curve.rawValue)
        buffer.writeSSHString(point ?? [])
        buffer.writeMPInt(MPInt(bigEndian: scalar))
    }
}
