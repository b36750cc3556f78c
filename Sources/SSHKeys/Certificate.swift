import NIOCore
import SSHWire

/// A certificate of OpenSSH: a public key, the names it may be used under, and the signature of an authority
/// (OpenSSH's PROTOCOL.certkeys).
public struct Certificate: Hashable, Sendable {
    /// What a certificate is for.
    public enum Role: UInt32, Sendable {
        case user = 1
        case host = 2
    }

    /// A critical option or an extension.
    public struct Option: Hashable, Sendable {
        public let name: String
        /// The bytes of its value, as the certificate holds them.
        public let data: [UInt8]
    }

    /// What stands behind the plain type's name in the names of certificate types and algorithms.
    static let suffix = "-cert-v01@openssh.com"

    /// The certificate's blob.
    public let blobBytes: [UInt8]
    /// The certified key.
    public let key: PublicKey
    public let serial: UInt64
    public let role: Role
    /// What the authority wrote for its logs.
    public let keyID: String
    /// The users or hosts it is for.
    public let principals: [String]
    /// Seconds since 1970, from which on it is valid.
    public let validAfter: UInt64
    /// Seconds since 1970, from which on it is no longer valid.
    public let validBefore: UInt64
    /// What a verifier must understand, or else refuse the certificate.
    public let criticalOptions: [Option]
    /// What a verifier may leave alone.
    public let extensions: [Option]
    /// The key of the authority that signed.
    public let authority: PublicKey
    /// The algorithm of the authority's signature.
    public let signatureAlgorithm: String
    /// How many bytes of the blob the signature covers; behind them it stands.
    private let signedLength: Int

    /// Reads a certificate and verifies its authority's signature. Whether the authority is trusted, and the certificate
    /// is for this use, name and time, is for ``check(role:principal:at:knownOptions:signatureAlgorithms:)`` and the caller.
    ///
    /// - Throws: `KeyError.unsupportedKeyType`, `.malformed`, `.unknownAlgorithm` or `.badSignature`.
    public init(blob: ByteBuffer) throws(KeyError) {
        try self.init(unverified: blob)
        try verifySignature()
    }

    /// Reads a certificate and believes nothing of it: ``verifySignature()`` is yet to be called.
    package init(unverified blob: ByteBuffer) throws(KeyError) {
        let what = "certificate"
        var reader = blob
        let name = try reading(what) { () throws(WireError) in try reader.readSSHText("certificate type") }
        guard let type = Certificate.keyType(ofCertificate: name) else { throw .unsupportedKeyType(PeerText(name)) }
        _ = try reading(what) { () throws(WireError) in try reader.readSSHString("nonce") }
        key = PublicKey(type: type, material: try PublicKeyMaterial(type: type, reading: &reader))
        let body = try reading(what) { () throws(WireError) in try Body(reading: &reader) }
        guard let role = Role(rawValue: body.role) else {
            throw .malformed(what: what, reason: "type \(body.role), neither user nor host")
        }
        self.role = role
        serial = body.serial
        keyID = body.keyID
        principals = body.principals
        validAfter = body.validAfter
        validBefore = body.validBefore
        criticalOptions = body.criticalOptions
        extensions = body.extensions
        authority = try PublicKey(blob: body.authority)
        signedLength = blob.readableBytes - reader.readableBytes
        let signature = try reading(what) { () throws(WireError) in try reader.readSSHString("signature") }
        guard reader.readableBytes == 0 else {
            throw .malformed(what: what, reason: "\(reader.readableBytes) bytes after its end")
        }
        var peek = signature
        signatureAlgorithm = try reading(what) { () throws(WireError) in try peek.readSSHText("algorithm") }
        blobBytes = Array(blob.readableBytesView)
    }

    /// Verifies the authority's signature, which may take milliseconds.
    ///
    /// - Throws: `KeyError.unknownAlgorithm`, `.malformed` or `.badSignature`.
    package func verifySignature() throws(KeyError) {
        var rest = ByteBuffer(bytes: blobBytes.dropFirst(signedLength))
        let signature = try reading("certificate") { () throws(WireError) in try rest.readSSHString("signature") }
        try authority.verify(signature: signature, of: blobBytes.prefix(signedLength), algorithm: signatureAlgorithm)
    }

    /// Reads a line `type base64 [comment]`, the content of a `-cert.pub` file.
    public init(openSSHLine line: String) throws(KeyError) {
        var rest = ByteOrderMark.skipped(in: line.utf8)
        let type = String(decoding: nextWord(&rest), as: UTF8.self)
        guard Certificate.keyType(ofCertificate: type) != nil else { throw .unsupportedKeyType(PeerText(type)) }
        guard let bytes = Base64.decode(nextWord(&rest)) else {
            throw .malformed(what: "certificate line", reason: "the certificate is not base64")
        }
        try self.init(blob: ByteBuffer(bytes: bytes))
        guard typeName == type else {
            throw .malformed(
                what: "certificate line",
                reason: "says \(Printable.name(type)), but the certificate is \(Printable.name(typeName))")
        }
    }

    /// The certificate's blob, as messages carry it.
    public var blob: ByteBuffer { ByteBuffer(bytes: blobBytes) }

    /// The certificate's blob in base64.
    package var base64: String { Base64.encode(blobBytes) }

    /// The name of the certificate's type on the wire.
    public var typeName: String { Certificate.name(certifying: key.type.name) }

    /// The names of the signature algorithms the certified key is used with, best first, as they are negotiated.
    ///
    /// The signature itself then names the plain algorithm.
    public var algorithms: [String] {
        SignatureAlgorithm.defaults.filter { $0.keyType == key.type }.map { Certificate.name(certifying: $0.name) }
    }

    /// The type of the keys that a certificate type certifies, nil for another name.
    package static func keyType(ofCertificate name: String) -> KeyType? {
        plainName(of: name).flatMap { KeyType(rawValue: $0) }
    }

    /// The name of a key type or signature algorithm without what marks a certificate; nil where nothing does.
    package static func plainName(of name: String) -> String? {
        guard name.hasSuffix(suffix) else { return nil }
        let stem = String(name.dropLast(suffix.count))
        return stem.hasPrefix("sk-") ? stem + "@openssh.com" : stem
    }

    /// The name of a key type or signature algorithm when a certificate is used.
    package static func name(certifying plain: String) -> String {
        (plain.hasSuffix("@openssh.com") ? String(plain.dropLast("@openssh.com".count)) : plain) + suffix
    }
}

/// The fields between the certified key and the signature.
private struct Body {
    let serial: UInt64
    let role: UInt32
    let keyID: String
    let principals: [String]
    let validAfter: UInt64
    let validBefore: UInt64
    let criticalOptions: [Certificate.Option]
    let extensions: [Certificate.Option]
    let authority: ByteBuffer

    init(reading reader: inout ByteBuffer) throws(WireError) {
        serial = try reader.readUInt64("serial")
        role = try reader.readUInt32("type")
        keyID = try reader.readSSHText("key id")
        var names = try reader.readSSHString("valid principals")
        var principals: [String] = []
        while names.readableBytes > 0 { principals.append(try names.readSSHText("principal")) }
        self.principals = principals
        validAfter = try reader.readUInt64("valid after")
        validBefore = try reader.readUInt64("valid before")
        criticalOptions = try Self.options(&reader, "critical options")
        extensions = try Self.options(&reader, "extensions")
        _ = try reader.readSSHString("reserved")
        authority = try reader.readSSHString("signature key")
    }

    /// Pairs of name and data; names in ascending order, none twice.
    private static func options(
        _ reader: inout ByteBuffer, _ field: String
    ) throws(WireError) -> [Certificate.Option] {
        var list = try reader.readSSHString(field)
        var options: [Certificate.Option] = []
        while list.readableBytes > 0 {
            let name = try list.readSSHText("name in \(field)")
            let data = try list.readSSHString("data in \(field)")
            if let last = options.last, !last.name.utf8.lexicographicallyPrecedes(name.utf8) {
                throw .invalid(field: PeerText(field), reason: "\"\(name)\" is not in order")
            }
            options.append(Certificate.Option(name: name, data: Array(data.readableBytesView)))
        }
        return options
    }
}
