import Platform
import TestSupport
import Testing

@Suite("scpd and the certificates and revocations of ssh-keygen", .timeLimit(.minutes(hangMinutes)))
struct ScpdCertificateTests {
    /// A key of its own in the home, with a certificate beside it.
    private func certify(_ home: ScpdHome, _ name: String, authority: String = "ca", _ options: [String]) async throws
        -> String
    {
        let path = home.directory.file(name)
        try await home.keygen("-q", "-t", "ed25519", "-N", "", "-f", path)
        try await run(
            "ssh-keygen",
            ["-q", "-s", home.directory.file(authority), "-I", "id of \(name)"] + options + ["\(path).pub"]
        )
        .success()
        return path
    }

    /// A home with an authority that is trusted with `ca.pub`.
    private func withAuthority() async throws -> ScpdHome {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        try await home.keygen("-q", "-t", "ed25519", "-N", "", "-f", "ca")
        try await home.keygen("-q", "-t", "ed25519", "-N", "", "-f", "other")
        return home
    }

    @Test("Certificates of a trusted authority let in whom, when and whence they say")
    func users() async throws {
        let home = try await withAuthority()
        let server = try await home.start([
            "--trusted-user-ca-keys", home.directory.file("ca.pub"), "--no-penalties",
        ])
        let cases: [(name: String, authority: String, options: [String], reason: String?)] = [
            ("good", "ca", ["-n", home.user, "-z", "77"], nil),
            ("timely", "ca", ["-n", "x,\(home.user)", "-V", "-1d:+1d"], nil),
            ("late", "ca", ["-n", home.user, "-V", "-2d:-1d"], "expired"),
            ("early", "ca", ["-n", home.user, "-V", "+1d:+2d"], "not yet valid"),
            ("foreign", "ca", ["-n", "somebody"], ""),
            ("nameless", "ca", [], ""),
            ("untrusted", "other", ["-n", home.user], "no trusted authority"),
            // OpenSSH shows the key alone.
            ("host", "ca", ["-h", "-n", home.user], "the key is not among the authorized ones"),
            ("near", "ca", ["-n", home.user, "-O", "source-address=127.0.0.0/8"], nil),
            ("far", "ca", ["-n", home.user, "-O", "source-address=192.0.2.0/24"], "does not let in from 127.0.0.1"),
            ("odd", "ca", ["-n", home.user, "-O", "critical:made-up@example.org=x"], ""),
        ]
        for (name, authority, options, reason) in cases {
            let key = try await certify(home, name, authority: authority, options)
            let before = server.lines("login failed").count
            let fetched = try await server.fetch("a", key: key)
            if let reason {
                #expect(fetched.text == nil, "\(name): \(fetched)\n\(server.log)")
                let lines = server.lines("login failed").dropFirst(before).joined(separator: "\n")
                #expect(lines.contains(reason), "\(name): \(lines)")
                #expect(name == "host" || lines.contains(#"certificate \"id of \#(name)\""#), "\(lines)")
            } else {
                #expect(fetched.text == "content", "\(name): \(fetched)\n\(server.log)")
            }
        }
        #expect(
            server.lines("login").first?.contains(#"certificate \"id of good\" serial 77 of ED25519 SHA256:"#) == true,
            "\(server.log)")
    }

    @Test("A certificate's forced command is served, whatever is asked for")
    func forced() async throws {
        let home = try await withAuthority()
        try makeDirectory("\(home.root)/in")
        let server = try await home.start(["--trusted-user-ca-keys", home.directory.file("ca.pub")])
        let key = try await certify(home, "drop", ["-n", home.user, "-O", "force-command=scp -t /in"])
        let put = try await server.put("dropped", as: "/elsewhere/name", key: key, flags: ["-O"])
        #expect(put.succeeded, "\(put)\n\(server.log)")
        let names = try await run("ls", ["\(home.root)/in"]).outputText.split(separator: "\n")
        #expect(names.count == 1)
        if let name = names.first { #expect(try readText("\(home.root)/in/\(name)") == "dropped") }
        // What it asked for was to read.
        let read = try await run("ssh", server.client(key: key) + ["\(home.user)@127.0.0.1", "scp -f a"])
        #expect(!read.outputText.contains("content"), "\(read)")
    }

    @Test("A line of authorized keys may name an authority")
    func line() async throws {
        let home = try await withAuthority()
        try writeFile(
            home.authorizedKeys,
            text: #"cert-authority,principals="crew,staff" "# + readText(home.directory.file("ca.pub")))
        let server = try await home.start(["--no-penalties"])
        #expect(try await server.fetch("a", key: certify(home, "one", ["-n", "crew"])).text == "content")
        #expect(try await server.fetch("a", key: certify(home, "two", ["-n", home.user])).text == nil)
        #expect(try await server.fetch("a", key: home.directory.file("ca")).text == nil)
    }

    @Test("Revoked keys and certificates let nobody in: a list, a KRL, and no list at all")
    func revoked() async throws {
        let home = try await withAuthority()
        try writeFile(
            home.authorizedKeys,
            text: TestKeyType.allCases.map { try readText(home.keys.clientKey($0) + ".pub") }.joined())
        let list = try home.write("list", readText(home.keys.clientKey(.rsa) + ".pub"))
        let options = ["--trusted-user-ca-keys", home.directory.file("ca.pub"), "--no-penalties"]
        let plain = try await home.start(options + ["--revoked-keys", list])
        #expect(try await plain.fetch("a", key: home.keys.clientKey(.rsa)).text == nil)
        #expect(plain.log.contains("revoked"), "\(plain.log)")
        #expect(try await plain.fetch("a").text == "content")

        let serials = try home.write("serials", "serial: 5-7\nid: id of leaver\n")
        let krl = home.directory.file("krl")
        try await home.keygen("-q", "-k", "-f", krl, "-s", "ca.pub", serials, home.keys.clientKey(.ecdsa256) + ".pub")
        let lists = try await home.start(options + ["--revoked-keys", krl])
        for (key, isLetIn) in [
            (home.keys.clientKey(.ecdsa256), false), (home.keys.clientKey(.ed25519), true),
            (try await certify(home, "five", ["-n", home.user, "-z", "5"]), false),
            (try await certify(home, "eight", ["-n", home.user, "-z", "8"]), true),
            (try await certify(home, "leaver", ["-n", home.user, "-z", "9"]), false),
        ] {
            let fetched = try await lists.fetch("a", key: key)
            #expect((fetched.text == "content") == isLetIn, "\(fetched)\n\(lists.log)")
        }
        // Revoked while it runs.
        try await home.keygen("-q", "-k", "-u", "-f", krl, home.keys.clientKey(.ed25519) + ".pub")
        #expect(try await lists.fetch("a").text == nil)
        unlink(krl)
        #expect(try await lists.fetch("a", key: home.keys.clientKey(.rsa)).text == nil)
        #expect(lists.log.contains("the revoked keys are not known"), "\(lists.log)")
    }

    @Test("A host certificate is believed by OpenSSH that knows the authority alone")
    func host() async throws {
        let home = try await withAuthority()
        let key = try await certify(home, "host", ["-h", "-n", "files.example.org,127.0.0.1"])
        let server = try await ScpdProcess.start(
            [
                "--listen", "127.0.0.1", "--port", "0", "--root", home.root, "--authorized-keys", home.authorizedKeys,
                "--host-key", key, "--host-certificate", "\(key)-cert.pub",
            ], home: home)
        let known = try home.write(
            "cas", "@cert-authority files.example.org " + readText(home.directory.file("ca.pub")))
        let good = try await server.fetch("a", ["HostKeyAlias=files.example.org"], knownHosts: known)
        #expect(good.text == "content", "\(good)")
        let other = try home.write(
            "others", "@cert-authority files.example.org " + readText(home.directory.file("other.pub")))
        #expect(try await server.fetch("a", ["HostKeyAlias=files.example.org"], knownHosts: other).text == nil)
    }

    @Test("OpenSSH learns a second host key, and forgets one that is gone")
    func rotation() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let known = home.directory.file("rotating")
        func keys() throws -> [String] {
            try readText(known).split(separator: "\n").compactMap { line in
                let fields = line.split(separator: " ")
                return fields.count > 1 ? String(fields[1]) : nil
            }
        }
        func visit(_ server: ScpdProcess, until wanted: [String]) async throws {
            let client = try ChildProcess(
                requireProgram("ssh"),
                ["-N"] + server.client(["UpdateHostKeys=yes", "HostKeyAlias=alias"], knownHosts: known)
                    + ["\(home.user)@127.0.0.1"])
            try await eventually("\(wanted):\n\(server.log)") { try keys() == wanted }
            client.end()
        }
        try writeFile(known, text: home.keys.knownHosts("alias", [.ed25519]))
        let both = try await home.start(hostKeys: [.ed25519, .ecdsa256])
        try await visit(both, until: ["ssh-ed25519", "ecdsa-sha2-nistp256"])
        #expect(try readText(known).contains(home.keys.knownHosts("alias", [.ecdsa256])))
        let one = try await home.start(hostKeys: [.ecdsa256])
        try await visit(one, until: ["ecdsa-sha2-nistp256"])
    }

    private func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o755) == 0 else { throw SystemError("mkdir \(path)") }
    }
}
