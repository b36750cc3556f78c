import Crypto
import NIOCore
import SSHWire

/// A list of revoked keys and certificates in OpenSSH's binary format (its PROTOCOL.krl), as `ssh-keygen -k` makes them.
public struct KeyRevocationList: Equatable, Sendable {
    /// Grows with every change of the list.
    public let version: UInt64
    /// Seconds since 1970 when it was made.
    public let generated: UInt64
    public let comment: String
    private(set) var certificates: [RevokedCertificates] = []
    /// Blobs of keys.
    private(set) var keys: Set<[UInt8]> = []
    /// Hashes of blobs.
    private(set) var sha1: Set<[UInt8]> = []
    private(set) var sha256: Set<[UInt8]> = []

    /// What every such list begins with.
    static let magic = Array("SSHKRL\n\0".utf8)
    private static let formatVersion: UInt32 = 1
    private static let what = "key revocation list"

    /// The certificates of one authority, or of any, that are revoked.
    struct RevokedCertificates: Equatable, Sendable {
        /// The blob of the authority's key; nil for any authority.
        let authority: [UInt8]?
        fileprivate(set) var ranges: [ClosedRange<UInt64>] = []
        fileprivate(set) var bitmaps: [Bitmap] = []
        fileprivate(set) var keyIDs: Set<[UInt8]> = []
    }

    /// Serial numbers as bits: bit N stands for `offset` + N.
    struct Bitmap: Equatable, Sendable {
        let offset: UInt64
        let bits: MPInt

        func holds(_ serial: UInt64) -> Bool {
            guard serial >= offset, serial - offset < UInt64(bits.bitWidth) else { return false }
            let bit = Int(serial - offset)
            return bits.magnitude[bits.magnitude.count - 1 - bit / 8] >> UInt8(bit % 8) & 1 == 1
        }
    }

    /// Reads a list.
    ///
    /// - Throws: `KeyError.malformed` for anything but one whole list; `.unsupported` for another version of the format,
    ///   a section unknown here, a critical extension or a signature, which OpenSSH does not take either.
    public init(_ bytes: [UInt8]) throws(KeyError) {
        guard bytes.starts(with: Self.magic) else {
            throw .malformed(what: Self.what, reason: "does not begin with SSHKRL")
        }
        var reader = ByteBuffer(bytes: bytes.dropFirst(Self.magic.count))
        let format = try reading(Self.what) { () throws(WireError) in try reader.readUInt32("format version") }
        guard format == Self.formatVersion else { throw .unsupported(what: "\(Self.what) version", name: "\(format)") }
        version = try reading(Self.what) { () throws(WireError) in try reader.readUInt64("version") }
        generated = try reading(Self.what) { () throws(WireError) in try reader.readUInt64("date") }
        _ = try reading(Self.what) { () throws(WireError) in try reader.readUInt64("flags") }
        _ = try reading(Self.what) { () throws(WireError) in try reader.readSSHString("reserved") }
        let text = try reading(Self.what) { () throws(WireError) in try reader.readSSHString("comment") }
        comment = String(decoding: text.readableBytesView, as: UTF8.self)
        while reader.readableBytes > 0 { try readSection(&reader) }
    }

    private enum Section: UInt8 {
        case certificates = 1
        case keys = 2
        case sha1 = 3
        case signature = 4
        case sha256 = 5
        case `extension` = 255
    }

    private mutating func readSection(_ reader: inout ByteBuffer) throws(KeyError) {
        let number = try reading(Self.what) { () throws(WireError) in try reader.readByte("section type") }
        guard let type = Section(rawValue: number), type != .signature else {
            throw .unsupported(what: "\(Self.what) section", name: "\(number)")
        }
        var body = try reading(Self.what) { () throws(WireError) in try reader.readSSHString("section") }
        switch type {
        case .certificates: certificates.append(try RevokedCertificates(reading: &body))
        case .keys: keys.formUnion(try Self.blobs(&body, size: nil))
        case .sha1: sha1.formUnion(try Self.blobs(&body, size: Insecure.SHA1.byteCount))
        case .sha256: sha256.formUnion(try Self.blobs(&body, size: SHA256.byteCount))
        case .extension: try Self.skipExtension(&body)
        case .signature: break
        }
    }

    private static func blobs(_ body: inout ByteBuffer, size: Int?) throws(KeyError) -> [[UInt8]] {
        var blobs: [[UInt8]] = []
        while body.readableBytes > 0 {
            let blob = try reading(what) { () throws(WireError) in try body.readSSHString("revoked key") }
            if let size, blob.readableBytes != size {
                throw .malformed(what: what, reason: "a hash of \(blob.readableBytes) bytes, not \(size)")
            }
            blobs.append(Array(blob.readableBytesView))
        }
        return blobs
    }

    /// None is known: one that must be understood makes the list useless.
    fileprivate static func skipExtension(_ body: inout ByteBuffer) throws(KeyError) {
        let name = try reading(what) { () throws(WireError) in try body.readSSHText("extension name") }
        let isCritical = try reading(what) { () throws(WireError) in try body.readSSHBoolean("critical") }
        _ = try reading(what) { () throws(WireError) in try body.readSSHString("extension contents") }
        guard body.readableBytes == 0 else {
            throw .malformed(what: what, reason: "\(body.readableBytes) bytes after an extension")
        }
        if isCritical { throw .unsupported(what: "\(what) extension", name: PeerText(name)) }
    }
}

extension KeyRevocationList.RevokedCertificates {
    private enum Section: UInt8 {
        case serialList = 0x20
        case serialRange = 0x21
        case serialBitmap = 0x22
        case keyIDs = 0x23
        case `extension` = 0x39
    }

    fileprivate init(reading reader: inout ByteBuffer) throws(KeyError) {
        let what = "certificates of a key revocation list"
        let blob = try reading(what) { () throws(WireError) in try reader.readSSHString("authority") }
        // A key that is none would revoke nothing, in silence.
        authority = blob.readableBytes == 0 ? nil : try PublicKey(blob: blob).blobBytes
        _ = try reading(what) { () throws(WireError) in try reader.readSSHString("reserved") }
        while reader.readableBytes > 0 {
            let number = try reading(what) { () throws(WireError) in try reader.readByte("section type") }
            var body = try reading(what) { () throws(WireError) in try reader.readSSHString("section") }
            guard let type = Section(rawValue: number) else {
                throw .unsupported(what: "\(what): section", name: "\(number)")
            }
            try read(type, &body, what)
            guard body.readableBytes == 0 else {
                throw .malformed(what: what, reason: "\(body.readableBytes) bytes after a section's end")
            }
        }
    }

    private mutating func read(_ type: Section, _ body: inout ByteBuffer, _ what: String) throws(KeyError) {
        switch type {
        case .serialList:
            while body.readableBytes > 0 {
                let serial = try reading(what) { () throws(WireError) in try body.readUInt64("serial") }
                ranges.append(serial...serial)
            }
        case .serialRange:
            let low = try reading(what) { () throws(WireError) in try body.readUInt64("first serial") }
            let high = try reading(what) { () throws(WireError) in try body.readUInt64("last serial") }
            guard low <= high else { throw .malformed(what: what, reason: "serials from \(low) to \(high)") }
            ranges.append(low...high)
        case .serialBitmap:
            let offset = try reading(what) { () throws(WireError) in try body.readUInt64("offset of a bitmap") }
            let bits = try reading(what) { () throws(WireError) in try body.readMPInt("bitmap") }
            guard !offset.addingReportingOverflow(UInt64(max(0, bits.bitWidth - 1))).overflow else {
                throw .malformed(what: what, reason: "a bitmap beyond the last serial")
            }
            bitmaps.append(.init(offset: offset, bits: bits))
        case .keyIDs:
            while body.readableBytes > 0 {
                let name = try reading(what) { () throws(WireError) in try body.readSSHString("key id") }
                keyIDs.insert(Array(name.readableBytesView))
            }
        case .extension:
            try KeyRevocationList.skipExtension(&body)
        }
    }

    func revocation(of certificate: Certificate) -> Revocation? {
        guard authority == nil || authority == certificate.authority.blobBytes else { return nil }
        if keyIDs.contains(Array(certificate.keyID.utf8)) { return .keyID(certificate.keyID) }
        // What an authority writes that counts nothing: no list means it.
        guard certificate.serial != 0 else { return nil }
        let isListed =
            ranges.contains { $0.contains(certificate.serial) } || bitmaps.contains { $0.holds(certificate.serial) }
        return isListed ? .serial(certificate.serial) : nil
    }
}

extension KeyRevocationList {
    /// Why a key, or the certificate it is shown with, is revoked; nil where it is not.
    public func revocation(of key: PublicKey, certificate: Certificate? = nil) -> Revocation? {
        if holds(key) { return .key }
        guard let certificate else { return nil }
        for section in certificates {
            if let revocation = section.revocation(of: certificate) { return revocation }
        }
        return holds(certificate.authority) ? .authority : nil
    }

    private func holds(_ key: PublicKey) -> Bool {
        keys.contains(key.blobBytes) || sha1.contains(Array(Insecure.SHA1.hash(data: key.blobBytes)))
            || sha256.contains(Array(SHA256.hash(data: key.blobBytes)))
    }
}

/// By what a key is revoked.
public enum Revocation: Hashable, Sendable {
    /// The key itself is listed, or its hash.
    case key
    /// The certificate's serial number.
    case serial(UInt64)
    /// The certificate's key id.
    case keyID(String)
    /// The key of the certificate's authority is listed.
    case authority
}

extension Revocation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .key: "the key is revoked"
        case .serial(let number): "the certificate with serial \(number) is revoked"
        case .keyID(let name): "the certificate \"\(Printable.text(name.utf8))\" is revoked"
        case .authority: "the authority that signed the certificate is revoked"
        }
    }
}
