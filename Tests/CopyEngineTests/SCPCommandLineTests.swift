import CopyEngine
import Files
import Testing

@Suite("The command that a server is asked to run")
struct SCPCommandLineTests {
    private func line(
        recursive: Bool = false, preserve: Bool = false, verbose: Bool = false, rules: SCPCommandLine.Rules = .scp
    ) -> SCPCommandLine {
        var line = SCPCommandLine(recursive: recursive, preserve: preserve, rules: rules)
        line.verbose = verbose
        return line
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("With -O options are handed on, and the path is left to the remote shell")
    func options() {
        #expect(text(line().sink("x", targetMustBeDirectory: false)) == "scp -t x")
        #expect(
            text(line(recursive: true, preserve: true).sink("a b*", targetMustBeDirectory: false))
                == "scp -r -p -t a b*")
        #expect(text(line(verbose: true).sink("x", targetMustBeDirectory: true)) == "scp -v -d -t x")
        #expect(text(line().sink("-x", targetMustBeDirectory: false)) == "scp -t -- -x")
        #expect(text(line(recursive: true).source("~/x")) == "scp -r -f ~/x")
    }

    @Test("A path is bytes")
    func pathBytes() { #expect(line().source(BytePath([0xff])) == Array("scp -f ".utf8) + [0xff]) }

    @Test(
        "Where SCP takes over by itself, the shell expands the pattern and no more",
        arguments: [
            ("plain/name-1.txt", "plain/name-1.txt"), ("*.log", "*.log"), ("[ab]?", "[ab]?"),
            ("$(id)", "\\$\\(id\\)"), ("a b;c", "a\\ b\\;c"), ("~/x", "~/x"), ("~bob/x y", "~bob/x\\ y"),
            ("a\\*", "a\\*"), ("a\nb", "a'\n'b"), ("{a,b}", "\\{a,b\\}"), ("`x`'\"", "\\`x\\`\\'\\\""),
        ])
    func quoting(path: String, expected: String) {
        #expect(text(line(rules: .sftp).source(BytePath(path))) == "scp -f \(expected)")
    }

    @Test("The path of a target is no pattern")
    func target() {
        #expect(text(line(rules: .sftp).sink("a*b", targetMustBeDirectory: false)) == "scp -t a\\*b")
        #expect(text(line(rules: .sftp).sink("a\\b", targetMustBeDirectory: false)) == "scp -t a\\\\b")
    }
}
