import TestSupport
import Testing

@testable import SSHCrypto

@Suite("Triple DES")
struct TripleDESTests {
    private static let key = hex("0123456789abcdef 23456789abcdef01 456789abcdef0123")

    private func single(_ key: UInt64) throws -> TripleDES {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: key >> UInt64(56 - 8 * $0)) }
        return try #require(TripleDES(key: bytes + bytes + bytes))
    }

    @Test("three blocks of NIST SP 800-67, appendix B")
    func published() throws {
        let des = try #require(TripleDES(key: Self.key))
        let blocks: [(UInt64, UInt64)] = [
            (0x5468_6520_7175_6663, 0xa826_fd8c_e53b_855f), (0x6b20_6272_6f77_6e20, 0xcce2_1c81_1225_6fe6),
            (0x666f_7820_6a75_6d70, 0x68d5_c05d_d9b6_b900),
        ]
        for (plain, cipher) in blocks {
            #expect(des.encrypt(plain) == cipher)
            #expect(des.decrypt(cipher) == plain)
        }
    }

    /// NIST SP 800-17, tables 1 and 2, and the worked example of FIPS 46's key schedule.
    @Test(
        "three times the same key is DES",
        arguments: [
            (0x0101_0101_0101_0101, 0x8000_0000_0000_0000, 0x95f8_a5e5_dd31_d900),
            (0x0101_0101_0101_0101, 0x4000_0000_0000_0000, 0xdd7f_121c_a501_5619),
            (0x0101_0101_0101_0101, 0x0000_0000_0000_0001, 0x166b_40b4_4aba_4bd6),
            (0x8001_0101_0101_0101, 0, 0x95a8_d728_13da_a94d),
            (0x4001_0101_0101_0101, 0, 0x0eec_1487_dd8c_26d5),
            (0x1334_5779_9bbc_dff1, 0x0123_4567_89ab_cdef, 0x85e8_1354_0f0a_b405),
        ] as [(UInt64, UInt64, UInt64)])
    func known(key: UInt64, plain: UInt64, cipher: UInt64) throws {
        let des = try single(key)
        #expect(des.encrypt(plain) == cipher)
        #expect(des.decrypt(cipher) == plain)
    }

    @Test("CBC gives the ciphertext of NIST's example for triple DES, and takes it back")
    func chained() throws {
        let des = try #require(TripleDES(key: Self.key))
        let plain = hex("6bc1bee22e409f96 e93d7e117393172a ae2d8a571e03ac9c 9eb76fac45af8e51")
        let cipher = hex("2079c3d53aa763e1 93b79e2569ab5262 516570481f25b50f 73c0bda85c8e0da7")
        let iv: UInt64 = 0xf69f_2445_df4f_9b17
        #expect(plain.withUnsafeBytes { des.encryptCBC($0, iv: iv) } == cipher)
        #expect(cipher.withUnsafeBytes { des.decryptCBC($0, iv: iv) } == plain)
    }

    @Test("random blocks come back, and keys of another length are refused")
    func roundTrips() throws {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<50 {
            let des = try #require(TripleDES(key: random.bytes(24)))
            let block = UInt64.random(in: .min ... .max, using: &random)
            #expect(des.decrypt(des.encrypt(block)) == block)
        }
        for count in [0, 8, 16, 23, 25] { #expect(TripleDES(key: [UInt8](repeating: 1, count: count)) == nil) }
    }
}
