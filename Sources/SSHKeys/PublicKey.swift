import NIOCore
import SSHWire

/// A public key of any type this package knows.
///
/// Two keys are equal when their blobs are.
public struct PublicKey: Sendable {
    /// The kind of key.
    public let type: KeyType
    /// The key's blob: its type's name and its numbers.
    public let blobBytes: [UInt8]
    /// The key as verification takes it; a function of the blob.
    let material: PublicKeyMaterial

    /// Reads a key's blob (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4, OpenSSH's PROTOCOL.u2f).
    ///
    /// - Throws: `KeyError.unsupportedKeyType` for a type unknown here, `KeyError.malformed` for anything but one whole
    ///   key: bytes missing or left over, a point that is not on its curve, an RSA modulus that is not of 1024 to 16384
    ///   bits.
    public init(blob: ByteBuffer) throws(KeyError) {
        var reader = blob
        let name = try reading("public key") { () throws(WireError) in try reader.readSSHText("key type") }
        guard let type = KeyType(rawValue: name) else { throw .unsupportedKeyType(PeerText(name)) }
        self.type = type
        material = try PublicKeyMaterial(type: type, reading: &reader)
        guard reader.readableBytes == 0 else {
            throw .malformed(what: "public key", reason: "\(reader.readableBytes) bytes after its end")
        }
        blobBytes = Array(blob.readableBytesView)
    }

    /// Makes a key of its parts.
    init(type: KeyType, material: PublicKeyMaterial) {
        self.type = type
        self.material = material
        var blob = ByteBuffer()
        blob.writeSSHString(type.name)
        material.write(to: &blob)
        blobBytes = Array(blob.readableBytesView)
    }

    /// The key's blob, as messages carry it.
    public var blob: ByteBuffer { ByteBuffer(bytes: blobBytes) }

    /// The size that fingerprint listings show: the bits of the modulus or of the curve.
    public var bitCount: Int {
        switch material {
        case .ed25519, .securityKeyEd25519: 256
        case .p256, .securityKeyECDSA: 256
        case .p384: 384
        case .p521: 521
        case .rsa(let numbers): numbers.n.bitWidth
        }
    }
}

extension PublicKey: Hashable {
    public static func == (left: PublicKey, right: PublicKey) -> Bool { left.blobBytes == right.blobBytes }

    public func hash(into hasher: inout Hasher) { hasher.combine(blobBytes) }
}

/// Runs a piece of reading, and says in which thing a fault was found.
func reading<Value>(_ what: String, _ body: () throws(WireError) -> Value) throws(KeyError) -> Value {
    do throws(WireError) {
        return try body()
    } catch {
        throw .malformed(what: what, reason: "\(error)")
    }
}
