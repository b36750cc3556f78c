import Platform
import TestSupport
import Testing

@Suite("Ways to log in", .timeLimit(.minutes(hangMinutes)))
struct AuthenticationTests {
    // MARK: Certificates

    /// An authority and a certificate of it for the ed25519 client key, whose plain form no server here accepts.
    private struct Certified {
        let directory: TemporaryDirectory
        let key: String
        let authority: String

        init(_ options: [String]) async throws {
            directory = try TemporaryDirectory()
            key = directory.file("key")
            authority = directory.file("authority")
            for path in [key, authority] {
                try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]).success()
            }
            try await run(
                "ssh-keygen", ["-q", "-s", authority, "-I", "tester"] + options + ["\(key).pub"]
            ).success()
        }
    }

    private func certificatePeer(_ trusted: String, _ more: [String] = []) async throws -> Peer {
        try await Peer.openSSH(
            hostKeys: [.ed25519],
            configuration: more + ["TrustedUserCAKeys \(trusted).pub", "AuthorizedKeysFile none"])
    }

    private func copy(_ peer: Peer, key: String, _ more: [String] = []) async throws -> Finished {
        var options = peer.clientOptions()
        options[options.count - 1] = key
        return try await run(
            scpBinary(), more + options + [peer.knownHosts, peer.remote("copy")])
    }

    @Test("A certificate beside the key, or named, lets in")
    func certificate() async throws {
        let user = try currentUserName()
        let certified = try await Certified(["-n", user, "-V", "-1m:+1h"])
        let peer = try await certificatePeer(certified.authority)
        let beside = try await copy(peer, key: certified.key)
        #expect(beside.succeeded && beside.errors.isEmpty, "\(beside)\n\(peer.log)")
        let moved = certified.directory.file("elsewhere")
        try await run("mv", ["\(certified.key)-cert.pub", moved]).success()
        let without = try await copy(peer, key: certified.key)
        #expect(!without.succeeded)
        let named = try await copy(peer, key: certified.key, ["-oCertificateFile=\(moved)"])
        #expect(named.succeeded && named.errors.isEmpty, "\(named)\n\(peer.log)")
        #expect(peer.countInLog("ED25519-CERT") >= 2)
    }

    @Test("A certificate in the agent, or for a key in the agent, lets in")
    func certificateInAgent() async throws {
        let certified = try await Certified(["-n", currentUserName(), "-V", "-1m:+1h"])
        let peer = try await certificatePeer(certified.authority)
        let agent = try await TestAgent()
        try await agent.add([certified.key])
        let settings = ["-oIdentityAgent=\(agent.socket)", "-oIdentitiesOnly=no"]
        let held = try await copy(peer, key: "none", settings)
        #expect(held.succeeded, "\(held)\n\(peer.log)")
        let moved = certified.directory.file("elsewhere")
        try await run("mv", ["\(certified.key)-cert.pub", moved]).success()
        let plain = try await TestAgent()
        try await plain.add([certified.key])
        let named = try await copy(
            peer, key: "none",
            ["-oIdentityAgent=\(plain.socket)", "-oIdentitiesOnly=no", "-oCertificateFile=\(moved)"])
        #expect(named.succeeded, "\(named)\n\(peer.log)")
    }

    @Test(
        "A certificate that is over, not yet good, for somebody else, revoked, or of another authority lets nobody in",
        arguments: ["expired", "early", "principal", "revoked", "authority"])
    func badCertificate(fault: String) async throws {
        let user = try currentUserName()
        let validity = ["expired": "-2h:-1h", "early": "+1h:+2h"][fault] ?? "-1m:+1h"
        let certified = try await Certified(["-n", fault == "principal" ? "somebody" : user, "-V", validity])
        var more: [String] = []
        var trusted = certified.authority
        if fault == "revoked" {
            let list = certified.directory.file("revoked")
            try await run("ssh-keygen", ["-q", "-k", "-f", list, "\(certified.key)-cert.pub"]).success()
            more = ["RevokedKeys \(list)"]
        }
        if fault == "authority" { trusted = try await TestKeys.ofThisRun().clientKey(.rsa) }
        let peer = try await certificatePeer(trusted, more)
        let finished = try await copy(peer, key: certified.key)
        #expect(finished.status == .exited(255), "\(finished)\n\(peer.log)")
        #expect(finished.errorText.contains("Permission denied (publickey)"), "\(finished)")
    }

    @Test(
        "A spoilt key, certificate or agent is told about, and the rest is used", arguments: ["key", "cert", "agent"])
    func spoilt(what: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let path = peer.directory.file("spoilt")
        var settings: [String] = []
        switch what {
        case "key":
            let text = try readText(peer.keys.clientKey(.rsa))
            try writeFile(path, text: text.replacingMiddle())
            settings = ["-i", path]
        case "cert":
            try writeFile(path, text: "ssh-ed25519-cert-v01@openssh.com AAAA\n")
            settings = ["-oCertificateFile=\(path)"]
        default:
            settings = ["-oIdentityAgent=\(path)"]
        }
        let finished = try await copy(peer, key: peer.keys.clientKey(.ed25519), settings)
        #expect(finished.succeeded, "\(finished)")
        if what != "agent" { #expect(finished.errorText.contains(path), "\(finished)") }
    }

    @Test("A key that others can read is named with its mode and not used")
    func readableByOthers() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let path = peer.directory.file("open")
        try writeFile(path, readFile(peer.keys.clientKey(.rsa)), mode: 0o644)
        let finished = try await copy(peer, key: peer.keys.clientKey(.ed25519), ["-i", path])
        #expect(finished.succeeded && finished.errorText.contains("\(path): permissions 0644"), "\(finished)")
        let alone = try await copy(peer, key: path)
        #expect(alone.status == .exited(255) && alone.errorText.contains("Permission denied"), "\(alone)")
    }

    // MARK: Algorithms

    @Test("RSA keys sign with SHA-2; with SHA-1 only where it is named")
    func rsa() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let key = peer.keys.clientKey(.rsa)
        let usual = try await copy(peer, key: key, ["-vvv"])
        #expect(usual.succeeded && usual.errorText.contains("rsa-sha2-512"), "\(usual)")
        let chosen = try await copy(peer, key: key, ["-vvv", "-oPubkeyAcceptedAlgorithms=rsa-sha2-256"])
        #expect(chosen.succeeded && !chosen.errorText.contains("algorithm name: rsa-sha2-512"), "\(chosen)")
        let other = try await copy(peer, key: key, ["-oPubkeyAcceptedAlgorithms=ssh-ed25519"])
        #expect(other.status == .exited(255), "\(other)")
        let old = try await Peer.openSSH(
            hostKeys: [.ed25519], configuration: ["PubkeyAcceptedAlgorithms ssh-rsa"])
        let refused = try await copy(old, key: key)
        #expect(refused.status == .exited(255), "\(refused)")
        let named = try await copy(old, key: key, ["-oPubkeyAcceptedAlgorithms=ssh-rsa"])
        #expect(named.succeeded, "\(named)\n\(old.log)")
    }

    // MARK: Passphrases

    private func encryptedKey(_ peer: Peer, format: [String] = []) async throws -> String {
        let path = peer.directory.file("encrypted")
        try writeFile(path, readFile(peer.keys.clientKey(.ecdsa256)))
        try await run("ssh-keygen", ["-q", "-p", "-P", "", "-N", "open sesame", "-f", path] + format).success()
        return path
    }

    private func settings(_ peer: Peer, key: String) -> [String] {
        var options = peer.clientOptions(asking: true)
        options[options.count - 1] = key
        return options
    }

    @Test("A passphrase is asked for at the terminal, three times at most", arguments: [[], ["-m", "PEM"]])
    func passphrase(format: [String]) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let key = try await encryptedKey(peer, format: format)
        let arguments = settings(peer, key: key) + [peer.knownHosts, peer.remote("copy")]
        let terminal = try Terminal(scpBinary(), arguments)
        for attempt in ["wrong", "wrong again", "open sesame"] {
            try await terminal.wait(for: "Enter passphrase for key '\(key)': ")
            try terminal.send(attempt + "\n")
        }
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)\n\(peer.log)")
        #expect(!terminal.transcript.contains("sesame"))

        let stubborn = try Terminal(scpBinary(), arguments)
        for _ in 1...3 {
            try await stubborn.wait(for: "Enter passphrase for key '\(key)': ")
            try stubborn.send("wrong\n")
        }
        #expect(try await stubborn.finish() == .exited(255), "\(stubborn.transcript)")
        #expect(stubborn.transcript.contains("Permission denied (publickey)"), "\(stubborn.transcript)")
    }

    @Test("Nobody is asked for the passphrase of a key that the server does not want")
    func unwantedKey() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let path = peer.directory.file("unwanted")
        try await run("ssh-keygen", ["-q", "-t", "rsa", "-m", "PEM", "-N", "open sesame", "-f", path]).success()
        let terminal = try Terminal(
            scpBinary(), settings(peer, key: path) + [peer.knownHosts, peer.remote("copy")])
        #expect(try await terminal.finish() == .exited(255))
        #expect(!terminal.transcript.contains("passphrase"), "\(terminal.transcript)")
    }

    @Test("SSH_ASKPASS answers where it is to, and not with never")
    func askPass() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let key = try await encryptedKey(peer)
        let (program, asked) = (peer.directory.file("askpass"), peer.directory.file("asked"))
        try writeFile(
            program, text: "#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT$1\" >>'\(asked)'\necho 'open sesame'\n", mode: 0o755)
        let arguments = settings(peer, key: key) + [peer.knownHosts, peer.remote("copy")]
        func environment(_ require: String?, display: String?) -> [String: String?] {
            ["SSH_ASKPASS": program, "SSH_ASKPASS_REQUIRE": require, "DISPLAY": display, "WAYLAND_DISPLAY": nil]
        }
        // Without a terminal: with a display, or forced.
        for (require, display) in [("force", nil), (nil, ":9"), ("prefer", ":9")] as [(String?, String?)] {
            let finished = try await run(
                scpBinary(), arguments, environment: environment(require, display: display))
            #expect(finished.succeeded, "\(finished)")
        }
        #expect(try readText(asked) == String(repeating: "Enter passphrase for key '\(key)': \n", count: 3))
        for (require, display) in [("never", ":9"), ("prefer", nil), (nil, nil)] as [(String?, String?)] {
            let finished = try await run(
                scpBinary(), arguments, environment: environment(require, display: display))
            #expect(finished.status == .exited(255), "\(finished)")
        }
        // At a terminal: only where it is preferred.
        for require in ["prefer", "force"] {
            let terminal = try Terminal(scpBinary(), arguments, environment: environment(require, display: ":9"))
            #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)")
        }
        let terminal = try Terminal(scpBinary(), arguments, environment: environment(nil, display: ":9"))
        try await terminal.wait(for: "Enter passphrase")
        terminal.end()
    }

    // MARK: Several steps

    @Test("Several keys where a server wants several")
    func twoKeys() async throws {
        let peer = try await Peer.openSSH(
            hostKeys: [.ed25519], configuration: ["AuthenticationMethods publickey,publickey"])
        let finished = try await copy(
            peer, key: peer.keys.clientKey(.ed25519), ["-i", peer.keys.clientKey(.ecdsa256)])
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
        #expect(peer.log.contains("Partial publickey"), "\(peer.log)")
    }

    @Test(
        "A key and then a password, as sshd and its accounts demand", .enabled(if: SyntheticAccounts.canHavePasswords))
    func keyAndPassword() async throws {
        let peer = try await Peer.openSSH(
            hostKeys: [.ed25519],
            configuration: ["AuthenticationMethods publickey,password", "PasswordAuthentication yes"],
            accounts: SyntheticAccounts(passwords: [("alice", "open sesame")]))
        let terminal = try peer.scpOnTerminal(
            ["-oUser=alice"], [peer.knownHosts, "\(peer.address.bracketed):\(peer.directory.file("b"))"])
        try await terminal.wait(for: "alice@test-peer's password: ")
        try terminal.send("open sesame\n")
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)\n\(peer.log)")
    }

    @Test("PreferredAuthentications decides what comes first, and what comes at all")
    func preferred() async throws {
        let peer = try await Peer.asyncSSH(hostKeys: [.ed25519], steps: [.password("open sesame")])
        let terminal = try peer.scpOnTerminal(
            ["-oPreferredAuthentications=keyboard-interactive,publickey"], [peer.knownHosts, peer.remote("b")])
        #expect(try await terminal.finish() == .exited(255))
        #expect(!terminal.transcript.contains("password:"), "\(terminal.transcript)")
        #expect(terminal.transcript.contains("Permission denied (password)"), "\(terminal.transcript)")
    }

    @Test("Where nobody needs to prove anything, nobody is asked")
    func none() async throws {
        let peer = try await Peer.asyncSSH(hostKeys: [.ed25519], steps: [])
        let finished = try await copy(peer, key: "none", ["-oPubkeyAuthentication=no"])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)\n\(peer.log)")
    }

    @Test("A banner is shown on standard error, made safe, unless -q is given")
    func banner() async throws {
        let peer = try await Peer.asyncSSH(hostKeys: [.ed25519], banner: "Be \u{1b}[31mwelcome\nhere\n")
        let key = peer.keys.clientKey(.ed25519)
        let finished = try await copy(peer, key: key)
        #expect(finished.succeeded, "\(finished)")
        #expect(finished.errorText.contains("welcome\nhere\n") && !finished.errorText.contains("\u{1b}"), "\(finished)")
        let quiet = try await copy(peer, key: key, ["-q"])
        #expect(quiet.succeeded && quiet.errors.isEmpty, "\(quiet)")
    }

    private let secret = "open sesame"
    private let rounds: [QuestionRound] = [
        QuestionRound(
            title: "First things", instruction: "Answer what you are asked.",
            [.init("Favourite colour? ", echo: true, answer: "green"), .init("PIN: ", answer: "2718")]),
        QuestionRound(title: "Nothing to ask here", []),
        QuestionRound([.init("Token: ", answer: "314159")]),
    ]

    @Test("A person in tmux answers rounds of questions, gives a key's passphrase and changes a password")
    func everythingInTmux() async throws {
        let tmux = try requireProgram("tmux")
        let peer = try await Peer.asyncSSH(
            hostKeys: [.ed25519],
            steps: [.publicKey, .questions(rounds), .passwordChange(old: secret, new: "new sesame")])
        let key = try await encryptedKey(peer)
        let command =
            [try scpBinary()] + settings(peer, key: key) + [peer.knownHosts, peer.remote("copy")]
        let script = peer.directory.file("run.sh")
        let words = command.map { "'\($0)'" }.joined(separator: " ")
        try writeFile(script, text: "\(words)\necho \"ended with $?\"\nsleep 600\n")
        let socket = peer.directory.file("tmux")
        let base = ["-S", socket, "-f", "/dev/null"]
        try await run(
            tmux, base + ["new-session", "-d", "-x", "150", "-y", "50", "/bin/sh", script]
        ).success()
        func screen() async throws -> String {
            try await run(tmux, base + ["capture-pane", "-p"]).success().outputText
        }
        func wait(for text: String, times: Int = 1) async throws {
            var shown = ""
            try await eventually("\(text):\n\(shown)\n\(peer.log)") {
                shown = try await screen()
                return shown.split(separator: "\n").count(where: { $0.contains(text) }) >= times
            }
        }
        func type(_ text: String) async throws {
            try await run(tmux, base + ["send-keys", "-l", text]).success()
            try await run(tmux, base + ["send-keys", "Enter"]).success()
        }
        do {
            try await wait(for: "Enter passphrase for key")
            try await type(secret)
            try await wait(for: "First things")
            try await wait(for: "Answer what you are asked.")
            try await wait(for: "@test-peer) Favourite colour?")
            try await type("green")
            try await wait(for: "PIN:")
            try await type("2718")
            try await wait(for: "Nothing to ask here")
            try await wait(for: "Token:")
            try await type("314159")
            try await wait(for: "'s password:")
            try await type(secret)
            try await wait(for: "Your password has expired.")
            try await wait(for: "old password:")
            try await type(secret)
            try await wait(for: "new password:")
            try await type("new sesame")
            try await wait(for: "Retype")
            try await type("new sesam")
            try await wait(for: "Mismatch; try again, EOF to quit.")
            try await wait(for: "Enter \(peer.user)@test-peer's new password:", times: 2)
            try await type("new sesame")
            try await wait(for: "Retype", times: 2)
            try await type("new sesame")
            try await wait(for: "ended with 0")
            let shown = try await screen()
            #expect(shown.contains("green") && !shown.contains("2718") && !shown.contains("sesam"), "\(shown)")
        } catch {
            _ = try? await run(tmux, base + ["kill-server"])
            throw error
        }
        _ = try await run(tmux, base + ["kill-server"])
        #expect(try readText(peer.directory.file("copy")) == readText(peer.knownHosts))
    }

    @Test("A wrong answer is asked for again, three times at most; ^D gives up")
    func wrongAnswers() async throws {
        let peer = try await Peer.asyncSSH(
            hostKeys: [.ed25519], steps: [.questions([QuestionRound([.init("Token: ", answer: "1")])])])
        let terminal = try peer.scpOnTerminal([], [peer.knownHosts, peer.remote("b")])
        for _ in 1...3 {
            try await terminal.wait(for: "Token: ")
            try terminal.send("0\n")
        }
        #expect(try await terminal.finish() == .exited(255))
        let impatient = try peer.scpOnTerminal([], [peer.knownHosts, peer.remote("b")])
        try await impatient.wait(for: "Token: ")
        try impatient.send("\u{4}")
        #expect(try await impatient.finish() == .exited(255))
        #expect(impatient.transcript.contains("Permission denied (keyboard-interactive)"), "\(impatient.transcript)")
    }
}

/// The name of the account the tests run as.
private func currentUserName() throws -> String {
    guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else {
        throw TestSupportError("the user \(getuid()) has no account")
    }
    return String(cString: name)
}

extension String {
    /// With letters in the middle that are no part of it.
    fileprivate func replacingMiddle() -> String {
        String(prefix(count / 2)) + "AAAA" + String(dropFirst(count / 2 + 4))
    }
}
