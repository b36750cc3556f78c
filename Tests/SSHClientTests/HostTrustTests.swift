import SSHKeys
import TestSupport
import Testing

@testable import SSHClient
@testable import SSHConfig

@Suite("Host certificates, revoked keys, addresses and programs that know hosts")
struct HostTrustTests {
    private let directory: TemporaryDirectory
    private let key: PublicKey
    private let other: PublicKey
    private let authority: PublicKey

    init() async throws {
        directory = try TemporaryDirectory()
        for name in ["host", "ca"] {
            try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", directory.file(name)]).success()
        }
        key = try PublicKey(openSSHLine: readText(directory.file("host.pub")))
        authority = try PublicKey(openSSHLine: readText(directory.file("ca.pub")))
        other = try PrivateKey.generate(.ed25519).publicKey
    }

    private var hosts: String { directory.file("known_hosts") }
    private var authorityLine: String { "@cert-authority *.org " + authority.openSSHLine + "\n" }

    private func verifier(
        _ lines: String, _ heard: Collected = Collected(), answers: [String] = [], log: Collected = Collected(),
        change: (inout ClientOptions) -> Void = { _ in }
    ) throws -> HostVerifier {
        try writeFile(hosts, text: lines)
        var options = ClientOptions(host: "Example.org")
        options.userKnownHostsFiles = [hosts]
        options.globalKnownHostsFiles = [directory.file("global")]
        options.strictHostKeyChecking = .yes
        change(&options)
        return HostVerifier(
            options: options, interface: Scripted(answers: answers, heard: heard),
            log: ClientLog(verbosity: 3) { log.add($0) })
    }

    private func certificate(_ options: String...) async throws -> Certificate {
        try await run(
            "ssh-keygen", ["-q", "-s", directory.file("ca"), "-I", "id"] + options + [directory.file("host.pub")]
        ).success()
        return try Certificate(openSSHLine: readText(directory.file("host-cert.pub")))
    }

    private func expectRefusal(
        _ verifier: HostVerifier, _ text: String, _ certificate: Certificate? = nil, address: String = "192.0.2.1",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        await #expect(sourceLocation: sourceLocation) {
            try await verifier.verify(key, certificate: certificate, address: address)
        } throws: { error in
            guard case ClientError.hostKeyRejected(_, let reason) = error else { return false }
            return reason.contains(text)
        }
    }

    // MARK: Certificates

    @Test("A certificate of a known authority is enough, and learns no other keys")
    func certified() async throws {
        let certificate = try await certificate("-h", "-n", "example.org,b")
        let trust = try await verifier(authorityLine).verify(key, certificate: certificate, address: "192.0.2.1")
        #expect(trust == .indirect)
        // On another port, the line of the host counts.
        try await verifier(authorityLine) { $0.port = 2222 }.verify(key, certificate: certificate, address: "")
        try await verifier("@cert-authority alias \(authority.openSSHLine)\n") { $0.hostKeyAlias = "alias" }
            .verify(key, certificate: try await self.certificate("-h", "-n", "alias"), address: "")
    }

    @Test(
        "A certificate that does not hold is told, and its key is judged as a plain one",
        arguments: [
            (["-h", "-n", "example.org", "-V", "20200101:20200102"], "expired"),
            (["-h", "-n", "example.org", "-V", "20400101:20400102"], "not yet valid"),
            (["-h", "-n", "elsewhere.org"], "is for elsewhere.org"), (["-h"], "no principal"),
            (["-n", "example.org"], "is for a user"),
            (["-h", "-n", "example.org", "-O", "critical:x=y"], "demands \"x\""),
        ])
    func uncertified(options: [String], words: String) async throws {
        try await run(
            "ssh-keygen", ["-q", "-s", directory.file("ca"), "-I", "id"] + options + [directory.file("host.pub")]
        ).success()
        let certificate = try Certificate(openSSHLine: readText(directory.file("host-cert.pub")))
        let (heard, log) = (Collected(), Collected())
        await expectRefusal(try verifier(authorityLine, heard, log: log), "no ED25519 host key is known", certificate)
        #expect(heard.all.contains { $0.contains(words) }, "\(heard.all)")
        #expect(log.all.contains { $0.contains("No matching CA found. Retry with plain key") })
        try await verifier(authorityLine + "example.org \(key.openSSHLine)\n")
            .verify(key, certificate: certificate, address: "192.0.2.1")
        await expectRefusal(
            try verifier(authorityLine) { $0.hostKeyAlgorithms = "*-cert-v01@openssh.com" }, "HostKeyAlgorithms",
            certificate)
    }

    @Test("Another authority, or one for other hosts, counts nothing")
    func strangers() async throws {
        let certificate = try await certificate("-h", "-n", "example.org")
        await expectRefusal(try verifier("@cert-authority * \(other.openSSHLine)\n"), "no ED25519", certificate)
        await expectRefusal(try verifier("@cert-authority *.com \(authority.openSSHLine)\n"), "no ED25519", certificate)
        await expectRefusal(try verifier("example.org \(authority.openSSHLine)\n"), "changed", certificate)
    }

    @Test("CASignatureAlgorithms decides how an authority may sign")
    func signatures() async throws {
        let certificate = try await certificate("-h", "-n", "example.org")
        let heard = Collected()
        await expectRefusal(
            try verifier(authorityLine, heard) { $0.caSignatureAlgorithms = "-ssh-ed25519" }, "no ED25519", certificate)
        #expect(heard.all.contains { $0.contains("signed with ssh-ed25519") })
    }

    @Test("@revoked refuses the certified key and the authority, even where the plain key is known")
    func revokedLines() async throws {
        let certificate = try await certificate("-h", "-n", "example.org")
        for key in [key, authority] {
            let lines = authorityLine + "example.org \(self.key.openSSHLine)\n@revoked * \(key.openSSHLine)\n"
            await expectRefusal(try verifier(lines), "revoked by \(hosts):3", certificate)
        }
    }

    @Test("ECDSA is offered to a host that is known by it, or that has nothing else")
    func ecdsa() async throws {
        let usual = try await verifier("").algorithms()
        #expect(!usual.contains { $0.contains("ecdsa") } && usual.last == "rsa-sha2-256")
        let wide = try await verifier("") { $0.reach = .wide }.algorithms()
        #expect(wide.filter { !$0.contains("ecdsa") } == usual)
        #expect(wide.last == "sk-ecdsa-sha2-nistp256@openssh.com" && wide.contains("ecdsa-sha2-nistp521"))
        let key = try PrivateKey.generate(.ecdsaP384).publicKey
        let known = try await verifier("example.org \(key.openSSHLine)\n").algorithms()
        #expect(known.prefix(2) == ["ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384"])
        #expect(!known.contains("ecdsa-sha2-nistp256"))
        let chosen = try await verifier("") { $0.hostKeyAlgorithms = "+ssh-rsa" }.algorithms()
        #expect(chosen.contains("ecdsa-sha2-nistp256"))
    }

    @Test("Certificates are offered first, and before all where an authority is known")
    func order() async throws {
        let names = try await verifier("").algorithms()
        #expect(names.first == "ssh-ed25519-cert-v01@openssh.com" && names.contains("ssh-ed25519"))
        let rsa = try PrivateKey.generate(.rsa, bits: 2048).publicKey
        let known = try await verifier("example.org \(rsa.openSSHLine)\n").algorithms()
        #expect(known.first == "rsa-sha2-512-cert-v01@openssh.com")
        #expect(known.prefix(4).allSatisfy { $0.hasPrefix("rsa") } && !known[4].hasPrefix("rsa"))
        let both = try await verifier(authorityLine + "example.org \(rsa.openSSHLine)\n").algorithms()
        let plain = try #require(both.firstIndex { !$0.contains("-cert-") })
        #expect(both[..<plain].contains { $0.hasPrefix("ecdsa") } && both[plain] == "rsa-sha2-512")
        #expect(!both[plain...].contains { $0.contains("-cert-") })
        let chosen = try await verifier(authorityLine) { $0.hostKeyAlgorithms = "ssh-ed25519,*-cert-v01@openssh.com" }
            .algorithms()
        #expect(chosen.first == "ssh-ed25519" && chosen.contains("rsa-sha2-256-cert-v01@openssh.com"))
    }

    // MARK: Revoked keys

    @Test("RevokedHostKeys refuses a listed key; a file that is missing, unreadable or malformed refuses all")
    func revokedFiles() async throws {
        let line = "example.org \(key.openSSHLine)\n"
        let path = directory.file("revoked")
        func refusal(_ content: String?, _ text: String) async throws {
            if let content { try writeFile(path, text: content) }
            let verifier = try verifier(line) { $0.revokedHostKeysFiles = [directory.file("fine"), path] }
            await expectRefusal(verifier, text)
        }
        try writeFile(directory.file("fine"), text: "\(other.openSSHLine)\n")
        try await refusal(nil, "\(path): No such file")
        try await refusal("\(key.openSSHLine)\n", "revoked by file \(path)")
        try await refusal("# x\nnonsense\n", "\(path): line 2")
        try await refusal("SSHKRL\n\0broken", "\(path): key revocation list")
        try writeFile(path, text: "\(other.openSSHLine)\n")
        try await verifier(line) { $0.revokedHostKeysFiles = [path] }.verify(key, address: "")
        try writeFile(directory.file("spec"), text: "sha256: \(key.openSSHLine)\n")
        try await run("ssh-keygen", ["-q", "-k", "-f", path, directory.file("spec")]).success()
        try await refusal(nil, "revoked by file \(path)")
    }

    // MARK: Addresses

    @Test("CheckHostIP adds the address of a known host, and stops where another key is known for it")
    func addresses() async throws {
        let line = "example.org \(key.openSSHLine)\n"
        let heard = Collected()
        try await verifier(line, heard) { $0.checkHostIP = true }.verify(key, address: "192.0.2.1")
        #expect(try readText(hosts) == line + "192.0.2.1 \(key.openSSHLine)\n")
        #expect(heard.all.contains { $0.contains("IP address '192.0.2.1'") })
        let difference = line + "192.0.2.1 \(other.openSSHLine)\n"
        await expectRefusal(try verifier(difference) { $0.checkHostIP = true }, "192.0.2.1")
        try await verifier(difference) { $0.checkHostIP = false }.verify(key, address: "192.0.2.1")
        func asked(_ answer: String) throws -> HostVerifier {
            try verifier(difference, answers: [answer]) {
                $0.checkHostIP = true
                $0.strictHostKeyChecking = .ask
            }
        }
        try await asked("yes").verify(key, address: "192.0.2.1")
        await expectRefusal(try asked("no"), "192.0.2.1")
        // A loopback address says nothing.
        try await verifier(line) { $0.checkHostIP = true }.verify(key, address: "127.0.0.1")
        #expect(try readText(hosts) == line)
    }

    @Test("CheckHostIP writes a new host down with its address, hashed each by itself", arguments: [false, true])
    func newAddress(hashed: Bool) async throws {
        try await verifier("") {
            $0.checkHostIP = true
            $0.strictHostKeyChecking = .acceptNew
            $0.hashKnownHosts = hashed
            $0.port = 2222
        }.verify(key, address: "192.0.2.1")
        let text = try readText(hosts)
        if !hashed { #expect(text == "[example.org]:2222,[192.0.2.1]:2222 \(key.openSSHLine)\n") }
        let known = KnownHosts(file: "", text: text)
        #expect(known.entries.count == (hashed ? 2 : 1))
        for host in ["example.org", "192.0.2.1"] {
            guard case .known = known.verdict(host: host, port: 2222, key: key) else {
                Issue.record("\(host) is not in \(text)")
                return
            }
        }
    }

    @Test("NoHostAuthenticationForLocalhost trusts loopback addresses alone, and not under an alias")
    func localhost() async throws {
        func lenient(_ alias: String? = nil) throws -> HostVerifier {
            try verifier("example.org \(other.openSSHLine)\n") {
                $0.noHostAuthenticationForLocalhost = true
                $0.hostKeyAlias = alias
            }
        }
        for address in ["127.0.0.1", "127.8.8.8", "::1"] { try await lenient().verify(key, address: address) }
        await expectRefusal(try lenient(), "changed", address: "192.0.2.1")
        await expectRefusal(try lenient("example.org"), "changed", address: "127.0.0.1")
    }

    // MARK: The rest

    @Test("RequiredRSASize refuses a shorter RSA key, and no other kind")
    func sizes() async throws {
        let rsa = try PrivateKey.generate(.rsa, bits: 2048).publicKey
        let line = "example.org \(rsa.openSSHLine)\n"
        try await verifier(line) { $0.requiredRSASize = 2048 }.verify(rsa, address: "")
        await #expect(throws: ClientError.self) {
            try await verifier(line) { $0.requiredRSASize = 2049 }.verify(rsa, address: "")
        }
        try await verifier("example.org \(key.openSSHLine)\n") { $0.requiredRSASize = 4096 }.verify(key, address: "")
    }

    @Test("Fingerprints are shown, and taken as an answer, in the form that FingerprintHash names; with a picture")
    func fingerprints() async throws {
        let heard = Collected()
        let trust = try await verifier("", heard, answers: [key.fingerprint(), key.fingerprint(.md5)]) {
            $0.fingerprintHash = .md5
            $0.visualHostKey = true
            $0.strictHostKeyChecking = .ask
        }.verify(key, address: "192.0.2.1")
        #expect(trust == .direct)
        #expect(heard.all[0].contains(key.fingerprint(.md5)) && heard.all[0].contains(key.randomArt(.md5)))
        #expect(heard.all[1].contains("or the fingerprint"))
    }

    @Test("A key found in the user's file may tell of others; not so the system's, another port's or accept-new's")
    func trust() async throws {
        let line = "example.org \(key.openSSHLine)\n"
        #expect(try await verifier(line).verify(key, address: "") == .direct)
        #expect(try await verifier(line) { $0.port = 2222 }.verify(key, address: "") == .indirect)
        #expect(
            try await verifier("") { $0.strictHostKeyChecking = .acceptNew }.verify(key, address: "") == .indirect)
        try writeFile(directory.file("global"), text: line)
        #expect(try await verifier("").verify(key, address: "") == .indirect)
    }

    @Test("Malformed lines are noted with file and line, and the others still count")
    func malformed() async throws {
        let log = Collected()
        try await verifier("junk\n@what x \(key.openSSHLine)\nexample.org \(key.openSSHLine)\n", log: log)
            .verify(key, address: "")
        #expect(log.all.contains { $0.hasPrefix("debug1: \(hosts):1: ") })
        #expect(log.all.contains { $0.hasPrefix("debug1: \(hosts):2: ") })
    }

    // MARK: Programs

    /// A program that writes its arguments down, and says what a file holds.
    private func program(_ output: String, status: Int = 0) throws -> String {
        try writeFile(directory.file("output"), text: output)
        let path = directory.file("program")
        try writeFile(
            path,
            text: """
                #!/bin/sh
                printf '%s\\n' "$@" >>'\(directory.file("arguments"))'
                cat '\(directory.file("output"))'
                exit \(status)

                """, mode: 0o700)
        return path
    }

    @Test("KnownHostsCommand is run for the order, the name and the address; its lines count, and are not written down")
    func command() async throws {
        let program = try program("example.org,192.0.2.1 \(key.openSSHLine)\n")
        let verifier = try verifier("") {
            $0.knownHostsCommand = program + #" %I "%H %%" '%h' %p %r %t %K %f %n%k \"${HOME}"#
            $0.checkHostIP = true
            $0.user = "me"
        }
        #expect(try await verifier.algorithms().first == "ssh-ed25519-cert-v01@openssh.com")
        #expect(try await verifier.verify(key, address: "192.0.2.1") == .indirect)
        #expect(try readText(hosts).isEmpty)
        let lines = try readText(directory.file("arguments")).split(separator: "\n").map(String.init)
        let home = "\"\(LocalAccount.environment("HOME") ?? "")"
        func expected(_ reason: String, _ name: String, _ rest: [String]) -> [String] {
            [reason, "\(name) %", "Example.org", "22", "me"] + rest + ["Example.orgExample.org", home]
        }
        let shown = ["ssh-ed25519", String(key.openSSHLine.split(separator: " ")[1]), key.fingerprint()]
        #expect(
            lines == expected("ORDER", "example.org", ["NONE", "NONE", "NONE"])
                + expected("HOSTNAME", "example.org", shown) + expected("ADDRESS", "192.0.2.1", shown))
    }

    @Test("A KnownHostsCommand that fails, is not there or makes no sense stops the connection")
    func badCommand() async throws {
        let program = try program("example.org \(key.openSSHLine)\n", status: 3)
        let line = "example.org \(key.openSSHLine)\n"
        await expectRefusal(try verifier(line) { $0.knownHostsCommand = program }, "status 3")
        await expectRefusal(try verifier(line) { $0.knownHostsCommand = "/none/such" }, "No such file")
        for bad in [
            "relative %h", "\(program) %y", "\(program) %", "\(program) 'open", "\(program) ${NO_SUCH_ONE}", " ",
        ] {
            await #expect(throws: ClientError.self) {
                try await verifier(line) { $0.knownHostsCommand = bad }.verify(key, address: "")
            }
        }
    }

    @Test("Command lines are split at blanks, with quotes and backslashes")
    func words() {
        #expect(
            KnownHostsCommand.words(#"/a  b 'c d' "e \"f" g\ h \x '' i"j"k "#) == [
                "/a", "b", "c d", "e \"f", "g h", "\\x", "", "ijk",
            ])
        #expect(KnownHostsCommand.words("a 'b") == nil)
        #expect(KnownHostsCommand.words(" \t") == [])
    }
}

/// Answers from a list, and keeps what it is asked and told.
private struct Scripted: UserInterface {
    private let answers: Collected
    private let heard: Collected

    init(answers: [String], heard: Collected) {
        self.answers = Collected()
        self.heard = heard
        for answer in answers { self.answers.add(answer) }
    }

    func ask(_ question: String) async -> String? {
        heard.add(question)
        return answers.takeFirst()
    }

    func askSecret(_ prompt: String) async -> [UInt8]? { nil }
    func tell(_ text: String) { heard.add(text) }
}
