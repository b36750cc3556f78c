import TestSupport
import Testing

@Suite("The progress meter of the command", .timeLimit(.minutes(hangMinutes)))
struct ProgressTests {
    private func start() async throws -> Peer {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try writeFile(noise(2_500_000), at: peer.directory.file("some file"))
        try writeFile([1], at: peer.directory.file("tiny"))
        return peer
    }

    @Test("On a terminal each file ends at 100%, with its name, size, rate and time", arguments: [true, false])
    func onTerminal(isUpload: Bool) async throws {
        let peer = try await start()
        try peer.directory.makeDirectory("target")
        // The remote shell would take the name apart at its blank.
        let operands =
            isUpload
            ? ["some file", "tiny"].map { peer.directory.file($0) } + [peer.remote("target")]
            : ["some*file", "tiny"].map { peer.remote($0) } + [peer.directory.file("target")]
        let terminal = try peer.scpOnTerminal([], operands)
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)")
        let lines = terminal.transcript.utf8.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
        #expect(lines.count == 2, "\(terminal.transcript)")
        for (line, name) in zip(lines, ["some file", "tiny"]) {
            // What stays on the line is what was drawn last.
            let last = line.utf8.split(separator: 13).last.map { String(decoding: $0, as: UTF8.self) } ?? ""
            #expect(last.contains(name) && last.contains("100%") && last.contains("/s"))
            #expect(last.contains(/[0-9][0-9]:[0-9][0-9]/))
        }
    }

    @Test("-q draws nothing")
    func quiet() async throws {
        let peer = try await start()
        try peer.directory.makeDirectory("target")
        let terminal = try peer.scpOnTerminal(["-q"], [peer.directory.file("some file"), peer.remote("target")])
        #expect(try await terminal.finish() == .exited(0))
        #expect(terminal.transcript.isEmpty, "\(terminal.transcript)")
    }

    @Test("Where standard output is no terminal, nothing is drawn")
    func pipe() async throws {
        let peer = try await start()
        try peer.directory.makeDirectory("target")
        let finished = try await peer.scp([peer.directory.file("some file"), peer.remote("target")])
        #expect(finished.succeeded && finished.output.isEmpty && finished.errors.isEmpty, "\(finished)")
    }

    @Test("A name with control bytes is drawn without them")
    func controlBytes() async throws {
        let peer = try await start()
        let name = "evil\u{1b}[2Jname"
        try writeFile([1], at: peer.directory.file(name))
        try peer.directory.makeDirectory("target")
        let terminal = try peer.scpOnTerminal([], [peer.remote("evil*"), peer.directory.file("target")])
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)")
        #expect(terminal.transcript.contains("100%") && !terminal.transcript.utf8.contains(27))
        #expect(try readFile(at: peer.directory.file("target/" + name)) == [1])
    }
}
