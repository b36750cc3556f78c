import TestSupport
import Testing

@testable import SSHConfig

@Suite("Which lines of the configuration files apply")
struct ConfigurationTests {
    private let here = FakeEnvironment()

    private func ports(_ file: String, _ hosts: String...) throws -> [Int] {
        try hosts.map { try here.options(file, for: $0).port }
    }

    @Test("The first value counts, and the command line's before the files'")
    func first() throws {
        #expect(try here.options("Port 1\nPort 2").port == 1)
        #expect(try here.options("Port 1", settings: ["Port=2", "Port=3"]).port == 2)
        #expect(try here.options("User a", user: "b").user == "b")
        #expect(try here.options("User a").user == "a")
        #expect(try here.options("").user == "me")
    }

    @Test("As in ssh, a User setting outweighs the user before the host")
    func userSetting() throws { #expect(try here.options("", user: "b", settings: ["User=c"]).user == "c") }

    @Test("Host lines have patterns, and one with ! rules the block out")
    func host() throws {
        let file = "Host a* !ab\n Port 1\nHost ?b\n Port 2\nHost *\n Port 3"
        #expect(try ports(file, "a", "ab", "xb", "zzz", "A", "aab") == [1, 2, 2, 3, 3, 1])
        #expect(try ports("Host !a\n Port 1", "a", "b") == [22, 22])
        #expect(try ports("Host x \"a b\" # a\nPort 1", "a", "x") == [22, 1])
    }

    @Test("Blocks are compared with the host as typed, Match host with HostName")
    func hostName() throws {
        let file = "Host a\n HostName b.%h.net\nHost b*\n Port 1\nMatch host b.a.net\n User u"
        let options = try here.options(file, for: "a")
        #expect(options.host == "b.a.net" && options.originalHost == "a")
        #expect(options.port == 22 && options.user == "u")
    }

    @Test("The system's file comes after the user's")
    func system() throws {
        var here = here
        here.files["/etc/ssh/ssh_config"] = "Port 1\nUser root\nInclude more\nHost h\nIdentityFile /s"
        here.files["/etc/ssh/more"] = "ConnectionAttempts 4"
        let options = try here.options("Port 2\nIdentityFile /u")
        #expect(options.port == 2 && options.user == "root" && options.connectionAttempts == 4)
        #expect(options.identityFiles == ["/u", "/s"])
    }

    @Test("A file named with -F is read alone, and must be there")
    func only() throws {
        var here = here
        here.files = ["/f": "User f\nInclude i", "/home/me/.ssh/i": "Port 7", "/etc/ssh/ssh_config": "Port 1"]
        here.open = ["/f"]
        let options = try ClientConfiguration(files: .only("/f"), environment: here).options(for: "h")
        #expect(options.user == "f" && options.port == 7)
        #expect(throws: ConfigurationError.unreadable(path: "/g", reason: "No such file or directory")) {
            try ClientConfiguration(files: .only("/g"), environment: here).options(for: "h")
        }
        #expect(try ClientConfiguration(files: .none, environment: here).options(for: "h").port == 22)
    }

    // MARK: Match

    @Test(
        "Match criteria",
        arguments: [
            ("all", true), ("!all", false), ("host h", true), ("host H", true), ("host x,h", true),
            ("host !h,*", false),
            ("host x,y", false), ("!host x", true), ("!host h", false), ("originalhost h", true), ("user me", true),
            ("user ME", false), ("localuser m?", true), ("!localuser me", false), ("host h user me", true),
            ("host h user you", false), ("host=h", true), ("host=\"h\" user=me", true), ("tagged t", true),
            ("tagged s,t", true), ("tagged x", false), ("tagged \"\"", false), ("command \"\"", false),
            ("command scp*", true), ("sessiontype exec", true), ("sessiontype shell,none", false),
            ("version OpenSSH_10.*", true), ("version OpenSSH_9*", false), ("localnetwork 192.0.2.0/24", true),
            ("localnetwork 198.51.100.0/24", false), ("localnetwork 198.51.100.0/24,2001:db8::/32", true),
            ("localnetwork 192.0.2.17", true), ("exec true", true), ("exec false", false), ("!exec false", true),
            ("exec \"test %h %n %p %r %u %%\"", true), ("final", true), ("!final", true), ("canonical", false),
            ("HOST h # user x", true), ("canonical all", false), ("!canonical all", true),
        ])
    func match(criteria: String, isMet: Bool) throws {
        var here = here
        here.successes = ["true", "test h h 22 me me %"]
        let options = try here.options("Tag t\nMatch \(criteria)\nPort 1", request: .command("scp -t x"))
        #expect((options.port == 1) == isMet)
    }

    @Test(
        "Match lines that make no sense name their line",
        arguments: [
            "", "host", "host \"\"", "colour red", "all host h", "host h all user x", "localnetwork 192.0.2.0/33",
            "localnetwork 192.0.2.1/24", "localnetwork house", "user", "host \"h",
        ])
    func badMatch(criteria: String) {
        #expect {
            try here.options("\nMatch \(criteria)\nPort 1")
        } throws: { error in
            guard case ConfigurationError.file("/home/me/.ssh/config", let faults) = error else { return false }
            return faults.count == 1 && faults[0].hasPrefix("/home/me/.ssh/config line 2: ")
        }
    }

    @Test("A command is run only where all before it holds, and one that crashes is an error")
    func exec() throws {
        _ = try here.options("Match host x exec one\nMatch exec two host x\nHost none\nMatch exec three")
        #expect(here.commands.all == ["two", "three"])
        #expect(throws: ConfigurationError.exec(path: "/home/me/.ssh/config", line: 1, reason: "exited abnormally")) {
            try here.options("Match exec crash")
        }
        #expect(throws: ConfigurationError.self) { try here.options("Match exec %q") }
    }

    @Test("Match final asks for a second pass, in which the host is the final one")
    func final() throws {
        let file = "Match final host b\n Port 1\nHost b\n User u\nHost a\n HostName b\n IdentityFile /k"
        let options = try here.options(file, for: "a")
        #expect(options.port == 1 && options.user == "u" && options.identityFiles == ["/k"])
        #expect(try here.options("Host b\n User u\nHost a\n HostName b", for: "a").user == "me")
    }

    // MARK: Include

    @Test("Included files stand where their line does, and end no block of the file around them")
    func include() throws {
        var here = here
        here.files["/home/me/.ssh/conf.d/1"] = "Host x\n Port 1\nHost *\n User one"
        here.files["/home/me/.ssh/conf.d/2"] = "User two"
        here.files["/etc/abs"] = "ConnectionAttempts 3"
        here.files["/home/me/tilde"] = "NumberOfPasswordPrompts 5"
        here.files["/there/h"] = "ServerAliveInterval 6"
        let options = try here.options(
            "Host h\n Include conf.d/* none.*\n Port 9\nInclude /etc/abs \"~/tilde\" /${WHERE}/%h")
        #expect(options.user == "one" && options.port == 9 && options.connectionAttempts == 3)
        #expect(options.numberOfPasswordPrompts == 5 && options.serverAliveInterval == 6)
    }

    @Test("In a block that does not apply, included files are only checked")
    func inactiveInclude() throws {
        var here = here
        here.files["/home/me/.ssh/i"] = "Port 1\nHost *\nUser u\nMatch all\nUser v"
        let options = try here.options("Host x\nInclude i\nHost *\nConnectionAttempts 2")
        #expect(options.port == 22 && options.user == "me" && options.connectionAttempts == 2)
        here.files["/home/me/.ssh/i"] = "Nonsense 1"
        #expect(throws: ConfigurationError.self) { try here.options("Host x\nInclude i") }
    }

    @Test("Files that include each other end in an error that names the line")
    func recursion() {
        var here = here
        here.files["/home/me/.ssh/i"] = "\nInclude i"
        #expect(throws: ConfigurationError.recursion(path: "/home/me/.ssh/i", line: 2)) {
            try here.options("Include i")
        }
    }

    @Test("Sixteen levels of inclusion are not too many")
    func depth() throws {
        var here = here
        for level in 1...15 { here.files["/home/me/.ssh/i\(level)"] = "Include i\(level + 1)" }
        here.files["/home/me/.ssh/i16"] = "Port 16"
        #expect(try here.options("Include i1").port == 16)
    }

    @Test("What others can write to is refused, what cannot be read and was asked for too")
    func unreadable() {
        var here = here
        here.open = ["/home/me/.ssh/config"]
        #expect(throws: ConfigurationError.permissions(path: "/home/me/.ssh/config")) { try here.options("") }
        here.open = ["/home/me/.ssh/i"]
        here.files["/home/me/.ssh/i"] = ""
        #expect(throws: ConfigurationError.permissions(path: "/home/me/.ssh/i")) { try here.options("Include i") }
        here.locked = ["/home/me/.ssh/l"]
        #expect {
            try here.options("Include l")
        } throws: {
            "\($0)".hasPrefix("/home/me/.ssh/config line 1: Can't open user config file /home/me/.ssh/l: Permission")
        }
        here.locked = ["/home/me/.ssh/config"]
        #expect(throws: Never.self) { try here.options("") }
    }

    @Test("A tilde in the system's file names nobody's home")
    func systemTilde() {
        var here = here
        here.files["/etc/ssh/ssh_config"] = "Include ~/x"
        #expect(throws: ConfigurationError.self) { try here.options("") }
    }

    // MARK: Errors

    @Test("Every wrong line of a file is named, whether it applies or not")
    func faults() {
        #expect {
            try here.options("Port 1\nHost nobody\nPort x\nNonsense 1\nUser\nUser a b\nUser \"a\n")
        } throws: { error in
            guard case ConfigurationError.file(let path, let faults) = error else { return false }
            return path == "/home/me/.ssh/config" && faults.count == 5
                && faults.map { $0.split(separator: ":")[0] }
                    == [3, 4, 5, 6, 7].map { "/home/me/.ssh/config line \($0)" }
                && faults[1].hasSuffix(": Bad configuration option: Nonsense")
                && "\(error)".hasSuffix("\n/home/me/.ssh/config: terminating, 5 bad configuration options")
        }
    }

    @Test(
        "An unknown keyword is shown where it is a name or nearly a keyword; anything else may be a piece of a key",
        arguments: [
            ("Fancy", "Fancy"), ("PubkeyAceptedAlgorithm", "PubkeyAceptedAlgorithm"),
            ("WxccRtpvKHakFATpsOhydT", "a word of 22 bytes"), ("WxccRtpvKHak", "a word of 12 bytes"),
            ("b3BlbnNzaC1rZXktdjEAAAAABG5vbmU", "a word of 31 bytes"),
        ])
    func unknownKeyword(word: String, shown: String) {
        #expect {
            try here.options("\(word) 1\n")
        } throws: {
            "\($0)".contains("Bad configuration option: \(shown)\n")
        }
    }

    @Test("IgnoreUnknown passes unknown keywords over from its line on")
    func ignoreUnknown() throws {
        #expect(try here.options("IgnoreUnknown Fancy*,other\nFancyThing a b c\nOther\tx\nPort 1").port == 1)
        #expect(throws: ConfigurationError.self) { try here.options("Fancy 1\nIgnoreUnknown Fancy") }
        #expect(try here.options("Fancy 1\nPort 2", settings: ["IgnoreUnknown=fancy"]).port == 2)
    }

    @Test("RefuseConnection refuses where it applies")
    func refuse() throws {
        #expect(try here.options("Host x\nRefuseConnection \"not there\"\nHost *\nPort 1").port == 1)
        #expect(throws: ConfigurationError.refused(path: "/home/me/.ssh/config", line: 2, reason: "not there")) {
            try here.options("Host h\nRefuseConnection \"not there\"")
        }
    }

    @Test("Blocks and inclusions belong in files", arguments: ["Host x", "Match all", "Include x"])
    func commandLine(setting: String) {
        #expect(throws: ConfigurationError.self) { try here.options("", settings: [setting]) }
    }

    @Test("Names that a shell would read more into are refused")
    func names() {
        for host in ["-x", "a;b", "a b", "$(x)", "a\nb", "`x`"] {
            #expect(throws: ConfigurationError.self) { try here.options("", for: host) }
        }
        for user in ["-x", "a;b", "`x`", "a -b", "a\\", "a|b"] {
            #expect(throws: ConfigurationError.self) { try here.options("", user: user) }
        }
        #expect(throws: Never.self) { try here.options("", for: "fe80::1%eth0", user: "DOMAIN\\me x@y") }
    }

    @Test(
        "A user that a setting of the command line names is checked like one before the host",
        arguments: ["a;b", "a|/x", "`x`", "$(x)", "-x", "a&b", "a'b", "a\nb"])
    func userOfSetting(user: String) throws {
        for spelling in ["User", "user"] {
            #expect(throws: ConfigurationError.name(reason: "remote username contains invalid characters")) {
                try here.options("", settings: ["\(spelling)=\"\(user)\""])
            }
        }
        #expect(try here.options("", settings: ["User=DOMAIN\\me"]).user == "DOMAIN\\me")
    }

    @Test(
        "No name reaches a shell with what means more to it, wherever it comes from",
        arguments: [
            "User a;b\nProxyCommand nc %r", "HostName a;b\nProxyCommand nc %h 22",
            "HostKeyAlias `a`\nProxyCommand x %k",
            "User a(b\nMatch exec \"x %r\"", "HostName $(x)\nMatch exec \"test %h\"",
        ])
    func shell(file: String) {
        #expect(throws: ConfigurationError.self) { try here.options(file) }
        #expect(here.commands.all.isEmpty)
    }

    @Test("A name of the configuration's that no shell gets to see is as it is written")
    func noShell() throws {
        #expect(try here.options("User a;b\nProxyCommand nc %h").user == "a;b")
        #expect(try here.options("User \"x y\"\nProxyCommand nc %r").proxyCommand == "nc x y")
    }

    @Test("A setting without a name sets nothing", arguments: ["", "  ", "# Port 1", "\t"])
    func nothing(setting: String) throws { #expect(try here.options("", settings: [setting, "Port=2"]).port == 2) }

    @Test("A byte order mark and ends of lines from Windows are passed over, in included files too")
    func byteOrderMark() throws {
        var here = here
        here.files["/home/me/.ssh/more"] = "\u{feff}Port 5\r\nUser you\r\n"
        let options = try here.options("\u{feff}Host h\r\n  Compression yes\r\n\r\n  Include more\r\n")
        #expect(options.compression && options.port == 5 && options.user == "you")
        #expect(try here.options("\u{feff}\u{feff}Port 5\r\n", settings: ["IgnoreUnknown=*"]).port == 22)
    }
}

@Suite("Values of a configuration")
struct ConfigurationValueTests {
    private let here = FakeEnvironment()

    @Test("Some keywords add up")
    func lists() throws {
        let options = try here.options(
            "IdentityFile /a\nIdentityFile /b\nIdentityFile /a\nCertificateFile /c\nCertificateFile /d\n"
                + "SendEnv A B*\nSendEnv C\nSendEnv -B* -x\nSetEnv X=1 Y=2 X=3\nSetEnv Z=4")
        #expect(options.identityFiles == ["/a", "/b"] && options.certificateFiles == ["/c", "/d"])
        #expect(options.sendEnvironment == ["A", "C"])
        #expect(options.setEnvironment.map(\.name) == ["X", "Y"] && options.setEnvironment.map(\.value) == ["1", "2"])
    }

    @Test("Variables to send are those that patterns cover, and those that are given")
    func variables() throws {
        let own = ["LANG=C", "LC_ALL=x=y", "PATH=/bin", "broken"]
        let sent = try here.options("SendEnv LC_* LANG\nSetEnv A=b").sentVariables(of: own)
        #expect(sent.map(\.name) == ["LANG", "LC_ALL", "A"] && sent.map(\.value) == ["C", "x=y", "b"])
        #expect(try here.options("").sentVariables(of: own).isEmpty)
        #expect(LocalAccount.allVariables.contains { $0.hasPrefix("PATH=") })
    }

    @Test("Of ProxyJump and ProxyCommand, the first counts")
    func proxies() throws {
        let jump = try here.options("ProxyJump a\nProxyCommand b")
        #expect(jump.proxyJump == [JumpHost(host: "a")] && jump.proxyCommand == nil)
        let command = try here.options("ProxyCommand nc %h %p # x\nProxyJump a")
        #expect(command.proxyJump.isEmpty && command.proxyCommand == "nc h 22 # x")
        let neither = try here.options("ProxyCommand none\nProxyJump a")
        #expect(neither.proxyJump.isEmpty && neither.proxyCommand == nil)
        #expect(try here.options("ProxyJump none\nProxyCommand c").proxyCommand == "c")
    }

    @Test("Jump hosts are a list of addresses")
    func jumps() throws {
        let jumps = try here.options("ProxyJump u@a:1,[::1]:2,ssh://v%20w@c:3,d # e").proxyJump
        #expect(
            jumps == [
                JumpHost(user: "u", host: "a", port: 1), JumpHost(host: "::1", port: 2),
                JumpHost(user: "v w", host: "c", port: 3), JumpHost(host: "d"),
            ])
        for text in ["", "a,,b", "@a", "a:x", "a:0", "a:65536", "-a", "u@", "ssh://a/b", "a/b", "[::1", "a;b", "'u'@h"]
        {
            #expect(JumpHost(text) == nil || text.contains(","), "\(text)")
            #expect(throws: ConfigurationError.self) { try here.options("ProxyJump \(text)") }
        }
    }

    @Test("RekeyLimit's size and time are set by the first that names them")
    func rekey() throws {
        let options = try here.options("RekeyLimit 1G\nRekeyLimit 2G 1h\nRekeyLimit 3G 2h")
        #expect(options.rekeyBytes == 1 << 30 && options.rekeySeconds == 3600)
        #expect(try here.options("RekeyLimit default none\nRekeyLimit 1G").rekeyBytes == nil)
    }

    @Test("Log levels have names")
    func logLevels() throws {
        for (name, level, verbosity) in [
            ("QUIET", LogLevel.quiet, 0), ("info", .info, 0), ("VERBOSE", .verbose, 0), ("DEBUG", .debug1, 1),
            ("Debug2", .debug2, 2), ("DEBUG3", .debug3, 3),
        ] {
            let options = try here.options("LogLevel \(name)")
            #expect(options.logLevel == level && options.verbosity == verbosity)
        }
        #expect(LogLevel(name: "loud") == nil)
    }

    @Test("Sharing a connection")
    func control() throws {
        let options = try here.options("ControlMaster auto\nControlPath ~/%r@%h:%p\nControlPersist 10m")
        #expect(options.controlMaster == .auto && options.controlPath == "/home/me/me@h:22")
        #expect(options.controlPersist == 600)
        #expect(try here.options("ControlPersist yes\nControlPath none").controlPersist == 0)
        #expect(try here.options("ControlPath none\nControlPath /x").controlPath == nil)
    }

    @Test("Every keyword that ssh knows is taken")
    func accepted() throws {
        let lines = [
            "ForwardX11 no", "LocalForward 1 a:2", "RemoteForward 3", "DynamicForward 4", "EscapeChar none",
            "GSSAPIAuthentication yes", "Tunnel no", "TunnelDevice any:any", "RequestTTY auto", "SessionType default",
            "Protocol 2", "Cipher blowfish", "RhostsRSAAuthentication no", "LocalCommand echo \"%n\"",
            "RemoteCommand ls",
            "PermitRemoteOpen any", "ChannelTimeout session=5m", "ObscureKeystrokeTiming interval:80", "LogVerbose a b",
            "XAuthLocation /x", "StreamLocalBindMask 0177", "SyslogFacility USER", "WarnWeakCrypto no",
            "KeepAlive yes", "PubkeyAcceptedKeyTypes ssh-ed25519", "ChallengeResponseAuthentication no",
            "PubkeyAuthentication host-bound", "Tag x", "VersionAddendum none", "HostbasedAuthentication no",
            "UpdateHostKeys ask", "IPQoS ef none", "AddKeysToAgent confirm 5m", "FingerprintHash md5",
            "Ciphers aes128-ctr,3des-cbc", "MACs -hmac-sha1*", "HostKeyAlgorithms +ssh-rsa",
            "KexAlgorithms ^curve25519*",
            "VerifyHostKeyDNS ask", "StdinNull no", "ForkAfterAuthentication no", "ForwardAgent no",
        ]
        let options = try here.options(lines.joined(separator: "\n"))
        #expect(options.keyboardInteractiveAuthentication == false && options.publicKeyAlgorithms == "ssh-ed25519")
    }

    @Test(
        "Values that make no sense are errors, for keywords without an effect too",
        arguments: [
            "ForwardX11 maybe", "RequestTTY always", "Tunnel deep", "ControlMaster 1", "ControlPersist soon",
            "SendEnv A=b", "SetEnv A", "CanonicalizeHostname perhaps", "CanonicalDomains a..b",
            "CanonicalDomains none a", "CanonicalizeMaxDots -1", "CanonicalizePermittedCNAMEs a", "Ciphers rot13",
            "UserKnownHostsFile a none", "Compression 9", "LogLevel LOUD", "ProxyJump @", "KexAlgorithms nothing",
            "HostName a b", "Port 1 2", "IdentityFile", "IdentityFile \"\"", "ProxyCommand", "ForwardX11Timeout x",
        ])
    func senseless(line: String) {
        #expect {
            try here.options("Host other\n\(line)")
        } throws: {
            guard case ConfigurationError.file(_, let faults) = $0 else { return false }
            return faults.count == 1 && faults[0].contains(" line 2: ")
        }
    }

    // MARK: Tokens

    @Test("Tokens, variables and home directories are replaced")
    func tokens() throws {
        let options = try here.options(
            "HostName %h.net\nPort 2222\nUser %u-%i-%L\nProxyJump j\nHostKeyAlias Alias\n"
                + "IdentityFile ~/%n/%h/%p/%r\nIdentityFile %d/%%/%k/%j\nIdentityFile ${WHERE}/%l\nIdentityFile ~you/x\n"
                + "UserKnownHostsFile ~/k-%C /%L\nControlPath %C\nSetEnv A=%h B=${WHERE}\nGlobalKnownHostsFile ~/%h\n"
                + "CertificateFile /~", for: "h")
        #expect(options.host == "h.net" && options.user == "me-1000-laptop" && options.hostKeyAlias == "alias")
        #expect(
            options.identityFiles == [
                "/home/me/h/h.net/2222/me-1000-laptop", "/home/me/%/alias/j", "there/laptop.example.net", "/home/you/x",
            ])
        // printf laptop.example.neth.net2222me-1000-laptopj | sha1sum
        let hash = try #require(options.controlPath)
        #expect(hash.count == 40 && options.userKnownHostsFiles == ["/home/me/k-\(hash)", "/laptop"])
        #expect(options.setEnvironment.map(\.value) == ["h.net", "there"])
        #expect(options.globalKnownHostsFiles == ["/home/me/%h"] && options.certificateFiles == ["/~"])
    }

    @Test(
        "A token or variable that stands for nothing is an error",
        arguments: [
            "IdentityFile %q", "IdentityFile a%", "IdentityFile ${NONE}", "IdentityFile ${WHERE", "IdentityFile ${}",
            "HostName %p", "User %r", "IdentityFile ~nobody/x", "ControlPath %T",
        ])
    func badTokens(line: String) {
        #expect {
            try here.options(line)
        } throws: {
            if case ConfigurationError.expansion = $0 { true } else { false }
        }
    }

    @Test("The user before a host holds no tokens")
    func literalUser() throws { #expect(try here.options("IdentityFile /%r", user: "%u").identityFiles == ["/%u"]) }

    @Test("The agent is where it is said to be")
    func agent() throws {
        var here = here
        here.variables = ["SSH_AUTH_SOCK": "/usual", "OTHER": "/other"]
        #expect(try here.options("").agentSocket == "/usual")
        for (value, socket) in [
            ("none", nil), ("SSH_AUTH_SOCK", "/usual"), ("$OTHER", "/other"), ("${OTHER}/x", "/other/x"),
            ("~/s-%h", "/home/me/s-h"), ("$NONE", nil),
        ] as [(String, String?)] { #expect(try here.options("IdentityAgent \(value)").agentSocket == socket) }
    }

    // MARK: Canonical names

    @Test("Short names become full ones, and the files are read again for those")
    func canonical() throws {
        var here = here
        here.hosts = ["h.b.net.": "", "x.y.b.net.": ""]
        let file =
            "CanonicalizeHostname yes\nCanonicalDomains a.net b.net\nHost h.b.net\nPort 1\nMatch canonical\nUser c"
        let options = try here.options(file, for: "H")
        #expect(options.host == "h.b.net" && options.port == 1 && options.user == "c")
        #expect(try here.options(file, for: "x.y").host == "x.y.b.net")
        #expect(try here.options(file, for: "x.y.z").host == "x.y.z")
        #expect(try here.options(file, for: "nowhere").host == "nowhere")
        #expect(throws: ConfigurationError.unresolvable(host: "nowhere")) {
            try here.options("CanonicalizeFallbackLocal no\n" + file, for: "nowhere")
        }
        #expect(try here.options("ProxyJump j\n" + file).host == "h")
        #expect(try here.options("ProxyJump j\nCanonicalizeHostname always\n" + file).host == "h.b.net")
        #expect(try here.options("CanonicalizeHostname no\n" + file).host == "h")
    }

    @Test("An alias is followed where a rule permits it")
    func aliases() throws {
        var here = here
        here.hosts = ["h.b.net.": "Real.C.net", "plain": "q.c.net"]
        let file = "CanonicalizeHostname yes\nCanonicalDomains b.net\n"
        #expect(try here.options(file).host == "h.b.net")
        #expect(try here.options(file + "CanonicalizePermittedCNAMEs none").host == "h.b.net")
        #expect(try here.options(file + "CanonicalizePermittedCNAMEs *.b.net:*.d.net").host == "h.b.net")
        #expect(try here.options(file + "CanonicalizePermittedCNAMEs *.b.net:*.net").host == "real.c.net")
        #expect(try here.options(file + "CanonicalizePermittedCNAMEs *", for: "plain").host == "q.c.net")
    }

    @Test("Addresses have one form, and names small letters")
    func addresses() throws {
        #expect(try here.options("", for: "127.1").host == "127.0.0.1")
        #expect(try here.options("", for: "2001:DB8::1").host == "2001:db8::1")
        #expect(try here.options("", for: "Some.Host").host == "some.host")
        #expect(try here.options("", for: "fe80::1%Eth0").host == "fe80::1%eth0")
    }
}
