import Platform
import Testing

@testable import SSHConfig

@Suite("Child processes")
struct ChildProcessTests {
    private func shell(_ line: String) -> ChildProcess.Command { ChildProcess.Command("/bin/sh", ["-c", line]) }

    private func output(_ command: ChildProcess.Command, limit: Int = 1 << 20) throws -> String {
        let (bytes, status) = try ChildProcess.output(of: command, limit: limit)
        #expect(status == .exited(0))
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("Arguments reach a program as they are; its input is empty")
    func arguments() throws {
        let command = ChildProcess.Command("/bin/sh", ["-c", "cat; printf '<%s>' \"$@\"", "sh", "a b", "", "$HOME"])
        #expect(try output(command) == "<a b><><$HOME>")
    }

    @Test("A status tells an exit from a signal")
    func statuses() throws {
        #expect(try ChildProcess(shell("exit 3")).wait() == .exited(3))
        #expect(try ChildProcess(shell("kill -9 $$")).wait() == .signalled(9))
        #expect(ChildProcess.Status.signalled(9).shellCode == 137)
        #expect(ChildProcess.Status.exited(3).shellCode == 3)
    }

    @Test("A program that does not exist is a failure in the system's words")
    func missing() {
        let command = ChildProcess.Command("/nonexistent/program", [])
        #expect { try ChildProcess(command) } throws: { "\($0)" == "No such file or directory" }
        #expect(throws: ChildProcess.Failure.self) { try ChildProcess.output(of: command, limit: 1) }
    }

    @Test("Only where it is asked for is a program looked for along PATH")
    func search() throws {
        var command = ChildProcess.Command("echo", ["found"])
        #expect(throws: ChildProcess.Failure.self) { try ChildProcess(command) }
        command.isSearched = true
        #expect(try output(command) == "found\n")
    }

    @Test("Variables can be added, replaced and taken away; others stay")
    func environment() throws {
        var command = shell("echo \"$ADDED ${HOME-none} ${PATH:+kept}\"")
        command.environment = ["ADDED": "a=b", "HOME": nil as String?]
        #expect(try output(command) == "a=b none kept\n")
        command.environment = ["HOME": "/elsewhere"]
        #expect(try output(command) == " /elsewhere kept\n")
    }

    @Test("No more is read than the limit, and the program does not hang")
    func limit() throws {
        let (bytes, status) = try ChildProcess.output(of: shell("exec cat /dev/zero"), limit: 100_000)
        #expect(bytes.count == 100_000)
        #expect(status == .signalled(SIGPIPE))
    }

    @Test("A child reads and writes the pipes it is given, and holds no other end of them")
    func pipes() throws {
        let (input, output) = (try ChildProcess.pipe(), try ChildProcess.pipe())
        var command = ChildProcess.Command("/bin/cat", [])
        command.input = .descriptor(input.reading)
        command.output = .descriptor(output.writing)
        let child = try ChildProcess(command)
        close(input.reading)
        close(output.writing)
        #expect(write(input.writing, "abc", 3) == 3)
        close(input.writing)
        var block = [UInt8](repeating: 0, count: 16)
        #expect(read(output.reading, &block, block.count) == 3)
        #expect(read(output.reading, &block, block.count) == 0)
        close(output.reading)
        #expect(try child.wait() == .exited(0))
    }

    @Test("One descriptor can be several streams")
    func shared() throws {
        let ends = try ChildProcess.pipe()
        var command = shell("echo a; echo b >&2")
        command.output = .descriptor(ends.writing)
        command.errors = .descriptor(ends.writing)
        #expect(try ChildProcess(command).wait() == .exited(0))
        close(ends.writing)
        var block = [UInt8](repeating: 0, count: 16)
        let count = read(ends.reading, &block, block.count)
        close(ends.reading)
        #expect(Array(block[..<max(count, 0)]) == Array("a\nb\n".utf8))
    }
}
