import SSHClient
import SSHConfig
import Testing

@testable import SCPCommand

func bytes(_ words: [String]) -> [[UInt8]] { words.map { Array($0.utf8) } }

extension CopyOptions {
    /// Options of a command line with nothing but two operands.
    static var empty: CopyOptions {
        get throws { try CopyOptions(bytes(["a", "b"])) }
    }
}

@Suite("The words of a command line")
struct CommandArgumentsTests {
    private func parse(_ words: String...) throws -> CommandArguments {
        try CommandArguments(bytes(words), flags: "rpqv", valued: "Poi")
    }

    private func options(_ pairs: (Character, String)...) -> [CommandArguments.Option] {
        pairs.map { CommandArguments.Option(letter: $0.0, value: $0.1) }
    }

    @Test("Flags stand together, before an option with its value attached")
    func together() throws {
        let parsed = try parse("-rpP22", "a", "b")
        #expect(parsed.options == options(("r", ""), ("p", ""), ("P", "22")))
        #expect(parsed.operands == bytes(["a", "b"]))
    }

    @Test("A value may be a word of its own, even one that begins with a dash")
    func separate() throws {
        #expect(try parse("-P", "22", "-o", "-x", "a").options == options(("P", "22"), ("o", "-x")))
        #expect(try parse("-oPort=22").options == options(("o", "Port=22")))
        #expect(try parse("-P", "--", "a").options == options(("P", "--")))
        #expect(try parse("-P", "").options == options(("P", "")))
    }

    @Test("Options end at -- and at the first operand; a dash alone is an operand")
    func end() throws {
        #expect(try parse("-r", "--", "-p", "--").operands == bytes(["-p", "--"]))
        #expect(try parse("a", "-r").operands == bytes(["a", "-r"]))
        #expect(try parse("-", "-r").operands == bytes(["-", "-r"]))
        #expect(try parse("", "-r").operands == bytes(["", "-r"]))
        #expect(try parse().operands.isEmpty)
    }

    @Test("An unknown letter, and a value that is not there, are named")
    func faults() {
        #expect(throws: CommandArguments.Fault.unknown("x")) { try parse("-rx") }
        #expect(throws: CommandArguments.Fault.unknown("-")) { try parse("--recursive") }
        #expect(throws: CommandArguments.Fault.valueMissing("P")) { try parse("-rP") }
        #expect(throws: CommandArguments.Fault.unknown("\u{ff}")) {
            try CommandArguments([[45, 0xff]], flags: "r", valued: "")
        }
    }

    @Test("Long options stand among the others, their values behind = or in a word of their own")
    func long() throws {
        func parse(_ words: String...) throws -> CommandArguments {
            try CommandArguments(bytes(words), flags: "r", valued: "P", long: ["count": true, "flag": false])
        }
        func option(_ name: String, _ value: String = "") -> CommandArguments.LongOption {
            .init(name: name, value: value)
        }
        let parsed = try parse("-r", "--count=3", "--flag", "-P22", "--count", "--", "--", "--flag")
        #expect(parsed.options == options(("r", ""), ("P", "22")))
        #expect(parsed.longOptions == [option("count", "3"), option("flag"), option("count", "--")])
        #expect(parsed.operands == bytes(["--flag"]))
        #expect(try parse("-P", "--flag").options == options(("P", "--flag")))
        #expect(try parse("--count=").longOptions == [option("count")])
        #expect(try parse("a", "--flag").operands == bytes(["a", "--flag"]))
        #expect(throws: CommandArguments.Fault.longValueMissing("count")) { try parse("--count") }
        #expect(throws: CommandArguments.Fault.longValueUnwanted("flag")) { try parse("--flag=1") }
        for word in ["--fla", "--flags", "--Flag", "---flag"] {
            #expect(throws: CommandArguments.Fault.unknown("-")) { try parse(word) }
        }
    }
}

@Suite("The options of scp")
struct CopyOptionsTests {
    private func parse(_ words: String...) throws -> CopyOptions { try CopyOptions(bytes(words)) }

    private func client(_ words: String...) throws -> ClientOptions {
        try CopyOptions(bytes(["-F", "none"] + words + ["a", "h:b"])).client(
            for: Location.Remote(user: nil, host: "h", path: []))
    }

    @Test("Flags of the copy")
    func flags() throws {
        let options = try parse("-rpqTv", "-vv", "-v", "a", "b")
        #expect(options.recursive && options.preserve && options.quiet && options.trustsNames)
        #expect(options.verbosity == 3)
        let none = try CopyOptions.empty
        #expect(!none.recursive && !none.preserve && !none.quiet && !none.trustsNames && none.verbosity == 0)
    }

    @Test("A lost connection is made again a few times, or as often as the user says")
    func retries() throws {
        #expect(try CopyOptions.empty.retries == LongOptions.usualRetries)
        #expect(try parse("--retries", "0", "a", "b").retries == 0)
        #expect(try parse("-r", "--retries=12", "a", "b").retries == 12)
        for word in ["", "-1", "x", "1.5", "99999999"] {
            #expect(throws: CopyOptions.Fault.self) { try parse("--retries", word, "a", "b") }
        }
    }

    @Test("Several sources want a directory")
    func severalSources() throws {
        #expect(try !parse("a", "b").targetMustBeDirectory)
        #expect(try parse("a", "b", "c").targetMustBeDirectory)
        #expect(try parse("a", "h:b", "c").sources.count == 2)
    }

    @Test("The letters -4, -6, -B, -P, -i, -c and -o set what ssh_config sets")
    func letters() throws {
        #expect(try client("-4").addressFamily == .inet)
        #expect(try client("-6").addressFamily == .inet6)
        #expect(try client("-B").batchMode)
        #expect(try client("-P", "2222").port == 2222)
        #expect(try client("-i", "/k", "-i/l").identityFiles == ["/k", "/l"])
        #expect(try client("-c", "aes128-ctr").ciphers == "aes128-ctr")
        #expect(try client("-o", "User = bob").user == "bob")
    }

    @Test("The first -o of a name counts, the last of a letter, and letters before -o, but for -P")
    func first() throws {
        #expect(try client("-oUser=a", "-oUser=b").user == "a")
        #expect(try client("-P1", "-P3").port == 3)
        #expect(try client("-P1", "-oPort=2", "-P3").port == 2)
        #expect(try client("-oCiphers=aes256-ctr", "-c", "aes128-ctr").ciphers == "aes128-ctr")
        #expect(try client("-4", "-6", "-oAddressFamily=any").addressFamily == .inet6)
        #expect(try client("-oCompression=no", "-C").compression)
        #expect(try client("-oLogLevel=ERROR", "-v").verbosity == 1)
        #expect(try client("-vv", "-q").logLevel == .quiet)
    }

    @Test("A user before the host, and a port in a URI, stand as ssh's -l and -p")
    func remoteParts() throws {
        let options = try parse("-F", "none", "-P", "1", "a", "scp://alice@h:2/b")
        guard case .remote(let remote) = options.target else {
            Issue.record("no remote target")
            return
        }
        let client = try options.client(for: remote)
        #expect(client.user == "alice" && client.port == 2)
    }

    @Test("-J names the jump hosts, -F the configuration file")
    func jumps() throws {
        #expect(try client("-J", "a,u@b:2").proxyJump.map(\.host) == ["a", "b"])
        #expect(try client("-J", "none").proxyJump.isEmpty)
        #expect(try parse("-F", "/f", "a", "b").configurationFiles == .only("/f"))
        #expect(try parse("-F", "None", "a", "b").configurationFiles == .none)
        #expect(try parse("a", "b").configurationFiles == .usual)
        #expect(throws: ConfigurationError.self) { try client("-J", "a:x") }
    }

    @Test("-G takes one host, with or without a colon")
    func configuration() throws {
        for operand in ["u@h", "u@h:x", "scp://u@h/x"] {
            let options = try parse("-G", operand)
            guard options.showsConfiguration, case .remote(let remote) = options.target else {
                Issue.record("no host in \(operand)")
                continue
            }
            #expect(remote.user == "u" && remote.host == "h")
        }
        #expect(throws: CopyOptions.Fault.self) { try parse("-G") }
        #expect(throws: CopyOptions.Fault.self) { try parse("-G", "a", "b") }
    }

    @Test("The undocumented roles of the server's side take paths as they are")
    func roles() throws {
        let source = try parse("-r", "-p", "-f", "--", "h:x", "-y")
        #expect(source.serverRole == .source && source.serverPaths == bytes(["h:x", "-y"]))
        let sink = try parse("-d", "-t", "x")
        #expect(sink.serverRole == .sink && sink.targetMustBeDirectory)
    }

    @Test("Too little to do is a matter of usage", arguments: [[], ["a"], ["-t"], ["-r"]])
    func usage(words: [String]) {
        #expect {
            try CopyOptions(bytes(words))
        } throws: { error in
            if case CopyOptions.Fault.usage = error { true } else { false }
        }
    }
}

@Suite("The command that the server runs")
struct RemoteCommandTests {
    @Test(
        "With -R the first host is asked to copy to the second",
        arguments: [
            (["-R", "-r", "-p", "one:a b", "bob@two:dir"], "scp -r -p a b bob@two:dir"),
            (["-R", "one:-x", "[2001:db8::1]:"], "scp -- -x [2001:db8::1]:."),
        ])
    func direct(words: [String], command: String) throws {
        let options = try CopyOptions(bytes(words))
        #expect(options.copiesDirectly)
        guard case .remote(let source)? = options.sources.first, case .remote(let target) = options.target else {
            Issue.record("not remote")
            return
        }
        #expect(RemoteCommand.copy(source.path, to: target, options) == Array(command.utf8))
    }

    private func sink(_ path: String, _ words: String..., directory: Bool = false) throws -> String {
        String(
            decoding: RemoteCommand.sink(
                Array(path.utf8), try CopyOptions(bytes(words + ["a", "b"])), targetMustBeDirectory: directory),
            as: UTF8.self)
    }

    @Test("Options are handed on, the path is left to the remote shell")
    func options() throws {
        #expect(try sink("x") == "scp -t x")
        #expect(try sink("a b*", "-rp") == "scp -r -p -t a b*")
        #expect(try sink("x", "-v", directory: true) == "scp -v -d -t x")
        #expect(try sink("-x") == "scp -t -- -x")
        let source = RemoteCommand.source(Array("~/x".utf8), try CopyOptions(bytes(["-q", "-r", "a", "b"])))
        #expect(String(decoding: source, as: UTF8.self) == "scp -r -f ~/x")
    }

    @Test("A path is bytes")
    func pathBytes() throws {
        #expect(RemoteCommand.source([0xff], try CopyOptions.empty) == Array("scp -f ".utf8) + [0xff])
    }
}
