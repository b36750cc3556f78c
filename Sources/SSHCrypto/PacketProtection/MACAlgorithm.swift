/// A message authentication code: its name and its sizes in bytes (RFC 4253 section 6.4, RFC 6668, OpenSSH's PROTOCOL
/// sections 1.1 for UMAC and 1.5 for the `-etm` forms).
package struct MACAlgorithm: Sendable, Equatable {
    /// What makes the code.
    package enum Function: Sendable, Equatable {
        case hmac(HashAlgorithm)
        /// RFC 4418, with tags of that many bytes.
        case umac(tagLength: Int)
    }

    package let name: String
    package let function: Function
    /// Whether the MAC covers the ciphertext and the length travels in the clear.
    package let encryptThenMAC: Bool

    /// The key's length: HMAC in SSH takes a key as long as its digest, UMAC one of AES-128.
    package var keyLength: Int {
        switch function {
        case .hmac(let hash): hash.length
        case .umac: UMAC.keyLength
        }
    }

    /// The code's length.
    package var length: Int {
        switch function {
        case .hmac(let hash): hash.length
        case .umac(let tagLength): tagLength
        }
    }

    /// All that exist here, the weak ones included, best first.
    package static let all: [MACAlgorithm] = forms(encryptThenMAC: true) + forms(encryptThenMAC: false)

    /// What is offered by default, best first: those that cover the ciphertext, have 128 bits and more, and no SHA-1.
    package static let defaults: [MACAlgorithm] = forms(encryptThenMAC: true).filter {
        $0.length >= 16 && $0.function != .hmac(.sha1)
    }

    /// What is offered besides to a server that has nothing better: the same hashes over the plaintext.
    package static let fallbacks: [MACAlgorithm] = forms(encryptThenMAC: false).filter {
        [.hmac(.sha256), .hmac(.sha512)].contains($0.function)
    }

    /// What our client offers behind those, as OpenSSH's still does: short tags and SHA-1, neither of which is known to let
    /// anybody forge a packet in time.
    package static let oldFallbacks: [MACAlgorithm] = {
        let better = defaults + fallbacks
        return all.filter { !better.contains($0) }.sorted { $0.length >= 16 && $1.length < 16 }
    }()

    package static func named(_ name: some StringProtocol) -> MACAlgorithm? {
        all.first { $0.name == name }
    }

    private static func forms(encryptThenMAC: Bool) -> [MACAlgorithm] {
        let functions: [(name: String, vendor: String, function: Function)] = [
            ("umac-64", "@openssh.com", .umac(tagLength: 8)), ("umac-128", "@openssh.com", .umac(tagLength: 16)),
            ("hmac-sha2-256", "", .hmac(.sha256)), ("hmac-sha2-512", "", .hmac(.sha512)),
            ("hmac-sha1", "", .hmac(.sha1)),
        ]
        return functions.map { name, vendor, function in
            MACAlgorithm(
                name: name + (encryptThenMAC ? "-etm@openssh.com" : vendor), function: function,
                encryptThenMAC: encryptThenMAC)
        }
    }
}
