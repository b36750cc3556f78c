import FileServer
import Files
import SSHServer
import TestSupport
import Testing

@Suite("A server whose disk is not to be trusted", .timeLimit(.minutes(5)))
struct CorruptingServerTests {
    /// Runs our `scp` with a password that a program tells it.
    private func scp(_ server: SSHServer, _ directory: TemporaryDirectory, _ words: [String]) async throws -> Finished {
        let asking = directory.file("askpass")
        try writeFile(asking, text: "#!/bin/sh\necho secret\n", mode: 0o700)
        let options = [
            "-F", "none", "-P", "\(server.port)", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null",
            "-oGlobalKnownHostsFile=none", "-oIdentityAgent=none", "-oIdentityFile=none", "-oLogLevel=QUIET",
            "-oKexAlgorithms=curve25519-sha256",
        ]
        return try await run(
            scpBinary(), options + words,
            environment: ["SSH_ASKPASS": asking, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"])
    }

    @Test("--verify finds the one bit out, and without it nobody knows", arguments: [true, false], [true, false])
    func oneBit(isUpload: Bool, verifies: Bool) async throws {
        let directory = try TemporaryDirectory()
        let contents = noise(700_000)
        let files = MemoryFileSystem()
        for name in ["good", "bad"] {
            let bytes = name == "good" ? [1, 2, 3] : contents
            try writeFile(bytes, at: directory.file(name))
            if !isUpload { try files.write(bytes, to: name) }
        }
        let faults = FileFaults { if isUpload { $0.flippedWrite = 600_000 } else { $0.flippedRead = 600_000 } }
        let server = try await SSHServer.start(
            serving: InterposedFiles(files, faults: faults), users: ["me": .password("secret")])
        try directory.makeDirectory("here")
        let names = ["good", "bad"]
        let operands =
            isUpload
            ? names.map { directory.file($0) } + ["me@127.0.0.1:"]
            : names.map { "me@127.0.0.1:\($0)" } + [directory.file("here")]
        let finished = try await scp(server, directory, (verifies ? ["--verify"] : []) + operands)
        await server.stop()
        // Beside a word about the host key.
        let words = finished.errorText.split(separator: "\n").filter { $0.hasPrefix("scp: ") }
        #expect(words.count == (verifies ? 1 : 0), "\(finished)")
        #expect(finished.status == .exited(verifies ? 1 : 0))
        let path = isUpload ? "./bad" : directory.file("here/bad")
        if verifies {
            #expect(words.first?.hasPrefix("scp: \(path): verification failed: SHA-256 ") == true, "\(finished)")
        }
    }
}
