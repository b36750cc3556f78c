import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHKeys

@Suite("Signatures")
struct SignatureTests {
    static let data = Array("what is signed".utf8)

    static func blob(_ algorithm: String, _ signature: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeSSHString(algorithm)
        buffer.writeSSHString(signature)
        return buffer
    }

    @Test("a key verifies what it signed, with every algorithm it has, and nothing else", arguments: signingTypes)
    func roundTrip(type: KeyType, arguments: [String]) throws {
        let key = try PrivateKey.generate(type, bits: 2048)
        #expect(key.publicKey.type == type)
        for algorithm in SignatureAlgorithm.all where algorithm.keyType == type {
            for length in [0, 1, 32, 1000] {
                let data = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
                let signature = try key.sign(data, algorithm: algorithm.name)
                try key.publicKey.verify(signature: signature, of: data, algorithm: algorithm.name)
                #expect(throws: KeyError.badSignature(algorithm: algorithm.name)) {
                    try key.publicKey.verify(signature: signature, of: data + [0], algorithm: algorithm.name)
                }
            }
        }
    }

    @Test("RFC 8032 section 7.1, test 3: the signature is made and verified byte for byte")
    func ed25519Vector() throws {
        let seed = hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
        let publicHalf = hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
        let signature = hex(
            """
            6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
            18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a
            """)
        let key = try PrivateKey(material: .ed25519(seed: seed), comment: "")
        var blob = ByteBuffer()
        blob.writeSSHString("ssh-ed25519")
        blob.writeSSHString(publicHalf)
        #expect(key.publicKey.blob == blob)
        #expect(try key.sign(hex("af82"), algorithm: "ssh-ed25519") == Self.blob("ssh-ed25519", signature))
        try PublicKey(blob: blob).verify(
            signature: Self.blob("ssh-ed25519", signature), of: hex("af82"), algorithm: "ssh-ed25519")
    }

    @Test("RFC 6979 appendix A.2.5: a P-256 signature of \"sample\" verifies, and the key's point is right")
    func ecdsaVector() throws {
        let scalar = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
        let x = hex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6")
        let y = hex("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")
        let r = hex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716")
        let s = hex("F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8")
        let key = try PrivateKey(material: .ecdsa(.p256, scalar: MPInt(bigEndian: scalar)), comment: "")
        var blob = ByteBuffer()
        blob.writeSSHString("ecdsa-sha2-nistp256")
        blob.writeSSHString("nistp256")
        blob.writeSSHString([4] + x + y)
        #expect(key.publicKey.blob == blob)
        var signature = ByteBuffer()
        signature.writeMPInt(MPInt(bigEndian: r))
        signature.writeMPInt(MPInt(bigEndian: s))
        let name = "ecdsa-sha2-nistp256"
        let wire = Self.blob(name, Array(signature.readableBytesView))
        try key.publicKey.verify(signature: wire, of: "sample".utf8, algorithm: name)
        #expect(throws: KeyError.badSignature(algorithm: name)) {
            try key.publicKey.verify(signature: wire, of: "samples".utf8, algorithm: name)
        }
    }

    @Test(
        "RSA signatures are openssl's, byte for byte",
        arguments: [("rsa-sha2-512", "-sha512"), ("rsa-sha2-256", "-sha256"), ("ssh-rsa", "-sha1")])
    func rsaAgreesWithOpenSSL(algorithm: String, digest: String) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("openssl", ["genrsa", "-out", directory.file("key"), "2048"])
        let data = try directory.write("what is signed", to: "data")
        try await succeed(
            "openssl", ["dgst", digest, "-sign", directory.file("key"), "-out", directory.file("signature"), data])
        let theirs = try directory.bytes("signature")
        let key = try PrivateKey(text: directory.read("key"))
        #expect(try key.sign(Self.data, algorithm: algorithm) == Self.blob(algorithm, theirs))
        try key.publicKey.verify(signature: Self.blob(algorithm, theirs), of: Self.data, algorithm: algorithm)
    }

    @Test("a signature made with another algorithm of the same key is refused")
    func algorithmIsPinned() throws {
        let key = try PrivateKey.generate(.rsa, bits: 2048)
        let signature = try key.sign(Self.data, algorithm: "rsa-sha2-256")
        #expect(throws: KeyError.algorithmMismatch(expected: "rsa-sha2-512", found: "rsa-sha2-256")) {
            try key.publicKey.verify(signature: signature, of: Self.data, algorithm: "rsa-sha2-512")
        }
        #expect(throws: KeyError.unsuitableAlgorithm(algorithm: "ssh-ed25519", keyType: "ssh-rsa")) {
            try key.publicKey.verify(signature: signature, of: Self.data, algorithm: "ssh-ed25519")
        }
        #expect(throws: KeyError.unknownAlgorithm("none")) {
            try key.publicKey.verify(signature: signature, of: Self.data, algorithm: "none")
        }
        #expect(throws: KeyError.unsuitableAlgorithm(algorithm: "ssh-ed25519", keyType: "ssh-rsa")) {
            try key.sign(Self.data, algorithm: "ssh-ed25519")
        }
    }

    @Test("an RSA key offers SHA-2 only, and signs with SHA-1 when asked by name")
    func rsaAlgorithms() throws {
        let key = try PrivateKey.generate(.rsa, bits: 1024)
        #expect(key.signatureAlgorithms == ["rsa-sha2-512", "rsa-sha2-256"])
        let signature = try key.sign(Self.data, algorithm: "ssh-rsa")
        try key.publicKey.verify(signature: signature, of: Self.data, algorithm: "ssh-rsa")
        #expect(!SignatureAlgorithm.defaults.contains { $0.name == "ssh-rsa" })
    }

    @Test("an RSA signature that lost its leading zeros is accepted, a longer one is not")
    func shortRSASignature() throws {
        let key = try PrivateKey.generate(.rsa, bits: 1024)
        for counter in 0..<20000 {
            let data = Array("\(counter)".utf8)
            var reader = try key.sign(data, algorithm: "rsa-sha2-256")
            _ = try reader.readSSHString("algorithm")
            let signature = Array(try reader.readSSHString("signature").readableBytesView)
            #expect(signature.count == 128)
            guard signature.first == 0 else { continue }
            let short = Self.blob("rsa-sha2-256", Array(signature.dropFirst()))
            try key.publicKey.verify(signature: short, of: data, algorithm: "rsa-sha2-256")
            #expect(throws: KeyError.self) {
                let long = Self.blob("rsa-sha2-256", [0] + signature)
                try key.publicKey.verify(signature: long, of: data, algorithm: "rsa-sha2-256")
            }
            return
        }
        Issue.record("no signature began with a zero byte")
    }

    @Test(
        "every truncation, every flipped bit and bytes left over are refused, without a trap", arguments: signingTypes)
    func damage(type: KeyType, arguments: [String]) throws {
        let key = try PrivateKey.generate(type, bits: 1024)
        let algorithm = key.signatureAlgorithms[0]
        let signature = Array(try key.sign(Self.data, algorithm: algorithm).readableBytesView)
        func verify(_ bytes: [UInt8]) throws {
            try key.publicKey.verify(signature: ByteBuffer(bytes: bytes), of: Self.data, algorithm: algorithm)
        }
        try verify(signature)
        for count in signature.indices {
            #expect(throws: KeyError.self) { try verify(Array(signature.prefix(count))) }
        }
        #expect(throws: KeyError.self) { try verify(signature + [0]) }
        for place in signature.indices {
            for bit in 0..<8 {
                var damaged = signature
                damaged[place] ^= 1 << UInt8(bit)
                #expect(throws: KeyError.self) { try verify(damaged) }
            }
        }
    }

    @Test("zero and oversized numbers in an ECDSA signature are refused")
    func ecdsaRange() throws {
        let key = try PrivateKey.generate(.ecdsaP256)
        for r in [[], [1], [UInt8](repeating: 255, count: 32), [UInt8](repeating: 255, count: 33)] as [[UInt8]] {
            var signature = ByteBuffer()
            signature.writeMPInt(MPInt(bigEndian: r))
            signature.writeMPInt(MPInt(bigEndian: r))
            let wire = Self.blob("ecdsa-sha2-nistp256", Array(signature.readableBytesView))
            #expect(throws: KeyError.self) {
                try key.publicKey.verify(signature: wire, of: Self.data, algorithm: "ecdsa-sha2-nistp256")
            }
        }
    }

    @Test("a security key's signature covers application, flags and counter, and needs a touch")
    func securityKey() throws {
        let inner = try PrivateKey.generate(.ed25519)
        guard case .ed25519(let half) = inner.publicKey.material else { return }
        let name = "sk-ssh-ed25519@openssh.com"
        let key = PublicKey(
            type: .securityKeyEd25519, material: .securityKeyEd25519(half, application: Array("ssh:".utf8)))
        #expect(try PublicKey(blob: key.blob) == key)
        for flags in [UInt8(1), 5, 4, 0] {
            var trailer = ByteBuffer(bytes: [flags, 0, 0, 1, 2])
            let parsed = try SecurityKeyTrailer(reading: &trailer)
            var signed = try inner.sign(
                parsed.signedBytes(application: Array("ssh:".utf8), message: Self.data), algorithm: "ssh-ed25519")
            _ = try signed.readSSHString("algorithm")
            var wire = Self.blob(name, Array(try signed.readSSHString("signature").readableBytesView))
            wire.writeBytes([flags, 0, 0, 1, 2])
            if flags & 1 == 1 {
                try key.verify(signature: wire, of: Self.data, algorithm: name)
            } else {
                #expect(throws: KeyError.userNotPresent) {
                    try key.verify(signature: wire, of: Self.data, algorithm: name)
                }
            }
            wire.setInteger(UInt8(9), at: wire.writerIndex - 1)
            #expect(throws: KeyError.badSignature(algorithm: name)) {
                try key.verify(signature: wire, of: Self.data, algorithm: name)
            }
        }
    }

    @Test("OpenSSH's signatures over files verify here, and ours verify there", arguments: signingTypes)
    func interoperatesWithSSHKeygen(type: KeyType, arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("ssh-keygen", arguments + ["-q", "-N", "", "-f", directory.file("key")])
        try directory.write("content", to: "file")
        try await succeed(
            "ssh-keygen", ["-q", "-Y", "sign", "-f", directory.file("key"), "-n", "file", directory.file("file")])
        let key = try PrivateKey(text: directory.read("key"))
        // PROTOCOL.sshsig: magic, version, public key, namespace, reserved, hash, signature.
        let text = try directory.read("file.sig")
        let base64 = text.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
        let bytes = try #require(Base64.decode(base64.utf8))
        var reader = ByteBuffer(bytes: bytes.dropFirst(6))
        #expect(try reader.readUInt32("version") == 1)
        #expect(try PublicKey(blob: reader.readSSHString("key")) == key.publicKey)
        var signed = ByteBuffer(string: "SSHSIG")
        signed.writeSSHString(try reader.readSSHString("namespace"))
        signed.writeSSHString(try reader.readSSHString("reserved"))
        let hash = try reader.readSSHText("hash")
        signed.writeSSHString(hash)
        signed.writeSSHString(digest(hash, Array("content".utf8)))
        let signature = try reader.readSSHString("signature")
        var peek = signature
        let algorithm = try peek.readSSHText("algorithm")
        try key.publicKey.verify(signature: signature, of: signed.readableBytesView, algorithm: algorithm)

        var ours = ByteBuffer(bytes: bytes.prefix(bytes.count - signature.readableBytes - 4))
        ours.writeSSHString(try key.sign(signed.readableBytesView, algorithm: algorithm))
        try directory.write(
            PEM.text(label: "SSH SIGNATURE", bytes: Array(ours.readableBytesView), width: 70), to: "file.sig")
        try await succeed(
            "ssh-keygen", ["-Y", "check-novalidate", "-n", "file", "-s", directory.file("file.sig")], input: "content")
    }
}
