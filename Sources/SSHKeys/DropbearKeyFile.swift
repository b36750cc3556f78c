import Crypto
import NIOCore
import SSHWire

/// A private key file of Dropbear: the key's public blob and its secret numbers behind it, in the clear, with no armour.
struct DropbearKeyFile {
    private let bytes: [UInt8]

    /// - Returns: nil for what does not begin like one.
    init?(_ bytes: [UInt8]) {
        var reader = ByteBuffer(bytes: bytes)
        // A text begins with other bytes than the length of a name.
        guard let name = try? reader.readSSHText("key type"), KeyType(rawValue: name) != nil else { return nil }
        self.bytes = bytes
    }

    /// - Throws: `KeyError` for what is malformed.
    func privateKey() throws(KeyError) -> PrivateKey {
        let what = "Dropbear key file"
        var reader = ByteBuffer(bytes: bytes)
        let name = try reading(what) { () throws(WireError) in try reader.readSSHText("key type") }
        let material: PrivateKeyMaterial
        switch KeyType(rawValue: name) {
        case .ed25519: material = try Self.ed25519(&reader, what)
        case .ecdsaP256, .ecdsaP384, .ecdsaP521:
            guard let curve = KeyType(rawValue: name)?.curve else { throw .unsupportedKeyType(PeerText(name)) }
            material = try PrivateKeyMaterial.readECDSA(curve, &reader, what)
        case .rsa: material = try Self.rsa(&reader, what)
        default: throw .unsupportedKeyType(PeerText(name))
        }
        guard reader.readableBytes == 0 else {
            throw .malformed(what: what, reason: "\(reader.readableBytes) bytes after its end")
        }
        return try PrivateKey(material: material, comment: "")
    }

    private static func ed25519(_ reader: inout ByteBuffer, _ what: String) throws(KeyError) -> PrivateKeyMaterial {
        let both = try reading(what) { () throws(WireError) in try reader.readSSHString("private key") }
        let material = try PrivateKeyMaterial.ed25519(seed: Array(both.readableBytesView.prefix(32)))
        guard case .ed25519(let key) = material, both.readableBytes == 64,
            both.readableBytesView.suffix(32).elementsEqual(key.publicKey.rawRepresentation)
        else { throw .malformed(what: what, reason: "not 32 bytes of seed and the 32 of its public key") }
        return material
    }

    /// The numbers without the inverse of q modulo p, which comes of Fermat's theorem.
    private static func rsa(_ reader: inout ByteBuffer, _ what: String) throws(KeyError) -> PrivateKeyMaterial {
        let (e, n, d) = try reading(what) { () throws(WireError) in
            (try reader.readMPInt("e"), try reader.readMPInt("n"), try reader.readMPInt("d"))
        }
        let (p, q) = try reading(what) { () throws(WireError) in
            (try reader.readMPInt("p"), try reader.readMPInt("q"))
        }
        _ = try RSAPublicNumbers(e: e, n: n)
        guard let coefficient = RSAPrivateNumbers.inverse(of: q, modulo: p), p.bitWidth + q.bitWidth <= n.bitWidth + 1
        else { throw .malformed(what: what, reason: "a prime factor is out of range") }
        let numbers = RSAPrivateNumbers(n: n, e: e, d: d, coefficient: coefficient, p: p, q: q)
        return .rsa(try numbers.signer())
    }
}
