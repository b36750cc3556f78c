import Logging
import NIOCore
import Platform
import SSHKeys
import SSHWire
import TestSupport
import Testing

@testable import SSHServer

@Suite("Policies: who may come in", .timeLimit(.minutes(hangMinutes)))
struct AuthenticationPolicyTests {
    private let key: PublicKey
    private let directory: TemporaryDirectory
    private static let cheap = try? ScryptHash.Cost(logRounds: 4, blockSize: 8, parallelism: 1)

    init() throws {
        key = try PrivateKey.generate(.ed25519).publicKey
        directory = try TemporaryDirectory()
    }

    private func policy(
        now: UInt64 = 1_000_000, _ change: (inout FilePolicy.Options) -> Void
    ) throws -> FilePolicy {
        var options = FilePolicy.Options(servingUser: "server", home: directory.path)
        options.authorizedKeys = []
        change(&options)
        return try FilePolicy(options, logger: Logger(label: "policy") { _ in SwiftLogNoOpLogHandler() }, now: { now })
    }

    private func check(
        _ policy: FilePolicy, _ key: PublicKey? = nil, _ certificate: Certificate? = nil, as user: String = "server"
    ) async -> KeyVerdict {
        await policy.check(
            key: OfferedKey(key: key ?? self.key, certificate: certificate, isProved: true),
            of: LoginAttempt(user: user, address: "192.0.2.1", port: 1))
    }

    private func check(_ policy: FilePolicy, password: String, as user: String) async -> PasswordVerdict {
        await policy.check(
            password: LoginSecret(password), of: LoginAttempt(user: user, address: "192.0.2.1", port: 1))
    }

    private func line(_ user: String, _ password: String) throws -> String {
        try PasswordFile.line(user: user, password: LoginSecret(password), cost: try #require(Self.cheap)) + "\n"
    }

    @Test("A file for all lets in the serving user's name alone, unless any name will do")
    func servingUser() async throws {
        let path = try directory.write(key.openSSHLine, to: "keys")
        let strict = try policy { $0.authorizedKeys = [path] }
        #expect(await check(strict) == .accepted())
        #expect(await check(strict, as: "other") == .refused("no such user"))
        let any = try policy {
            $0.authorizedKeys = [path]
            $0.anyUser = true
        }
        #expect(await check(any, as: "other") == .accepted())
        #expect(await check(any, as: "../other") == .refused("not a user's name"))
        let listed = try directory.write(line("other", "x"), to: "passwords")
        let shared = try policy {
            $0.authorizedKeys = [path]
            $0.passwordFile = listed
        }
        #expect(await check(shared, as: "other") == .refused("the key is not among the authorized ones"))
    }

    @Test("A path with %u is each user's own file")
    func ownFiles() async throws {
        let other = try PrivateKey.generate(.ed25519).publicKey
        try directory.write(key.openSSHLine, to: "me")
        try directory.write(other.openSSHLine, to: "you%")
        let policy = try policy { $0.authorizedKeys = ["\(directory.path)/%u", "\(directory.path)/%u%%"] }
        #expect(await check(policy, as: "me") == .accepted())
        #expect(await check(policy, as: "you") == .refused("the key is not among the authorized ones"))
        #expect(await check(policy, other, as: "you") == .accepted())
        #expect(await check(policy, as: "nobody") == .refused("no such user"))
        for name in ["", ".", "..", "x/../me", "me\0", "me\n"] {
            #expect(await check(policy, as: name) == .refused("not a user's name"))
        }
        #expect(throws: FilePolicyError.badTemplate("/a/%h")) { try self.policy { $0.authorizedKeys = ["/a/%h"] } }
        #expect(throws: FilePolicyError.badTemplate("/a/%")) { try self.policy { $0.authorizedKeys = ["/a/%"] } }
    }

    @Test("A changed file counts at once, and a missing one lets nobody in")
    func changes() async throws {
        let path = "\(directory.path)/keys"
        let policy = try policy { $0.authorizedKeys = [path] }
        #expect(await check(policy) != .accepted())
        try directory.write("# nothing\n", to: "keys")
        #expect(await check(policy) != .accepted())
        try directory.write(key.openSSHLine, to: "keys")
        #expect(await check(policy) == .accepted())
        try directory.write("restrict,nonsense " + key.openSSHLine, to: "keys")
        #expect(await check(policy) != .accepted())
        #expect(unlink(path) == 0)
        #expect(await check(policy) != .accepted())
    }

    @Test("A settled file is not read again until it changes, and its owner and mode are looked at each time")
    func cache() async throws {
        let path = try directory.write(key.openSSHLine, to: "keys")
        let reads = Count()
        let cache = PolicyFileCache<Int>(isStrict: true) { _, content in
            reads.add()
            return content.count
        }
        #expect(try cache.value(of: path) == key.openSSHLine.utf8.count)
        try await Task.sleep(for: .seconds(4))
        for _ in 0..<5 { #expect(try cache.value(of: path) == key.openSSHLine.utf8.count) }
        // Once if it had settled before it was read at all.
        #expect((1...2).contains(reads.value))
        try directory.write("other", to: "keys")
        #expect(try cache.value(of: path) == 5)
        #expect(chmod(path, 0o666) == 0)
        #expect(throws: PolicyFileError.writable(path: path, mode: 0o666)) { try cache.value(of: path) }
    }

    @Test("Files and directories that others could write to are not believed, unless that is allowed")
    func strictness() async throws {
        let path = try directory.write(key.openSSHLine, to: "keys", mode: 0o620)
        let strict = try policy { $0.authorizedKeys = [path] }
        let lax = try policy {
            $0.authorizedKeys = [path]
            $0.isStrict = false
        }
        #expect(await check(strict) != .accepted())
        #expect(await check(lax) == .accepted())
        try directory.write(key.openSSHLine, to: "keys", mode: 0o644)
        #expect(await check(strict) == .accepted())
        for mode: mode_t in [0o770, 0o707] {
            #expect(chmod(directory.path, mode) == 0)
            #expect(await check(strict) != .accepted())
            #expect(await check(lax) == .accepted())
        }
        #expect(chmod(directory.path, 0o700) == 0)
        // What a symbolic link leads to is what counts.
        let open = try TemporaryDirectory()
        try open.write(key.openSSHLine, to: "keys")
        #expect(chmod(open.path, 0o777) == 0)
        let link = "\(directory.path)/link"
        #expect(symlink("\(open.path)/keys", link) == 0)
        #expect(await check(try policy { $0.authorizedKeys = [link] }) != .accepted())
        for name in ["/dev/null", directory.path] {
            #expect(throws: PolicyFileError.notRegular(path: name)) {
                try PolicyFile.read(name, isStrict: false, known: nil)
            }
        }
    }

    @Test("Options of a line are kept to: where from, until when, which command, and the next line may still let in")
    func options() async throws {
        let text = """
            from="10.0.0.0/8" \(key.openSSHLine)
            expiry-time="19700101Z" \(key.openSSHLine)
            verify-required \(key.openSSHLine)
            command="internal-sftp",no-touch-required,from="192.0.2.*" \(key.openSSHLine)
            """
        let path = try directory.write(text, to: "keys")
        let verdict = await check(try policy { $0.authorizedKeys = [path] })
        let command = ByteBuffer(string: "internal-sftp")
        #expect(verdict == .accepted(LoginPermissions(forcedCommand: command), presence: .notNeeded))
        for line in text.split(separator: "\n").dropLast() {
            try directory.write(String(line), to: "keys")
            #expect(await check(try policy { $0.authorizedKeys = [path] }) != .accepted())
        }
        try directory.write(#"expiry-time="19700112134640Z" \#(key.openSSHLine)"#, to: "keys")
        #expect(await check(try policy(now: 1_000_000) { $0.authorizedKeys = [path] }) == .accepted())
        #expect(await check(try policy(now: 1_000_001) { $0.authorizedKeys = [path] }) != .accepted())
    }

    @Test("Authorities of a file let in by certificate whom they name, if that user exists here")
    func authorities() async throws {
        let authority = try PrivateKey.generate(.ed25519)
        let path = try directory.write("# ours\n\(authority.publicKey.openSSHLine) ours\n", to: "authorities")
        var content = CertificateContent()
        content.principals = ["server", "other"]
        let certificate = try content.certificate(for: key, by: authority)
        let one = try policy { $0.trustedUserAuthorities = [path] }
        #expect(await check(one, nil, certificate) == .accepted())
        #expect(await check(one, nil, certificate, as: "other") == .refused("no such user"))
        #expect(await check(one) != .accepted())
        let passwords = try directory.write(line("other", "x"), to: "passwords")
        let two = try policy {
            $0.trustedUserAuthorities = [path]
            $0.passwordFile = passwords
        }
        #expect(await check(two, nil, certificate, as: "other") == .accepted())
        try directory.write(#"from="10.0.0.0/8" "# + authority.publicKey.openSSHLine, to: "authorities")
        #expect(await check(one, nil, certificate) != .accepted())
    }

    @Test("Revoked keys are refused, and all keys are while the list cannot be read")
    func revoked() async throws {
        let path = try directory.write(key.openSSHLine, to: "keys")
        let list = try directory.write("", to: "revoked")
        let policy = try policy {
            $0.authorizedKeys = [path]
            $0.revokedKeys = [list]
        }
        #expect(await check(policy) == .accepted())
        try directory.write(key.openSSHLine, to: "revoked")
        #expect(await check(policy) == .refused("the key is revoked"))
        try directory.write("nonsense", to: "revoked")
        #expect(await check(policy) == .refused("the revoked keys are not known"))
        #expect(unlink(list) == 0)
        #expect(await check(policy) == .refused("the revoked keys are not known"))
    }

    @Test("Passwords of a file let in their users, and nobody else")
    func passwords() async throws {
        let path = try directory.write(
            "# users\n\n\(line("me", "mine"))\(line("you", "yours"))broken\n", to: "passwords")
        let policy = try policy { $0.passwordFile = path }
        #expect(await check(policy, password: "mine", as: "me") == .accepted())
        #expect(await check(policy, password: "yours", as: "me") == .refused("wrong password"))
        #expect(await check(policy, password: "", as: "me") == .refused("wrong password"))
        #expect(
            await check(policy, password: String(repeating: "x", count: 1025), as: "me") == .refused("wrong password"))
        #expect(await check(policy, password: "mine", as: "server") == .refused("no such user"))
        #expect(await check(policy, password: "mine", as: "broken") == .refused("no such user"))
        try directory.write(line("me", "new"), to: "passwords")
        #expect(await check(policy, password: "mine", as: "me") == .refused("wrong password"))
        #expect(await check(policy, password: "new", as: "me") == .accepted())
        try directory.write(line("me", "new"), to: "passwords", mode: 0o666)
        #expect(await check(policy, password: "new", as: "me") == .refused("the file of passwords cannot be read"))
        let none = try self.policy { _ in }
        #expect(await check(none, password: "new", as: "me") == .refused("no passwords are known"))
    }

    @Test("The methods are those there are files for, and the same for every user")
    func methods() async throws {
        let me = LoginAttempt(user: "server", address: "", port: 1)
        let nobody = LoginAttempt(user: "nobody", address: "", port: 1)
        for policy in [
            try policy { $0.authorizedKeys = ["/a"] }, try policy { $0.passwordFile = "/a" },
            try policy { $0.steps = [[.publicKey, .password]] },
        ] {
            #expect(await policy.steps(for: me) == policy.steps(for: nobody))
        }
        #expect(await (try policy { $0.authorizedKeys = ["/a"] }).steps(for: me) == [[.publicKey]])
        #expect(await (try policy { $0.passwordFile = "/a" }).steps(for: me) == [[.password], [.keyboardInteractive]])
        #expect(await (try policy { _ in }).steps(for: me) == [])
    }
}

@Suite("Policies: passwords by scrypt")
struct AuthenticationPasswordTests {
    @Test("The test vectors of RFC 7914 section 12 come out")
    func vectors() throws {
        let first = try ScryptHash.derive(
            "password".utf8, salt: Array("NaCl".utf8), count: 64,
            cost: try .init(logRounds: 10, blockSize: 8, parallelism: 16))
        #expect(
            first
                == hex(
                    """
                    fd ba be 1c 9d 34 72 00 78 56 e7 19 0d 01 e9 fe 7c 6a d7 cb c8 23 78 30 e7 73 76 63 4b 37 31 62
                    2e af 30 d9 2e 22 a3 88 6f f1 09 27 9d 98 30 da c7 27 af b9 4a 83 ee 6d 83 60 cb df a2 cc 06 40
                    """))
        let second = try ScryptHash.derive(
            "pleaseletmein".utf8, salt: Array("SodiumChloride".utf8), count: 64,
            cost: try .init(logRounds: 14, blockSize: 8, parallelism: 1))
        #expect(
            second
                == hex(
                    """
                    70 23 bd cb 3a fd 73 48 46 1c 06 cd 81 fd 38 eb fd a8 fb ba 90 4f 8e 3e a9 b5 43 f6 54 5d a1 f2
                    d5 43 29 55 61 3f 0f cf 62 d4 97 05 24 2a 9a f9 e6 1e 85 dc 0d 65 1e 40 df cf 01 7b 45 57 58 87
                    """))
    }

    @Test("A hash is written and read, fits its password, and shows nothing of itself")
    func roundTrip() throws {
        let cost = try ScryptHash.Cost(logRounds: 4, blockSize: 8, parallelism: 2)
        let hash = try ScryptHash(password: "secret".utf8, cost: cost)
        let again = try ScryptHash(hash.text)
        #expect(again == hash)
        #expect(hash.text.hasPrefix("$scrypt$ln=4,r=8,p=2$"))
        #expect(try again.matches("secret".utf8))
        for wrong in ["Secret", "secret ", "secre", ""] { #expect(!(try again.matches(wrong.utf8))) }
        #expect(try ScryptHash(password: "secret".utf8, cost: cost) != hash)
        #expect("\(hash)" == "scrypt hash, ln=4,r=8,p=2")
        #expect(ScryptHash.Cost.usual == (try .init(logRounds: 15, blockSize: 8, parallelism: 1)))
        #expect(throws: ScryptError.badPassword) { try ScryptHash(password: [], cost: cost) }
    }

    @Test(
        "Every cost that may stand in a file can be computed with",
        arguments: [(1, 1, 1), (1, 16, 16), (4, 16, 1), (5, 1, 16)])
    func costs(_ rounds: Int, _ size: Int, _ parallelism: Int) throws {
        let cost = try ScryptHash.Cost(logRounds: rounds, blockSize: size, parallelism: parallelism)
        #expect(try ScryptHash(password: "x".utf8, cost: cost).matches("x".utf8))
    }

    private static let salt = "c2FsdHNhbHQ"
    private static let hash = "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"

    @Test(
        "Costs that would eat the server, and text that is no hash, are refused",
        arguments: [
            "", "$", "x", "$scrypt$", "$argon2id$ln=4,r=8,p=1$\(salt)$\(hash)", "$scrypt$ln=0,r=8,p=1$\(salt)$\(hash)",
            "$scrypt$ln=18,r=8,p=1$\(salt)$\(hash)", "$scrypt$ln=99,r=8,p=1$\(salt)$\(hash)",
            "$scrypt$ln=4,r=17,p=1$\(salt)$\(hash)", "$scrypt$ln=4,r=8,p=17$\(salt)$\(hash)",
            "$scrypt$ln=4,r=0,p=1$\(salt)$\(hash)", "$scrypt$ln=4,r=8,p=0$\(salt)$\(hash)",
            "$scrypt$ln=-4,r=8,p=1$\(salt)$\(hash)", "$scrypt$ln=99999999999999999999,r=8,p=1$\(salt)$\(hash)",
            "$scrypt$r=8,ln=4,p=1$\(salt)$\(hash)", "$scrypt$ln=4,r=8$\(salt)$\(hash)",
            "$scrypt$ln=4,r=8,p=1$\(salt)", "$scrypt$ln=4,r=8,p=1$\(salt)$\(hash)$", "$scrypt$ln=4,r=8,p=1$$\(hash)",
            "$scrypt$ln=4,r=8,p=1$\(salt)$", "$scrypt$ln=4,r=8,p=1$!\(salt)$\(hash)",
            "$scrypt$ln=4,r=8,p=1$\(salt)=x$\(hash)",
            "$scrypt$ln=4,r=8,p=1$\(salt)$\(hash)====", " $scrypt$ln=4,r=8,p=1$\(salt)$\(hash)",
        ])
    func refused(_ text: String) {
        #expect(throws: ScryptError.self) { try ScryptHash(text) }
    }

    @Test("Padding of base64 may stand there or not")
    func padding() throws {
        let bare = try ScryptHash("$scrypt$ln=4,r=8,p=1$\(Self.salt)$\(Self.hash)")
        #expect(try ScryptHash("$scrypt$ln=4,r=8,p=1$\(Self.salt)=$\(Self.hash)=") == bare)
    }

    @Test("Faults of a file are told with their lines; no piece of a line is a user of its own")
    func file() throws {
        let cost = try ScryptHash.Cost(logRounds: 1, blockSize: 1, parallelism: 1)
        let line = try PasswordFile.line(user: "me", password: LoginSecret("x"), cost: cost)
        let file = PasswordFile(
            Array("\n#x\n\(line) \r\n\(line)\nyou\n../x:\(line.dropFirst(3))\n:\(line.dropFirst(3))\nyou:x\n".utf8))
        #expect(file.lists("me") && file.users.count == 1)
        #expect(file.faults.map(\.line) == [4, 5, 6, 7, 8])
        #expect(file.dummy.cost == cost)
        #expect(PasswordFile([]).dummy.cost == .usual)
        for end in line.indices { #expect(PasswordFile(Array(line[..<end].utf8)).users.isEmpty) }
        #expect(throws: ScryptError.self) { try PasswordFile.line(user: "a:b", password: LoginSecret("x"), cost: cost) }
        #expect(throws: ScryptError.self) { try PasswordFile.line(user: "#a", password: LoginSecret("x"), cost: cost) }
        #expect(throws: ScryptError.self) { try PasswordFile.line(user: "a", password: LoginSecret(""), cost: cost) }
        #expect("\(LoginSecret("hidden"))" == "(secret)")
    }
}
