import Crypto
import NIOCore
import TestSupport
import Testing

@testable import SSHCrypto

@Suite("Cipher and MAC vectors")
struct CipherVectorTests {
    private static let plaintext = hex(
        """
        6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
        30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710
        """)

    /// NIST SP 800-38A, F.5.1, F.5.3 and F.5.5.
    static let counterMode: [(key: String, ciphertext: String)] = [
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            """
            874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff
            5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee
            """
        ),
        (
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            """
            1abc932417521ca24f2b0459fe7e6e0b 090339ec0aa6faefd5ccc2c6f4ce8e94
            1e36b26bd1ebc670d1bd1d665620abf7 4f78a7f6d29809585a97daec58c6b050
            """
        ),
        (
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            """
            601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5
            2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6
            """
        ),
    ]

    @Test("AES-CTR gives NIST's ciphertext, in one piece and block by block", arguments: counterMode)
    func counterModeVectors(key: String, ciphertext: String) throws {
        let keys = DirectionKeys(
            iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), encryptionKey: SymmetricKey(data: hex(key)),
            integrityKey: SymmetricKey(data: [UInt8]()))
        var keystream = CTRKeystream(keys: keys)
        #expect(try Array(Self.plaintext.withUnsafeBytes { try keystream.apply(to: $0) }) == hex(ciphertext))
        var pieces: [UInt8] = []
        for start in stride(from: 0, to: Self.plaintext.count, by: 16) {
            let block = Array(Self.plaintext[start..<(start + 16)])
            pieces += Array(try block.withUnsafeBytes { try keystream.apply(to: $0) })
            keystream.advance(bytes: 16)
        }
        #expect(pieces == hex(ciphertext))
    }

    /// NIST SP 800-38A, F.2.1, F.2.3 and F.2.5.
    static let chaining: [(key: String, ciphertext: String)] = [
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            """
            7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2
            73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7
            """
        ),
        (
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            """
            4f021db243bc633d7178183a9fa071e8 b4d9ada9ad7dedf4e5e738763f69145a
            571b242012fb7ae07fa9baac3df102e0 08b0e27988598881d920a9e64f5615cd
            """
        ),
        (
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            """
            f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d
            39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b
            """
        ),
    ]

    @Test("AES-CBC gives NIST's ciphertext block by block, and takes it back", arguments: chaining)
    func chainingVectors(key: String, ciphertext: String) throws {
        let name = "aes\(key.count * 4)-cbc"
        let keys = DirectionKeys(
            iv: hex("000102030405060708090a0b0c0d0e0f"), encryptionKey: SymmetricKey(data: hex(key)),
            integrityKey: SymmetricKey(data: [UInt8]()))
        let algorithm = try #require(CipherAlgorithm.named(name))
        var sealing = try PacketCipher(algorithm, keys: keys)
        var opening = sealing
        var (pieces, plain): ([UInt8], [UInt8]) = ([], [])
        for start in stride(from: 0, to: Self.plaintext.count, by: 16) {
            let block = Array(Self.plaintext[start..<(start + 16)])
            let made = Array(try block.withUnsafeBytes { try sealing.encrypt($0) })
            made.withUnsafeBytes { sealing.advance(over: $0) }
            plain += Array(try made.withUnsafeBytes { try opening.decrypt($0) })
            made.withUnsafeBytes { opening.advance(over: $0) }
            pieces += made
        }
        #expect(pieces == hex(ciphertext))
        #expect(plain == Self.plaintext)
    }

    /// RFC 4231 section 4.3 and RFC 2202 section 3, test case 2: its first four bytes taken as the sequence number.
    static let codes: [(mac: String, code: String)] = [
        ("hmac-sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        ("hmac-sha2-256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            "hmac-sha2-512",
            """
            164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
            9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737
            """
        ),
    ]

    @Test("HMAC over sequence number and packet gives the published codes", arguments: codes)
    func publishedCodes(name: String, code: String) throws {
        let algorithm = try #require(MACAlgorithm.named(name))
        let mac = try PacketMAC(algorithm, key: SymmetricKey(data: Array("Jefe".utf8)))
        let sequenceNumber = "what".utf8.reduce(0) { $0 << 8 | UInt32($1) }
        let packet = Array(" do ya want for nothing?".utf8)
        let made = packet.withUnsafeBytes { mac.withCode(sequenceNumber: sequenceNumber, packet: $0) { Array($0) } }
        #expect(made == hex(code))
        #expect(algorithm.length == made.count)
        #expect(algorithm.keyLength == made.count)
        var wrong = made
        wrong[made.count - 1] ^= 1
        packet.withUnsafeBytes { packet in
            #expect(made.withUnsafeBytes { mac.isValid($0, sequenceNumber: sequenceNumber, packet: packet) })
            #expect(!wrong.withUnsafeBytes { mac.isValid($0, sequenceNumber: sequenceNumber, packet: packet) })
        }
    }

    @Test("the tables hold each name once, and defaults leave out what audits complain of")
    func tables() {
        #expect(Set(CipherAlgorithm.all.map(\.name)).count == CipherAlgorithm.all.count)
        #expect(Set(MACAlgorithm.all.map(\.name)).count == MACAlgorithm.all.count)
        #expect(
            MACAlgorithm.defaults.map(\.name) == [
                "umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com",
            ])
        #expect(MACAlgorithm.fallbacks.map(\.name) == ["hmac-sha2-256", "hmac-sha2-512"])
        #expect(
            MACAlgorithm.oldFallbacks.map(\.name) == [
                "hmac-sha1-etm@openssh.com", "umac-128@openssh.com", "hmac-sha1", "umac-64-etm@openssh.com",
                "umac-64@openssh.com",
            ])
        #expect(
            KeyExchangeAlgorithm.all.filter(\.isPostQuantum).map(\.name) == [
                "mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
            ])
        #expect(
            CipherAlgorithm.defaults.map(\.name) == [
                "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr",
                "aes192-ctr", "aes128-ctr",
            ])
        #expect(CipherAlgorithm.named("arcfour") == nil)
        #expect(MACAlgorithm.named("hmac-md5") == nil)
        for cipher in CipherAlgorithm.all { #expect(CipherAlgorithm.named(cipher.name) == cipher) }
        for mac in MACAlgorithm.all { #expect(MACAlgorithm.named(mac.name) == mac) }
    }

    @Test("MACs stand in OpenSSH's order")
    func order() {
        #expect(
            MACAlgorithm.all.map(\.name) == [
                "umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com",
                "hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com", "umac-64@openssh.com",
                "umac-128@openssh.com", "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1",
            ])
    }
}
