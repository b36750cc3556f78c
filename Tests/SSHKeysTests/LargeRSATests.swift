import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHKeys

@Suite("RSA keys beyond the cryptographic library")
struct LargeRSATests {
    @Test("our arithmetic signs as the library does, with every hash", arguments: [1024, 1031, 2048])
    func likeTheLibrary(bits: Int) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("ssh-keygen", ["-t", "rsa", "-b", "\(bits)", "-q", "-N", "", "-f", directory.file("key")])
        let key = try PrivateKey(text: directory.read("key"))
        guard case .rsa(.library(let library)) = key.material else {
            Issue.record("not a key of the library")
            return
        }
        let numbers = try RSASigner.library(library).numbers()
        let large = try LargeRSAKey(numbers)
        let publicNumbers = try RSAPublicNumbers(e: numbers.e, n: numbers.n)
        for hash in [RSAHash.sha1, .sha256, .sha512] {
            let signature = try RSASigner.library(library).sign([4, 5, 6], hash)
            #expect(try large.sign([4, 5, 6], hash) == signature)
            #expect(LargeRSAKey.isValid(signature, of: [4, 5, 6], hash, publicNumbers))
            #expect(!LargeRSAKey.isValid(signature, of: [4, 5, 7], hash, publicNumbers))
            var damaged = signature
            damaged[10] ^= 1
            #expect(!LargeRSAKey.isValid(damaged, of: [4, 5, 6], hash, publicNumbers))
            #expect(!LargeRSAKey.isValid(Array(signature.dropFirst()), of: [4, 5, 6], hash, publicNumbers))
        }
        #expect(RSAPrivateNumbers.inverse(of: numbers.q, modulo: numbers.p) == numbers.coefficient)
    }

    @Test("numbers that do not belong together are refused")
    func inconsistent() throws {
        guard case .rsa(let signer) = try PrivateKey.generate(.rsa, bits: 1024).material,
            case .rsa(let other) = try PrivateKey.generate(.rsa, bits: 1024).material
        else { return }
        let (good, foreign) = (try signer.numbers(), try other.numbers())
        func numbers(
            n: MPInt? = nil, p: MPInt? = nil, q: MPInt? = nil, coefficient: MPInt? = nil, d: MPInt? = nil
        ) -> RSAPrivateNumbers {
            RSAPrivateNumbers(
                n: n ?? good.n, e: good.e, d: d ?? good.d, coefficient: coefficient ?? good.coefficient,
                p: p ?? good.p, q: q ?? good.q)
        }
        #expect(throws: Never.self) { try LargeRSAKey(numbers()) }
        for bad in [
            numbers(n: foreign.n), numbers(p: foreign.p), numbers(q: foreign.q),
            numbers(coefficient: foreign.coefficient), numbers(p: MPInt(bigEndian: [4])),
            numbers(p: MPInt(bigEndian: [])),
        ] { #expect(throws: KeyError.self) { try LargeRSAKey(bad) } }
        // A wrong private exponent shows at the first signature, which is not given away.
        let wrong = try LargeRSAKey(numbers(d: foreign.d))
        #expect(throws: KeyError.self) { try wrong.sign([1], .sha256) }
    }

    @Test("a key of 16384 bits is read, and verifies what openssl signed with it")
    func largest() async throws {
        let directory = try TemporaryDirectory()
        try directory.write(largestKey, to: "key")
        let key = try PrivateKey(text: largestKey)
        #expect(key.publicKey.bitCount == 16384)
        let line = try await succeed("ssh-keygen", ["-y", "-f", directory.file("key")])
        #expect(line.trimmed.hasPrefix(key.publicKey.openSSHLine))
        try directory.write("a text to sign", to: "text")
        try await succeed(
            "openssl",
            ["dgst", "-sha512", "-sign", directory.file("key"), "-out", directory.file("sig"), directory.file("text")])
        var blob = ByteBuffer()
        blob.writeSSHString("rsa-sha2-512")
        blob.writeSSHString(try directory.bytes("sig"))
        try key.publicKey.verify(signature: blob, of: Array("a text to sign".utf8), algorithm: "rsa-sha2-512")
        #expect(throws: KeyError.badSignature(algorithm: "rsa-sha2-512")) {
            try key.publicKey.verify(signature: blob, of: Array("another".utf8), algorithm: "rsa-sha2-512")
        }
    }

    /// Signing with it takes a debug build most of a minute, so that only optimised ones do.
    @Test("a key of 16384 bits signs", .enabled(if: isOptimised))
    func signsWithLargest() throws {
        let key = try PrivateKey(text: largestKey)
        let signature = try key.sign([1, 2, 3], algorithm: "rsa-sha2-256")
        try key.publicKey.verify(signature: signature, of: [1, 2, 3], algorithm: "rsa-sha2-256")
    }

    private static var isOptimised: Bool {
        var isDebug = false
        assert(
            {
                isDebug = true
                return true
            }())
        return !isDebug
    }
}
