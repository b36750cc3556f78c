import TestSupport
import Testing

@Suite("Whom scpd lets in by password and key", .timeLimit(.minutes(hangMinutes)))
struct ScpdLoginTests {
    /// Options and variables with which OpenSSH's clients give a password without a terminal.
    private static let password = "correct horse"

    private func asking(_ home: ScpdHome, _ password: String) throws -> [String: String?] {
        let script = home.directory.file("ask.\(UInt32.random(in: 0 ... .max))")
        try writeFile(script, text: "#!/bin/sh\necho '\(password)'\n", mode: 0o755)
        return ["SSH_ASKPASS": script, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none:0"]
    }

    /// A home with a password file, made by `--hash-password` for its user.
    private func withPassword() async throws -> ScpdHome {
        let home = try await ScpdHome()
        let line = try await run(
            scpdBinary(), ["--hash-password", home.user], input: Array("\(Self.password)\n".utf8)
        ).success().outputText
        #expect(line.hasPrefix("\(home.user):$scrypt$") && !line.contains(Self.password))
        _ = try home.write("passwords", "# users\n" + line)
        try home.serve("a", "content")
        return home
    }

    private func only(_ methods: String) -> [String] {
        ["BatchMode=no", "NumberOfPasswordPrompts=1", "PreferredAuthentications=\(methods)"]
    }

    @Test("A hashed password lets in by both methods, a wrong one does not, and the log has neither")
    func passwords() async throws {
        let home = try await withPassword()
        let server = try await home.start(["--password-file", home.directory.file("passwords"), "--no-penalties"])
        for method in ["password", "keyboard-interactive"] {
            let good = try await server.fetch(
                "a", only(method), environment: asking(home, Self.password))
            #expect(good.text == "content", "\(good)\n\(server.log)")
            #expect(server.lines("login").last?.contains("method=\(method) ") == true, "\(server.log)")
            let wrong = try await server.fetch("a", only(method), environment: asking(home, "wrong secret"))
            #expect(wrong.text == nil && wrong.finished.errorText.contains("Permission denied"), "\(wrong)")
            let stranger = try await server.fetch(
                "a", user: "stranger", only(method), environment: asking(home, Self.password))
            #expect(stranger.text == nil && stranger.finished.errorText.contains("Permission denied"), "\(stranger)")
        }
        let failed = server.lines("login failed")
        #expect(failed.count == 4, "\(server.log)")
        #expect(failed.count { $0.contains(#"reason="wrong password""#) && $0.contains("user=\(home.user)") } == 2)
        #expect(failed.count { $0.contains(#"reason="no such user""#) && $0.contains("user=stranger") } == 2)
        #expect(!server.log.contains(Self.password) && !server.log.contains("wrong secret"))
    }

    @Test("A password may be typed unseen on a terminal; an empty one makes no line")
    func hashing() async throws {
        let terminal = try Terminal(scpdBinary(), ["--hash-password", "me"])
        try await terminal.wait(for: "Password for me: ")
        try terminal.send("typed secret\n")
        try await terminal.wait(for: "Once more: ")
        try terminal.send("typed secret\n")
        #expect(try await terminal.finish() == .exited(0))
        #expect(terminal.transcript.contains("me:$scrypt$") && !terminal.transcript.contains("typed secret"))
        let mistyped = try Terminal(scpdBinary(), ["--hash-password", "me"])
        try await mistyped.wait(for: "Password for me: ")
        try mistyped.send("typed secret\n")
        try await mistyped.wait(for: "Once more: ")
        try mistyped.send("typed secert\n")
        #expect(try await mistyped.finish() == .exited(1))
        #expect(!mistyped.transcript.contains("$scrypt$") && mistyped.transcript.contains("not the same"))
        for input in ["", "\n"] {
            let finished = try await run(scpdBinary(), ["--hash-password", "me"], input: Array(input.utf8))
            #expect(finished.status == .exited(1) && finished.output.isEmpty, "\(finished)")
        }
        for name in ["a:b", "a/b", "..", "", "#a"] {
            let finished = try await run(scpdBinary(), ["--hash-password", name], input: Array("x\n".utf8))
            #expect(finished.status == .exited(1) && finished.output.isEmpty, "\(finished)")
        }
    }

    @Test("Where a key and a password are wanted, neither is enough")
    func both() async throws {
        let home = try await withPassword()
        let server = try await home.start([
            "--password-file", home.directory.file("passwords"), "--methods", "publickey,password", "--no-penalties",
        ])
        let good = try await server.fetch(
            "a", only("publickey,password"), environment: asking(home, Self.password))
        #expect(good.text == "content", "\(good)\n\(server.log)")
        #expect(server.lines("login step").count == 1 && server.lines("login").count == 1, "\(server.log)")
        for (methods, password) in [
            ("publickey", Self.password), ("password", Self.password), ("publickey,password", "no"),
        ] {
            let bad = try await server.fetch("a", only(methods), environment: asking(home, password))
            #expect(bad.text == nil && bad.finished.errorText.contains("Permission denied"), "\(methods): \(bad)")
        }
        #expect(server.lines("login").count == 1)
    }

    @Test("The banner is shown")
    func banner() async throws {
        let home = try await ScpdHome()
        let server = try await home.start(["--banner", home.write("banner", "Mind the gap.\nReally.\n")])
        let finished = try await run(
            "ssh", server.client() + ["\(home.user)@127.0.0.1", "scp -f nothing"])
        #expect(
            finished.errorText.contains("Mind the gap.\r\nReally.")
                || finished.errorText.contains("Mind the gap.\nReally."), "\(finished)")
    }

    @Test("Only the name of the user who serves is let in, with --any-user every name")
    func names() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let server = try await home.start()
        #expect(try await server.fetch("a", user: "somebody").text == nil)
        #expect(server.log.contains(#"reason="no such user""#), "\(server.log)")
        let open = try await home.start(["--any-user"])
        #expect(try await open.fetch("a", user: "somebody").text == "content")
        #expect(open.lines("login").first?.contains("user=somebody") == true)
        let stranger = try await open.fetch("a", user: "somebody", key: home.keys.strangerKey)
        #expect(stranger.text == nil, "\(stranger)")
    }

    @Test("Each user may have keys of his own; a name that is a path has none")
    func ownKeys() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        try home.directory.makeDirectory("keys")
        _ = try home.write("keys/anna", readText(home.keys.clientKey(.ecdsa256) + ".pub"))
        _ = try home.write("keys/ben", readText(home.keys.clientKey(.rsa) + ".pub"))
        let server = try await home.start(["--authorized-keys", home.directory.file("keys/%u"), "--no-penalties"])
        for (user, key, isLetIn) in [
            ("anna", TestKeyType.ecdsa256, true), ("ben", .rsa, true), ("anna", .rsa, false), ("ben", .ecdsa256, false),
            ("carl", .rsa, false), ("../keys/anna", .ecdsa256, false), (".", .rsa, false), (home.user, .rsa, false),
        ] {
            let fetched = try await server.fetch("a", user: user, key: home.keys.clientKey(key))
            #expect((fetched.text == "content") == isLetIn, "\(user) \(key): \(fetched)\n\(server.log)")
        }
    }

    @Test("The options of a key's line hold")
    func lineOptions() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let key = try readText(home.keys.clientKey(.ed25519) + ".pub")
        let server = try await home.start(["--no-penalties"])
        for (options, isLetIn) in [
            (#"from="127.0.0.0/8""#, true), (#"from="192.0.2.0/24""#, false), (#"from="*,!127.0.0.1""#, false),
            ("restrict", true), ("no-pty,no-port-forwarding", true), (#"expiry-time="20990101""#, true),
            (#"expiry-time="20200101""#, false), ("cert-authority", false), ("made-up", false),
        ] {
            try writeFile(home.authorizedKeys, text: "\(options) \(key)")
            let fetched = try await server.fetch("a")
            #expect((fetched.text == "content") == isLetIn, "\(options): \(fetched)\n\(server.log)")
        }
        try writeFile(home.authorizedKeys, text: #"command="scp -f a" "# + key)
        // Whatever is asked for, the line's command is served.
        let forced = try await server.fetch("whatever", flags: ["-O", "-T"])
        #expect(forced.text == "content", "\(forced)\n\(server.log)")
        try writeFile(home.authorizedKeys, text: #"command="internal-sftp -R" "# + key)
        #expect(try await server.fetch("a").text == "content")
        let written = try await server.put("x", as: "b")
        #expect(!written.succeeded, "\(written)")
        #expect((try? readText("\(home.root)/b")) == nil)
        // A client of the other protocol is told at once, and neither end waits for the other.
        try writeFile(home.authorizedKeys, text: #"command="scp -t /" "# + key)
        for (flags, reason) in [([], "subsystem request failed"), (["-O"], "only scp -t is served to this key")] {
            let fetched = try await server.fetch("a", flags: flags)
            #expect(fetched.text == nil && fetched.finished.errorText.contains(reason), "\(fetched)")
        }
        #expect(try await server.put("dropped", as: "c").succeeded == false)
        #expect(try await server.put("dropped", as: "c", flags: ["-O"]).succeeded)
        try writeFile(home.authorizedKeys, text: #"command="/bin/date" "# + key)
        let refused = try await server.fetch("a", flags: ["-O"])
        #expect(refused.text == nil && server.lines("request refused").count >= 1, "\(refused)\n\(server.log)")
    }

    @Test("A file of keys that others could change lets nobody in, and the log says why")
    func strictness() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let server = try await home.start()
        try writeFile(home.authorizedKeys, readFile(home.authorizedKeys), mode: 0o666)
        #expect(try await server.fetch("a").text == nil)
        #expect(
            server.log.contains("others than its owner may write to \(home.authorizedKeys) (mode 666)"), "\(server.log)"
        )
    }
}
