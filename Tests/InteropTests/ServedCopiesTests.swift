import Platform
import TestSupport
import Testing

@Suite("Copies with scpd", .timeLimit(.minutes(hangMinutes)))
struct ServedCopiesTests {
    /// Sizes around a block, names that shells and patterns trip over, modes and times.
    private static func tree(leavingOut lost: Set<String> = []) -> Tree {
        let block = 256 * 1024
        var files: [String: Tree] = [:]
        for size in [0, 1, 32_768, block - 1, block + 1, 3 * block * 4 + 7] { files["\(size)"] = .file(noise(size)) }
        let names = [
            "a b", "it's", "\"quoted\"", "-dash", "$HOME", "*", "[x]", "{a,b}", "back\\slash", "\u{e9}", ";&|",
        ]
        for name in names where !lost.contains(name) {
            files[name] = .file(Array(name.utf8), mode: 0o600, modified: 1_234_567_890)
        }
        let deep = Tree.named(["deeper": .named(["x": .file([1], mode: 0o755)])], modified: 1_100_000_000)
        return .named(["files": .named(files, mode: 0o750), "deep": deep, "empty": .named([:], mode: 0o700)])
    }

    @Test("A tree comes up and down whole", arguments: CopyClient.all)
    func trees(client: CopyClient) async throws {
        let server = try await ScpdServer.start(client.serverOptions)
        let place = try server.directory.makeDirectory("place")
        try makeTree(Self.tree(leavingOut: client.loses), at: "\(place)/tree")
        for name in [server.served("in"), "\(place)/back"] { try makeTree(.named([:]), at: name) }
        try await client.up(server, place)
        let original = try readTree(at: "\(place)/tree")
        let there = differences(original, try readTree(at: server.served("in/tree")), attributes: client.preserves)
        #expect(there == [], "\(server.log)")
        #expect(listDirectory(server.served("in")) == [Array("tree".utf8)])
        try await client.down(server, place)
        let back = differences(original, try readTree(at: "\(place)/back/tree"), attributes: client.preserves)
        #expect(back == [], "\(server.log)")
    }

    // libssh2 before 1.11 has MACs over the plaintext only, which scpd offers to none but it.
    @Test("curl brings a file up and down", arguments: ["scp", "sftp"])
    func curl(scheme: String) async throws {
        let server = try await ScpdServer.start()
        let (local, bytes) = (server.directory.file("local"), noise(700_001))
        try writeFile(bytes, at: local)
        let key = server.keys.clientKey(.ed25519)
        let options = ["-sS", "--key", key, "--pubkey", key + ".pub", "-u", "\(server.user):"]
        // `it's $HOME*`
        let address = "\(scheme)://127.0.0.1:\(server.port)/it%27s%20%24HOME%2A"
        // A known_hosts file of its own is what it looks for in the home directory.
        let home = try server.directory.makeDirectory("home")
        try makeTree(.named(["known_hosts": .file(Array(try readText(server.knownHosts).utf8))]), at: "\(home)/.ssh")
        try await run("curl", options + ["-T", local, address], environment: ["HOME": home]).success()
        #expect(try readFile(at: server.served("it's $HOME*")) == bytes)
        let back = server.directory.file("back")
        try await run("curl", options + ["-o", back, address], environment: ["HOME": home]).success()
        #expect(try readFile(at: back) == bytes)
    }

    @Test(
        "sshfs mounts what is served",
        .enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "this machine has no /dev/fuse for the user of the tests"))
    func sshfs() async throws {
        let server = try await ScpdServer.start()
        let mount = try server.directory.makeDirectory("mount")
        let options = [
            "IdentityFile=\(server.keys.clientKey(.ed25519))", "UserKnownHostsFile=\(server.knownHosts)",
            "GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes",
        ]
        try await run(
            "sshfs",
            ["-F", "none", "-p", "\(server.port)", "\(server.user)@127.0.0.1:/", mount, "-o"]
                + [options.joined(separator: ",")]
        ).success()
        let tree = Self.tree()
        let made = Result { try makeTree(tree, at: "\(mount)/tree") }
        let seen = Result { try readTree(at: "\(mount)/tree") }
        let moved = rename("\(mount)/tree/deep", "\(mount)/tree/files/deep")
        try await run("fusermount3", ["-u", mount]).success()
        try made.get()
        #expect(moved == 0)
        let original = server.directory.file("original")
        try makeTree(tree, at: original)
        #expect(differences(try readTree(at: original), try seen.get(), attributes: true) == [])
        #expect(try readFile(at: server.served("tree/files/deep/deeper/x")) == [1])
    }

    @Test("Our scp copies from one to another", arguments: [[], ["-O"]])
    func remoteToRemote(options: [String]) async throws {
        let (first, second) = (try await ScpdServer.start(), try await ScpdServer.start())
        try makeTree(Self.tree(), at: first.served("tree"))
        let knownHosts = first.directory.file("both")
        try writeFile(knownHosts, text: try readText(first.knownHosts) + readText(second.knownHosts))
        try await run(
            scpBinary(),
            options + [
                "-F", "none", "-r", "-p", "-o", "UserKnownHostsFile=\(knownHosts)", "-o", "GlobalKnownHostsFile=none",
                "-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes", "-o",
                "BatchMode=yes", "-i", first.keys.clientKey(.ed25519),
                "scp://\(first.user)@127.0.0.1:\(first.port)/tree", "scp://\(second.user)@127.0.0.1:\(second.port)/",
            ]
        ).success()
        let (a, b) = (try readTree(at: first.served("tree")), try readTree(at: second.served("tree")))
        #expect(differences(a, b, attributes: true) == [])
    }

    @Test("A password lets AsyncSSH in, and a wrong one does not")
    func passwords() async throws {
        let server = try await ScpdServer.start()
        try writeFile([1, 2], at: server.served("file"))
        let script = """
            import asyncio, asyncssh, sys
            port, user, password, known_hosts = sys.argv[1:]
            async def main():
                async with asyncssh.connect('127.0.0.1', int(port), username=user, password=password, client_keys=None,
                                            known_hosts=known_hosts, config=None, login_timeout=0) as connection:
                    await asyncssh.scp((connection, 'file'), 'copy')
            asyncio.run(main())
            """
        for (password, isRight) in [(ScpdServer.password, true), ("wrong", false)] {
            let finished = try await run(
                Peer.requirePython(with: "asyncssh"),
                ["-c", script, "\(server.port)", server.user, password, server.knownHosts],
                directory: server.directory.path)
            #expect(finished.succeeded == isRight, "\(finished)")
        }
        #expect(try readFile(at: server.directory.file("copy")) == [1, 2])
    }

    @Test(
        "It runs no shell and no program",
        arguments: ["ls", "scp -t x; touch y", "scp -f $(touch y)", "sh -c 'touch y'", "scp a b", "scp -S sh -t x"])
    func programs(command: String) async throws {
        let server = try await ScpdServer.start()
        let finished = try await run("ssh", server.clientOptions + ["\(server.user)@127.0.0.1", command])
        #expect(finished.status == .exited(1))
        #expect(finished.errorText.hasPrefix("scpd: "), "\(finished)")
        #expect(finished.output.isEmpty)
        #expect(listDirectory(server.root) == [])
    }

    @Test("With --read-only files come down and none goes up", arguments: ["-s", "-O"])
    func readOnly(wire: String) async throws {
        let server = try await ScpdServer.start(["--read-only"])
        try writeFile([1, 2], at: server.served("file"))
        let options = server.clientOptions + [wire]
        let copy = server.directory.file("copy")
        try await run("scp", options + ["\(server.user)@127.0.0.1:file", copy]).success()
        #expect(try readFile(at: copy) == [1, 2])
        for name in ["file", "new"] {
            let finished = try await run("scp", options + [copy, "\(server.user)@127.0.0.1:\(name)"])
            #expect(!finished.succeeded)
            #expect(!finished.errorText.isEmpty)
        }
        #expect(listDirectory(server.root) == [Array("file".utf8)])
    }

    @Test("Wildcards, braces and quotes in a remote path mean what they mean to a shell")
    func patterns() async throws {
        let server = try await ScpdServer.start()
        for name in ["a.txt", "b.txt", "c.md", "it's", "*.txt"] { try writeFile([1], at: server.served(name)) }
        for (words, names) in [
            ("*.md", ["c.md"]), ("{a,b}.txt", ["a.txt", "b.txt"]), ("\"it's\"", ["it's"]), ("it\\'s", ["it's"]),
            ("'*.txt'", ["*.txt"]), ("~/[ab].txt", ["a.txt", "b.txt"]),
        ] {
            let target = try server.directory.makeDirectory("target")
            // OpenSSH compares names with what was typed, and its `-T` does not.
            try await run(
                "scp", server.clientOptions + ["-O", "-T", "\(server.user)@127.0.0.1:\(words)", target]
            ).success()
            let found = listDirectory(target).map { String(decoding: $0, as: UTF8.self) }
            #expect(Set(found) == Set(names), "\(words)")
            try await run("rm", ["-r", target]).success()
        }
    }

    @Test("It ends with 0 when asked to")
    func termination() async throws {
        let server = try await ScpdServer.start()
        #expect(try await server.terminate() == .exited(0))
    }
}
