import Platform
import TestSupport
import Testing

@Suite("Trust in real servers", .timeLimit(.minutes(hangMinutes)))
struct TrustTests {
    /// A directory with an authority, another one, and known hosts that trust the first for the name the tests use.
    private struct Authority {
        let directory: TemporaryDirectory

        init() async throws {
            directory = try TemporaryDirectory("scp-test-trust")
            for name in ["ca", "other"] {
                try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", directory.file(name)])
                    .success()
            }
            try trust("@cert-authority test-peer,*.example \(key("ca"))\n")
        }

        var hosts: String { directory.file("hosts") }

        func key(_ name: String) throws -> String {
            try readText(directory.file("\(name).pub")).split(separator: " ").prefix(2).joined(separator: " ")
        }

        func trust(_ lines: String) throws { try writeFile(hosts, text: lines) }

        /// A server whose key of that type is certified.
        func peer(
            _ type: TestKeyType = .ed25519, by authority: String = "ca",
            _ options: [String] = ["-h", "-n", "test-peer"]
        ) async throws -> Peer {
            let keys = try await TestKeys.ofThisRun()
            let path = directory.file("host_\(type.rawValue)")
            try writeFile(path + ".pub", readFile(keys.hostKey(type) + ".pub"))
            try await run(
                "ssh-keygen",
                ["-q", "-s", directory.file(authority), "-I", "the id", "-z", "42"] + options + [path + ".pub"]
            ).success()
            return try await Peer.openSSH(
                hostKeys: [type], configuration: ["HostCertificate \(path)-cert.pub"])
        }

        func copy(_ peer: Peer, _ options: [String] = []) async throws -> Finished {
            try writeFile([1, 2, 3], at: peer.directory.file("a"))
            return try await peer.scp(
                options + ["-oUserKnownHostsFile=\(hosts)"], [peer.directory.file("a"), peer.remote("b")])
        }
    }

    // MARK: Certificates

    @Test("A host certificate of a known authority is accepted, whatever its key", arguments: TestKeyType.allCases)
    func accepted(type: TestKeyType) async throws {
        let authority = try await Authority()
        let peer = try await authority.peer(type)
        let finished = try await authority.copy(peer, ["-v"])
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
        #expect(finished.errorText.contains("Server host certificate: ") && finished.errorText.contains("serial 42"))
        #expect(finished.errorText.contains("Found CA key in \(authority.hosts):1"))
        #expect(try readFile(at: peer.directory.file("b")) == [1, 2, 3])
        // Only certificates are asked for.
        #expect(try await authority.copy(peer, ["-oHostKeyAlgorithms=*-cert-v01@openssh.com"]).succeeded)
        // New keys, while the certificate is what the server shows.
        try writeFile(noise(3_000_000), at: peer.directory.file("big"))
        let rekeyed = try await peer.scp(
            ["-oRekeyLimit=1M", "-oUserKnownHostsFile=\(authority.hosts)"],
            [peer.directory.file("big"), peer.remote("big2")])
        #expect(rekeyed.succeeded, "\(rekeyed)\n\(peer.log)")
    }

    @Test(
        "A certificate that does not hold is refused, with its reason, and nothing is sent",
        arguments: [
            (["-h", "-n", "test-peer", "-V", "20200101:20200102"], "expired"),
            (["-h", "-n", "test-peer", "-V", "20400101:20400102"], "not yet valid"),
            (["-h", "-n", "elsewhere"], "is for elsewhere"), (["-n", "test-peer"], "is for a user"),
            (["-h"], "lists no principal"),
        ])
    func refused(options: [String], words: String) async throws {
        let authority = try await Authority()
        let peer = try await authority.peer(.ed25519, options)
        let finished = try await authority.copy(peer)
        #expect(finished.status == .exited(255), "\(finished)")
        #expect(finished.errorText.contains(words) && finished.errorText.contains("Host key verification failed"))
        #expect(!peer.log.contains("Accepted"))
        // Where the plain key is known, it is enough.
        try authority.trust(
            "@cert-authority * \(authority.key("ca"))\n" + peer.keys.knownHosts("test-peer", [.ed25519]))
        #expect(try await authority.copy(peer).succeeded)
    }

    @Test("A certificate of another authority is refused; so is one signed as CASignatureAlgorithms does not allow")
    func otherAuthority() async throws {
        let authority = try await Authority()
        let strange = try await authority.copy(authority.peer(by: "other"))
        #expect(
            strange.status == .exited(255) && strange.errorText.contains("no ED25519 host key is known"), "\(strange)")
        let peer = try await authority.peer()
        let signature = try await authority.copy(peer, ["-oCASignatureAlgorithms=rsa-sha2-512"])
        #expect(signature.status == .exited(255) && signature.errorText.contains("not allowed"), "\(signature)")
    }

    @Test("A revoked certificate is refused: by a line, a list of keys, and each kind of KRL")
    func revoked() async throws {
        let authority = try await Authority()
        let peer = try await authority.peer()
        let file = authority.directory.file("revoked")
        func expectRefusal(_ words: String, _ options: [String] = [], line: Int = #line) async throws {
            let finished = try await authority.copy(peer, options)
            #expect(finished.status == .exited(255) && finished.errorText.contains(words), "line \(line): \(finished)")
        }
        let hostKey = try readText(peer.keys.hostKey(.ed25519) + ".pub")
        for text in [hostKey, try authority.key("ca") + "\n"] {
            try writeFile(file, text: text)
            try await expectRefusal("revoked by file \(file)", ["-oRevokedHostKeys=\(file)"])
        }
        for specification in ["serial: 42", "serial: 40-50", "id: the id", "key: \(hostKey)", "sha256: \(hostKey)"] {
            try writeFile(authority.directory.file("spec"), text: specification + "\n")
            try await run(
                "ssh-keygen",
                ["-q", "-k", "-s", authority.directory.file("ca.pub"), "-f", file, authority.directory.file("spec")]
            ).success()
            try await expectRefusal("revoked by file \(file)", ["-oRevokedHostKeys=\(file)"])
        }
        try writeFile(file, readFile(file).dropLast())
        try await expectRefusal("\(file): key revocation list", ["-oRevokedHostKeys=\(file)"])
        try await expectRefusal("/none/such: No such file", ["-oRevokedHostKeys=/none/such"])
        try writeFile(authority.directory.file("spec"), text: "serial: 41\nserial: 43\nid: another\n")
        try await run(
            "ssh-keygen",
            ["-q", "-k", "-s", authority.directory.file("ca.pub"), "-f", file, authority.directory.file("spec")]
        ).success()
        #expect(try await authority.copy(peer, ["-oRevokedHostKeys=\(file)"]).succeeded)
        for key in [hostKey, try authority.key("ca") + "\n"] {
            try authority.trust("@cert-authority * \(authority.key("ca"))\n@revoked * \(key)")
            try await expectRefusal("revoked by \(authority.hosts):2")
        }
    }

    // MARK: UpdateHostKeys

    @Test("The other keys of a host are learnt, and old ones dropped", arguments: ["no", "yes"])
    func learning(hashed: String) async throws {
        let authority = try await Authority()
        // A moment is left to learn before the copy begins, and as much more as is wanted.
        let hold = authority.directory.file("hold")
        let peer = try await Peer.openSSH(
            hostKeys: [.ed25519, .ecdsa256, .rsa],
            configuration: [
                #"ForceCommand sleep 0.7; while [ -e \#(hold) ]; do sleep 0.1; done; eval "$SSH_ORIGINAL_COMMAND""#,
                "Subsystem sftp /usr/lib/openssh/sftp-server",
            ])
        let before = try "# mine\n" + peer.keys.knownHosts("test-peer", [.ed25519, .ecdsa521])
        try authority.trust(before)
        try writeFile(noise(3000), at: peer.directory.file("a"))
        @discardableResult
        func copy(_ options: [String]) async throws -> Finished {
            try await peer.scp(
                options + [
                    "-v", "-oUserKnownHostsFile=\(authority.hosts)", "-oHashKnownHosts=\(hashed)",
                ],
                [peer.directory.file("a"), peer.remote("b")]
            ).success()
        }
        for options in [[], ["-oUpdateHostKeys=no"], ["-oUpdateHostKeys=ask"]] {
            try await copy(options)
            #expect(try readText(authority.hosts) == before)
        }
        try writeFile(hold, text: "")
        async let learning = copy(["-oUpdateHostKeys=yes"])
        defer { unlink(hold) }
        try await eventually("other keys:\n\(peer.log)") { try readText(authority.hosts) != before }
        unlink(hold)
        let finished = try await learning
        let after = try readText(authority.hosts)
        #expect(after.hasPrefix(try "# mine\n" + peer.keys.knownHosts("test-peer", [.ed25519])), "\(finished)")
        for type in [TestKeyType.ecdsa256, .rsa] {
            let key = try peer.keys.knownHosts("", [type]).split(separator: " ").joined(separator: " ")
            #expect(after.contains(key), "\(type): \(after)\(finished)")
        }
        #expect(after.contains("|1|") == (hashed == "yes"))
        #expect(try !after.contains(peer.keys.knownHosts("test-peer", [.ecdsa521])))
        for type in ["ecdsa-sha2-nistp256", "rsa-sha2-512", "ssh-ed25519"] {
            try await copy(["-oHostKeyAlgorithms=\(type)", "-oUpdateHostKeys=no"])
        }
        // Nothing is left to learn.
        let learnt = try readText(authority.hosts)
        try await copy(["-oUpdateHostKeys=yes"])
        #expect(try readText(authority.hosts) == learnt)
    }

    // MARK: Where hosts are known from

    @Test("KnownHostsCommand knows a host; it is asked without a shell")
    func command() async throws {
        let authority = try await Authority()
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try authority.trust("")
        let lines = authority.directory.file("lines")
        try writeFile(lines, text: try peer.keys.knownHosts("test-peer", [.ed25519]))
        let finished = try await authority.copy(peer, ["-v", "-oKnownHostsCommand=/bin/cat \(lines)"])
        #expect(finished.succeeded && finished.errorText.contains("KnownHostsCommand-HOSTNAME:1"), "\(finished)")
        #expect(try readText(authority.hosts).isEmpty)
        let failed = try await authority.copy(peer, ["-oKnownHostsCommand=/bin/cat \(lines) ; true"])
        #expect(failed.status == .exited(255) && failed.errorText.contains("KnownHostsCommand"), "\(failed)")
    }

    @Test("Hashed files are found, by name and port, and what is written is found by ssh")
    func hashedFiles() async throws {
        let authority = try await Authority()
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try authority.trust(peer.keys.knownHosts("[127.0.0.1]:\(peer.port),test-peer", [.ed25519]))
        try await run("ssh-keygen", ["-q", "-H", "-f", authority.hosts]).success()
        #expect(try await authority.copy(peer).succeeded)
        #expect(try await authority.copy(peer, ["-oHostKeyAlias=[127.0.0.1]:\(peer.port)"]).succeeded)
        #expect(try await authority.copy(peer, ["-oHostKeyAlias=unknown"]).status == .exited(255))
    }

    @Test("A changed key is refused, unless StrictHostKeyChecking is no, with the file, the line and what to do")
    func changed() async throws {
        let authority = try await Authority()
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let name = "[127.0.0.1]:\(peer.port)"
        let stranger = try readText(peer.keys.strangerKey + ".pub").split(separator: " ").prefix(2)
        try authority.trust("# one\n\(name) \(stranger.joined(separator: " "))\n")
        for checking in ["yes", "no", "ask", "accept-new"] {
            let finished = try await authority.copy(
                peer, ["-oStrictHostKeyChecking=\(checking)", "-oHostKeyAlias=\(name)"])
            #expect(finished.status == .exited(checking == "no" ? 0 : 255), "\(finished)")
            #expect(finished.errorText.contains("HAS CHANGED") && finished.errorText.contains("\(authority.hosts):2"))
            #expect(finished.errorText.contains("ssh-keygen -f '\(authority.hosts)' -R '\(name)'"), "\(finished)")
        }
        try await run("ssh-keygen", ["-f", authority.hosts, "-R", name]).success()
        #expect(
            try await authority.copy(peer, ["-oStrictHostKeyChecking=accept-new", "-oHostKeyAlias=\(name)"]).succeeded)
    }

    @Test("Two names for localhost: NoHostAuthenticationForLocalhost asks nothing; RequiredRSASize refuses short keys")
    func others() async throws {
        let authority = try await Authority()
        let peer = try await Peer.openSSH(hostKeys: [.rsa])
        try authority.trust("")
        let alias = peer.clientOptions().firstIndex { $0.hasPrefix("HostKeyAlias=") }
        var options = peer.clientOptions()
        if let alias { options.removeSubrange(alias - 1...alias) }
        try writeFile([1], at: peer.directory.file("a"))
        let operands = [peer.directory.file("a"), peer.remote("b")]
        let local = try await run(
            scpBinary(),
            ["-oNoHostAuthenticationForLocalhost=yes", "-oUserKnownHostsFile=\(authority.hosts)"] + options + operands)
        #expect(local.succeeded && local.errors.isEmpty, "\(local)")
        let short = try await peer.scp(["-oRequiredRSASize=2049"], operands)
        #expect(short.status == .exited(255) && short.errorText.contains("RequiredRSASize"), "\(short)")
        let user = try await peer.scp(["-oRequiredRSASize=2048"], operands, key: .rsa)
        #expect(user.succeeded, "\(user)")
        let ed25519 = try await Peer.openSSH(hostKeys: [.ed25519])
        try writeFile([1], at: ed25519.directory.file("a"))
        let skipped = try await ed25519.scp(
            ["-v", "-oRequiredRSASize=3072"], [ed25519.directory.file("a"), ed25519.remote("b")], key: .rsa)
        #expect(skipped.status == .exited(255) && skipped.errorText.contains("Skipping key"), "\(skipped)")
    }
}
