import Platform
import TestSupport
import Testing

@Suite("How scpd starts, and how it does not", .timeLimit(.minutes(hangMinutes)))
struct ScpdStartTests {
    /// Starts scpd on more than one address with a port in common. Where another process has it on one of them, another
    /// port is tried.
    private func startOnSeveral(
        _ home: ScpdHome, listening count: Int, _ arguments: () throws -> [String]
    ) async throws -> ScpdProcess {
        let common = ["--authorized-keys", home.authorizedKeys, "--host-key", home.keys.hostKey(.ed25519)]
        var failure = TestSupportError("")
        for _ in 1...5 {
            do {
                return try await ScpdProcess.start(try arguments() + common, home: home, listening: count)
            } catch let error as TestSupportError where error.description.contains("already in use") {
                failure = error
            }
        }
        throw failure
    }

    @Test("It says where it listens, a line for each address and nothing else, once clients can come")
    func listening() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let server = try await home.start()
        #expect(server.output == "scpd: listening on 127.0.0.1 port \(server.port)\n")
        let fetched = try await server.fetch("a")
        #expect(fetched.text == "content", "\(fetched)")
        #expect(server.output.split(separator: "\n").count == 1)
        #expect(server.lines("host key").count == 1)
    }

    @Test(
        "Without an address it listens on all, IPv4 and IPv6, on one port", .enabled(if: Loopback.available.count == 2))
    func everywhere() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let server = try await startOnSeveral(home, listening: 2) { ["--port", "0", "--root", home.root] }
        #expect(server.listening.map(\.address) == ["::", "0.0.0.0"])
        #expect(Set(server.listening.map(\.port)).count == 1)
        for host in ["127.0.0.1", "[::1]"] {
            let known = try home.write(
                "known", home.keys.knownHosts("[127.0.0.1]:\(server.port),[::1]:\(server.port)", [.ed25519]))
            let finished = try await run(
                "scp", server.client(knownHosts: known) + ["\(home.user)@\(host):a", home.directory.file("got")])
            #expect(finished.succeeded, "\(finished)")
        }
        #expect(server.log.contains("address=127.0.0.1 ") && server.log.contains("address=::1 "), "\(server.log)")
    }

    @Test(
        "Addresses may have ports of their own, and :: leaves 0.0.0.0 alone",
        .enabled(if: Loopback.available.count == 2))
    func several() async throws {
        let home = try await ScpdHome()
        var (one, two) = (0, 0)
        let server = try await startOnSeveral(home, listening: 3) {
            (one, two) = (try Loopback.ipv4.freePort(), try Loopback.ipv6.freePort())
            return ["--listen", "127.0.0.1:\(one)", "--listen=[::1]:\(two)", "--listen", "::", "--port", "\(one)"]
        }
        #expect(server.listening.map(\.address) == ["127.0.0.1", "::1", "::"])
        #expect(server.listening.map(\.port) == [one, two, one])
    }

    @Test("A port that is taken is named")
    func taken() async throws {
        let home = try await ScpdHome()
        let server = try await home.start()
        let second = try await home.fail([
            "--listen", "127.0.0.1:\(server.port)", "--authorized-keys", home.authorizedKeys, "--host-key",
            home.keys.hostKey(.ed25519),
        ])
        #expect(second.status == .exited(1))
        #expect(second.errorText == "scpd: cannot listen on 127.0.0.1 port \(server.port): Address already in use\n")
        #expect(second.output.isEmpty)
        // Nor is a host key made for a server that cannot be.
        let state = home.directory.file("state")
        let third = try await home.fail(
            ["--listen", "127.0.0.1:\(server.port)", "--authorized-keys", home.authorizedKeys],
            environment: ["STATE_DIRECTORY": state])
        #expect(third.status == .exited(1) && third.errorText.contains("Address already in use"))
        #expect(access(state, F_OK) != 0)
    }

    @Test("Without authorized keys it says that nobody could log in, and what to do")
    func nobody() async throws {
        let home = try await ScpdHome()
        let finished = try await home.fail(
            ["--listen", "127.0.0.1", "--port", "0", "--host-key", home.keys.hostKey(.ed25519)],
            environment: ["HOME": home.directory.path])
        #expect(finished.status == .exited(1))
        for words in [
            "nobody could log in", "\(home.directory.path)/.ssh/authorized_keys", "ssh-keygen -t ed25519",
            "--password-file",
        ] {
            #expect(finished.errorText.contains(words), "\(finished)")
        }
    }

    @Test("The first start makes a host key that only its owner reads, and later ones keep it")
    func hostKey() async throws {
        let home = try await ScpdHome()
        let arguments = ["--listen", "127.0.0.1", "--port", "0", "--authorized-keys", home.authorizedKeys]
        let state = home.directory.file("state/deep")
        let cases: [(environment: [String: String?], directory: String)] = [
            (["STATE_DIRECTORY": "\(state):/nowhere"], state),
            (["STATE_DIRECTORY": nil, "XDG_STATE_HOME": home.directory.file("xdg")], home.directory.file("xdg/scpd")),
            (
                ["STATE_DIRECTORY": nil, "XDG_STATE_HOME": nil, "HOME": home.directory.file("home")],
                home.directory.file("home/.local/state/scpd")
            ),
        ]
        for (environment, directory) in cases {
            let first = try await ScpdProcess.start(arguments, home: home, environment: environment)
            let path = "\(directory)/ssh_host_ed25519_key"
            let text = try readText(path)
            #expect(text.hasPrefix("-----BEGIN OPENSSH PRIVATE KEY-----\n"))
            #expect(try mode(path) == 0o600)
            #expect(try mode(directory) == 0o700)
            let fingerprint = try await home.keygen("-l", "-f", path).outputText.split(separator: " ")[1]
            #expect(first.lines("host key").first?.contains(fingerprint) == true, "\(first.log)")
            first.process.end()
            let second = try await ScpdProcess.start(arguments, home: home, environment: environment)
            #expect(second.lines("host key").first?.contains(fingerprint) == true, "\(second.log)")
            #expect(try readText(path) == text)
            #expect(try await run("ls", [directory]).outputText == "ssh_host_ed25519_key\n")
        }
    }

    private func mode(_ path: String) throws -> mode_t {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemError("stat \(path)") }
        return status.st_mode & 0o7777
    }

    @Test("Wrong options end with 2, and --help and --version with 0")
    func options() async throws {
        let home = try await ScpdHome()
        for wrong in [["--wrong"], ["file"], ["--port", "x"], ["--port"], ["--read-only=1"], ["--listen", "[::1"]] {
            let finished = try await home.fail(wrong)
            #expect(finished.status == .exited(2), "\(finished)")
            #expect(finished.errorText.hasPrefix("scpd: ") && finished.errorText.contains("scpd --help"), "\(finished)")
            #expect(finished.output.isEmpty)
        }
        let help = try await home.fail(["--help"])
        #expect(help.succeeded && help.outputText.hasPrefix("usage: scpd ") && help.errors.isEmpty)
        let version = try await home.fail(["--version"])
        #expect(version.succeeded && version.outputText.hasPrefix("scpd (swift-scp) "))
    }

    @Test("What it cannot start with is named")
    func wrongFiles() async throws {
        let home = try await ScpdHome()
        let key = home.keys.hostKey(.ed25519)
        let open = try home.write("open", readText(key))
        chmod(open, 0o644)
        let half = try home.write("half", String(readText(key).prefix(200)))
        try await home.keygen("-q", "-t", "ed25519", "-N", "secret phrase", "-f", "locked")
        try await home.keygen(
            "-q", "-s", home.keys.clientKey(.ed25519), "-I", "x", "-n", "h", "-h", "-z", "1",
            home.keys.hostKey(.rsa) + ".pub")
        defer { unlink(home.keys.hostKey(.rsa) + "-cert.pub") }
        try await home.keygen("-q", "-t", "ed25519", "-N", "", "-f", "person")
        try await home.keygen("-q", "-s", "person", "-I", "x", "-n", "u", "person.pub")
        let missing = home.directory.file("missing")
        let wrong: [([String], String)] = [
            (["--host-key", missing], "\(missing): No such file or directory"),
            (["--host-key", home.root], "\(home.root): Is a directory"),
            (
                ["--host-key", open],
                "\(open): others than its owner may read or change it (mode 644); `chmod 600` mends that"
            ),
            (["--host-key", half], "\(half): "),
            (["--host-key", home.directory.file("locked")], "locked: "),
            (["--host-key", key + ".pub"], ".pub: "),
            (
                ["--host-key", key, "--host-key", home.keys.clientKey(.ed25519)],
                "there is another host key of type ssh-ed25519"
            ),
            (["--host-certificate", home.keys.hostKey(.rsa) + "-cert.pub"], "there is no host key that it certifies"),
            (["--host-certificate", home.directory.file("person-cert.pub")], "not a host certificate"),
            (["--host-certificate", key + ".pub"], ".pub: "),
            (["--root", missing], "\(missing): "),
            (["--root", home.authorizedKeys], "\(home.authorizedKeys): "),
            (["--user-root", "users"], "--user-root users: there is no %u in it"),
            (["--password-file", missing], "\(missing): No such file or directory"),
            (["--trusted-user-ca-keys", missing], "\(missing): No such file or directory"),
            (["--revoked-keys", missing], "\(missing): No such file or directory"),
            (["--banner", missing], "\(missing): No such file or directory"),
            (["--authorized-keys", missing], "there is no file \(missing)"),
            (["--authorized-keys", "/x/%h"], "only %u and %% are known"),
            (["--methods", "publickey,magic"], "unknown method magic"),
            (["--methods", "publickey,password"], "password needs a --password-file"),
            (["--methods", ","], "no method is named"),
            (["--methods", " "], "no method is named"),
            (["--ciphers", "rot13"], "unknown algorithm rot13"),
            (["--kex-algorithms", "x"], "unknown algorithm x"),
            (["--macs", "x"], "unknown algorithm x"),
        ]
        for (options, words) in wrong {
            let usual = ["--listen", "127.0.0.1", "--port", "0", "--authorized-keys", home.authorizedKeys]
            let keys = options[0] == "--host-key" ? [] : ["--host-key", key]
            let finished = try await home.fail(usual + keys + options)
            #expect(finished.status == .exited(1), "\(finished)")
            #expect(
                finished.errorText.hasPrefix("scpd: ") && finished.errorText.contains(words), "\(words): \(finished)")
            #expect(!finished.errorText.contains("b3BlbnNzaC1rZXktdjE"), "\(finished)")
        }
    }

    @Test("Its sockets may be systemd's")
    func activation() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        // The descriptors 3 and 4, and the number of the process that becomes scpd.
        let script = """
            import os, socket, sys
            made = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
            kept = [os.dup2(s.fileno(), 60 + i) for i, s in enumerate(made)]
            for i, d in enumerate(kept): os.dup2(d, 3 + i)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="a:b")
            os.execv(sys.argv[1], sys.argv[1:])
            """
        let server = try await ScpdProcess.start(
            [
                "-c", script, scpdBinary(), "--root", home.root, "--authorized-keys", home.authorizedKeys, "--host-key",
                home.keys.hostKey(.ed25519),
            ], home: home, program: try requireProgram("python3"), listening: 2)
        #expect(server.listening.map(\.address) == ["127.0.0.1", "127.0.0.1"])
        #expect(Set(server.listening.map(\.port)).count == 2)
        let fetched = try await server.fetch("a")
        #expect(fetched.text == "content", "\(fetched)\n\(server.log)")
        // The other socket is served, too.
        let second = server.listening[1].port
        let known = try home.write("known", home.keys.knownHosts("[127.0.0.1]:\(second)", [.ed25519]))
        let other = try await server.fetch("a", ["Port=\(second)"], knownHosts: known)
        #expect(other.text == "content", "\(other)\n\(server.log)")
    }

    @Test(
        "A client that comes by IPv4 to an IPv6 socket of systemd's is known by its IPv4 address",
        .enabled(if: Loopback.available.count == 2))
    func mapped() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        try writeFile(home.authorizedKeys, text: #"from="127.0.0.0/8" "# + readText(home.authorizedKeys))
        let script = """
            import os, socket, sys
            made = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
            if made.fileno() != 3: os.dup2(made.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
            os.execv(sys.argv[1], sys.argv[1:])
            """
        let server = try await ScpdProcess.start(
            [
                "-c", script, scpdBinary(), "--root", home.root, "--authorized-keys", home.authorizedKeys, "--host-key",
                home.keys.hostKey(.ed25519),
            ], home: home, program: try requireProgram("python3"))
        #expect(try await server.fetch("a").text == "content", "\(server.log)")
        #expect(server.lines("login").first?.contains(" address=127.0.0.1 ") == true, "\(server.log)")
    }
}
