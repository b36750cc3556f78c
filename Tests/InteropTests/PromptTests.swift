import Platform
import TestSupport
import Testing

@Suite("Questions at the terminal", .timeLimit(.minutes(hangMinutes)))
struct PromptTests {
    private func start() async throws -> Peer {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try writeFile([1, 2, 3], at: peer.directory.file("a"))
        return peer
    }

    /// A terminal on which our `scp` asks about the host key of a server that no file knows.
    private func ask(_ peer: Peer, _ settings: [String] = []) throws -> Terminal {
        let options = [
            "-oUserKnownHostsFile=\(peer.directory.file("new_hosts"))", "-oStrictHostKeyChecking=ask",
            "-oHostKeyAlias=first.example",
        ]
        return try peer.scpOnTerminal(options + settings, [peer.directory.file("a"), peer.remote("b")])
    }

    private func fingerprint(_ peer: Peer) async throws -> String {
        let shown = try await run("ssh-keygen", ["-lf", peer.keys.hostKey(.ed25519) + ".pub"]).success().outputText
        return String(shown.split(separator: " ")[1])
    }

    @Test(
        "An unknown host key is shown with its fingerprint; yes goes on and writes it down, readable by the user alone")
    func yes() async throws {
        let peer = try await start()
        let terminal = try ask(peer)
        try await terminal.wait(for: fingerprint(peer))
        try await terminal.wait(for: "(yes/no/[fingerprint])? ")
        try terminal.send("perhaps\n")
        try await terminal.wait(for: "fingerprint: ")
        try terminal.send("yes\n")
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)")
        #expect(try readFile(at: peer.directory.file("b")) == [1, 2, 3])
        let hosts = peer.directory.file("new_hosts")
        try await run("ssh-keygen", ["-F", "first.example", "-f", hosts]).success()
        #expect(try await run("stat", ["-c", "%a", hosts]).outputText == "600\n")

        let again = try ask(peer)
        #expect(try await again.finish() == .exited(0))
        #expect(!again.transcript.contains("authenticity"))
    }

    @Test("The fingerprint is as good as yes")
    func typedFingerprint() async throws {
        let peer = try await start()
        let terminal = try ask(peer)
        try await terminal.wait(for: "(yes/no/[fingerprint])? ")
        try await terminal.send(fingerprint(peer) + "\n")
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)")
        #expect(try readFile(at: peer.directory.file("b")) == [1, 2, 3])
    }

    @Test("No copies nothing, writes nothing down and logs in nowhere", arguments: ["no", "\u{4}"])
    func no(answer: String) async throws {
        let peer = try await start()
        let terminal = try ask(peer)
        try await terminal.wait(for: "(yes/no/[fingerprint])? ")
        try terminal.send(answer + (answer == "no" ? "\n" : ""))
        #expect(try await terminal.finish() == .exited(255), "\(terminal.transcript)")
        #expect(terminal.transcript.contains("Host key verification failed"))
        let names = listDirectory(peer.directory.path).map { String(decoding: $0, as: UTF8.self) }
        #expect(!names.contains("b") && !names.contains("new_hosts"))
        #expect(!peer.log.contains("Accepted"))
    }

    @Test("Accept-new asks nothing and writes a line that ssh-keygen finds", arguments: ["no", "yes"])
    func acceptNew(hashed: String) async throws {
        let peer = try await start()
        let hosts = peer.directory.file("new_hosts")
        // By address and port, as without a test's alias.
        let alias = peer.clientOptions().firstIndex { $0.hasPrefix("HostKeyAlias=") }
        var options = peer.clientOptions()
        if let alias { options.removeSubrange(alias - 1...alias) }
        options =
            ["-oUserKnownHostsFile=\(hosts)", "-oStrictHostKeyChecking=accept-new", "-oHashKnownHosts=\(hashed)"]
            + options
        let finished = try await run(scpBinary(), options + [peer.directory.file("a"), peer.remote("b")])
        #expect(finished.succeeded, "\(finished)")
        #expect(finished.errorText.contains("Permanently added '[127.0.0.1]:\(peer.port)' (ED25519)"), "\(finished)")
        let found = try await run("ssh-keygen", ["-F", "[127.0.0.1]:\(peer.port)", "-f", hosts])
        #expect(found.succeeded, "\(found)")
        #expect(try readText(hosts).hasPrefix("|1|") == (hashed == "yes"))
        #expect(try await run("stat", ["-c", "%a", hosts]).outputText == "600\n")
        let again = try await run(scpBinary(), options + [peer.directory.file("a"), peer.remote("b")])
        #expect(again.succeeded && again.errors.isEmpty, "\(again)")
    }

    /// Who asks for a password.
    enum PasswordServer: CaseIterable {
        case openSSH
        case openSSHInteractive
        case dropbear

        func start(_ passwords: [(name: String, password: String)]) async throws -> Peer {
            switch self {
            case .openSSH:
                try await Peer.openSSH(
                    hostKeys: [.ed25519], configuration: ["PasswordAuthentication yes", "PubkeyAuthentication no"],
                    accounts: SyntheticAccounts(passwords: passwords))
            case .openSSHInteractive:
                try await Peer.openSSH(
                    hostKeys: [.ed25519],
                    configuration: ["KbdInteractiveAuthentication yes", "PubkeyAuthentication no", "UsePAM yes"],
                    accounts: SyntheticAccounts(passwords: passwords))
            case .dropbear:
                try await Peer.dropbear(hostKeys: [.ed25519], passwords: passwords)
            }
        }

        static let available =
            SyntheticAccounts.canHavePasswords
            ? allCases.filter { $0 != .dropbear || Peer.dropbearIsAvailable } : []
    }

    private let secret = "open sesame \u{e9}"

    /// A terminal on which our `scp` asks for alice's password.
    private func askPassword(_ peer: Peer, _ settings: [String] = []) throws -> Terminal {
        try peer.scpOnTerminal(
            settings + ["-oUser=alice", "-oPubkeyAuthentication=no"],
            [peer.knownHosts, "\(peer.address.bracketed):\(peer.directory.file("b"))"])
    }

    @Test("The right password lets in, after a wrong one; neither is shown", arguments: PasswordServer.available)
    func password(server: PasswordServer) async throws {
        let peer = try await server.start([("alice", secret)])
        let terminal = try askPassword(peer)
        try await terminal.wait(for: "assword: ")
        try terminal.send("wrong guess\n")
        try await terminal.wait(for: "assword: ")
        // A typing mistake is taken back, and then the line.
        try terminal.send("opn\u{7f}\u{7f}\u{15}\(secret)\n")
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)\n\(peer.log)")
        #expect(try readText(peer.directory.file("b")) == readText(peer.knownHosts))
        #expect(!terminal.transcript.contains("sesame") && !terminal.transcript.contains("guess"), "echo was on")
    }

    @Test("After three wrong passwords permission is denied", arguments: PasswordServer.available)
    func threeWrong(server: PasswordServer) async throws {
        let peer = try await server.start([("alice", secret)])
        let terminal = try askPassword(peer, ["-oPreferredAuthentications=password,keyboard-interactive"])
        for _ in 1...3 {
            try await terminal.wait(for: "assword: ")
            try terminal.send("wrong\n")
        }
        #expect(try await terminal.finish() == .exited(255), "\(terminal.transcript)")
        #expect(terminal.transcript.contains("Permission denied"), "\(terminal.transcript)")
    }

    @Test("With BatchMode nothing is asked", .enabled(if: SyntheticAccounts.canHavePasswords))
    func batchMode() async throws {
        let peer = try await PasswordServer.openSSH.start([("alice", secret)])
        let terminal = try askPassword(peer, ["-B"])
        #expect(try await terminal.finish() == .exited(255))
        #expect(!terminal.transcript.contains("assword:"))
        #expect(terminal.transcript.contains("Permission denied (password)"), "\(terminal.transcript)")
    }

    @Test(
        "^C at the password prompt ends scp and leaves the terminal as it was",
        .enabled(if: SyntheticAccounts.canHavePasswords))
    func interrupt() async throws {
        let peer = try await PasswordServer.openSSH.start([("alice", secret)])
        let script = #"trap : INT; old=$(stty -g); "$@"; echo "status $?"; [ "$(stty -g)" = "$old" ] && echo as it was"#
        let arguments =
            try ["-c", script, "sh", scpBinary(), "-oUser=alice", "-oPubkeyAuthentication=no"]
            + peer.clientOptions(asking: true) + [peer.knownHosts, "127.0.0.1:x"]
        let terminal = try Terminal("/bin/sh", arguments)
        try await terminal.wait(for: "assword: ")
        try terminal.send("half\u{3}")
        try await terminal.wait(for: "status 130")
        try await terminal.wait(for: "as it was")
        #expect(try await terminal.finish() == .exited(0))
        #expect(!terminal.transcript.contains("half"))
    }
}
