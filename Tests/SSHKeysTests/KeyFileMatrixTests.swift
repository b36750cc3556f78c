import TestSupport
import Testing

@testable import SSHKeys

/// Key files as the tools of others write them: every type, every format, every encryption.
@Suite("Key files of other programs")
struct KeyFileMatrixTests {
    static let words = "pass phrase"
    static let pass = Array(words.utf8)

    /// Opens a file and sees that it is the key of a public line, that it signs, and that only its passphrase opens it.
    private func check(_ path: String, in directory: TemporaryDirectory, sealed: Bool, as line: String) throws {
        let bytes = try directory.bytes(path)
        let key = try PrivateKey(file: bytes, passphrase: sealed ? Self.pass : nil)
        #expect(line.hasPrefix(key.publicKey.openSSHLine), "\(path)")
        for algorithm in key.signatureAlgorithms {
            let signature = try key.sign([1, 2, 3], algorithm: algorithm)
            try key.publicKey.verify(signature: signature, of: [1, 2, 3], algorithm: algorithm)
        }
        guard sealed else { return }
        #expect(throws: KeyError.passphraseNeeded, "\(path)") { try PrivateKey(file: bytes) }
        #expect(throws: KeyError.wrongPassphrase, "\(path)") { try PrivateKey(file: bytes, passphrase: [1]) }
    }

    /// A key without passphrase in OpenSSH's own format, and its public line.
    private func makeKey(_ arguments: [String], in directory: TemporaryDirectory) async throws -> String {
        try await succeed("ssh-keygen", arguments + ["-q", "-N", "", "-C", "my key", "-f", directory.file("key")])
        return try directory.read("key.pub")
    }

    static let types: [[String]] = [
        ["-t", "ed25519"], ["-t", "ecdsa", "-b", "256"], ["-t", "ecdsa", "-b", "384"], ["-t", "ecdsa", "-b", "521"],
        ["-t", "rsa", "-b", "1024"], ["-t", "rsa", "-b", "2048"], ["-t", "rsa", "-b", "3072"],
    ]

    @Test("ssh-keygen, with each cipher of -Z and each format of -m", arguments: types)
    func sshKeygen(arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        let line = try await makeKey(arguments, in: directory)
        let original = try directory.read("key")
        try check("key", in: directory, sealed: false, as: line)
        // bcrypt takes its time in a debug build: all ciphers with the shortest and the longest key, else one of each kind.
        let ciphers = KeyFileCipher.all.map(\.name)
        let isMiddling = arguments[1] == "ecdsa" || ["1024", "2048"].contains(arguments.last)
        for cipher in isMiddling ? ciphers.filter({ !$0.hasPrefix("aes") || $0.hasPrefix("aes256") }) : ciphers {
            try directory.write(original, to: "copy")
            try await succeed(
                "ssh-keygen",
                ["-p", "-q", "-P", "", "-N", Self.words, "-a", "1", "-Z", cipher, "-f", directory.file("copy")])
            #expect(try directory.read("copy").contains("OPENSSH"))
            try check("copy", in: directory, sealed: true, as: line)
        }
        for format in ["RFC4716", "PKCS8", "PEM"] where format == "RFC4716" || arguments[1] != "ed25519" {
            for sealed in [false, true] {
                try directory.write(original, to: "copy")
                try await succeed(
                    "ssh-keygen",
                    [
                        "-p", "-q", "-m", format, "-P", "", "-N", sealed ? Self.words : "", "-a", "1", "-f",
                        directory.file("copy"),
                    ])
                try check("copy", in: directory, sealed: sealed, as: line)
            }
        }
    }

    @Test("puttygen: both versions of .ppk, every form of Argon2, and what it exports", arguments: types)
    func puttygen(arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        let line = try await makeKey(arguments, in: directory)
        try directory.write(Self.words, to: "words")
        func convert(_ format: String, _ parameters: String? = nil, from source: String = "key", sealed: Bool)
            async throws
        {
            try await succeed(
                "puttygen",
                [directory.file(source), "-O", format, "-o", directory.file("copy")]
                    + (sealed ? ["--new-passphrase", directory.file("words")] : [])
                    + (parameters.map { ["--ppk-param", $0] } ?? []))
            try check("copy", in: directory, sealed: sealed, as: line)
        }
        for version in ["version=2", "version=3"] { try await convert("private", version, sealed: false) }
        try await convert("private", "version=2", sealed: true)
        for kdf in ["argon2id", "argon2i", "argon2d"] {
            for cost in ["memory=8,passes=1", "memory=64,passes=3,parallelism=4", "memory=1000,passes=2"] {
                try await convert("private", "version=3,kdf=\(kdf),\(cost)", sealed: true)
            }
        }
        // It writes no file of the format it has read.
        try await succeed("puttygen", [directory.file("key"), "-O", "private", "-o", directory.file("key.ppk")])
        for format in ["private-openssh", "private-openssh-new"] {
            for sealed in [false, true] { try await convert(format, from: "key.ppk", sealed: sealed) }
        }
    }

    static let opensslTypes: [[String]] =
        [["ED25519"]] + ["P-256", "P-384", "P-521"].map { ["EC", "-pkeyopt", "ec_paramgen_curve:\($0)"] }
        + [1024, 2048, 4096].map { ["RSA", "-pkeyopt", "rsa_keygen_bits:\($0)"] }

    /// Of PBES2.
    static let encryptions: [[String]] = [
        ["-v2", "aes-128-cbc"], ["-v2", "aes-192-cbc"], ["-v2", "aes-256-cbc"], ["-v2", "des3"],
        ["-v2prf", "hmacWithSHA1"], ["-v2prf", "hmacWithSHA224"], ["-v2prf", "hmacWithSHA256"],
        ["-v2prf", "hmacWithSHA384"], ["-v2prf", "hmacWithSHA512"], ["-v2", "des3", "-v2prf", "hmacWithSHA224"],
        ["-iter", "1"], ["-iter", "100000"], ["-scrypt"], ["-scrypt", "-v2", "des3"],
        ["-scrypt", "-scrypt_N", "1024", "-scrypt_r", "4", "-scrypt_p", "3"],
    ]

    @Test("openssl: genpkey, and PKCS #8 with each cipher and key derivation", arguments: opensslTypes)
    func pkcs8(arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("openssl", ["genpkey", "-out", directory.file("key"), "-algorithm"] + arguments)
        let line = try await publicLine(directory, isEd25519: arguments[0] == "ED25519")
        try check("key", in: directory, sealed: false, as: line)
        for options in Self.encryptions {
            try await succeed(
                "openssl",
                [
                    "pkcs8", "-topk8", "-in", directory.file("key"), "-out", directory.file("copy"), "-passout",
                    "pass:\(Self.words)",
                ] + options)
            try check("copy", in: directory, sealed: true, as: line)
        }
        guard arguments[0] != "ED25519" else { return }
        let program = arguments[0].lowercased()
        for options in [[], ["-aes128"], ["-aes192"], ["-aes256"], ["-des3"]] {
            let traditional = program == "rsa" ? ["-traditional"] : []
            try await succeed(
                "openssl",
                [program] + traditional + options + [
                    "-in", directory.file("key"), "-out", directory.file("copy"), "-passout", "pass:\(Self.words)",
                ])
            #expect(try directory.read("copy").contains("BEGIN \(arguments[0]) PRIVATE KEY"))
            try check("copy", in: directory, sealed: !options.isEmpty, as: line)
        }
    }

    /// By ssh-keygen, which takes no Ed25519 key this way: for that, our own reading has to do.
    private func publicLine(_ directory: TemporaryDirectory, isEd25519: Bool) async throws -> String {
        if isEd25519 { return try PrivateKey(file: directory.bytes("key")).publicKey.openSSHLine }
        try await succeed("openssl", ["pkey", "-in", directory.file("key"), "-pubout", "-out", directory.file("pub")])
        return try await succeed("ssh-keygen", ["-i", "-m", "PKCS8", "-f", directory.file("pub")])
    }

    @Test(
        "dropbearkey, every type",
        arguments: [
            ["ed25519"], ["ecdsa", "-s", "256"], ["ecdsa", "-s", "384"], ["ecdsa", "-s", "521"],
            ["rsa", "-s", "1024"], ["rsa", "-s", "2048"],
        ])
    func dropbear(arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        let output = try await succeed("dropbearkey", ["-f", directory.file("key"), "-t"] + arguments)
        let line = try #require(output.split(separator: "\n").first { $0.contains("AAAA") })
        try check("key", in: directory, sealed: false, as: String(line))
        let bytes = try directory.bytes("key")
        let key = try PrivateKey(file: bytes)
        #expect(try PublicKey(privateKeyFile: bytes) == key.publicKey)
        for count in 0..<bytes.count { #expect(throws: KeyError.self) { try PrivateKey(file: Array(bytes[..<count])) } }
        #expect(throws: KeyError.self) { try PrivateKey(file: bytes + [0]) }
    }
}
