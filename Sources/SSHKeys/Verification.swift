import Crypto
import CryptoExtras
import NIOCore
import SSHWire

extension PublicKey {
    /// Verifies a signature blob: the name of an algorithm, and the signature itself.
    ///
    /// - Parameters:
    ///   - signature: the blob, as messages and certificates carry it.
    ///   - data: what was signed.
    ///   - algorithm: the algorithm agreed on; a signature made with another one is refused.
    /// - Throws: `KeyError.unknownAlgorithm`, `.unsuitableAlgorithm`, `.algorithmMismatch`, `.malformed`,
    ///   `.userNotPresent` or `.badSignature`.
    public func verify(
        signature: ByteBuffer, of data: some Collection<UInt8>, algorithm: String
    ) throws(KeyError) {
        let flags = try verifyWithFlags(signature: signature, of: data, algorithm: algorithm)
        if let flags, !flags.userWasPresent { throw .userNotPresent }
    }

    /// Verifies a signature blob as ``verify(signature:of:algorithm:)`` does, but leaves it to the caller whether a
    /// security key must have been touched.
    ///
    /// - Returns: what a security key says of its owner; nil for other keys.
    package func verifyWithFlags(
        signature: ByteBuffer, of data: some Collection<UInt8>, algorithm: String
    ) throws(KeyError) -> SecurityKeyFlags? {
        guard let wanted = SignatureAlgorithm.named(algorithm) else { throw .unknownAlgorithm(PeerText(algorithm)) }
        guard wanted.keyType == type else {
            throw .unsuitableAlgorithm(algorithm: PeerText(algorithm), keyType: type.name)
        }
        var reader = signature
        let what = "\(algorithm) signature"
        let name = try reading(what) { () throws(WireError) in try reader.readSSHText("algorithm") }
        guard name == algorithm else { throw .algorithmMismatch(expected: algorithm, found: PeerText(name)) }
        let bytes = try reading(what) { () throws(WireError) in try reader.readSSHString("signature") }
        var securityKey: SecurityKeyTrailer?
        if type.isSecurityKey {
            securityKey = try reading(what) { () throws(WireError) in try SecurityKeyTrailer(reading: &reader) }
        }
        guard reader.readableBytes == 0 else {
            throw .malformed(what: what, reason: "\(reader.readableBytes) bytes after its end")
        }
        guard try isValid(bytes, of: Array(data), algorithm: algorithm, securityKey: securityKey) else {
            throw .badSignature(algorithm: algorithm)
        }
        return securityKey.map {
            SecurityKeyFlags(userWasPresent: $0.userWasPresent, userWasVerified: $0.flags & 0x04 != 0)
        }
    }

    private func isValid(
        _ signature: ByteBuffer, of data: [UInt8], algorithm: String, securityKey: SecurityKeyTrailer?
    ) throws(KeyError) -> Bool {
        switch material {
        case .ed25519(let key):
            return key.isValidSignature(try Self.ed25519Signature(signature), for: data)
        case .p256(let key):
            let raw = try Self.ecdsaSignature(signature, curve: .p256)
            guard let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: raw) else { return false }
            return key.isValidSignature(parsed, for: SHA256.hash(data: data))
        case .p384(let key):
            let raw = try Self.ecdsaSignature(signature, curve: .p384)
            guard let parsed = try? P384.Signing.ECDSASignature(rawRepresentation: raw) else { return false }
            return key.isValidSignature(parsed, for: SHA384.hash(data: data))
        case .p521(let key):
            let raw = try Self.ecdsaSignature(signature, curve: .p521)
            guard let parsed = try? P521.Signing.ECDSASignature(rawRepresentation: raw) else { return false }
            return key.isValidSignature(parsed, for: SHA512.hash(data: data))
        case .rsa(let numbers):
            return try Self.isValidRSA(signature, of: data, algorithm: algorithm, numbers: numbers)
        case .securityKeyEd25519(let key, let application):
            let signed = securityKey?.signedBytes(application: application, message: data) ?? []
            return key.isValidSignature(try Self.ed25519Signature(signature), for: signed)
        case .securityKeyECDSA(let key, let application):
            let signed = securityKey?.signedBytes(application: application, message: data) ?? []
            let raw = try Self.ecdsaSignature(signature, curve: .p256)
            guard let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: raw) else { return false }
            return key.isValidSignature(parsed, for: SHA256.hash(data: signed))
        }
    }

    /// RFC 8709 section 6: 64 bytes.
    private static func ed25519Signature(_ signature: ByteBuffer) throws(KeyError) -> [UInt8] {
        guard signature.readableBytes == 64 else {
            throw .malformed(what: "Ed25519 signature", reason: "\(signature.readableBytes) bytes, not 64")
        }
        return Array(signature.readableBytesView)
    }

    /// RFC 5656 section 3.1.2: r and s as mpints; here padded to the curve's size and joined.
    private static func ecdsaSignature(_ signature: ByteBuffer, curve: NISTCurve) throws(KeyError) -> [UInt8] {
        let what = "ECDSA signature"
        var reader = signature
        let r = try reading(what) { () throws(WireError) in try reader.readMPInt("r") }
        let s = try reading(what) { () throws(WireError) in try reader.readMPInt("s") }
        guard reader.readableBytes == 0 else {
            throw .malformed(what: what, reason: "\(reader.readableBytes) bytes after its end")
        }
        guard let left = r.padded(to: curve.coordinateSize), let right = s.padded(to: curve.coordinateSize) else {
            throw .malformed(what: what, reason: "a number larger than the curve \(curve.rawValue)")
        }
        return left + right
    }

    /// RFC 8332 section 3. Some implementations drop leading zeros of the signature: they are put back.
    private static func isValidRSA(
        _ signature: ByteBuffer, of data: [UInt8], algorithm: String, numbers: RSAPublicNumbers
    ) throws(KeyError) -> Bool {
        let size = numbers.signatureSize
        guard signature.readableBytes <= size else {
            throw .malformed(
                what: "RSA signature", reason: "\(signature.readableBytes) bytes, the modulus has \(size)")
        }
        let padded =
            [UInt8](repeating: 0, count: size - signature.readableBytes) + Array(signature.readableBytesView)
        guard let hash = RSAHash(algorithm: algorithm) else { throw .unknownAlgorithm(PeerText(algorithm)) }
        return try numbers.isValid(padded, of: data, hash)
    }
}

/// What a FIDO security key says of its owner in a signature (OpenSSH's PROTOCOL.u2f, SSH U2F signatures).
package struct SecurityKeyFlags: Equatable, Sendable {
    /// Somebody touched the security key.
    package let userWasPresent: Bool
    /// It knew its owner, by a PIN or a fingerprint.
    package let userWasVerified: Bool

    package init(userWasPresent: Bool, userWasVerified: Bool) {
        self.userWasPresent = userWasPresent
        self.userWasVerified = userWasVerified
    }
}

/// What a FIDO security key adds to a signature (OpenSSH's PROTOCOL.u2f, SSH U2F signatures).
struct SecurityKeyTrailer {
    let flags: UInt8
    let counter: UInt32

    init(reading buffer: inout ByteBuffer) throws(WireError) {
        flags = try buffer.readByte("flags")
        counter = try buffer.readUInt32("counter")
    }

    /// Whether somebody touched the security key.
    var userWasPresent: Bool { flags & 0x01 != 0 }

    /// The bytes that the security key signs in place of the message.
    func signedBytes(application: [UInt8], message: [UInt8]) -> [UInt8] {
        var bytes = Array(SHA256.hash(data: application))
        bytes.append(flags)
        for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: counter >> shift)) }
        return bytes + Array(SHA256.hash(data: message))
    }
}
