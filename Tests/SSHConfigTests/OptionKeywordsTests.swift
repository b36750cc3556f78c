import SSHKeys
import Testing

@testable import SSHConfig

@Suite("Options by their names in ssh_config")
struct OptionKeywordsTests {
    private let start = ClientOptions(host: "h", account: LocalAccount(name: "me", home: "/home/me"))

    private func set(_ texts: String...) throws -> ClientOptions {
        var configuration = ClientConfiguration(files: .none, environment: FakeEnvironment())
        for text in texts { try configuration.set(text) }
        return try configuration.options(for: "h")
    }

    @Test(
        "Name and value are parted by an equals sign, blanks, or both, and may be quoted",
        arguments: [
            "Port=2222", "port 2222", "PORT = 2222", "Port\t2222", "Port= 2222 ", "Port=\"2222\"", "Port  =2222",
        ])
    func forms(text: String) throws { #expect(try set(text).port == 2222) }

    @Test("Without any, the user is the local one and the files are those of ssh")
    func defaults() {
        #expect(start.user == "me" && start.port == 22)
        #expect(start.userKnownHostsFiles == ["/home/me/.ssh/known_hosts", "/home/me/.ssh/known_hosts2"])
        #expect(start.strictHostKeyChecking == .ask && !start.batchMode && start.identityFiles == nil)
    }

    @Test("The first value counts; key files add up")
    func first() throws {
        #expect(try set("Port=1", "port=2").port == 1)
        #expect(try set("BatchMode=no", "BatchMode=yes").batchMode == false)
        #expect(try set("IdentityFile=/a", "IdentityFile=/b").identityFiles == ["/a", "/b"])
    }

    @Test("The options of trust in a host")
    func trust() throws {
        let options = try set(
            "CASignatureAlgorithms=ssh-ed25519", "CheckHostIP=yes", "FingerprintHash=MD5",
            "KnownHostsCommand=/bin/known --host %H", "NoHostAuthenticationForLocalhost=yes", "RequiredRSASize=3072",
            "RevokedHostKeys=~/revoked /etc/revoked", "UpdateHostKeys=ask", "VerifyHostKeyDNS=ask",
            "VisualHostKey=yes")
        #expect(options.caSignatureAlgorithms == "ssh-ed25519" && options.fingerprintHash == .md5)
        #expect(options.checkHostIP && options.noHostAuthenticationForLocalhost && options.visualHostKey)
        #expect(options.knownHostsCommand == "/bin/known --host %H" && options.requiredRSASize == 3072)
        #expect(options.revokedHostKeysFiles == ["/home/me/revoked", "/etc/revoked"])
        #expect(options.updateHostKeys == .ask && options.verifyHostKeyDNS)
        #expect(try set("KnownHostsCommand=none").knownHostsCommand == nil)
        #expect(try set("RevokedHostKeys=none").revokedHostKeysFiles.isEmpty)
        for bad in ["UpdateHostKeys=often", "FingerprintHash=sha1", "RequiredRSASize=x", "VerifyHostKeyDNS=maybe"] {
            #expect(throws: ConfigurationError.self) { try set(bad) }
        }
    }

    @Test("A tilde stands for the home directory, and none for no file")
    func files() throws {
        #expect(try set("IdentityFile=~/k").identityFiles == ["/home/me/k"])
        #expect(try set("IdentityFile=none").identityFiles == [])
        #expect(try set("UserKnownHostsFile=~/a /b ~you/x").userKnownHostsFiles == ["/home/me/a", "/b", "/home/you/x"])
        #expect(try set("GlobalKnownHostsFile=none").globalKnownHostsFiles == [])
    }

    @Test(
        "Words for yes and no",
        arguments: [("yes", true), ("no", false), ("true", true), ("FALSE", false), ("Yes", true)])
    func flags(word: String, value: Bool) throws {
        let options = try set("BatchMode=\(word)", "HashKnownHosts=\(word)", "PasswordAuthentication=\(word)")
        #expect(options.batchMode == value && options.hashKnownHosts == value)
        #expect(options.passwordAuthentication == value)
    }

    @Test(
        "Times have units",
        arguments: [("90", 90), ("1m30s", 90), ("2h", 7200), ("1d", 86400), ("1w", 604_800), ("10S", 10), ("1m1", 61)])
    func times(text: String, seconds: Int) throws {
        #expect(try set("ConnectTimeout=\(text)").connectTimeout == seconds)
        #expect(try set("ServerAliveInterval=\(text)").serverAliveInterval == seconds)
    }

    @Test("ConnectTimeout may be none", arguments: ["none", "0"])
    func noTimeout(word: String) throws { #expect(try set("ConnectTimeout=\(word)").connectTimeout == nil) }

    @Test("RekeyLimit has a size and perhaps a time")
    func rekey() throws {
        for (text, bytes) in [("1M", 1 << 20), ("2g", 2 << 30), ("3K", 3 << 10), ("1000", 1000)] as [(String, UInt64)] {
            #expect(try set("RekeyLimit=\(text)").rekeyBytes == bytes)
        }
        let both = try set("RekeyLimit 1G 1h")
        #expect(both.rekeyBytes == 1 << 30 && both.rekeySeconds == 3600)
        let time = try set("RekeyLimit=default 10")
        #expect(time.rekeyBytes == nil && time.rekeySeconds == 10)
        #expect(try set("RekeyLimit=default none").rekeySeconds == nil)
    }

    @Test("StrictHostKeyChecking has its words")
    func checking() throws {
        for (word, value) in [
            ("yes", HostKeyChecking.yes), ("no", .no), ("off", .no), ("ask", .ask), ("accept-new", .acceptNew),
        ] { #expect(try set("StrictHostKeyChecking=\(word)").strictHostKeyChecking == value) }
    }

    @Test("HostName replaces the host, HostKeyAlias leaves it")
    func host() throws {
        let options = try set("HostName=other", "HostKeyAlias=alias")
        #expect(options.host == "other" && options.hostKeyAlias == "alias")
    }

    @Test(
        "A name that does not exist, or a value that makes no sense, is an error that names it",
        arguments: [
            "NoSuch=1", "Port", "Port=", "Port=\"\"", "Port=0", "Port=65536", "Port=-1", "Port=1x",
            "Port=99999999999999999999", "BatchMode=maybe", "AddressFamily=inet5", "ConnectTimeout=1y",
            "ConnectTimeout=x", "ConnectTimeout=-1", "ConnectTimeout=99999999999999999999",
            "ConnectTimeout=4294967296w",
            "RekeyLimit=1", "RekeyLimit=1T", "RekeyLimit=-1", "RekeyLimit=99999999999G", "RekeyLimit=G",
            "StrictHostKeyChecking=sometimes", "LogLevel=LOUD", "NumberOfPasswordPrompts=-1",
            "ServerAliveCountMax=-1", "ConnectionAttempts=0", "IdentitiesOnly=2",
        ])
    func faults(text: String) {
        let name = String(text.prefix { $0 != "=" })
        #expect {
            try set(text)
        } throws: { error in
            guard case ConfigurationError.option(name, let reason) = error else { return false }
            return !reason.isEmpty && "\(error)".hasPrefix(name)
        }
    }

    @Test("Many times that add up to more than a number holds are an error, not a trap")
    func overflow() {
        let text = String(repeating: "2147483647w", count: 20_000)
        #expect(throws: ConfigurationError.self) { try set("ConnectTimeout=\(text)") }
    }
}
