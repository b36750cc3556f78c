import Synchronization
import TestSupport
import Testing

/// ssh-audit, and what its report says.
private enum Audit {
    /// The version that `Scripts/setup.sh` installs.
    private static let version = "3.9.0"

    static func program() throws -> String {
        let home = environmentValue("HOME") ?? ""
        let cache = environmentValue("XDG_CACHE_HOME") ?? "\(home)/.cache"
        let path = "\(cache)/swift-scp/ssh-audit-\(version)/bin/ssh-audit"
        if (try? readFile(path)) != nil { return path }
        return try requireProgram("ssh-audit")
    }

    /// The lines that find fault: `fail` or `warn`, each with the algorithm it is about.
    static func faults(_ text: String) -> [String] {
        var (faults, name): ([String], Substring) = ([], "")
        for line in text.split(separator: "\n") {
            if line.hasPrefix("("), let word = line.split(separator: " ").dropFirst().first {
                name = line.prefix { $0 != " " } + " " + word
            }
            for mark in ["[fail]", "[warn]"] where line.contains(mark) {
                faults.append("\(name) \(line.drop { $0 != "[" })")
            }
        }
        return faults
    }
}

@Suite("What ssh-audit says of our client", .timeLimit(.minutes(hangMinutes)))
struct AuditTests {
    private func audit(_ options: [String]) async throws -> (text: String, faults: [String]) {
        let program = try Audit.program()
        for _ in 1...5 {
            let port = try Loopback.ipv4.freePort()
            let hasEnded = Mutex(false)
            async let audited = {
                defer { hasEnded.withLock { $0 = true } }
                return try await run(program, ["-n", "-c", "-t", "240", "-p", "\(port)"])
            }()
            let client =
                options + [
                    "-F", "none", "-oPort=\(port)", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=none", "-B",
                    "/etc/hosts", "127.0.0.1:x",
                ]
            // It says nothing once it listens, and ends after its first client: whoever comes too early is refused.
            try await eventually("ssh-audit has met a client") {
                _ = try await run(scpBinary(), client)
                return hasEnded.withLock { $0 }
            }
            let finished = try await audited
            // Another process may have taken the port.
            if finished.errorText.contains("failed to listen on any IPv4") { continue }
            return (finished.outputText, Audit.faults(finished.outputText))
        }
        throw TestSupportError("ssh-audit finds no free port")
    }

    @Test("Our defaults have one fault: behind the post-quantum key exchanges there are others, for older servers")
    func defaults() async throws {
        let (text, faults) = try await audit([])
        #expect(text.contains("SSH-2.0-swift-scp"), "\(text)")
        let unexpected = faults.filter {
            !($0.hasPrefix("(kex)") && $0.hasSuffix("[warn] does not provide protection against post-quantum attacks"))
        }
        #expect(unexpected.isEmpty, "\(unexpected.joined(separator: "\n"))")
        #expect(!faults.contains { $0.contains("[fail]") })
        let first = text.split(separator: "\n").first { $0.hasPrefix("(kex)") }
        #expect(first?.hasPrefix("(kex) mlkem768x25519-sha256") == true)
    }

    @Test("Without those, with which today's OpenSSH is reached, there is none")
    func strict() async throws {
        let (text, faults) = try await audit([
            "-oKexAlgorithms=mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com"
        ])
        #expect(text.contains("SSH-2.0-swift-scp") && text.contains("(kex) mlkem768x25519-sha256"), "\(text)")
        #expect(faults.isEmpty, "\(text)")
    }

    @Test("What is for old servers is found fault with: the audit can tell")
    func weak() async throws {
        let (text, faults) = try await audit(["-oMACs=+hmac-sha1", "-oHostKeyAlgorithms=+ecdsa-sha2-nistp256"])
        #expect(faults.contains { $0.hasPrefix("(mac) hmac-sha1 ") }, "\(text)")
        #expect(faults.contains { $0.hasPrefix("(key) ecdsa-sha2-nistp256 ") && $0.contains("[fail]") }, "\(text)")
    }
}

@Suite("What ssh-audit says of our server", .timeLimit(.minutes(hangMinutes)))
struct ServerAuditTests {
    private func audit(_ options: [String], hostKeys: [TestKeyType] = [.ed25519]) async throws -> (
        text: String, faults: [String]
    ) {
        let home = try await ScpdHome()
        // It connects, and goes away, more often than a client that means well.
        let server = try await home.start(["--no-penalties"] + options, hostKeys: hostKeys)
        let text = try await run(
            Audit.program(), ["-n", "-t", "240", "-p", "\(server.port)", "127.0.0.1"]
        ).outputText
        #expect(text.contains("SSH-2.0-swift-scp"), "\(text)\n\(server.log)")
        return (text, Audit.faults(text))
    }

    @Test("Its defaults have one fault: a key exchange for clients that have no post-quantum one")
    func defaults() async throws {
        let (text, faults) = try await audit([])
        #expect(
            faults
                == ["curve25519-sha256", "curve25519-sha256@libssh.org"].map {
                    "(kex) \($0) [warn] does not provide protection against post-quantum attacks"
                }, "\(text)")
        let first = text.split(separator: "\n").first { $0.hasPrefix("(kex)") }
        #expect(first?.hasPrefix("(kex) mlkem768x25519-sha256") == true)
        #expect(text.contains("kex-strict-s-v00@openssh.com") && text.contains("ext-info-s"), "\(text)")
    }

    @Test("Without that, there is none")
    func strict() async throws {
        let (text, faults) = try await audit([
            "--kex-algorithms", "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com",
        ])
        #expect(faults.isEmpty && text.contains("(kex) mlkem768x25519-sha256"), "\(text)")
        #expect(text.contains("properly supports the strict key exchange method"), "\(text)")
    }

    @Test("What is for old clients is found fault with: the audit can tell")
    func weak() async throws {
        let (text, faults) = try await audit(["--macs", "hmac-sha1", "--ciphers", "aes128-ctr"], hostKeys: [.ecdsa256])
        #expect(faults.contains { $0.hasPrefix("(mac) hmac-sha1 ") }, "\(text)")
        #expect(faults.contains { $0.hasPrefix("(key) ecdsa-sha2-nistp256 ") && $0.contains("[fail]") }, "\(text)")
    }

    @Test("OpenSSH orders and counts packets strictly with it, which Terrapin cannot stand")
    func terrapin() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let server = try await home.start()
        let finished = try await server.fetch("a", flags: ["-vvv"])
        #expect(finished.text == "content")
        #expect(finished.finished.errorText.contains("will use strict KEX ordering"), "\(finished)")
    }
}
