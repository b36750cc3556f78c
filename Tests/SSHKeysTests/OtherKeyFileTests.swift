import SSHWire
import TestSupport
import Testing

@testable import SSHKeys

@Suite("Other private key files")
struct OtherKeyFileTests {
    static let pass = Array("pass phrase".utf8)

    /// Checks a file against the public line of ssh-keygen.
    private func expectSame(_ text: String, passphrase: [UInt8]? = nil, as line: String) throws {
        let key = try PrivateKey(text: text, passphrase: passphrase)
        #expect(line.hasPrefix(key.publicKey.openSSHLine))
        let algorithm = key.signatureAlgorithms[0]
        try key.publicKey.verify(
            signature: key.sign([1, 2, 3], algorithm: algorithm), of: [1, 2, 3], algorithm: algorithm)
    }

    @Test(
        "PEM and PKCS #8 as ssh-keygen writes them, plain and encrypted",
        arguments: signingTypes.filter { $0.type != .ed25519 })
    func sshKeygenFormats(type: KeyType, arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        for format in ["PEM", "PKCS8"] {
            for words in ["", "pass phrase"] {
                let name = "\(format)-\(words.count)"
                try await succeed(
                    "ssh-keygen", arguments + ["-q", "-m", format, "-N", words, "-f", directory.file(name)])
                let text = try directory.read(name)
                let line = try directory.read(name + ".pub")
                #expect(!text.contains("OPENSSH"))
                try expectSame(text, passphrase: words.isEmpty ? nil : Self.pass, as: line)
                if !words.isEmpty {
                    #expect(throws: KeyError.passphraseNeeded) { try PrivateKey(text: text) }
                    #expect(throws: KeyError.wrongPassphrase) { try PrivateKey(text: text, passphrase: [1]) }
                }
                #expect(try PublicKey(privateKeyText: text) == nil)
            }
        }
    }

    @Test(
        "keys of openssl, in every cipher and function it derives keys with",
        arguments: [
            ["-v2", "aes-256-cbc"], ["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512"],
            ["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"], ["-v2", "aes256", "-v2prf", "hmacWithSHA384"],
        ])
    func openssl(options: [String]) async throws {
        let directory = try TemporaryDirectory()
        for algorithm in [
            ["ED25519"], ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        ] {
            let plain = directory.file("plain")
            try await succeed("openssl", ["genpkey", "-out", plain, "-algorithm"] + algorithm)
            let key = try PrivateKey(text: directory.read("plain"))
            try expectSame(directory.read("plain"), as: key.publicKey.openSSHLine)
            try await succeed(
                "openssl",
                ["pkcs8", "-topk8", "-in", plain, "-out", directory.file("sealed"), "-passout", "pass:pass phrase"]
                    + options)
            try expectSame(directory.read("sealed"), passphrase: Self.pass, as: key.publicKey.openSSHLine)
            #expect(throws: KeyError.wrongPassphrase) {
                try PrivateKey(text: directory.read("sealed"), passphrase: Array("no".utf8))
            }
        }
    }

    @Test("old encrypted PEM files of openssl", arguments: ["-aes128", "-aes192", "-aes256"])
    func legacyPEM(cipher: String) async throws {
        let directory = try TemporaryDirectory()
        let plain = directory.file("plain")
        try await succeed("openssl", ["genrsa", "-traditional", "-out", plain, "2048"])
        let key = try PrivateKey(text: directory.read("plain"))
        try await succeed(
            "openssl",
            [
                "rsa", "-traditional", cipher, "-in", plain, "-out", directory.file("sealed"), "-passout",
                "pass:pass phrase",
            ])
        let text = try directory.read("sealed")
        #expect(text.contains("DEK-Info"))
        try expectSame(text, passphrase: Self.pass, as: key.publicKey.openSSHLine)
        #expect(throws: KeyError.wrongPassphrase) { try PrivateKey(text: text, passphrase: [1]) }
        #expect(throws: KeyError.passphraseNeeded) { try PrivateKey(text: text) }
    }

    @Test("what we cannot open is named: a strange cipher, an old scheme, a foreign curve, DSA")
    func unsupported() async throws {
        let directory = try TemporaryDirectory()
        let plain = directory.file("plain")
        try await succeed("openssl", ["genrsa", "-traditional", "-out", plain, "2048"])
        try await succeed(
            "openssl",
            ["rsa", "-traditional", "-camellia128", "-in", plain, "-out", directory.file("c"), "-passout", "pass:x"])
        #expect(throws: KeyError.unsupported(what: "key file cipher", name: "CAMELLIA-128-CBC")) {
            try PrivateKey(text: directory.read("c"), passphrase: [1])
        }
        try await succeed(
            "openssl",
            [
                "pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-in", plain, "-out", directory.file("v1"), "-passout",
                "pass:x",
            ])
        #expect(throws: KeyError.unsupported(what: "encryption of PKCS #8", name: "1.2.840.113549.1.12.1.3")) {
            try PrivateKey(text: directory.read("v1"), passphrase: [1])
        }
        try await succeed(
            "openssl",
            ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1", "-out", directory.file("k1")])
        #expect(throws: KeyError.unsupported(what: "curve", name: "1.3.132.0.10")) {
            try PrivateKey(text: directory.read("k1"))
        }
        #expect(throws: KeyError.unsupported(what: "key file format", name: "DSA PRIVATE KEY")) {
            try PrivateKey(text: "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n")
        }
        #expect(throws: KeyError.malformed(what: "key file", reason: "no private key in it")) {
            try PrivateKey(text: "ssh-ed25519 AAAA")
        }
    }

    @Test("PuTTY's files, versions 2 and 3", arguments: signingTypes)
    func putty(type: KeyType, arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("ssh-keygen", arguments + ["-q", "-N", "", "-C", "my key", "-f", directory.file("key")])
        try directory.write("pass phrase", to: "words")
        let line = try directory.read("key.pub")
        func convert(_ name: String, _ options: [String]) async throws -> String {
            try await succeed(
                "puttygen", [directory.file("key"), "-O", "private", "-o", directory.file(name)] + options)
            return try directory.read(name)
        }
        let sealing = ["--new-passphrase", directory.file("words")]
        for version in ["2", "3"] {
            let text = try await convert("plain\(version)", ["--ppk-param", "version=\(version)"])
            try expectSame(text, as: line)
            #expect(try PrivateKey(text: text).comment == "my key")
            let windows = text.split(separator: "\n").joined(separator: "\r\n")
            try expectSame(windows, as: line)
            let damaged = text.replacing("my key", with: "no key")
            #expect(throws: KeyError.malformed(what: "PuTTY key file", reason: "its MAC is wrong")) {
                try PrivateKey(text: damaged)
            }
        }
        let second = try await convert("sealed2", ["--ppk-param", "version=2"] + sealing)
        try expectSame(second, passphrase: Self.pass, as: line)
        #expect(throws: KeyError.wrongPassphrase) { try PrivateKey(text: second, passphrase: [1]) }
        #expect(throws: KeyError.passphraseNeeded) { try PrivateKey(text: second) }
        let third = try await convert("sealed3", ["--ppk-param", "version=3,time=1"] + sealing)
        let unknown = third.replacing("Argon2id", with: "Argon2xx")
        #expect(throws: KeyError.unsupported(what: "key derivation of PuTTY files", name: "Argon2xx")) {
            try PrivateKey(text: unknown, passphrase: Self.pass)
        }
        let greedy = third.replacing("Argon2-Passes: ", with: "Argon2-Passes: 99999999")
        #expect(throws: KeyError.self) { try PrivateKey(text: greedy, passphrase: Self.pass) }
        #expect(
            try PublicKey(privateKeyText: third)?.openSSHLine
                == line.split(separator: " ").prefix(2).joined(separator: " "))
    }

    @Test("Dropbear's public keys and fingerprints are ours", arguments: ["ed25519", "ecdsa", "rsa"])
    func dropbear(type: String) async throws {
        let directory = try TemporaryDirectory()
        let output = try await succeed("dropbearkey", ["-t", type, "-f", directory.file("key")])
        let line = try #require(output.split(separator: "\n").first { $0.hasPrefix("ssh-") || $0.hasPrefix("ecdsa-") })
        let key = try PublicKey(openSSHLine: String(line))
        #expect(output.contains("Fingerprint: \(key.fingerprint())\n"))
        #expect(line.hasPrefix(key.openSSHLine))
    }

    @Test("truncated and damaged files of every format never trap")
    func damage() async throws {
        let directory = try TemporaryDirectory()
        var texts: [String] = []
        for (name, arguments) in [
            ("a", ["-t", "ecdsa", "-m", "PEM"]), ("b", ["-t", "ecdsa", "-m", "PKCS8"]),
            ("c", ["-t", "rsa", "-b", "1024", "-m", "PEM"]),
        ] {
            try await succeed("ssh-keygen", arguments + ["-q", "-N", "", "-f", directory.file(name)])
            texts.append(try directory.read(name))
        }
        try await succeed(
            "puttygen", [directory.file("a"), "-O", "private", "-o", directory.file("d"), "--ppk-param", "version=2"])
        texts.append(try directory.read("d"))
        var random = SeededGenerator(seed: 5)
        for text in texts {
            let bytes = Array(text.utf8)
            let whole = try PrivateKey(text: text)
            for count in stride(from: 0, to: bytes.count - 1, by: 3) {
                if let key = try? PrivateKey(text: String(decoding: bytes.prefix(count), as: UTF8.self)) {
                    // Only PuTTY's last line may lose its end, and no byte that counts.
                    #expect(key.publicKey == whole.publicKey)
                }
            }
            for _ in 0..<300 {
                var damaged = bytes
                damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                _ = try? PrivateKey(text: String(decoding: damaged, as: UTF8.self), passphrase: [1])
            }
            guard let pem = try PEM(privateKeyIn: Array(text.utf8)) else { continue }
            for count in pem.bytes.indices {
                let cut = PEM.text(label: pem.label, bytes: Array(pem.bytes.prefix(count)), width: 64)
                #expect(throws: KeyError.self) { try PrivateKey(text: cut) }
            }
            for _ in 0..<300 {
                var damaged = pem.bytes
                damaged[Int.random(in: damaged.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                _ = try? PrivateKey(text: PEM.text(label: pem.label, bytes: damaged, width: 64))
            }
        }
    }
}
