import TestSupport
import Testing

@testable import SSHConfig

@Suite("The keywords of ssh_config")
struct KeywordTableTests {
    private let here = FakeEnvironment()

    /// Every spelling that OpenSSH 10.5 takes, former names and given-up keywords included.
    private static let spellings = [
        "protocol", "cipher", "fallbacktorsh", "globalknownhostsfile2", "rhostsauthentication",
        "userknownhostsfile2", "useroaming", "usersh", "useprivilegedport", "afstokenpassing",
        "kerberosauthentication", "kerberostgtpassing", "rsaauthentication", "rhostsrsaauthentication",
        "compressionlevel", "gssapiauthentication", "gssapidelegatecredentials", "pkcs11provider",
        "smartcarddevice", "forwardagent", "forwardx11", "forwardx11trusted", "forwardx11timeout",
        "exitonforwardfailure", "xauthlocation", "gatewayports", "passwordauthentication",
        "kbdinteractiveauthentication", "kbdinteractivedevices", "challengeresponseauthentication",
        "skeyauthentication", "tisauthentication", "pubkeyauthentication", "dsaauthentication",
        "hostbasedauthentication", "identityfile", "identityfile2", "identitiesonly", "certificatefile",
        "addkeystoagent", "identityagent", "hostname", "hostkeyalias", "proxycommand", "port", "ciphers", "macs",
        "remoteforward", "localforward", "permitremoteopen", "user", "host", "match", "tag", "escapechar",
        "globalknownhostsfile", "userknownhostsfile", "connectionattempts", "batchmode", "checkhostip",
        "stricthostkeychecking", "compression", "tcpkeepalive", "keepalive", "numberofpasswordprompts",
        "syslogfacility", "loglevel", "logverbose", "dynamicforward", "preferredauthentications",
        "hostkeyalgorithms", "casignaturealgorithms", "bindaddress", "bindinterface", "clearallforwardings",
        "enablesshkeysign", "verifyhostkeydns", "nohostauthenticationforlocalhost", "rekeylimit", "connecttimeout",
        "addressfamily", "serveraliveinterval", "serveralivecountmax", "sendenv", "setenv", "controlpath",
        "controlmaster", "controlpersist", "hashknownhosts", "include", "tunnel", "tunneldevice", "localcommand",
        "permitlocalcommand", "remotecommand", "visualhostkey", "kexalgorithms", "ipqos", "requesttty",
        "sessiontype", "stdinnull", "forkafterauthentication", "proxyusefdpass", "canonicaldomains",
        "canonicalizefallbacklocal", "canonicalizehostname", "canonicalizemaxdots", "canonicalizepermittedcnames",
        "streamlocalbindmask", "streamlocalbindunlink", "revokedhostkeys", "fingerprinthash", "updatehostkeys",
        "hostbasedacceptedalgorithms", "hostbasedkeytypes", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes",
        "ignoreunknown", "proxyjump", "securitykeyprovider", "knownhostscommand", "requiredrsasize",
        "enableescapecommandline", "obscurekeystroketiming", "channeltimeout", "versionaddendum",
        "refuseconnection", "warnweakcrypto",
    ]

    private static var manual: String {
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/docs/configuration.md"
    }

    @Test("Each that OpenSSH knows has a row, and each row one place")
    func complete() {
        for spelling in Self.spellings {
            #expect(KeywordTable.row(KeywordTable.name(spelling)) != nil, "\(spelling)")
        }
        let names = KeywordTable.rows.map { $0.name.lowercased() }
        #expect(Set(names).count == names.count)
        for name in KeywordTable.formerNames.values { #expect(names.contains(name), "\(name)") }
    }

    @Test("The manual has a line for each, with what becomes of it")
    func documented() throws {
        let manual = try readText(Self.manual)
        for row in KeywordTable.summary {
            let line = "| `\(row.name)` | \(row.outcome) | \(row.reason) |"
            #expect(manual.contains(line), "docs/configuration.md lacks: \(line)")
        }
    }

    @Test("Every row but those that order a file reads something, and none takes nothing at all")
    func readable() {
        for row in KeywordTable.rows where row.keyword == nil {
            #expect(["Host", "Match", "Include"].contains(row.name))
        }
        for row in KeywordTable.rows where row.keyword != nil {
            #expect(throws: ConfigurationError.self, "\(row.name)") { try here.options("\(row.name)") }
        }
    }

    @Test("What has no effect is said once, and said again where a login fails only where it may have been needed")
    func remarks() throws {
        var here = here
        here.files["/home/me/.ssh/config"] =
            "PKCS11Provider /lib/x.so\nGSSAPIAuthentication yes\nHostbasedAuthentication no\nUseRoaming yes\n"
            + "LocalForward 1 h:2\nLocalForward 3 h:4\nSecurityKeyProvider /lib/sk.so\nPort 22\nUseKeychain yes"
        let resolved = try ClientConfiguration(files: .usual, environment: here).resolve("h")
        func count(_ name: String) -> Int { resolved.notes.count { $0.hasPrefix("\(name) has no effect: ") } }
        for name in [
            "PKCS11Provider", "GSSAPIAuthentication", "UseRoaming", "LocalForward", "SecurityKeyProvider",
            "UseKeychain",
        ] {
            #expect(count(name) == 1, "\(name) in \(resolved.notes)")
        }
        #expect(count("HostbasedAuthentication") == 0 && count("Port") == 0)
        let missed = resolved.options.missedAtLogin.map { line in String(line.prefix { $0 != " " }) }
        #expect(missed == ["PKCS11Provider", "GSSAPIAuthentication", "SecurityKeyProvider"])
    }

    @Test(
        "An algorithm that OpenSSH has and we do not is passed over, also in a block for another host",
        arguments: [
            "KexAlgorithms +mlkem768nistp256-sha256", "KexAlgorithms mlkem768nistp256-sha256",
            "MACs hmac-md5,hmac-sha1",
            "HostKeyAlgorithms ^ssh-mldsa44-ed25519@openssh.com", "PubkeyAcceptedAlgorithms +ssh-dss",
            "Ciphers rijndael-cbc@lysator.liu.se,aes128-ctr", "CASignatureAlgorithms +ssh-rsa",
        ])
    func elsewhere(line: String) {
        #expect(throws: Never.self) { try here.options(line) }
        #expect(throws: Never.self) { try here.options("Host other\n \(line)") }
    }

    @Test("VersionAddendum is text of one line, and none is none")
    func versionAddendum() throws {
        #expect(try here.options("VersionAddendum my host").versionAddendum == "my host")
        #expect(try here.options("VersionAddendum none").versionAddendum == nil)
        #expect(throws: ConfigurationError.self) {
            try here.options("VersionAddendum \(String(repeating: "x", count: 129))")
        }
        #expect(throws: ConfigurationError.self) { try here.options("VersionAddendum \u{1b}[2J") }
    }

    @Test("WarnWeakCrypto is on unless it is turned off", arguments: ["no", "false", "no-pq-kex"])
    func warnWeakCrypto(value: String) throws {
        #expect(try here.options("").warnsOfWeakCrypto)
        #expect(try here.options("WarnWeakCrypto yes").warnsOfWeakCrypto)
        #expect(try !here.options("WarnWeakCrypto \(value)").warnsOfWeakCrypto)
    }

    @Test("A port is a number or a service's name")
    func ports() throws {
        #expect(ServicePort.find("22") == 22 && ServicePort.find("65535") == 65535)
        for text in ["", "0", "65536", "-1", "+22", " 22", "22x", "0x16", "no-such-service"] {
            #expect(ServicePort.find(text) == nil, "\(text)")
        }
    }

    @Test("Values that take a zero or nothing, as ssh does")
    func zeros() throws {
        #expect(try here.options("ServerAliveCountMax 0\nServerAliveInterval 5").serverAliveCountMax == 0)
        #expect(try here.options("ConnectTimeout none").connectTimeout == nil)
        #expect(try here.options("KbdInteractiveDevices pam,skey").keyboardInteractiveDevices == "pam,skey")
    }
}
