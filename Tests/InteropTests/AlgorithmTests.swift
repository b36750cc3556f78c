import SSHCrypto
import SSHKeys
import TestSupport
import Testing

/// What the installed OpenSSH can do, by `ssh -Q`.
private func installed(_ query: String) -> Set<String> {
    let directory = try? TemporaryDirectory()
    guard let directory, let ssh = findProgram("ssh") else { return [] }
    let output = directory.file("names")
    let child = try? ChildProcess("/bin/sh", ["-c", #""$1" -Q "$2" >"$3""#, "sh", ssh, query, output])
    guard child?.wait(timeout: .seconds(20)) == .exited(0), let text = try? readText(output) else { return [] }
    return Set(text.split(separator: "\n").map(String.init))
}

@Suite("Each algorithm against a server that knows no other", .timeLimit(.minutes(10)))
struct AlgorithmTests {
    private static let ciphers = CipherAlgorithm.all.map(\.name).filter(installed("cipher").contains)
    private static let macs = MACAlgorithm.all.map(\.name).filter(installed("mac").contains)
    /// The widest group is left to release builds: it takes a debug build a quarter of a minute.
    private static let exchanges = KeyExchangeAlgorithm.all.map(\.name).filter(installed("kex").contains).filter {
        testsReleaseBinary || $0 != "diffie-hellman-group18-sha512"
    }
    private static let signatures = SignatureAlgorithm.all.map(\.name).filter(keyTypes.keys.contains)
    private static let keyTypes: [String: TestSupport.KeyType] = [
        "ssh-ed25519": .ed25519, "ecdsa-sha2-nistp256": .ecdsa256, "ecdsa-sha2-nistp384": .ecdsa384,
        "ecdsa-sha2-nistp521": .ecdsa521, "rsa-sha2-256": .rsa, "rsa-sha2-512": .rsa, "ssh-rsa": .rsa,
    ]

    @Test("None of the algorithms everybody has is missing")
    func tables() {
        #expect(
            Set(Self.ciphers).isSuperset(of: [
                "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr",
                "aes192-ctr", "aes256-ctr",
            ]))
        #expect(
            Set(Self.macs).isSuperset(of: [
                "hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com",
            ]))
        #expect(
            Set(Self.exchanges).isSuperset(of: [
                "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
                "ecdh-sha2-nistp521",
            ]))
        #expect(Set(Self.signatures) == Set(Self.keyTypes.keys))
    }

    @Test("Cipher", arguments: ciphers)
    func cipher(name: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["Ciphers \(name)"])
        try await peer.roundTrip(["-c", name])
    }

    @Test("MAC, with a cipher that needs one", arguments: macs)
    func mac(name: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["MACs \(name)", "Ciphers aes128-ctr"])
        try await peer.roundTrip(["-oMACs=\(name)"])
    }

    @Test("Key exchange", arguments: exchanges)
    func keyExchange(name: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["KexAlgorithms \(name)"])
        try await peer.roundTrip(["-oKexAlgorithms=\(name)"])
    }

    @Test("Host key algorithm", arguments: signatures)
    func hostKey(name: String) async throws {
        let type = try #require(Self.keyTypes[name])
        let peer = try await Peer.openSSH(hostKeys: [type], configuration: ["HostKeyAlgorithms \(name)"])
        try await peer.roundTrip(["-oHostKeyAlgorithms=\(name)"])
    }

    @Test("Algorithm of a user's key", arguments: signatures)
    func userKey(name: String) async throws {
        let type = try #require(Self.keyTypes[name])
        let peer = try await Peer.openSSH(configuration: ["PubkeyAcceptedAlgorithms \(name)"])
        try await peer.roundTrip(["-oPubkeyAcceptedAlgorithms=\(name)"], key: type)
    }

    @Test("What is offered by default is enough for a server with any one of the default algorithms")
    func defaults() async throws {
        let everyday = try await Peer.openSSH()
        let source = everyday.directory.file("source")
        try writeFile(source, noise(1000))
        // As it is when nobody chooses anything.
        try await run(scpBinary(), everyday.clientOptions() + [source, everyday.remote("target")]).success()
        let peer = try await Peer.openSSH(
            hostKeys: [.rsa],
            configuration: ["Ciphers aes256-ctr", "MACs hmac-sha2-512", "KexAlgorithms ecdh-sha2-nistp521"])
        try await peer.roundTrip()
    }

    @Test("Dropbear with each type of host key, and each type of user key", .enabled(if: Peer.dropbearIsAvailable))
    func dropbear() async throws {
        for type in [TestSupport.KeyType.ed25519, .ecdsa256, .rsa] {
            let peer = try await Peer.dropbear(hostKeys: [type])
            try await peer.roundTrip()
            // What the two agree on by themselves.
            try await peer.roundTrip(["-oKexAlgorithms=ecdh-sha2-nistp256,curve25519-sha256", "-oCiphers=aes256-ctr"])
        }
        let peer = try await Peer.dropbear(hostKeys: [.ed25519])
        for key in TestSupport.KeyType.allCases { try await peer.roundTrip(key: key) }
    }
}
