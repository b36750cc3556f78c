import TestSupport
import Testing

/// A configuration file, and what is asked of it.
struct ConfigurationCase: Sendable, CustomTestStringConvertible {
    let name: String
    let file: String
    var host = "h"
    var options: [String] = []

    init(_ name: String, _ file: String, host: String = "h", options: [String] = []) {
        (self.name, self.file, self.host, self.options) = (name, file, host, options)
    }

    var testDescription: String { name }
}

@Suite("What a configuration means is what ssh -G says", .timeLimit(.minutes(hangMinutes)))
struct ConfigurationTests {
    static let cases: [ConfigurationCase] = [
        .init("nothing", ""),
        .init(
            "plain values",
            "HostName 192.0.2.1\nPort 2222\nUser alice\nCompression yes\nBatchMode yes\nConnectTimeout 1m30s\nServerAliveInterval 9"
        ),
        .init(
            "equals, quotes, comments",
            "Port=22\nUser = \"bob\" # x\n  HostName\t'b.example'\n#User x\nBindAddress \"127.0.0.1\""),
        .init("first wins", "Port 1\nPort 2\nUser a\nUser b\nHost h\nPort 3"),
        .init("host patterns", "Host x\nPort 1\nHost h* !hx\nPort 2\nHost *\nUser u"),
        .init("a negated pattern", "Host * !h\nPort 1\nHost !x h\nUser u"),
        .init("upper case hosts", "Host H\nPort 1\nHost h\nPort 2", host: "H"),
        .init(
            "match host and user", "HostName real\nMatch host real user me\nPort 1\nMatch originalhost h\nPort 2",
            options: ["-oUser=me"]),
        .init("match all", "Match all\nPort 3\nMatch !host h\nUser x\nMatch !host x\nUser y"),
        .init(
            "match exec", "Match exec \"test %h = h\"\nPort 4\nMatch exec \"false\"\nUser x\nMatch !exec false\nUser z"),
        .init(
            "match final",
            "Host h\nHostName Big.Example\nMatch final host big.example\nPort 5\nHost big.example\nUser u"),
        .init("match localuser", "Match localuser nobody-here\nPort 1\nMatch localuser *\nPort 2"),
        .init(
            "identities",
            "IdentityFile ~/a\nIdentityFile /b/%h\nHost h\nIdentityFile ~/a\nIdentityFile %d/c\nCertificateFile ~/c-%r\nIdentitiesOnly yes"
        ),
        .init("identity none", "IdentityFile none\nIdentityAgent none"),
        .init(
            "tokens",
            "HostName %h.example\nPort 77\nUser carol\nControlPath ~/cm-%C-%n-%h-%p-%r-%u-%L-%l-%i-%k-%%\nUserKnownHostsFile ~/k-%h /k2-%n\nHostKeyAlias Alias"
        ),
        .init("variables", "ControlPath ${CONFIGURATION_TEST}/x\nUserKnownHostsFile ${CONFIGURATION_TEST}-%h"),
        .init("agent", "IdentityAgent ~/agent-%h"),
        .init("agent in a variable", "IdentityAgent $CONFIGURATION_TEST"),
        .init("environment", "SendEnv A B* LC_*\nSendEnv C\nSendEnv -B*\nSetEnv X=1 Y=\"two words\"\nSetEnv Z=3"),
        .init("jump", "ProxyJump u@a:1,[::1]:2,b\nProxyCommand x"),
        .init("jump by uri", "ProxyJump ssh://u@a.example:1"),
        .init("proxy command", "ProxyCommand nc -x '%h' %p # all of it\nProxyJump a"),
        .init("proxy command none", "ProxyCommand none\nProxyJump a"),
        .init("jump none", "ProxyJump none\nProxyCommand b"),
        .init("rekey", "RekeyLimit 1G\nRekeyLimit 2M 1h"),
        .init("rekey default", "RekeyLimit default 30m"),
        .init("sharing", "ControlMaster auto\nControlPath /tmp/x-%p\nControlPersist 10m"),
        .init("sharing for ever", "ControlPersist yes\nControlPath none"),
        .init(
            "checking",
            "StrictHostKeyChecking accept-new\nHashKnownHosts yes\nGlobalKnownHostsFile none\nUserKnownHostsFile /a /b"),
        .init("checking off", "StrictHostKeyChecking off\nGlobalKnownHostsFile ~/g /h\nUserKnownHostsFile none"),
        .init(
            "authentication",
            "PreferredAuthentications publickey,password\nPasswordAuthentication no\nChallengeResponseAuthentication no\nNumberOfPasswordPrompts 1\nPubkeyAuthentication host-bound"
        ),
        .init("keep alive", "ServerAliveInterval 1m\nServerAliveCountMax 5\nKeepAlive no\nConnectionAttempts 4"),
        .init("addresses", "AddressFamily inet6\nBindInterface lo\nLogLevel debug2"),
        .init(
            "algorithms",
            "Ciphers aes128-ctr,aes256-gcm@openssh.com\nMACs hmac-sha2-256,hmac-sha2-512\nKexAlgorithms curve25519-sha256,ecdh-sha2-nistp256\nHostKeyAlgorithms rsa-sha2-512,ssh-ed25519\nPubkeyAcceptedKeyTypes ssh-ed25519"
        ),
        .init("ignored unknown", "IgnoreUnknown fancy*\nFancyOption a b\nPort 8"),
        .init("deprecated", "Protocol 2\nCipher x\nUseRoaming no\nKerberosAuthentication yes\nPort 9"),
        .init(
            "forwarding and terminals",
            "LocalForward 1 a:2\nRemoteForward 3 b:4\nDynamicForward 5\nForwardX11 yes\nRequestTTY force\nEscapeChar none\nLocalCommand x \"y\"\nPort 6"
        ),
        .init(
            "canonical names of addresses",
            "CanonicalizeHostname yes\nCanonicalDomains Example.com example.net.\nCanonicalizeMaxDots 0\nCanonicalizePermittedCNAMEs *.a.net:*.b.net\nHostName 127.1\nHost 127.0.0.1\nPort 11"
        ),
        .init(
            "canonicalization without a lookup",
            "CanonicalizeHostname always\nCanonicalizeMaxDots 0\nCanonicalizeFallbackLocal yes\nMatch canonical\nUser c",
            host: "Some.Host"),
        .init(
            "agents and classes of service",
            "AddKeysToAgent confirm 5m\nIPQoS af21 cs1\nIPQoS ef"),
        .init(
            "trust",
            "CheckHostIP yes\nFingerprintHash md5\nUpdateHostKeys ask\nVerifyHostKeyDNS ask\nVisualHostKey yes\n"
                + "RequiredRSASize 3072\nRevokedHostKeys /r\nKnownHostsCommand /x %H \"a\" # b\n"
                + "NoHostAuthenticationForLocalhost yes\nCASignatureAlgorithms ssh-ed25519,rsa-sha2-512"),
        .init("known hosts of one's own", "UserKnownHostsFile /k"),
        .init("keys for an agent", "AddKeysToAgent 1h\nIPQoS 0x20"),
        .init("keys that an agent is asked about", "AddKeysToAgent ask\nIPQoS none ef"),
        .init(
            "an inactive block is only read",
            "Host other\nUser x\nProxyJump j\nSendEnv Q\nCertificateFile /q\nHost *\nPort 12"),
        .init(
            "escapes",
            "IdentityFile \"/a b\"\nIdentityFile /a\\ c\nIdentityFile '/d\"e'\nIdentityFile /f\\\\g\nIdentityFile /h#i #j"
        ),
        .init(
            "options come first", "Port 1\nUser a\nCiphers aes256-ctr\nAddressFamily inet\nLogLevel ERROR",
            options: ["-oPort=2", "-oUser=b", "-c", "aes128-ctr", "-6", "-v", "-C", "-oIdentityFile=/o", "-J", "j"]),
        .init(
            "command line words", "",
            options: ["-o", "Port = 3", "-o", "user b", "-o", "ControlPath=\"/a b\"", "-oSendEnv=A B"]),
    ]

    /// Lists whose defaults are not OpenSSH's; they are compared where the configuration names them.
    private static let lists = [
        "casignaturealgorithms": "CASignature", "revokedhostkeys": "RevokedHostKeys", "ciphers": "Ciphers",
        "macs": "MACs", "kexalgorithms": "KexAlgorithms",
        "hostkeyalgorithms": "HostKeyAlgorithms",
        "pubkeyacceptedalgorithms": "PubkeyAccepted", "identityfile": "IdentityFile", "ipqos": "IPQoS",
    ]

    private func lines(_ program: String, _ arguments: [String], directory: TemporaryDirectory) async throws -> [String]
    {
        let finished = try await run(
            program, arguments, environment: ["CONFIGURATION_TEST": "/from/environment", "SSH_AUTH_SOCK": nil],
            directory: directory.path
        ).success()
        return finished.outputText.split(separator: "\n").map(String.init)
    }

    private func name(_ line: String) -> String { String(line.prefix { $0 != " " }) }

    @Test("Ours and ssh's", arguments: cases)
    func same(item: ConfigurationCase) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("config")
        try writeFile(path, text: item.file + "\n")
        let arguments = ["-F", path] + item.options + ["-G", item.host]
        let copying = ["PermitLocalCommand=no", "ClearAllForwardings=yes", "RemoteCommand=none", "ControlMaster=no"]
        let theirs = try await lines(
            requireProgram("ssh"), copying.flatMap { ["-o", $0] } + arguments, directory: directory)
        let ours = try await lines(scpBinary(), arguments, directory: directory)
        let asked = (item.file + item.options.joined(separator: " ")).lowercased()
        let isCipherLetter = item.options.contains("-c")
        let left = Set(
            Self.lists.filter { name, keyword in
                !asked.contains(keyword.lowercased()) && !(name == "ciphers" && isCipherLetter)
            }.keys)
        let compared = Set(ours.map(name)).union([
            "proxyjump", "proxycommand", "controlpath", "bindaddress", "knownhostscommand",
        ])
        .subtracting(left).subtracting(["warnweakcrypto"])  // newer than the release that may be installed
        let expected = theirs.filter { compared.contains(name($0)) }
        let found = ours.filter { compared.contains(name($0)) }
        #expect(found.filter { !expected.contains($0) } == [], "only ours")
        #expect(expected.filter { !found.contains($0) } == [], "only ssh's")
        // The place of this one has changed since the release that is installed.
        let inOrder = { (lines: [String]) in lines.filter { name($0) != "revokedhostkeys" } }
        if Set(found) == Set(expected) { #expect(inOrder(found) == inOrder(expected)) }
        #expect(found.count > 30)
    }

    @Test("Included files: globs, directories of their own, and blocks that do not leak")
    func include() async throws {
        let directory = try TemporaryDirectory()
        let part = { (name: String) in directory.file(name) }
        try directory.makeDirectory("d")
        try writeFile(part("d/1"), text: "Host x\nPort 1\n")
        try writeFile(part("d/2"), text: "User two\nHost h\nIdentityFile /two\n")
        try writeFile(
            part("config"), text: "Include \(part("d"))/* \(part("none"))\nHost h\nInclude \(part("d"))/2\nPort 5\n")
        let arguments = ["-F", part("config"), "-G", "h"]
        let theirs = try await lines(requireProgram("ssh"), arguments, directory: directory)
        let ours = try await lines(scpBinary(), arguments, directory: directory)
        for keyword in ["user", "port", "identityfile"] {
            #expect(ours.filter { name($0) == keyword } == theirs.filter { name($0) == keyword })
        }
    }

    @Test(
        "What ssh refuses is refused, with file and line",
        arguments: [
            ("NoSuchThing 1", 1), ("Port 22\nPort 99999", 2), ("User", 1), ("Host x\n\nBatchMode maybe", 3),
            ("User \"a", 1),
            ("User a b", 1), ("Match", 1), ("Match colour red", 1), ("ProxyJump a:x", 1), ("SetEnv A", 1),
            ("CanonicalDomains a..b", 1), ("Ciphers rot13", 1), ("LogLevel LOUD", 1), ("RekeyLimit 1", 1),
            ("ControlMaster maybe", 1), ("ForwardX11 5", 1),
        ])
    func refused(file: String, line: Int) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("config")
        try writeFile(path, text: file + "\n")
        let theirs = try await run(requireProgram("ssh"), ["-F", path, "-G", "h"])
        #expect(!theirs.succeeded)
        let ours = try await run(scpBinary(), ["-F", path, "-G", "h"])
        #expect(ours.status == .exited(255) && ours.output.isEmpty)
        #expect(ours.errorText.hasPrefix("scp: \(path) line \(line): "), "\(ours)")
    }

    @Test("A file that is not there, or that includes itself, is an error that names it")
    func files() async throws {
        let directory = try TemporaryDirectory()
        let missing = try await run(scpBinary(), ["-F", directory.file("x"), "-G", "h"])
        #expect(missing.status == .exited(255))
        #expect(missing.errorText.contains("Can't open user config file \(directory.file("x")): No such file"))
        let path = directory.file("config")
        try writeFile(path, text: "Include \(path)\n")
        let endless = try await run(scpBinary(), ["-F", path, "-G", "h"])
        #expect(endless.errorText == "scp: \(path) line 1: Too many recursive configuration includes\n")
        let open = directory.file("open")
        try writeFile(open, text: "", mode: 0o666)
        try writeFile(path, text: "Include \(open)\n")
        let refused = try await run(scpBinary(), ["-F", path, "-G", "h"])
        #expect(refused.errorText == "scp: Bad owner or permissions on \(open)\n")
    }

    @Test("A copy goes where an alias in the configuration file leads")
    func copy() async throws {
        let peer = try await Peer.openSSH()
        let directory = peer.directory
        try writeFile(directory.file("source"), text: "through an alias")
        try writeFile(
            directory.file("config"),
            text: """
                Host shortcut
                  HostName \(peer.address)
                  Port \(peer.port)
                  User \(peer.user)
                  IdentityFile "\(peer.keys.clientKey(.ed25519))"
                Match host * exec "test %n = shortcut"
                  UserKnownHostsFile \(peer.knownHosts)
                  StrictHostKeyChecking yes
                  IdentityAgent none
                  BatchMode yes
                """)
        let operands = [directory.file("source"), "shortcut:\(directory.file("copy"))"]
        try await run(scpBinary(), ["-F", directory.file("config")] + operands).success()
        #expect(try readText(directory.file("copy")) == "through an alias")
        let uri = "scp://\(peer.user)@shortcut:\(peer.port)/\(directory.file("copy"))"
        try await run(scpBinary(), ["-F", directory.file("config"), uri, directory.file("back")]).success()
        #expect(try readText(directory.file("back")) == "through an alias")
    }

    @Test("Variables are sent, and a connection leaves by its interface")
    func environment() async throws {
        let directory = try TemporaryDirectory()
        let noted = directory.file("noted")
        let peer = try await Peer.openSSH(configuration: ["AcceptEnv CONFIGURATION_*", "ForceCommand env > \(noted)"])
        _ = try await run(
            scpBinary(),
            ["-O", "-oSendEnv=CONFIGURATION_S*", "-oSetEnv=CONFIGURATION_T='two words'", "-oBindInterface=lo"]
                + peer.clientOptions() + ["/etc/hostname", peer.remote("x")],
            environment: ["CONFIGURATION_SENT": "over", "CONFIGURATION_NOT": "x"])
        let lines = try readText(noted).split(separator: "\n")
        #expect(lines.contains("CONFIGURATION_SENT=over") && lines.contains("CONFIGURATION_T=two words"))
        #expect(!lines.contains { $0.hasPrefix("CONFIGURATION_NOT") })
        expectFailure(
            try await peer.scp(["-oBindInterface=none0"], ["/etc/hostname", peer.remote("x")]), "no suitable address")
    }
}
