/// A packet cipher: its name and its sizes in bytes.
package struct CipherAlgorithm: Sendable, Equatable {
    /// How the cipher is used on a packet.
    package enum Mode: Sendable, Equatable {
        /// AES in counter mode beside a MAC (RFC 4344 section 4).
        case ctr
        /// AES in CBC mode beside a MAC (RFC 4253 section 6.3).
        case cbc
        /// DES three times over, in CBC mode beside a MAC (RFC 4253 section 6.3).
        case tripleDESCBC
        /// AES-GCM (RFC 5647, with the names of OpenSSH's PROTOCOL section 1.6).
        case gcm
        /// ChaCha20 and Poly1305 with an encrypted length (OpenSSH's PROTOCOL.chacha20poly1305).
        case chacha20Poly1305
    }

    package let name: String
    package let mode: Mode
    package let keyLength: Int
    package let ivLength: Int
    /// What a packet's length is a multiple of.
    package let blockSize: Int

    /// Whether the cipher authenticates the packet itself, so that no MAC is negotiated.
    package var isAEAD: Bool { mode == .gcm || mode == .chacha20Poly1305 }

    /// Whether each block's plaintext hangs on the ciphertext before it.
    package var isChained: Bool { mode == .cbc || mode == .tripleDESCBC }

    /// All that exist here, whether offered by default or not.
    package static let all: [CipherAlgorithm] = [
        CipherAlgorithm(name: "aes128-gcm@openssh.com", mode: .gcm, keyLength: 16, ivLength: 12, blockSize: 16),
        CipherAlgorithm(name: "aes256-gcm@openssh.com", mode: .gcm, keyLength: 32, ivLength: 12, blockSize: 16),
        CipherAlgorithm(
            name: "chacha20-poly1305@openssh.com", mode: .chacha20Poly1305, keyLength: 64, ivLength: 0, blockSize: 8),
        CipherAlgorithm(name: "aes256-ctr", mode: .ctr, keyLength: 32, ivLength: 16, blockSize: 16),
        CipherAlgorithm(name: "aes192-ctr", mode: .ctr, keyLength: 24, ivLength: 16, blockSize: 16),
        CipherAlgorithm(name: "aes128-ctr", mode: .ctr, keyLength: 16, ivLength: 16, blockSize: 16),
        CipherAlgorithm(name: "aes256-cbc", mode: .cbc, keyLength: 32, ivLength: 16, blockSize: 16),
        CipherAlgorithm(name: "aes192-cbc", mode: .cbc, keyLength: 24, ivLength: 16, blockSize: 16),
        CipherAlgorithm(name: "aes128-cbc", mode: .cbc, keyLength: 16, ivLength: 16, blockSize: 16),
        CipherAlgorithm(name: "3des-cbc", mode: .tripleDESCBC, keyLength: 24, ivLength: 8, blockSize: 8),
    ]

    /// What is offered by default, best first: the fastest of the sound ones leads. CBC is for old servers, when named.
    package static let defaults: [CipherAlgorithm] = all.filter { !$0.isChained }

    package static func named(_ name: some StringProtocol) -> CipherAlgorithm? {
        all.first { $0.name == name }
    }
}
