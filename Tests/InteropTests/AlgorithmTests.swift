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
    guard child?.wait() == .exited(0), let text = try? readText(output) else { return [] }
    return Set(text.split(separator: "\n").map(String.init))
}

@Suite("Each algorithm against a server that knows no other", .timeLimit(.minutes(hangMinutes)))
struct AlgorithmTests {
    private static let ciphers = CipherAlgorithm.all.map(\.name).filter(installed("cipher").contains)
    private static let macs = MACAlgorithm.all.map(\.name).filter(installed("mac").contains)
    /// The widest group is left to release builds: it takes a debug build a quarter of a minute.
    private static let exchanges = KeyExchangeAlgorithm.all.map(\.name).filter(installed("kex").contains).filter {
        testsReleaseBinary || $0 != "diffie-hellman-group18-sha512"
    }
    private static let signatures = SignatureAlgorithm.all.map(\.name).filter(keyTypes.keys.contains)
    private static let keyTypes: [String: TestKeyType] = [
        "ssh-ed25519": .ed25519, "ecdsa-sha2-nistp256": .ecdsa256, "ecdsa-sha2-nistp384": .ecdsa384,
        "ecdsa-sha2-nistp521": .ecdsa521, "rsa-sha2-256": .rsa, "rsa-sha2-512": .rsa, "ssh-rsa": .rsa,
    ]

    @Test("None of the algorithms everybody has is missing")
    func tables() {
        #expect(
            Set(Self.ciphers).isSuperset(of: [
                "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr",
                "aes192-ctr", "aes256-ctr", "aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc",
            ]))
        #expect(
            Set(Self.macs).isSuperset(of: [
                "hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com",
                "umac-64@openssh.com", "umac-128@openssh.com", "umac-64-etm@openssh.com", "umac-128-etm@openssh.com",
                "hmac-sha1", "hmac-sha1-etm@openssh.com",
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
        // Beside an AEAD cipher there is no MAC; the others meet both kinds.
        for mac in ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-256"] {
            try await peer.roundTrip(["-c", name, "-oMACs=\(mac)"])
            guard CipherAlgorithm.named(name)?.isAEAD == false else { return }
        }
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
            configuration: [
                "Ciphers aes256-ctr", "MACs hmac-sha2-512-etm@openssh.com",
                "KexAlgorithms diffie-hellman-group-exchange-sha256",
            ])
        try await peer.roundTrip()
    }

    @Test(
        "A server that has nothing of the default offer is reached by a second, wider one",
        arguments: [
            ["KexAlgorithms ecdh-sha2-nistp256"], ["KexAlgorithms diffie-hellman-group14-sha256"],
            ["Ciphers aes128-ctr", "MACs hmac-sha2-256"], ["Ciphers aes256-ctr", "MACs hmac-sha2-512"],
        ])
    func fallback(configuration: [String]) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: configuration)
        let (source, options) = ("/etc/hosts", peer.clientOptions())
        let finished = try await run(scpBinary(), options + ["-v", source, peer.remote("target")])
        #expect(finished.succeeded && finished.errorText.contains("connecting again"), "\(finished)")
        #expect(try readFile(peer.directory.file("target")) == readFile(source))
        // What the user chose is not added to.
        let chosen = ["-oKexAlgorithms=curve25519-sha256", "-oMACs=hmac-sha2-512-etm@openssh.com"]
        let refused = try await run(scpBinary(), chosen + options + [source, peer.remote("other")])
        #expect(refused.status != .exited(0) && refused.errorText.contains("no common"), "\(refused)")
    }

    @Test("An ECDSA host key is taken where it is known at once, and by a second offer where nothing is known")
    func ecdsaHost() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ecdsa384])
        let known = try await run(scpBinary(), peer.clientOptions() + ["-v", "/etc/hosts", peer.remote("a")])
        #expect(known.succeeded && !known.errorText.contains("connecting again"), "\(known)")
        let unknown = ["-oUserKnownHostsFile=none", "-oStrictHostKeyChecking=no"] + peer.clientOptions()
        let met = try await run(scpBinary(), unknown + ["-v", "/etc/hosts", peer.remote("b")])
        #expect(met.succeeded && met.errorText.contains("connecting again"), "\(met)")
    }

    @Test("Dropbear with each type of host key, and each type of user key", .enabled(if: Peer.dropbearIsAvailable))
    func dropbear() async throws {
        for type in [TestKeyType.ed25519, .ecdsa256, .rsa] {
            let peer = try await Peer.dropbear(hostKeys: [type])
            try await peer.roundTrip()
        }
        let peer = try await Peer.dropbear(hostKeys: [.ed25519])
        for key in TestKeyType.allCases { try await peer.roundTrip(key: key) }
    }

    @Test("Dropbear, each of its algorithms", .enabled(if: Peer.dropbearIsAvailable))
    func dropbearAlgorithms() async throws {
        let peer = try await Peer.dropbear(hostKeys: [.ed25519])
        for exchange in [
            "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp521",
        ] {
            try await peer.roundTrip(["-oKexAlgorithms=\(exchange)"])
        }
        for cipher in ["chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr"] {
            try await peer.roundTrip(["-c", cipher, "-oMACs=hmac-sha2-256"])
        }
        try await peer.roundTrip(["-c", "aes128-ctr", "-oMACs=hmac-sha1"])
    }

    @Test("A user's key in Dropbear's own format logs in", arguments: [TestKeyType.ed25519, .ecdsa521, .rsa])
    func dropbearKeyFile(type: TestKeyType) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let key = peer.directory.file("key")
        try await run("dropbearconvert", ["openssh", "dropbear", peer.keys.clientKey(type), key]).success()
        try await run("chmod", ["600", key]).success()
        let options = Array(peer.clientOptions().dropLast(2)) + ["-i", key]
        let finished = try await run(scpBinary(), options + ["/etc/hosts", peer.remote("copy")])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(try readFile(peer.directory.file("copy")) == readFile("/etc/hosts"))
    }

    @Test("Paramiko as it is, with each type of key")
    func paramiko() async throws {
        let peer = try await Peer.paramiko()
        for key in TestKeyType.allCases { try await peer.roundTrip(key: key) }
        for type in [TestKeyType.ecdsa256, .rsa] {
            try await Peer.paramiko(hostKeys: [type]).roundTrip()
        }
    }

    @Test(
        "Paramiko, with one cipher",
        arguments: ["aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"])
    func paramikoCipher(name: String) async throws {
        let peer = try await Peer.paramiko(ciphers: [name])
        for mac in ["hmac-sha2-512-etm@openssh.com", "hmac-sha1"] {
            try await peer.roundTrip(["-c", name, "-oMACs=\(mac)"], size: 100_000)
        }
    }

    @Test(
        "A server that has nothing but an old MAC is reached by the second offer, unnamed",
        arguments: ["hmac-sha1", "umac-64@openssh.com", "hmac-sha1-etm@openssh.com"])
    func oldMAC(name: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["Ciphers aes256-ctr", "MACs \(name)"])
        try await peer.roundTrip([], size: 100_000)
    }

    @Test("A key exchange that is not post-quantum is warned of, unless the user has chosen it or wants no warning")
    func weakExchange() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["KexAlgorithms curve25519-sha256"])
        for (options, isWarned) in [
            (["-oWarnWeakCrypto=yes"], true), (["-oWarnWeakCrypto=no-pq-kex"], false),
            (["-q", "-oWarnWeakCrypto=yes"], false),
            (["-oWarnWeakCrypto=yes", "-oKexAlgorithms=curve25519-sha256"], false),
        ] {
            // Not the harness's own choice of a quick key exchange, which would be the user's.
            let finished = try await run(
                scpBinary(), options + peer.clientOptions() + [peer.knownHosts, peer.remote("copy")])
            #expect(finished.succeeded, "\(finished)")
            #expect(finished.errorText.contains("not using a post-quantum key exchange") == isWarned, "\(finished)")
        }
    }

    @Test("VersionAddendum stands behind our name")
    func versionAddendum() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["LogLevel DEBUG1"])
        try await peer.scp(["-oVersionAddendum=over here"], [peer.knownHosts, peer.remote("copy")]).success()
        #expect(peer.log.contains("over here"), "\(peer.log)")
    }

    @Test(
        "Paramiko, with one MAC",
        arguments: [
            "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512",
            "hmac-sha1",
        ])
    func paramikoMAC(name: String) async throws {
        try await Peer.paramiko(macs: [name]).roundTrip(["-oMACs=\(name)"], size: 100_000)
    }

    @Test(
        "Paramiko, with one key exchange",
        arguments: [
            "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
            "diffie-hellman-group16-sha512", "diffie-hellman-group14-sha256", "diffie-hellman-group14-sha1",
            "diffie-hellman-group1-sha1",
        ])
    func paramikoExchange(name: String) async throws {
        try await Peer.paramiko(keyExchanges: [name]).roundTrip(["-oKexAlgorithms=\(name)"], size: 100_000)
    }

    @Test(
        "AsyncSSH, with one key exchange",
        arguments: KeyExchangeAlgorithm.all.map(\.name).filter { name in
            // Its post-quantum exchanges need a library that Debian does not have.
            !["mlkem", "sntrup"].contains { name.hasPrefix($0) }
                && (testsReleaseBinary || name != "diffie-hellman-group18-sha512")
        })
    func asyncSSHExchange(name: String) async throws {
        try await Peer.asyncSSH(hostKeys: [.ed25519], algorithms: AsyncSSHAlgorithms(keyExchanges: [name]))
            .roundTrip(["-oKexAlgorithms=\(name)"], size: 100_000)
    }

    @Test("AsyncSSH, with one cipher", arguments: CipherAlgorithm.all.map(\.name))
    func asyncSSHCipher(name: String) async throws {
        let peer = try await Peer.asyncSSH(hostKeys: [.ed25519], algorithms: AsyncSSHAlgorithms(ciphers: [name]))
        for mac in ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512"] {
            try await peer.roundTrip(["-c", name, "-oMACs=\(mac)"], size: 100_000)
            guard CipherAlgorithm.named(name)?.isAEAD == false else { return }
        }
    }

    @Test("AsyncSSH, with one MAC", arguments: MACAlgorithm.all.map(\.name))
    func asyncSSHMAC(name: String) async throws {
        let algorithms = AsyncSSHAlgorithms(ciphers: ["aes128-ctr"], macs: [name])
        try await Peer.asyncSSH(hostKeys: [.ed25519], algorithms: algorithms)
            .roundTrip(["-oMACs=\(name)"], size: 100_000)
    }

    @Test(
        "Compression: where only one kind is to be had, and where the user wants it",
        arguments: ["none", "zlib@openssh.com"])
    func compression(name: String) async throws {
        let algorithms = AsyncSSHAlgorithms(compression: [name])
        try await Peer.asyncSSH(hostKeys: [.ed25519], algorithms: algorithms).roundTrip()
        try await Peer.asyncSSH(hostKeys: [.ed25519], algorithms: algorithms).roundTrip(["-C"])
        let isOn = name != "none"
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["Compression \(isOn ? "yes" : "no")"])
        try await peer.roundTrip(["-C"])
        let finished = try await peer.scp(["-Cv"], ["/etc/hosts", peer.remote("small")])
        #expect(finished.errorText.contains("compression: \(name)"), "\(finished)")
        guard isOn, Peer.dropbearIsAvailable else { return }
        try await Peer.dropbear(hostKeys: [.ed25519]).roundTrip(["-C"])
    }

    @Test("TinySSH, with and without post-quantum key exchange", .enabled(if: Peer.tinySSHIsAvailable))
    func tinySSH() async throws {
        let peer = try await Peer.tinySSH()
        // By SFTP and by the old protocol; and the two key exchanges it has.
        try await peer.roundTrip()
        try await peer.roundTrip(["-O"])
        for exchange in ["sntrup761x25519-sha512@openssh.com", "curve25519-sha256"] {
            try await peer.roundTrip(["-oKexAlgorithms=\(exchange)"])
        }
        try await Peer.tinySSH(options: ["-P"]).roundTrip()
    }
}
