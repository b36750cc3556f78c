import Crypto
import NIOCore
import SSHWire

/// The numbers of a public key, in the form verification takes.
enum PublicKeyMaterial: Sendable {
    case ed25519(Curve25519.Signing.PublicKey)
    case p256(P256.Signing.PublicKey)
    case p384(P384.Signing.PublicKey)
    case p521(P521.Signing.PublicKey)
    case rsa(RSAPublicNumbers)
    case securityKeyEd25519(Curve25519.Signing.PublicKey, application: [UInt8])
    case securityKeyECDSA(P256.Signing.PublicKey, application: [UInt8])

    /// Reads what stands behind the type's name in a blob.
    init(type: KeyType, reading buffer: inout ByteBuffer) throws(KeyError) {
        let what = "\(type.name) public key"
        switch type {
        case .ed25519:
            self = .ed25519(try Self.readEd25519(&buffer, what))
        case .ecdsaP256:
            self = .p256(try Self.p256(try Self.readPoint(.p256, &buffer, what), what))
        case .ecdsaP384:
            let point = try Self.readPoint(.p384, &buffer, what)
            guard let key = try? P384.Signing.PublicKey(x963Representation: point) else { throw Self.offCurve(what) }
            self = .p384(key)
        case .ecdsaP521:
            let point = try Self.readPoint(.p521, &buffer, what)
            guard let key = try? P521.Signing.PublicKey(x963Representation: point) else { throw Self.offCurve(what) }
            self = .p521(key)
        case .rsa:
            let e = try reading(what) { () throws(WireError) in try buffer.readMPInt("e") }
            let n = try reading(what) { () throws(WireError) in try buffer.readMPInt("n") }
            self = .rsa(try RSAPublicNumbers(e: e, n: n))
        case .securityKeyEd25519:
            let key = try Self.readEd25519(&buffer, what)
            self = .securityKeyEd25519(key, application: try Self.readApplication(&buffer, what))
        case .securityKeyECDSA:
            let key = try Self.p256(try Self.readPoint(.p256, &buffer, what), what)
            self = .securityKeyECDSA(key, application: try Self.readApplication(&buffer, what))
        }
    }

    /// Writes what stands behind the type's name in a blob.
    func write(to buffer: inout ByteBuffer) {
        switch self {
        case .ed25519(let key):
            buffer.writeSSHString(Array(key.rawRepresentation))
        case .p256(let key):
            Self.writePoint(.p256, Array(key.x963Representation), to: &buffer)
        case .p384(let key):
            Self.writePoint(.p384, Array(key.x963Representation), to: &buffer)
        case .p521(let key):
            Self.writePoint(.p521, Array(key.x963Representation), to: &buffer)
        case .rsa(let numbers):
            buffer.writeMPInt(numbers.e)
            buffer.writeMPInt(numbers.n)
        case .securityKeyEd25519(let key, let application):
            buffer.writeSSHString(Array(key.rawRepresentation))
            buffer.writeSSHString(application)
        case .securityKeyECDSA(let key, let application):
            Self.writePoint(.p256, Array(key.x963Representation), to: &buffer)
            buffer.writeSSHString(application)
        }
    }

    private static func readEd25519(
        _ buffer: inout ByteBuffer, _ what: String
    ) throws(KeyError) -> Curve25519.Signing.PublicKey {
        let bytes = try reading(what) { () throws(WireError) in try buffer.readSSHString("key") }
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: Array(bytes.readableBytesView)) else {
            throw .malformed(what: what, reason: "\(bytes.readableBytes) bytes, not 32")
        }
        return key
    }

    /// Reads the name of the curve and the point, which is kept uncompressed (RFC 5656 section 3.1).
    private static func readPoint(
        _ curve: NISTCurve, _ buffer: inout ByteBuffer, _ what: String
    ) throws(KeyError) -> [UInt8] {
        let name = try reading(what) { () throws(WireError) in try buffer.readSSHText("curve") }
        guard name == curve.rawValue else {
            throw .malformed(what: what, reason: "names the curve \(Printable.name(name))")
        }
        let point = try reading(what) { () throws(WireError) in try buffer.readSSHString("point") }
        return Array(point.readableBytesView)
    }

    private static func p256(_ point: [UInt8], _ what: String) throws(KeyError) -> P256.Signing.PublicKey {
        guard let key = try? P256.Signing.PublicKey(x963Representation: point) else { throw offCurve(what) }
        return key
    }

    private static func offCurve(_ what: String) -> KeyError {
        .malformed(what: what, reason: "not an uncompressed point of its curve")
    }

    private static func readApplication(_ buffer: inout ByteBuffer, _ what: String) throws(KeyError) -> [UInt8] {
        let bytes = try reading(what) { () throws(WireError) in try buffer.readSSHString("application") }
        return Array(bytes.readableBytesView)
    }

    private static func writePoint(_ curve: NISTCurve, _ point: [UInt8], to buffer: inout ByteBuffer) {
        buffer.writeSSHString(curve.rawValue)
        buffer.writeSSHString(point)
    }
}
