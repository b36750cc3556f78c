import SSHKeys
import Synchronization
import TestSupport
import Testing

@testable import SSHClient
@testable import SSHConfig

/// Answers questions from a list, and keeps what it was asked and told.
private final class Person: UserInterface {
    private let answers: Mutex<[String]>
    private let heard = Mutex<[String]>([])

    init(_ answers: String...) { self.answers = Mutex(answers) }

    var words: String { heard.withLock { $0.joined(separator: "\n") } }

    func ask(_ question: String) async -> String? {
        heard.withLock { $0.append(question) }
        return answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    func askSecret(_ prompt: String) async -> [UInt8]? { nil }
    func tell(_ text: String) { heard.withLock { $0.append(text) } }
}

@Suite("Whether a host key is the right one")
struct HostVerifierTests {
    private let directory: TemporaryDirectory
    private let key: PublicKey
    private let other: PublicKey
    private let ecdsa: PublicKey

    init() throws {
        directory = try TemporaryDirectory()
        key = try PrivateKey.generate(.ed25519).publicKey
        other = try PrivateKey.generate(.ed25519).publicKey
        ecdsa = try PrivateKey.generate(.ecdsaP256).publicKey
    }

    private var hosts: String { directory.file("known_hosts") }

    /// A verifier for a host whose known hosts files hold these lines.
    private func verifier(
        _ lines: String? = nil, _ checking: HostKeyChecking, person: Person = Person(),
        change: (inout ClientOptions) -> Void = { _ in }
    ) throws -> HostVerifier {
        if let lines { try writeFile(hosts, text: lines) }
        var options = ClientOptions(host: "example.org")
        options.userKnownHostsFiles = [hosts]
        options.globalKnownHostsFiles = [directory.file("global")]
        options.strictHostKeyChecking = checking
        change(&options)
        return HostVerifier(options: options, interface: person, log: ClientLog(verbosity: 0) { _ in })
    }

    private func line(_ name: String, _ key: PublicKey, hashed: Bool = false) throws -> String {
        try KnownHosts.line(names: [name], key: key, hashed: hashed) + "\n"
    }

    private func expectRefusal(
        _ verifier: HostVerifier, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        await #expect(sourceLocation: sourceLocation) {
            try await verifier.verify(key, address: "192.0.2.1")
        } throws: { error in
            guard case ClientError.hostKeyRejected(_, let reason) = error else { return false }
            return reason.contains(text)
        }
    }

    @Test("A known key is right, without a word", arguments: [false, true])
    func known(hashed: Bool) async throws {
        let person = Person()
        let verifier = try verifier(line("example.org", key, hashed: hashed), .yes, person: person)
        try await verifier.verify(key, address: "192.0.2.1")
        #expect(person.words.isEmpty)
    }

    @Test("The host's name is looked up whatever its case, and with its port")
    func names() async throws {
        let lines = try line("[example.org]:2222", key)
        try await verifier(lines, .yes) {
            $0.host = "Example.ORG"; $0.port = 2222
        }.verify(key, address: "")
        await expectRefusal(try verifier(lines, .yes), "no ED25519 host key is known for example.org")
    }

    @Test("An alias stands for the host on any port")
    func alias() async throws {
        try await verifier(line("alias", key), .yes) {
            $0.hostKeyAlias = "Alias"; $0.port = 2222
        }
        .verify(key, address: "")
    }

    @Test("The system's file counts too")
    func global() async throws {
        try writeFile(directory.file("global"), text: line("example.org", key))
        try await verifier(nil, .yes).verify(key, address: "")
    }

    @Test("An unknown key is refused by yes, and by ask where nobody answers or may be asked")
    func unknown() async throws {
        await expectRefusal(try verifier(nil, .yes), "StrictHostKeyChecking is yes")
        await expectRefusal(try verifier(nil, .ask), "not accepted")
        await expectRefusal(try verifier(nil, .ask, person: Person("yes")) { $0.batchMode = true }, "BatchMode")
        #expect(listDirectory(directory.path).isEmpty)
    }

    @Test("An unknown key is taken and written down by accept-new and no", arguments: [HostKeyChecking.acceptNew, .no])
    func taken(checking: HostKeyChecking) async throws {
        let person = Person()
        try await verifier(nil, checking, person: person).verify(key, address: "192.0.2.1")
        #expect(try readText(hosts) == line("example.org", key))
        #expect(person.words == "Warning: Permanently added 'example.org' (ED25519) to the list of known hosts.")
        try await verifier(nil, .yes).verify(key, address: "192.0.2.1")
    }

    @Test("A hashed line hides the name")
    func hashed() async throws {
        try await verifier(nil, .acceptNew) { $0.hashKnownHosts = true }.verify(key, address: "")
        #expect(try readText(hosts).hasPrefix("|1|") && !readText(hosts).contains("example"))
        try await verifier(nil, .yes).verify(key, address: "")
    }

    @Test("A line is added to a file whose last line is not ended")
    func unended() async throws {
        let before = try "# mine\n" + line("elsewhere", other).dropLast()
        try await verifier(before, .acceptNew).verify(key, address: "")
        #expect(try readText(hosts) == before + "\n" + line("example.org", key))
    }

    @Test("The directory of the file is made")
    func makesDirectory() async throws {
        let path = directory.file("ssh/known_hosts")
        try await verifier(nil, .acceptNew) { $0.userKnownHostsFiles = [path] }.verify(key, address: "")
        #expect(try readText(path) == line("example.org", key))
    }

    @Test("A file that cannot be written is told, and stops nothing")
    func unwritable() async throws {
        let person = Person()
        let path = directory.file("none/none/known_hosts")
        try await verifier(nil, .acceptNew, person: person) { $0.userKnownHostsFiles = [path] }
            .verify(key, address: "")
        #expect(person.words.contains("could not be added to \(path): No such file or directory"))
    }

    @Test("The user is shown host, address and fingerprint, and asked until the answer is one")
    func asked() async throws {
        let person = Person("", "what?", "YES")
        try await verifier(nil, .ask, person: person) { $0.port = 2222 }.verify(key, address: "192.0.2.1")
        #expect(person.words.contains("'[example.org]:2222 (192.0.2.1)'"))
        #expect(person.words.contains(key.fingerprint()))
        #expect(person.words.contains("Please type 'yes', 'no' or the fingerprint: "))
        #expect(try readText(hosts) == line("[example.org]:2222", key))
    }

    @Test("The fingerprint is an answer, another one is not")
    func fingerprint() async throws {
        try await verifier(nil, .ask, person: Person(key.fingerprint())).verify(key, address: "")
        try writeFile(hosts, text: "")
        await expectRefusal(try verifier(nil, .ask, person: Person(other.fingerprint())), "not accepted")
        await expectRefusal(try verifier(nil, .ask, person: Person("no")), "not accepted")
    }

    @Test("The question names where the same key is known by another name")
    func sameKey() async throws {
        let person = Person("yes")
        try await verifier("\n" + line("elsewhere", key), .ask, person: person).verify(key, address: "")
        #expect(person.words.contains("\(hosts):2"))
    }

    @Test(
        "A changed key is refused unless the user says no, and nothing is written",
        arguments: [HostKeyChecking.yes, .acceptNew, .ask])
    func changed(checking: HostKeyChecking) async throws {
        let lines = try "# one\n# two\n" + line("example.org", other)
        let person = Person("yes")
        await expectRefusal(try verifier(lines, checking, person: person), "changed")
        #expect(person.words.contains("\(hosts):3"))
        #expect(person.words.contains(key.fingerprint()))
        #expect(try readText(hosts) == lines)
    }

    @Test("A changed key is warned of where StrictHostKeyChecking is no, and trusted in nothing; nothing is written")
    func changedAndAccepted() async throws {
        let lines = try line("example.org", other)
        let person = Person()
        let trust = try await verifier(lines, .no, person: person).verify(key, address: "192.0.2.1")
        #expect(trust == .changed && person.words.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"))
        #expect(try readText(hosts) == lines)
        var options = ClientOptions(host: "h")
        options.forwardAgent = .yes
        options.withholdSecrets(person)
        #expect(!options.passwordAuthentication && !options.keyboardInteractiveAuthentication)
        #expect(options.forwardAgent == .no && options.publicKeyAuthentication)
    }

    @Test(
        "What LogLevel silences is silent: information below info, warnings of danger below error",
        arguments: [
            (LogLevel.quiet, false, false), (.fatal, false, false), (.error, false, true), (.info, true, true),
            (.debug3, true, true),
        ])
    func levels(level: LogLevel, showsInformation: Bool, showsErrors: Bool) async throws {
        let person = Person()
        let interface = LeveledInterface(base: person, threshold: level)
        var verifier = try verifier(nil, .no, person: person)
        verifier.interface = interface
        try await verifier.verify(key, address: "192.0.2.1")
        #expect(person.words.contains("Permanently added") == showsInformation)
        var changed = try self.verifier(line("example.org", other), .no, person: person)
        changed.interface = interface
        try await changed.verify(key, address: "192.0.2.1")
        #expect(person.words.contains("HAS CHANGED") == showsErrors)
    }

    @Test("Another type of key for a known host is a change too")
    func otherType() async throws {
        await expectRefusal(try verifier(line("example.org", ecdsa), .acceptNew), "changed")
    }

    @Test("A revoked key is refused even where it is known as well")
    func revoked() async throws {
        let lines = try line("example.org", key) + "@revoked * " + key.openSSHLine + "\n"
        await expectRefusal(try verifier(lines, .no), "revoked by \(hosts):2")
    }

    @Test("A file that cannot be read is told, a missing one is not, /dev/null is empty")
    func unreadable() async throws {
        let person = Person()
        let path = directory.path
        _ = try verifier(nil, .yes, person: person) { $0.userKnownHostsFiles = ["/dev/null", "/none/x", path] }
        #expect(person.words == "\(path): Is a directory")
    }

    @Test("Algorithms of the keys that are known come first")
    func preference() async throws {
        let verifier = try verifier(line("example.org", ecdsa), .yes)
        let algorithms = try await verifier.preferring(["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"])
        #expect(algorithms == ["ecdsa-sha2-nistp256", "ssh-ed25519", "rsa-sha2-512"])
    }
}
