import Crypto
import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHCrypto

@Suite("Key derivation (RFC 4253 section 7.2)")
struct KeyDerivationTests {
    private let secret: ByteBuffer = {
        var buffer = ByteBuffer()
        buffer.writeMPInt(MPInt(bigEndian: [0x80, 1, 2, 3]))
        return buffer
    }()
    private let exchangeHash = Array("H of this exchange".utf8)
    private let sessionID = Array("H of the first exchange".utf8)

    private func derivation(_ hash: HashAlgorithm) -> KeyDerivation {
        KeyDerivation(hash: hash, sharedSecret: secret, exchangeHash: exchangeHash, sessionID: sessionID)
    }

    @Test("a key is HASH(K || H || letter || session_id)")
    func firstBlock() {
        let input = [0, 0, 0, 5, 0, 0x80, 1, 2, 3] + exchangeHash + Array("C".utf8) + sessionID
        #expect(derivation(.sha256).key("C", length: 32) == Array(SHA256.hash(data: input)))
        #expect(derivation(.sha256).key("C", length: 16) == Array(SHA256.hash(data: input).prefix(16)))
        #expect(derivation(.sha512).key("C", length: 64) == Array(SHA512.hash(data: input)))
    }

    @Test("a longer one goes on with HASH(K || H || K1 || K2 …)")
    func furtherBlocks() {
        let prefix = [0, 0, 0, 5, 0, 0x80, 1, 2, 3] + exchangeHash
        let k1 = Array(Insecure.SHA1.hash(data: prefix + Array("D".utf8) + sessionID))
        let k2 = Array(Insecure.SHA1.hash(data: prefix + k1))
        let k3 = Array(Insecure.SHA1.hash(data: prefix + k1 + k2))
        let k4 = Array(Insecure.SHA1.hash(data: prefix + k1 + k2 + k3))
        #expect(derivation(.sha1).key("D", length: 64) == Array((k1 + k2 + k3 + k4).prefix(64)))
        #expect(derivation(.sha1).key("D", length: 0).isEmpty)
    }

    @Test("each direction has its own letters and the lengths of its algorithms", arguments: Protection.all)
    func directions(_ protection: Protection) {
        let derivation = derivation(.sha256)
        for (clientToServer, letters) in [(true, ("A", "C", "E")), (false, ("B", "D", "F"))]
            as [(Bool, (Unicode.Scalar, Unicode.Scalar, Unicode.Scalar))]
        {
            let keys = derivation.directionKeys(
                clientToServer: clientToServer, cipher: protection.cipher, mac: protection.mac)
            #expect(keys.iv == derivation.key(letters.0, length: protection.cipher.ivLength))
            #expect(
                keys.encryptionKey.withUnsafeBytes { Array($0) }
                    == derivation.key(letters.1, length: protection.cipher.keyLength))
            #expect(
                keys.integrityKey.withUnsafeBytes { Array($0) }
                    == derivation.key(letters.2, length: protection.mac?.keyLength ?? 0))
        }
    }

    @Test("digests are the named hash's (FIPS 180-4, \"abc\")")
    func digests() {
        let abc = Array("abc".utf8)
        #expect(HashAlgorithm.sha1.digest(abc) == hex("a9993e364706816aba3e25717850c26c9cd0d89d"))
        #expect(
            HashAlgorithm.sha256.digest(abc)
                == hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        #expect(
            HashAlgorithm.sha384.digest(abc)
                == hex(
                    """
                    cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163
                    1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7
                    """))
        #expect(
            HashAlgorithm.sha512.digest(ByteBuffer(bytes: abc))
                == hex(
                    """
                    ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
                    2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
                    """))
        for hash in HashAlgorithm.allCases { #expect(hash.digest(abc).count == hash.length) }
    }
}
