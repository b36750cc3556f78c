import SSHWire

/// The object identifiers of key files, as the bytes of their DER content.
enum ObjectIdentifier {
    /// 1.2.840.113549.1.1.1
    static let rsa: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]
    /// 1.2.840.10045.2.1
    static let ecPublicKey: [UInt8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]
    /// 1.3.101.112 (RFC 8410 section 3)
    static let ed25519: [UInt8] = [0x2b, 0x65, 0x70]

    /// RFC 5480 section 2.1.1.1.
    static func curve(_ identifier: ArraySlice<UInt8>) throws(KeyError) -> NISTCurve {
        switch Array(identifier) {
        case [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]: return .p256
        case [0x2b, 0x81, 0x04, 0x00, 0x22]: return .p384
        case [0x2b, 0x81, 0x04, 0x00, 0x23]: return .p521
        default: throw .unsupported(what: "curve", name: PeerText(dotted(identifier)))
        }
    }

    /// The identifier with dots, for messages.
    static func dotted(_ content: ArraySlice<UInt8>) -> String {
        var numbers: [UInt64] = []
        var value: UInt64 = 0
        for byte in content.prefix(32) {
            value = (value & (.max >> 8)) << 7 | UInt64(byte & 0x7f)
            guard byte & 0x80 == 0 else { continue }
            if numbers.isEmpty {
                let first = min(value / 40, 2)
                numbers = [first, value - 40 * first]
            } else {
                numbers.append(value)
            }
            value = 0
        }
        return numbers.map(String.init).joined(separator: ".")
    }
}

// Private keys in ASN.1.

extension PrivateKeyMaterial {
    /// Reads an RSAPrivateKey (RFC 8017 appendix A.1.2).
    init(pkcs1 bytes: [UInt8]) throws(KeyError) {
        self = .rsa(try RSAPrivateNumbers(pkcs1: bytes).signer())
    }

    /// Reads an ECPrivateKey (RFC 5915 section 3).
    ///
    /// - Parameter curve: the curve that stands outside, where there is one.
    init(sec1 bytes: some Collection<UInt8>, curve outside: NISTCurve? = nil) throws(KeyError) {
        let what = "EC private key"
        var outer = DERReader(bytes, what: what)
        var reader = try outer.sequence("ECPrivateKey")
        guard outer.isAtEnd else { throw .malformed(what: what, reason: "bytes after its end") }
        _ = try reader.integer("version", upTo: 1)
        let scalar = MPInt(bigEndian: try reader.element(0x04, "privateKey"))
        var curve = outside
        if reader.nextTag == 0xa0 {
            var parameters = try reader.sequence("parameters", tag: 0xa0)
            let inside = try ObjectIdentifier.curve(try parameters.element(0x06, "named curve"))
            guard curve == nil || curve == inside else {
                throw .malformed(what: what, reason: "it names two curves")
            }
            curve = inside
        }
        guard let curve else { throw .malformed(what: what, reason: "it names no curve") }
        let material = try Self.ecdsa(curve, scalar: scalar)
        if reader.nextTag == 0xa1 {
            var publicHalf = try reader.sequence("publicKey", tag: 0xa1)
            let bits = try publicHalf.element(0x03, "public point")
            // A compressed point is left unread: the private number says it all.
            if bits.dropFirst().first == 4, material.point != Array(bits.dropFirst()) {
                throw .malformed(what: what, reason: "its point is not that of its private number")
            }
        }
        self = material
    }

    /// Reads a PrivateKeyInfo (RFC 5208 section 5, RFC 5958 section 2).
    init(pkcs8 bytes: some Collection<UInt8>) throws(KeyError) {
        let what = "PKCS #8 private key"
        var outer = DERReader(bytes, what: what)
        var reader = try outer.sequence("PrivateKeyInfo")
        guard outer.isAtEnd else { throw .malformed(what: what, reason: "bytes after its end") }
        _ = try reader.integer("version", upTo: 1)
        var algorithm = try reader.sequence("privateKeyAlgorithm")
        let identifier = try algorithm.element(0x06, "algorithm")
        let content = try reader.element(0x04, "privateKey")
        switch Array(identifier) {
        case ObjectIdentifier.rsa:
            self = try PrivateKeyMaterial(pkcs1: Array(content))
        case ObjectIdentifier.ecPublicKey:
            let curve = try ObjectIdentifier.curve(try algorithm.element(0x06, "named curve"))
            self = try PrivateKeyMaterial(sec1: content, curve: curve)
        case ObjectIdentifier.ed25519:
            var inner = DERReader(content, what: what)
            self = try Self.ed25519(seed: Array(try inner.element(0x04, "CurvePrivateKey")))
        default:
            throw .unsupportedKeyType(PeerText(ObjectIdentifier.dotted(identifier)))
        }
    }
}
