import CommandOptions
import Files
import RemoteHosts
import SSHClient
import SSHConfig
import SSHNIO
import Testing

@testable import SCPCommand

func bytes(_ words: [String]) -> [[UInt8]] { words.map { Array($0.utf8) } }

extension CopyOptions {
    /// Options of a command line with nothing but two operands.
    static var empty: CopyOptions {
        get throws { try CopyOptions(bytes(["a", "b"])) }
    }
}

@Suite("The table of scp's options")
struct CopyOptionTableTests {
    /// What OpenSSH's scp takes, a colon behind those with a value.
    private let openSSH = "12346ABCTdfOpqRrstvD:F:J:P:S:c:i:l:o:X:"

    @Test("Every letter of OpenSSH's scp is there, and takes a value where it does there")
    func letters() {
        let characters = Array(openSSH)
        for (index, letter) in characters.enumerated() where letter != ":" {
            let takesValue = index + 1 < characters.count && characters[index + 1] == ":"
            let option = CopyOptions.table.option(letter: letter)
            #expect(option != nil, "-\(letter)")
            #expect((option?.value != nil) == takesValue, "-\(letter)")
        }
    }

    @Test("No two options have a name in common")
    func names() {
        let names = CopyOptions.table.options.flatMap(\.names).map(\.description)
        #expect(Set(names).count == names.count)
    }

    @Test("Usage and help have every option and fit a terminal of 80 columns")
    func help() {
        for option in CopyOptions.table.shown {
            for name in option.names { #expect(CopyOptions.helpText.contains(name.description), "\(name)") }
        }
        for line in CopyOptions.helpText.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        #expect(CopyOptions.usage.hasPrefix("usage: scp [-346ABCGOpqRrsTVv] [-c cipher] [-D sftp_server_path]"))
        #expect(!CopyOptions.usage.contains("[-t"))
    }

    @Test(
        "A connection program is given what it may take, in the order typed",
        arguments: [
            (
                ["-4", "-B", "-i", "k", "-oUser=a", "-r", "-qv"],
                ["-4", "-oBatchMode=yes", "-i", "k", "-o", "User=a", "-q", "-v"]
            ),
            (
                ["-C", "-A6", "-cx", "-Jj", "-Ff", "-P1", "-l2", "-p", "-T", "--retries=1"],
                ["-C", "-A", "-6", "-c", "x", "-J", "j", "-F", "f"]
            ),
        ])
    func onward(words: [String], expected: [String]) throws {
        #expect(try CopyOptions(bytes(words + ["a", "b"])).programArguments == expected)
    }
}

@Suite("The options of scp")
struct CopyOptionsTests {
    private func parse(_ words: String...) throws -> CopyOptions { try CopyOptions(bytes(words)) }

    private func client(_ words: String...) throws -> ClientOptions {
        try CopyOptions(bytes(["-F", "none"] + words + ["a", "h:b"])).client(
            for: Location.Remote(user: nil, host: "h", path: []))
    }

    /// What is wrong with a command line, or what it asks for.
    private func fault(_ words: String...) -> String {
        do throws(CopyOptions.Fault) {
            _ = try CopyOptions(bytes(words))
            return "nothing"
        } catch {
            switch error {
            case .usage: return "usage"
            case .message(let text): return text
            case .fatal(let text): return "fatal: \(text)"
            case .answer(let text): return "answer: \(text)"
            }
        }
    }

    @Test("What is only asked for is answered, whatever else stands there")
    func answers() {
        #expect(fault("--help").hasPrefix("answer: usage: scp "))
        #expect(fault("--version").hasPrefix("answer: scp (swift-scp) "))
        #expect(fault("-V", "-P", "0").hasPrefix("answer: scp (swift-scp) "))
        #expect(fault("a", "--help") == "nothing")
        #expect(fault("-Qcipher").contains("\naes256-ctr\n"))
        #expect(fault("-Q", "nonsense") == "fatal: Unsupported query \"nonsense\"")
    }

    @Test("A value that ssh would end for is told without how to call the command")
    func values() {
        for (words, text) in [
            (["-P0"], "bad port \"0\""), (["-X", "x"], "Invalid -X option \"x\""),
            (["-X", "buffer=0"], "Invalid buffer size \"0\""), (["-1"], "SSH protocol v.1 is no longer supported"),
        ] {
            #expect(fault(words[0], words.count > 1 ? words[1] : "a", "a", "b") == "fatal: \(text)")
        }
        #expect(fault("-l", "x", "a", "b").hasPrefix("bad bandwidth limit \"x\"\nusage: "))
        #expect(fault("-2", "a", "b") == "nothing")
    }

    @Test(
        "An unknown long option is named whole, with the nearest that there is",
        arguments: [
            ("--resum", ", did you mean --resume?"), ("--verfy", ", did you mean --verify?"),
            ("--Resume", ", did you mean --resume?"), ("--retires=3", ", did you mean --retries?"),
            ("--recursive", ", did you mean -r?"), ("--port", ", did you mean -P?"), ("--xyzzy", ""),
            ("---resume", ", did you mean --resume?"),
        ])
    func unknown(word: String, suggestion: String) {
        let name = word.split(separator: "=")[0]
        #expect(fault(word, "a", "b") == "unknown option \(name)\(suggestion)\n\(CopyOptions.usage)")
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
        #expect(try CopyOptions.empty.retries == RetryPolicy.usual.retries)
        #expect(try parse("--retries", "0", "a", "b").retries == 0)
        #expect(try parse("-r", "--retries=12", "a", "b").retries == 12)
        for word in ["", "-1", "x", "1.5", "99999999"] {
            let wanted = "--retries \(word): a number from 0 to 1000000 is wanted\nusage: scp"
            #expect(fault("--retries", word, "a", "b").hasPrefix(wanted))
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
        #expect(try client("-i", "/etc/hosts", "-i/etc/passwd").identityFiles == ["/etc/hosts", "/etc/passwd"])
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

@Suite("The command that makes a server copy to another")
struct DirectCommandTests {
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
        #expect(DirectCommand.line(BytePath(source.path), to: target, options) == Array(command.utf8))
    }
}

@Suite("How the command ends")
struct ExitStatusTests {
    @Test("What concerns the connection is 255, anything else 1; with -O all is 1")
    func statuses() {
        let connection: [any Error] = [
            CopyOptions.Fault.fatal("x"), ConfigurationError.name(reason: "x"),
            ClientError.permissionDenied(user: "u", host: "h", methods: []),
            ClientError.badOption(name: "x", reason: "y"), ClientError.hostKeyRejected(.unknown, reason: "x"),
        ]
        let copy: [any Error] = [
            CopyOptions.Fault.usage, CopyOptions.Fault.message("x"), ClientError.requestRefused("x"),
            TransportError.closedByPeer,
        ]
        for error in connection {
            #expect(ExitStatus.after(error, byProtocol: .sftpIfThere) == .noConnection, "\(error)")
            #expect(ExitStatus.after(error, byProtocol: .scp) == .incomplete, "\(error)")
        }
        for error in copy { #expect(ExitStatus.after(error, byProtocol: .sftp) == .incomplete, "\(error)") }
    }

    @Test("-2 says nothing; -1, a bad port and a bad -X concern the connection")
    func options() throws {
        #expect(throws: Never.self) { try CopyOptions(bytes(["-2", "-o", "", "a", "b"])) }
        for words in [["-1"], ["-P0"], ["-Px"], ["-Xfoo=1"], ["-Xbuffer=0"]] {
            #expect {
                try CopyOptions(bytes(words + ["a", "b"]))
            } throws: {
                if case CopyOptions.Fault.fatal = $0 { true } else { false }
            }
        }
    }

    @Test("A key file that is not there is warned of, and the usual ones are tried")
    func missingIdentity() throws {
        let options = try CopyOptions(bytes(["-i", "/none/key", "a", "h:"]))
        #expect(options.warnings == ["Warning: Identity file /none/key not accessible: No such file or directory."])
        guard case .remote(let remote) = options.target else { return }
        #expect(try options.client(for: remote).identityFiles == nil)
    }
}

@Suite("--congestion")
struct CongestionOptionTests {
    @Test("The name reaches the options of every connection")
    func name() throws {
        let options = try CopyOptions(bytes(["--congestion", "bbr", "-F", "none", "a", "host:b"]))
        guard case .remote(let remote) = options.target else { throw CopyOptions.Fault.usage }
        #expect(try options.client(for: remote).congestionControl == "bbr")
        #expect(try CopyOptions.empty.long.congestionControl == nil)
    }

    @Test("What cannot be a name is refused", arguments: ["", "BBR", "two words", "a/b", "sixteen_letters_"])
    func badName(_ name: String) {
        #expect(throws: CopyOptions.Fault.self) { try CopyOptions(bytes(["--congestion=\(name)", "a", "b"])) }
    }
}
