import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHKeys

@Suite("Public keys")
struct PublicKeyTests {
    @Test("type, size, fingerprints and line are those of ssh-keygen", arguments: signingTypes)
    func agreesWithSSHKeygen(type: KeyType, arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("ssh-keygen", arguments + ["-q", "-N", "", "-C", "a comment", "-f", directory.file("key")])
        let line = try directory.read("key.pub").trimmed
        let (key, comment) = try PublicKey.parse(openSSHLine: line)
        #expect(key.type == type)
        #expect(comment == "a comment")
        #expect(key.openSSHLine + " a comment" == line)
        for hash in FingerprintHash.allCases {
            let listed = try await succeed("ssh-keygen", ["-l", "-E", hash.rawValue, "-f", directory.file("key.pub")])
            #expect(listed == "\(key.bitCount) \(key.fingerprint(hash)) a comment (\(type.shortName))\n")
        }
    }

    @Test("RSA keys of odd sizes keep their size", arguments: [1024, 1031, 2047, 3072, 4096])
    func rsaSizes(bits: Int) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("ssh-keygen", ["-t", "rsa", "-b", "\(bits)", "-q", "-N", "", "-f", directory.file("key")])
        let key = try PrivateKey(text: directory.read("key"))
        #expect(key.publicKey.bitCount == bits)
        let signature = try key.sign([1, 2, 3], algorithm: "rsa-sha2-512")
        try key.publicKey.verify(signature: signature, of: [1, 2, 3], algorithm: "rsa-sha2-512")
    }

    @Test("every truncation and bytes left over are refused; flipped bits never trap", arguments: signingTypes)
    func damage(type: KeyType, arguments: [String]) throws {
        let blob = try PrivateKey.generate(type, bits: 1024).publicKey.blobBytes
        for count in blob.indices {
            #expect(throws: KeyError.self) { try PublicKey(blob: ByteBuffer(bytes: blob.prefix(count))) }
        }
        #expect(throws: KeyError.self) { try PublicKey(blob: ByteBuffer(bytes: blob + [0])) }
        for place in blob.indices {
            for bit in 0..<8 {
                var damaged = blob
                damaged[place] ^= 1 << UInt8(bit)
                if let key = try? PublicKey(blob: ByteBuffer(bytes: damaged)) {
                    #expect(key.blobBytes == damaged)
                    _ = try? key.verify(
                        signature: SignatureTests.blob(type.name, [1, 2, 3]), of: [], algorithm: type.name)
                }
            }
        }
    }

    @Test("a point off its curve is refused")
    func offCurve() throws {
        let key = try PrivateKey.generate(.ecdsaP384).publicKey
        var blob = key.blobBytes
        blob[blob.count - 1] ^= 1
        #expect(throws: KeyError.self) { try PublicKey(blob: ByteBuffer(bytes: blob)) }
    }

    @Test("RSA moduli of less than 1024 or more than 16384 bits, and even numbers, are refused")
    func rsaRange() {
        func blob(_ e: [UInt8], _ n: [UInt8]) -> ByteBuffer {
            var buffer = ByteBuffer()
            buffer.writeSSHString("ssh-rsa")
            buffer.writeMPInt(MPInt(bigEndian: e))
            buffer.writeMPInt(MPInt(bigEndian: n))
            return buffer
        }
        let good = [UInt8](repeating: 255, count: 128)
        #expect(throws: Never.self) { try PublicKey(blob: blob([1, 0, 1], good)) }
        #expect(throws: Never.self) { try PublicKey(blob: blob([1, 0, 1], [UInt8](repeating: 255, count: 2048))) }
        for (e, n) in [
            ([1, 0, 1], [UInt8](repeating: 255, count: 127)), ([1, 0, 1], [UInt8](repeating: 255, count: 2049)),
            ([1, 0, 1], [UInt8](repeating: 254, count: 128)), ([1, 0, 0], good), ([1], good), ([], good),
            (good, good), ([1, 0, 1], []),
        ] as [([UInt8], [UInt8])] {
            #expect(throws: KeyError.self) { try PublicKey(blob: blob(e, n)) }
        }
    }

    @Test("an unknown type is named in the error")
    func unknownType() {
        var buffer = ByteBuffer()
        buffer.writeSSHString("ssh-dss")
        #expect(throws: KeyError.unsupportedKeyType("ssh-dss")) { try PublicKey(blob: buffer) }
        #expect(throws: KeyError.unsupportedKeyType("ssh-dss")) { try PublicKey(openSSHLine: "ssh-dss AAAA") }
    }

    @Test("a line whose type and key differ, or that lacks a part, is refused")
    func badLines() throws {
        let line = try PrivateKey.generate(.ed25519).publicKey.openSSHLine
        let words = line.split(separator: " ")
        for bad in ["", "ssh-ed25519", "ssh-rsa \(words[1])", "\(words[0]) \(words[1].dropLast())", "\(words[0]) !!!!"]
        {
            #expect(throws: KeyError.self) { try PublicKey(openSSHLine: bad) }
        }
        #expect(throws: Never.self) { try PublicKey(openSSHLine: "  \(words[0])\t\(words[1])  \r\n") }
    }

    @Test("base64 takes what it gave, and refuses stray bits, wrong padding and foreign characters")
    func base64() {
        var random = SeededGenerator(seed: 1)
        for count in 0..<70 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64.decode(Base64.encode(bytes).utf8) == bytes)
        }
        #expect(Base64.encode("foobar".utf8) == "Zm9vYmFy")
        #expect(Base64.encode("fooba".utf8) == "Zm9vYmE=")
        #expect(Base64.encode("foob".utf8, padding: false) == "Zm9vYg")
        for bad in ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm8", "Zg==Zg==", "Z===", "====", "Zm9v Zm9v", "Zm-v"] {
            #expect(Base64.decode(bad.utf8) == nil, "\(bad)")
        }
    }
}
