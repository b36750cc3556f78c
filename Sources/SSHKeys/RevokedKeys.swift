import NIOCore

/// What a file of revoked keys holds (ssh_config(5), RevokedHostKeys): public keys, one a line, or a
/// ``KeyRevocationList``.
public enum RevokedKeys: Equatable, Sendable {
    case keys(Set<PublicKey>)
    case list(KeyRevocationList)

    /// Reads a file's content.
    ///
    /// - Throws: `KeyError` for a list that is malformed, or a line that is no key: whoever trusts what such a file does
    ///   not name must know all of it.
    public init(_ content: [UInt8]) throws(KeyError) {
        if content.starts(with: KeyRevocationList.magic) {
            self = .list(try KeyRevocationList(content))
            return
        }
        var keys: Set<PublicKey> = []
        for (index, line) in content.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            let text = String(decoding: ByteOrderMark.skipped(in: line), as: UTF8.self)
            guard let first = text.utf8.first(where: { !isBlank($0) }), first != UInt8(ascii: "#") else { continue }
            do throws(KeyError) {
                keys.insert(try Self.key(text))
            } catch .malformed(what: RSAPublicNumbers.modulusName, _) {
                // Of a size that is accepted nowhere.
            } catch {
                throw .malformed(what: "line \(index + 1)", reason: "\(error)")
            }
        }
        self = .keys(keys)
    }

    /// The key of a line, which may hold a certificate for it.
    private static func key(_ line: String) throws(KeyError) -> PublicKey {
        var rest = line.utf8[...]
        let type = String(decoding: nextWord(&rest), as: UTF8.self)
        guard Certificate.keyType(ofCertificate: type) != nil else { return try PublicKey(openSSHLine: line) }
        return try Certificate(openSSHLine: line).key
    }

    /// Why a key, or the certificate it is shown with, is revoked; nil where it is not.
    public func revocation(of key: PublicKey, certificate: Certificate? = nil) -> Revocation? {
        switch self {
        case .list(let list): return list.revocation(of: key, certificate: certificate)
        case .keys(let keys):
            if keys.contains(key) { return .key }
            return certificate.map { keys.contains($0.authority) } ?? false ? .authority : nil
        }
    }
}
