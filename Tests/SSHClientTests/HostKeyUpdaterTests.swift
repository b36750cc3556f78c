import NIOCore
import SSHKeys
import SSHWire
import TestSupport
import Testing

@testable import SSHClient
@testable import SSHConfig

@Suite("Learning the other keys of a host")
struct HostKeyUpdaterTests {
    private let directory: TemporaryDirectory
    private let shown: PrivateKey
    private let new: PrivateKey
    private let rsa: PrivateKey
    private let old: PublicKey
    private let session = HostKeyUpdater.Session(id: [1, 2, 3], algorithm: "ssh-ed25519")

    init() throws {
        directory = try TemporaryDirectory()
        shown = try PrivateKey.generate(.ed25519)
        new = try PrivateKey.generate(.ecdsaP256)
        rsa = try PrivateKey.generate(.rsa, bits: 2048)
        old = try PrivateKey.generate(.ecdsaP384).publicKey
    }

    private var hosts: String { directory.file("known_hosts") }

    private func line(_ key: PublicKey, _ host: String = "h") -> String { "\(host) \(key.openSSHLine)\n" }

    private func updater(
        _ lines: String, gate: UpdateGate = UpdateGate(), log: Collected = Collected(),
        change: (inout ClientOptions) -> Void = { _ in }
    ) throws -> HostKeyUpdater {
        try writeFile(hosts, text: lines, mode: 0o640)
        var options = ClientOptions(host: "h")
        options.userKnownHostsFiles = [hosts, directory.file("second")]
        change(&options)
        return HostKeyUpdater(
            options: options, log: ClientLog(verbosity: 1) { log.add($0) }, name: "h", address: nil,
            algorithms: HostKeyAlgorithms.defaults, gate: gate)
    }

    /// The server's proof of a key.
    private func proof(_ key: PrivateKey, _ algorithm: String, session id: [UInt8] = [1, 2, 3]) throws -> ByteBuffer {
        var signed = ByteBuffer()
        signed.writeSSHString("hostkeys-prove-00@openssh.com")
        signed.writeSSHString(id)
        signed.writeSSHString(key.publicKey.blob)
        return try key.sign(signed.readableBytesView, algorithm: algorithm)
    }

    private func strings(_ parts: ByteBuffer...) -> ByteBuffer {
        var buffer = ByteBuffer()
        for part in parts { buffer.writeSSHString(part) }
        return buffer
    }

    @Test(
        "A proved key is written down, a key that is gone is taken out, and the file keeps its mode and its other lines"
    )
    func updated() async throws {
        var updater = try updater("# mine\n" + line(shown.publicKey) + line(old) + line(rsa.publicKey, "else"))
        let change = updater.compare([shown.publicKey, new.publicKey])
        #expect(change?.new == [new.publicKey] && change?.deprecated == [old])
        #expect(try readText(hosts).contains(old.openSSHLine), "nothing happens before the proof")
        updater.proved(strings(try proof(new, "ecdsa-sha2-nistp256")), session)
        #expect(
            try readText(hosts)
                == "# mine\n" + line(shown.publicKey) + line(rsa.publicKey, "else") + line(new.publicKey))
        #expect(try await run("stat", ["-c", "%a", hosts]).outputText == "640\n")
        #expect(listDirectory(directory.path).count == 1, "no temporary file is left")
    }

    @Test("Keys that are gone need no proof; what other files of the user hold for the host moves to the first")
    func deprecated() throws {
        try writeFile(directory.file("second"), text: line(new.publicKey) + line(rsa.publicKey, "else"))
        var updater = try updater(line(shown.publicKey) + line(old))
        let change = updater.compare([shown.publicKey, new.publicKey])
        #expect(change?.new.isEmpty == true)
        #expect(try readText(hosts) == line(shown.publicKey) + line(new.publicKey))
        #expect(try readText(directory.file("second")) == line(rsa.publicKey, "else"))
    }

    @Test("Hashed where HashKnownHosts says so, and a symbolic link stays one")
    func hashed() throws {
        var updater = try updater(line(shown.publicKey)) { $0.hashKnownHosts = true }
        try FileLink.make(from: directory.file("link"), to: hosts)
        updater = HostKeyUpdater(
            options: {
                var options = updater.options
                options.userKnownHostsFiles = [directory.file("link")]
                return options
            }(), log: updater.log, name: "h", address: nil, algorithms: HostKeyAlgorithms.defaults, gate: UpdateGate())
        _ = updater.compare([shown.publicKey, new.publicKey])
        updater.proved(strings(try proof(new, "ecdsa-sha2-nistp256")), session)
        let text = try readText(hosts)
        #expect(text.hasPrefix(line(shown.publicKey) + "|1|") && text.contains(new.publicKey.openSSHLine))
        #expect(FileLink.isLink(directory.file("link")))
    }

    @Test("A wrong, missing, refused or left-over proof changes nothing")
    func unproved() throws {
        let before = line(shown.publicKey) + line(old)
        let good = try proof(new, "ecdsa-sha2-nistp256")
        let answers: [ByteBuffer?] = [
            nil, ByteBuffer(), strings(try proof(new, "ecdsa-sha2-nistp256", session: [9])),
            strings(try proof(shown, "ssh-ed25519")), strings(good, good), strings(ByteBuffer(string: "x")),
        ]
        for answer in answers {
            var updater = try updater(before)
            _ = updater.compare([shown.publicKey, new.publicKey])
            updater.proved(answer, session)
            #expect(try readText(hosts) == before)
        }
    }

    @Test("An RSA key proves itself as the host key did, or with SHA-2")
    func rsaProofs() throws {
        for (shownWith, provedWith, isTaken) in [
            ("ssh-ed25519", "rsa-sha2-256", true), ("ssh-ed25519", "ssh-rsa", false),
            ("rsa-sha2-512", "rsa-sha2-512", true), ("rsa-sha2-512", "rsa-sha2-256", false),
        ] {
            var updater = try updater(line(shown.publicKey))
            _ = updater.compare([shown.publicKey, rsa.publicKey])
            updater.proved(strings(try proof(rsa, provedWith)), .init(id: [1, 2, 3], algorithm: shownWith))
            #expect(try readText(hosts).contains(rsa.publicKey.openSSHLine) == isTaken, "\(shownWith) \(provedWith)")
        }
    }

    @Test("Keys of algorithms that are not used are not learnt; nothing is done where nothing differs")
    func nothing() throws {
        var updater = try updater(line(shown.publicKey))
        let same = updater.compare([shown.publicKey])
        #expect(same == nil)
        var narrow = HostKeyUpdater(
            options: updater.options, log: updater.log, name: "h", address: nil, algorithms: ["ssh-ed25519"],
            gate: UpdateGate())
        let fewer = narrow.compare([shown.publicKey, new.publicKey])
        #expect(fewer == nil)
    }

    @Test("Once the connection is closed the files stay as they are")
    func closed() throws {
        let (gate, log) = (UpdateGate(), Collected())
        var updater = try updater(line(shown.publicKey), gate: gate, log: log)
        _ = updater.compare([shown.publicKey, new.publicKey])
        gate.close()
        updater.proved(strings(try proof(new, "ecdsa-sha2-nistp256")), session)
        #expect(try readText(hosts) == line(shown.publicKey))
        #expect(log.all.contains { $0.contains("stay as they are") })
    }

    @Test(
        "Announcements: unknown types and certificates are passed over, twice the same, too many and truncated ones refused"
    )
    func announcements() throws {
        let (first, second) = (shown.publicKey.blob, new.publicKey.blob)
        var unknown = ByteBuffer()
        unknown.writeSSHString("ssh-dss")
        #expect(try HostKeyUpdater.keys(strings(first, unknown, second)) == [shown.publicKey, new.publicKey])
        #expect(throws: KeyError.self) { try HostKeyUpdater.keys(strings(first, first)) }
        let whole = Array(strings(first, second).readableBytesView)
        for count in whole.indices where count != 0 && count != first.readableBytes + 4 {
            #expect(throws: (any Error).self) { try HostKeyUpdater.keys(ByteBuffer(bytes: whole.prefix(count))) }
        }
        var many = ByteBuffer()
        for _ in 0...64 { many.writeSSHString(try PrivateKey.generate(.ed25519).publicKey.blob) }
        #expect(throws: KeyError.self) { try HostKeyUpdater.keys(many) }
    }

    @Test("Learning is on for the usual files alone, unless said otherwise, and not while VerifyHostKeyDNS is on")
    func defaults() throws {
        var options = ClientOptions(host: "h")
        #expect(options.learnsHostKeys)
        options.verifyHostKeyDNS = true
        #expect(!options.learnsHostKeys)
        options.updateHostKeys = .yes
        #expect(options.learnsHostKeys)
        options = ClientOptions(host: "h")
        options.userKnownHostsFiles.removeLast()
        #expect(options.learnsHostKeys)
        options.userKnownHostsFiles = ["/some/where"]
        #expect(!options.learnsHostKeys)
        options.updateHostKeys = .yes
        #expect(options.learnsHostKeys)
        options.userKnownHostsFiles = []
        #expect(!options.learnsHostKeys)
        options = ClientOptions(host: "h")
        options.updateHostKeys = .ask
        #expect(!options.learnsHostKeys)
    }
}
