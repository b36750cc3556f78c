import TestSupport
import Testing

@Suite("What ssh-audit says of our client", .timeLimit(.minutes(3)))
struct AuditTests {
    /// The version that `Scripts/setup.sh` installs.
    private static let version = "3.9.0"

    private static func program() throws -> String {
        let home = environmentValue("HOME") ?? ""
        let cache = environmentValue("XDG_CACHE_HOME") ?? "\(home)/.cache"
        let path = "\(cache)/swift-scp/ssh-audit-\(version)/bin/ssh-audit"
        if (try? readFile(path)) != nil { return path }
        return try requireProgram("ssh-audit")
    }

    /// The lines of the audit that find fault: `fail` or `warn`, each with the algorithm it is about.
    private func audit(_ options: [String]) async throws -> (text: String, faults: [String]) {
        let port = try Loopback.ipv4.freePort()
        let program = try Self.program()
        async let audited = run(program, ["-n", "-c", "-t", "30", "-p", "\(port)"], timeout: .seconds(60))
        let client =
            options + [
                "-F", "none", "-oPort=\(port)", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=none", "-B",
                "/etc/hosts", "127.0.0.1:x",
            ]
        // It says nothing once it listens: whoever comes too early is refused.
        for _ in 0..<200 {
            let finished = try await run(scpBinary(), client, timeout: .seconds(40))
            guard finished.errorText.contains("Connection refused") else { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        let text = try await audited.outputText
        var (faults, name): ([String], Substring) = ([], "")
        for line in text.split(separator: "\n") {
            if line.hasPrefix("(") { name = line.prefix { $0 != " " } + " " + line.split(separator: " ")[1] }
            for mark in ["[fail]", "[warn]"] where line.contains(mark) {
                faults.append("\(name) \(line.drop { $0 != "[" })")
            }
        }
        return (text, faults)
    }

    @Test("A choice of our algorithms, with which today's OpenSSH is reached, finds no fault at all")
    func strict() async throws {
        let (text, faults) = try await audit([
            "-oKexAlgorithms=mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com",
            "-oHostKeyAlgorithms=ssh-ed25519,rsa-sha2-512,rsa-sha2-256", "-oMACs=hmac-sha2-*-etm@openssh.com",
        ])
        #expect(text.contains("SSH-2.0-swift-scp") && text.contains("(kex) mlkem768x25519-sha256"), "\(text)")
        #expect(faults.isEmpty, "\(text)")
    }

    /// What ssh-audit holds against algorithms that servers in use still need: each has a better one before it in our
    /// lists.
    private let tolerated = [
        "does not provide protection against post-quantum attacks",
        "using elliptic curves that are suspected as being backdoored by the U.S. National Security Agency",
        "using weak random number generator could reveal the key",
        "2048-bit modulus only provides 112-bits of symmetric strength",
        "using encrypt-and-MAC mode",
    ]

    @Test("Our defaults hold nothing but old friends for old servers: no SHA-1, no CBC, no small modulus")
    func defaults() async throws {
        let (text, faults) = try await audit([])
        #expect(text.contains("SSH-2.0-swift-scp"), "\(text)")
        let unexpected = faults.filter { fault in !tolerated.contains { fault.contains($0) } }
        #expect(unexpected.isEmpty, "\(unexpected.joined(separator: "\n"))")
        let first = text.split(separator: "\n").first { $0.hasPrefix("(kex)") }
        #expect(first?.hasPrefix("(kex) mlkem768x25519-sha256") == true)
    }
}
