/// A message authentication code: its name and its sizes in bytes (RFC 4253 section 6.4, RFC 6668, OpenSSH's PROTOCOL
/// section 1.5 for the `-etm` forms).
package struct MACAlgorithm: Sendable, Equatable {
    package let name: String
    package let hash: HashAlgorithm
    /// Whether the MAC covers the ciphertext and the length travels in the clear.
    package let encryptThenMAC: Bool

    /// The key's length: HMAC in SSH takes a key as long as its digest.
    package var keyLength: Int { hash.length }
    /// The code's length.
    package var length: Int { hash.length }

    /// All that exist here, the weak ones included.
    package static let all: [MACAlgorithm] =
        defaults + [
            MACAlgorithm(name: "hmac-sha1-etm@openssh.com", hash: .sha1, encryptThenMAC: true),
            MACAlgorithm(name: "hmac-sha1", hash: .sha1, encryptThenMAC: false),
        ]

    /// What is offered by default, best first.
    package static let defaults: [MACAlgorithm] = [
        MACAlgorithm(name: "hmac-sha2-256-etm@openssh.com", hash: .sha256, encryptThenMAC: true),
        MACAlgorithm(name: "hmac-sha2-512-etm@openssh.com", hash: .sha512, encryptThenMAC: true),
        MACAlgorithm(name: "hmac-sha2-256", hash: .sha256, encryptThenMAC: false),
        MACAlgorithm(name: "hmac-sha2-512", hash: .sha512, encryptThenMAC: false),
    ]

    package static func named(_ name: some StringProtocol) -> MACAlgorithm? {
        all.first { $0.name == name }
    }
}
