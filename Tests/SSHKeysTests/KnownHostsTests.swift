import TestSupport
import Testing

@testable import SSHKeys

@Suite("Known hosts")
struct KnownHostsTests {
    let first: PublicKey
    let second: PublicKey
    let rsa: PublicKey

    init() throws {
        first = try PrivateKey.generate(.ed25519).publicKey
        second = try PrivateKey.generate(.ecdsaP256).publicKey
        rsa = try PrivateKey.generate(.rsa, bits: 1024).publicKey
    }

    private func hosts(_ text: String) -> KnownHosts { KnownHosts(file: "kh", text: text) }

    private func line(_ verdict: KnownHosts.Verdict) -> Int? {
        switch verdict {
        case .known(let entry), .revoked(let entry): entry.line
        default: nil
        }
    }

    @Test("agrees with ssh-keygen -F about which lines hold a host")
    func agreesWithSSHKeygen() async throws {
        let key = first.openSSHLine
        let fields = [
            "a.example,b*", "!bad*,*.ex.com", "*.ex.com,!bad*", "[h]:2222", "A.Upper", "[p?]:*", "h?st", "*", "?",
            "a,,b",
            ",", "!x", "**a**", "*a*b*c", "10.0.0.*,::1", "[::1]:2222", "a*", "**", "é.example", "!*", "*,!*",
            "@revoked r",
            "@cert-authority *.ca", "host.", "[h]:22",
        ]
        var lines = fields.map { "\($0) \(key)" }
        lines.append(try KnownHosts.line(names: ["Hashed.Example"], key: first, hashed: true))
        lines.append("  \t" + (try KnownHosts.line(names: ["[hashed]:2222"], key: first, hashed: true)) + " note")
        lines += ["# comment", "", "bogus", "\(key)", "@marker x \(key)", "|1|bad|worse \(key)", "short ssh-ed25519"]
        let directory = try TemporaryDirectory()
        let text = lines.joined(separator: "\n") + "\n"
        let path = try directory.write(text, to: "kh")
        let hosts = hosts(text)
        // ssh-keygen hashes a name as it is given; ssh makes it lower case before.
        for name in [
            "a.example", "A.EXAMPLE", "b", "b1", "bad.ex.com", "good.ex.com", ".ex.com", "ex.com", "[h]:2222",
            "[H]:2222",
            "h", "[h]:22", "a.upper", "[p1]:9", "[p]:9", "host", "hst", "x", "a", "abc", "aXbXc", "acb", "10.0.0.9",
            "::1",
            "[::1]:2222", "é.example", "r", "x.ca", "ca", "host.", "hashed.example", "HASHED.example", "[hashed]:2222",
            "hashed", "xyz",
        ] {
            let output = try await run("ssh-keygen", ["-F", name.asciiLowercased, "-f", path]).outputText
            let theirs = output.split(separator: "\n").filter { $0.hasPrefix("# Host") }
                .compactMap { line in line.split(separator: " ").compactMap { Int($0) }.last }
            let ours = hosts.entries.filter { $0.covers(name) }.map(\.line)
            #expect(ours == theirs, "\(name)")
        }
    }

    @Test("a host with its key is known, with another one changed, and without any unknown")
    func verdicts() throws {
        let hosts = hosts(
            "# keys\nhost,10.0.0.1 \(first.openSSHLine) c\nhost \(rsa.openSSHLine)\nother \(second.openSSHLine)\n")
        #expect(hosts.warnings.isEmpty)
        #expect(line(hosts.verdict(host: "HOST", key: first)) == 2)
        #expect(line(hosts.verdict(host: "10.0.0.1", key: first)) == 2)
        guard case .changed(let known) = hosts.verdict(host: "host", key: second) else {
            Issue.record("not changed")
            return
        }
        #expect(known.map(\.line) == [2, 3])
        #expect(known.map(\.key) == [first, rsa])
        #expect(known.allSatisfy { $0.file == "kh" })
        guard case .unknown(let same) = hosts.verdict(host: "new", key: second) else {
            Issue.record("not unknown")
            return
        }
        #expect(same.map(\.hosts) == ["other"])
        #expect(hosts.verdict(host: "new", key: try PrivateKey.generate(.ed25519).publicKey) == .unknown(sameKey: []))
    }

    @Test("another port than 22 has lines of its own, and falls back to the host where it has none")
    func ports() {
        let hosts = hosts("host \(first.openSSHLine)\n[host]:2222 \(second.openSSHLine)\n")
        #expect(line(hosts.verdict(host: "host", port: 22, key: first)) == 1)
        #expect(line(hosts.verdict(host: "host", port: 2222, key: second)) == 2)
        guard case .changed = hosts.verdict(host: "host", port: 2222, key: first) else {
            Issue.record("the line of the port itself must win")
            return
        }
        #expect(line(hosts.verdict(host: "host", port: 2200, key: first)) == 1)
        #expect(hosts.verdict(host: "host", port: 2200, key: second) == .unknown(sameKey: [hosts.entries[1]]))
    }

    @Test("a revoked key is revoked whatever else is written, for names and addresses alike")
    func revoked() {
        let hosts = hosts(
            "host \(first.openSSHLine)\n@revoked * \(first.openSSHLine)\n@revoked 10.* \(second.openSSHLine)\n")
        #expect(line(hosts.verdict(host: "host", key: first)) == 2)
        #expect(line(hosts.verdict(host: "x", port: 99, addresses: ["10.1.1.1"], key: second)) == 3)
        #expect(hosts.verdict(host: "x", addresses: ["11.1.1.1"], key: second) == .unknown(sameKey: []))
        guard case .revoked = hosts.verdict(host: "host", authority: first) else {
            Issue.record("a revoked authority")
            return
        }
    }

    @Test("an authority is no host key, and a host key no authority")
    func authorities() {
        let hosts = hosts("@cert-authority *.example \(first.openSSHLine)\na.example \(second.openSSHLine)\n")
        #expect(hosts.authorities(host: "a.example").map(\.key) == [first])
        #expect(hosts.authorities(host: "a.test").isEmpty)
        #expect(line(hosts.verdict(host: "a.example", authority: first)) == 1)
        #expect(hosts.verdict(host: "a.example", authority: second) == .unknown(sameKey: []))
        guard case .changed(let known) = hosts.verdict(host: "a.example", key: first) else {
            Issue.record("an authority's key shown as a host key")
            return
        }
        #expect(known.map(\.line) == [2])
    }

    @Test("a malformed line is reported with its place, and the next one still read")
    func warnings() {
        let hosts = hosts(
            """
            host ssh-ed25519 AAAA
            host ssh-dss AAAA
            @other host \(first.openSSHLine)
            |1|AAAA|AAAA \(first.openSSHLine)
            host
            host \(first.openSSHLine)\r
            """)
        #expect(hosts.warnings.map(\.line) == [1, 2, 3, 4, 5])
        #expect(hosts.warnings[1].description == "kh:2: key type \"ssh-dss\" is not supported")
        #expect(hosts.entries.map(\.line) == [6])
    }

    @Test("algorithms that a known key can answer come first, in the order given")
    func preference() {
        let hosts = hosts("host \(rsa.openSSHLine)\nhost \(second.openSSHLine)\n[alt]:9 \(second.openSSHLine)\n")
        let all = SignatureAlgorithm.defaults.map(\.name)
        #expect(hosts.keyTypes(host: "host") == [.rsa, .ecdsaP256])
        #expect(hosts.keyTypes(host: "host", port: 9) == [.rsa, .ecdsaP256])
        #expect(
            hosts.preferring(all, host: "host").prefix(3) == ["ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"])
        #expect(hosts.preferring(all, host: "host").count == all.count)
        #expect(hosts.preferring(all, host: "new") == all)
        #expect(hosts.keyTypes(host: "alt", port: 9) == [.ecdsaP256])
    }

    @Test("certificates come first where an authority is known; the first algorithm's known key leaves the order alone")
    func certificatePreference() {
        let names = ["rsa-sha2-512-cert-v01@openssh.com", "ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"]
        let certified = hosts("@cert-authority host \(first.openSSHLine)\nhost \(second.openSSHLine)\n")
        #expect(certified.preferring(names, host: "host") == [names[0], names[2], names[1], names[3]])
        #expect(certified.preferring(names, host: "host", port: 9) == [names[0], names[2], names[1], names[3]])
        #expect(certified.preferring(names, host: "other") == names)
        #expect(hosts("host \(rsa.openSSHLine)\n").preferring(names, host: "host") == names)
        #expect(
            hosts("host \(second.openSSHLine)\n").preferring(names, host: "host")
                == [names[2], names[0], names[1], names[3]])
    }

    @Test("lines we write are found again, by us and by ssh-keygen")
    func writing() async throws {
        let directory = try TemporaryDirectory()
        for (host, port) in [("Host.Example", 22), ("host", 2222), ("::1", 22), ("::1", 2222), ("fe80::1%eth0", 22)] {
            let name = KnownHosts.name(host: host, port: port)
            for hashed in [false, true] {
                let line = try KnownHosts.line(names: [name, "10.0.0.1"], key: first, hashed: hashed)
                #expect(line.hasPrefix("|1|") == hashed)
                #expect(self.line(hosts(line).verdict(host: host, port: port, key: first)) == 1)
                let path = try directory.write(line + "\n", to: "kh")
                #expect(try await run("ssh-keygen", ["-F", name.asciiLowercased, "-f", path]).succeeded)
            }
        }
        #expect(
            try KnownHosts.line(names: ["A", "10.0.0.1"], key: first) == "a,10.0.0.1 \(first.openSSHLine)")
        for bad in ["", "a b", "a,b", "*", "#a", "|1|", "@revoked", "!a", "a\nb", "a?"] {
            #expect(throws: KeyError.self) { try KnownHosts.line(names: [bad], key: first) }
        }
        #expect(throws: KeyError.self) { try KnownHosts.line(names: [], key: first) }
    }

    @Test("hashed lines that ssh-keygen -H made are found")
    func hashedBySSHKeygen() async throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("Host,10.0.0.1 \(first.openSSHLine)\n[h]:99 \(second.openSSHLine)\n", to: "kh")
        try await succeed("ssh-keygen", ["-H", "-f", path])
        let hosts = hosts(try directory.read("kh"))
        #expect(hosts.entries.allSatisfy { $0.hosts.hasPrefix("|1|") })
        #expect(line(hosts.verdict(host: "host", key: first)) != nil)
        #expect(line(hosts.verdict(host: "10.0.0.1", key: first)) != nil)
        #expect(line(hosts.verdict(host: "h", port: 99, key: second)) != nil)
    }

    @Test("several files are searched in order, and each entry names its own")
    func severalFiles() {
        var hosts = hosts("a \(first.openSSHLine)\n")
        hosts.append(file: "second", text: "a \(second.openSSHLine)\n")
        guard case .known(let entry) = hosts.verdict(host: "a", key: second) else {
            Issue.record("not found in the second file")
            return
        }
        #expect(entry.file == "second")
        #expect(entry.line == 1)
    }

    @Test("random and damaged text never traps")
    func damage() throws {
        var random = SeededGenerator(seed: 4)
        let text = Array(
            ("@revoked a,!b*,[c]:22 \(first.openSSHLine) x\n"
                + (try KnownHosts.line(names: ["a"], key: first, hashed: true)) + "\n").utf8)
        for count in text.indices { _ = hosts(String(decoding: text.prefix(count), as: UTF8.self)) }
        for _ in 0..<1000 {
            var damaged = text
            damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = hosts(String(decoding: damaged, as: UTF8.self)).verdict(host: "a", key: first)
        }
    }

    @Test("a pattern made of many stars is matched without going through every way of doing it")
    func manyStars() {
        let pattern = HostPattern(String(repeating: "*a", count: 500) + "b")
        #expect(!pattern.covers(String(repeating: "a", count: 5000)))
    }
}
