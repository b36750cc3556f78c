import Platform
import TestSupport
import Testing

@Suite("A command that a signal ends", .timeLimit(.minutes(hangMinutes)))
struct InterruptionTests {
    private func start(_ count: Int = 40) async throws -> Peer {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let bytes = noise(3_000_000)
        for place in ["up", "from"] {
            try peer.directory.makeDirectory(place)
            for number in 0..<count { try writeFile(bytes, at: peer.directory.file("\(place)/\(number)")) }
        }
        return peer
    }

    /// How a process ends. Nothing here would end by itself within this time.
    private func end(of process: ChildProcess) async throws -> TestSupport.ExitStatus? {
        try await eventually("it ends") { process.poll() != nil }
        return process.poll()
    }

    /// Our `scp`, with its messages in a file.
    private func scp(_ peer: Peer, _ operands: [String], port: Int) throws -> (ChildProcess, messages: String) {
        let messages = peer.directory.file("messages")
        try writeFile([], at: messages)
        let descriptor = open(messages, O_WRONLY)
        defer { close(descriptor) }
        let process = try ChildProcess(
            scpBinary(), ["-r"] + quickExchange + peer.clientOptions(port: port) + ["--"] + operands,
            errors: descriptor)
        return (process, messages)
    }

    private func operands(_ peer: Peer, _ isUpload: Bool) -> [String] {
        isUpload
            ? [peer.directory.file("up"), peer.remote("copy")] : [peer.remote("from"), peer.directory.file("copy")]
    }

    @Test(
        "It says how to resume, leaves no file that was not begun, and the same command with --resume completes it",
        arguments: [SIGINT, SIGTERM], [true, false])
    func signal(number: Int32, isUpload: Bool) async throws {
        let peer = try await start()
        let relay = try Relay(to: peer.port, link: Link(bandwidth: 250_000))
        let (process, messages) = try scp(peer, operands(peer, isUpload), port: relay.port)
        try await eventually("bytes pass") { relay.byteCount(isUpload ? .toServer : .toClient) > 1_500_000 }
        process.signal(number)
        #expect(try await end(of: process) == .signalled(number))
        let lines = try readText(messages).split(separator: "\n")
        #expect(lines.count == 1 && lines.first?.contains("--resume") == true, "\(lines)")
        let empty = try listDirectory(peer.directory.file("copy")).filter {
            try readFile(at: Array(peer.directory.file("copy/").utf8) + $0).isEmpty
        }
        // A server that is slow may not have removed all before the time was over; of large files few are open.
        #expect(isUpload ? empty.count < 8 : empty.isEmpty, "\(empty.count)")
        let again = try await peer.scp(["-r", "--resume"], resumed(peer, isUpload))
        #expect(again.succeeded, "\(again)")
        let (original, copy) = (peer.directory.file(isUpload ? "up" : "from"), peer.directory.file("copy"))
        #expect(try differences(readTree(at: original), readTree(at: copy), attributes: false) == [])
    }

    /// As the target is there by now, its contents are what is named.
    private func resumed(_ peer: Peer, _ isUpload: Bool) -> [String] {
        isUpload
            ? [peer.directory.file("up/."), peer.remote("copy")] : [peer.remote("from/."), peer.directory.file("copy")]
    }

    @Test("Also where the server has stopped to answer", arguments: [0, 2_000, 3_000_000], [true, false])
    func stalled(after count: Int, isUpload: Bool) async throws {
        let peer = try await start(4)
        let relay = try Relay(
            to: peer.port, fault: .blackHole(isUpload ? .toServer : .toClient, after: count))
        let (process, messages) = try scp(peer, operands(peer, isUpload), port: relay.port)
        try await eventually("bytes pass") { relay.byteCount(isUpload ? .toServer : .toClient) >= count }
        process.signal(SIGTERM)
        #expect(try await end(of: process) == .signalled(SIGTERM))
        let text = try readText(messages)
        // Nothing is said of a copy that had not begun.
        #expect(text.isEmpty || text.contains("--resume"), "\(text)")
        #expect(text.utf8.count { $0 == 10 } <= 1, "\(text)")
    }

    @Test("A question at the terminal is given up, and the terminal is as it was")
    func question() async throws {
        let peer = try await start(1)
        let script = """
            old=$(stty -g); "$@" & pid=$!; echo "pid $pid end"; wait $pid; echo "status $?"
            [ "$(stty -g)" = "$old" ] && echo as it was
            """
        let arguments = [
            "-c", "set -m\n" + script, "sh", try scpBinary(), "-oStrictHostKeyChecking=ask",
            "-oUserKnownHostsFile=/dev/null",
        ]
        let terminal = try Terminal(
            "/bin/sh", arguments + peer.clientOptions(asking: true) + ["--", peer.remote("up/0"), "/dev/null"])
        try await terminal.wait(for: "pid ")
        try await terminal.wait(for: " end")
        guard let number = terminal.transcript.firstMatch(of: /pid ([0-9]+) end/).flatMap({ pid_t($0.1) }) else {
            throw TestSupportError(terminal.transcript)
        }
        try await terminal.wait(for: "continue connecting")
        kill(number, SIGTERM)
        try await terminal.wait(for: "status 143")
        try await terminal.wait(for: "as it was")
        #expect(!terminal.transcript.contains("--resume"))
    }
}
