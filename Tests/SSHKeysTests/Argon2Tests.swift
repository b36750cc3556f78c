import TestSupport
import Testing

@testable import SSHKeys

@Suite("Argon2 and BLAKE2b")
struct Argon2Tests {
    @Test("BLAKE2b gives the digest of RFC 7693, appendix A")
    func blake() {
        #expect(
            BLAKE2b.digest(Array("abc".utf8))
                == hex(
                    """
                    ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1
                    7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923
                    """))
    }

    @Test("BLAKE2b agrees with openssl around the size of a block")
    func blakeLengths() async throws {
        for count in [0, 1, 127, 128, 129, 255, 256, 257, 1000] {
            let text = String(repeating: "x", count: count)
            let output = try await succeed("openssl", ["dgst", "-blake2b512", "-r"], input: text)
            #expect(BLAKE2b.digest(Array(text.utf8)) == hex(String(output.prefix(128))))
        }
    }

    /// RFC 9106 section 5.
    static let vectors: [(variant: Argon2.Variant, tag: String)] = [
        (.d, "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb"),
        (.i, "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8"),
        (.id, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"),
    ]

    @Test("the tags of RFC 9106 come out", arguments: vectors)
    func published(variant: Argon2.Variant, tag: String) throws {
        let made = try Argon2.derive(
            variant, passphrase: [UInt8](repeating: 1, count: 32), salt: [UInt8](repeating: 2, count: 16),
            secret: [UInt8](repeating: 3, count: 8), associated: [UInt8](repeating: 4, count: 12),
            cost: Argon2.Cost(memory: 32, passes: 3, lanes: 4), length: 32)
        #expect(made == hex(tag))
    }

    @Test(
        "costs that would take all memory or all day are refused, and so are those that make no sense",
        arguments: [
            (0, 1, 1), (7, 1, 1), (8, 0, 1), (8, 1, 0), (8, 1, 2), (1 << 21, 1, 1), (1 << 20, 33, 1), (8, 1, -1),
            (-8, 1, 1), (8, .max, 1), (.max, 1, 1), (1 << 20, 1, .max), (.max, .max, .max),
        ] as [(Int, Int, Int)])
    func costs(memory: Int, passes: Int, lanes: Int) {
        #expect(throws: KeyError.self) {
            try Argon2.derive(
                .id, passphrase: [1], salt: [2], cost: Argon2.Cost(memory: memory, passes: passes, lanes: lanes),
                length: 32)
        }
    }
}
