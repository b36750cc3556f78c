import FileServer
import Testing

@Suite("A remote command line")
struct CommandLineTests {
    private func parse(_ line: String) throws -> RemoteCommand { try RemoteCommandLine.parse(Array(line.utf8)) }

    /// A word of which nothing is expanded, quoted but for its dash.
    private func word(_ text: String) -> CommandWord {
        let start = text.hasPrefix("-") ? Array("-".utf8) : []
        return CommandWord(pattern: start + CommandWord(quoting: Array(text.utf8.dropFirst(start.count))).pattern)
    }

    private func sink(
        _ target: String, recursive: Bool = false, preserve: Bool = false, mustBeDirectory: Bool = false
    ) -> RemoteCommand {
        var request = SCPSinkRequest(target: word(target))
        (request.recursive, request.preserve) = (recursive, preserve)
        request.targetMustBeDirectory = mustBeDirectory
        return .scpSink(request)
    }

    private func source(_ paths: [String], recursive: Bool = false, preserve: Bool = false) -> RemoteCommand {
        var request = SCPSourceRequest(sources: paths.map(word))
        (request.recursive, request.preserve) = (recursive, preserve)
        return .scpSource(request)
    }

    @Test("is understood as OpenSSH, pscp, libssh2, AsyncSSH, Ruby's Net::SCP and WinSCP write it")
    func clients() throws {
        #expect(try parse("scp -t .") == sink("."))
        #expect(
            try parse("scp -v -r -p -d -t /up/here")
                == sink("/up/here", recursive: true, preserve: true, mustBeDirectory: true))
        #expect(try parse("scp -f -- -dash") == source(["-dash"]))
        #expect(try parse("scp -pt '/a b/it'\"'\"'s'") == sink("/a b/it's", preserve: true))
        #expect(try parse("scp -f '/wow'\\!") == source(["/wow!"]))
        #expect(try parse("scp -qrpt \"a \\\"b\\\" \\$c\"") == sink("a \"b\" $c", recursive: true, preserve: true))
        #expect(try parse("scp -t a\\ b\\*") == sink("a b*"))
        #expect(try parse("/usr/bin/scp -r -f \"one\" two") == source(["one", "two"], recursive: true))
        #expect(try parse("  scp\t-t  x \n") == sink("x"))
        #expect(try parse("'scp' '-t' ''") == sink(""))
        #expect(try parse("scp -r -t -p x") == sink("x", recursive: true, preserve: true))
        #expect(try parse("scp -t -") == sink("-"))
        // Options end at the first path.
        #expect(try parse("scp -f x -r") == source(["x", "-r"]))
    }

    @Test("keeps what is quoted apart from what is to be expanded")
    func quoting() throws {
        func word(_ line: String) throws -> CommandWord {
            guard case .scpSource(let request) = try parse("scp -f " + line) else { return CommandWord(pattern: []) }
            return request.sources.first ?? CommandWord(pattern: [])
        }
        #expect(try word("*.txt") == CommandWord(pattern: Array("*.txt".utf8)))
        #expect(try word("'*'.txt") == CommandWord(pattern: Array("\\*.txt".utf8)))
        #expect(try word("\"*\"'?'\\[") == CommandWord(quoting: Array("*?[".utf8)))
        #expect(try word("~/x") == CommandWord(pattern: Array("/x".utf8), isAtHome: true))
        #expect(try word("~") == CommandWord(pattern: [], isAtHome: true))
        #expect(try word("'~'/x") == CommandWord(quoting: Array("~/x".utf8)))
        #expect(try word("a~") == CommandWord(pattern: Array("a~".utf8)))
        #expect(try word("a\\\nb") == CommandWord(pattern: Array("ab".utf8)))
        #expect(try word("\"a\\xb\"").literal == Array("a\\xb".utf8))
        #expect(try word("'a\\'").literal == Array("a\\".utf8))
        #expect(try word("a\\").literal == Array("a\\".utf8))
    }

    @Test(
        "that a shell would have to run is refused",
        arguments: [
            "scp -t x; rm -rf /", "scp -t x | cat", "scp -t x & true", "scp -t $(id)", "scp -t `id`", "scp -t $HOME",
            "scp -t \"$HOME\"", "scp -t \"`id`\"", "scp -t x > /etc/passwd", "scp -t < x", "(scp -t x)",
            "scp -t x\nrm y", "scp -t x\0y", "scp -t 'x\0y'",
        ])
    func shellSyntax(line: String) {
        #expect {
            try parse(line)
        } throws: { error in
            guard case .shellSyntax = error as? RemoteCommandError else { return false }
            return "\(error)".hasPrefix("only scp and sftp are served")
        }
    }

    @Test("of other programs, or of none, is refused")
    func otherPrograms() {
        for line in [
            "ls", "/bin/sh -c 'scp -t x'", "rsync --server . x", "A=b scp -t x", "scpd -t x", "~/scp -t x", "'s cp'",
        ] {
            #expect {
                try parse(line)
            } throws: { error in
                guard case .otherProgram = error as? RemoteCommandError else { return false }
                return true
            }
        }
        #expect(throws: RemoteCommandError.empty) { try parse("") }
        #expect(throws: RemoteCommandError.empty) { try parse(" \t\n") }
    }

    @Test("with wrong options or paths is refused, and says why")
    func wrongOptions() {
        #expect(throws: RemoteCommandError.unknownOption(program: "scp", option: "-S")) { try parse("scp -S ssh -t x") }
        #expect(throws: RemoteCommandError.unknownOption(program: "scp", option: "--version")) {
            try parse("scp --version")
        }
        #expect(throws: RemoteCommandError.noDirection) { try parse("scp a b") }
        #expect(throws: RemoteCommandError.noDirection) { try parse("scp -t -f x") }
        #expect(throws: RemoteCommandError.noPath) { try parse("scp -t") }
        #expect(throws: RemoteCommandError.noPath) { try parse("scp -f --") }
        #expect(throws: RemoteCommandError.ambiguousTarget) { try parse("scp -t a b") }
        #expect(throws: RemoteCommandError.otherHome(Array("root".utf8))) { try parse("scp -t ~root/x") }
        #expect(throws: RemoteCommandError.unfinishedQuote("'")) { try parse("scp -t 'x") }
        #expect(throws: RemoteCommandError.unfinishedQuote("\"")) { try parse("scp -t \"x\\") }
        #expect(throws: RemoteCommandError.tooLong(limit: 65_536)) {
            try parse("scp -t " + String(repeating: "x", count: 70_000))
        }
    }

    @Test("that names an SFTP server is SFTP")
    func sftp() throws {
        for line in [
            "internal-sftp", "sftp-server", "/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server -e -l INFO",
        ] {
            #expect(try parse(line) == .sftp(SFTPServerRequest()))
        }
        let readOnly = SFTPServerRequest(
            isReadOnly: true, startDirectory: CommandWord(pattern: Array("/in coming".utf8)))
        #expect(try parse("internal-sftp -R -f AUTH -d '/in coming'") == .sftp(readOnly))
        #expect(try parse("internal-sftp -Rd'/in coming'") == .sftp(readOnly))
        #expect(throws: RemoteCommandError.missingArgument(program: "sftp-server", option: "-d")) {
            try parse("sftp-server -d")
        }
        #expect(throws: RemoteCommandError.unknownOption(program: "sftp-server", option: "-Q")) {
            try parse("sftp-server -Q requests")
        }
        #expect(throws: RemoteCommandError.unexpectedWord(Array("x".utf8))) { try parse("sftp-server x") }
    }

    @Test("of random bytes never does more than throw")
    func randomBytes() {
        let alphabet = Array("scp -tf'\"\\~/*{},[]$\n\0a".utf8) + [0xff]
        for _ in 0..<20_000 {
            var line = Bool.random() ? Array("scp -f ".utf8) : []
            line += (0..<Int.random(in: 0..<30)).compactMap { _ in alphabet.randomElement() }
            guard case .scpSource(let request)? = try? RemoteCommandLine.parse(line) else { continue }
            #expect(!request.sources.isEmpty)
        }
    }
}
