import TestSupport
import Testing

@Suite("A program on a terminal", .timeLimit(.minutes(hangMinutes)))
struct HarnessTerminalTests {
    @Test("The terminal is the program's controlling terminal, of the size asked for")
    func controlling() async throws {
        let terminal = try Terminal("/bin/sh", ["-c", "stty size </dev/tty; exit 4"], columns: 93, rows: 17)
        #expect(try await terminal.finish() == .exited(4))
        #expect(terminal.transcript == "17 93\r\n")
    }

    @Test("Typed text reaches the program, and ^C ends it")
    func typing() async throws {
        // No shell: while it starts a program, ^C may reach neither of the two.
        let terminal = try Terminal("cat", [])
        try terminal.send("hello\n")
        try await terminal.wait(for: "hello\r\nhello\r\n")
        try terminal.send("\u{3}")
        #expect(try await terminal.finish() == .signalled(2))
    }

    @Test("A change of its size is seen")
    func resizing() async throws {
        let terminal = try Terminal("/bin/sh", ["-c", "echo ready; read line; stty size"])
        try await terminal.wait(for: "ready")
        try terminal.resize(columns: 40, rows: 10)
        try terminal.send("\n")
        try await terminal.wait(for: "10 40")
        _ = try await terminal.finish()
    }

    @Test("Text that never comes ends in an error that shows the terminal")
    func missingText() async throws {
        let terminal = try Terminal("/bin/sh", ["-c", "echo other"])
        let error = await #expect(throws: TestSupportError.self) { try await terminal.wait(for: "wanted") }
        #expect(error?.description.contains("other") == true)
    }

    @Test("A password is typed at OpenSSH's prompt", .enabled(if: SyntheticAccounts.canHavePasswords))
    func password() async throws {
        let peer = try await Peer.openSSH(
            configuration: ["PasswordAuthentication yes", "PubkeyAuthentication no"],
            accounts: SyntheticAccounts(passwords: [("alice", "open sesame")]))
        let arguments = peer.clientOptions(asking: true) + ["-l", "alice", peer.address.rawValue, "echo in"]
        let terminal = try Terminal("ssh", arguments)
        try await terminal.wait(for: "password: ")
        try terminal.send("wrong\n")
        try await terminal.wait(for: "password: ")
        try terminal.send("open sesame\n")
        try await terminal.wait(for: "in\r\n")
        #expect(try await terminal.finish() == .exited(0), "\(peer.log)")
        #expect(!terminal.transcript.contains("sesame"), "echo was on")
    }
}
