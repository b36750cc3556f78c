import Crypto

/// How a fingerprint of a key is made.
public enum FingerprintHash: String, CaseIterable, Sendable {
    case sha256
    case md5
}

extension PublicKey {
    /// The key's fingerprint: `SHA256:` and base64 without padding, or `MD5:` and pairs of hexadecimal digits.
    public func fingerprint(_ hash: FingerprintHash = .sha256) -> String {
        switch hash {
        case .sha256:
            return "SHA256:" + Base64.encode(Array(SHA256.hash(data: blobBytes)), padding: false)
        case .md5:
            let pairs = Insecure.MD5.hash(data: blobBytes).map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }
            return "MD5:" + pairs.joined(separator: ":")
        }
    }
}
