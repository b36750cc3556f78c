import TestSupport
import Testing

@Suite("Running programs", .timeLimit(.minutes(hangMinutes)))
struct HarnessProcessTests {
    @Test("Both outputs and the status come back")
    func outputs() async throws {
        let finished = try await run("/bin/sh", ["-c", "echo out; echo err >&2; exit 3"])
        #expect(finished.status == .exited(3))
        #expect(finished.outputText == "out\n")
        #expect(finished.errorText == "err\n")
        #expect(throws: TestSupportError.self) { try finished.success() }
    }

    @Test("More input and output than a pipe holds passes without a deadlock")
    func bulk() async throws {
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let finished = try await run("/bin/cat", input: bytes)
        #expect(finished.output == bytes)
        let noisy = try await run("/bin/sh", ["-c", "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero"])
        #expect(noisy.output.count == 1_000_000 && noisy.errors.count == 1_000_000)
    }

    @Test("A program that reads no input does no harm")
    func unreadInput() async throws {
        let finished = try await run("/bin/true", input: [UInt8](repeating: 1, count: 1_000_000))
        #expect(finished.succeeded)
    }

    @Test("A descendant that keeps the pipes open does not hold up the result")
    func daemonLeftBehind() async throws {
        let finished = try await run("/bin/sh", ["-c", "sleep 600 & echo $!"])
        #expect(finished.succeeded)
        let pid = finished.outputText.split(separator: "\n").first.map(String.init) ?? ""
        _ = try await run("/bin/sh", ["-c", "kill \(pid)"])
    }

    @Test("At the timeout the program is killed with what it started")
    func timeout() async throws {
        let directory = try TemporaryDirectory()
        let note = directory.file("pid")
        var pid = ""
        // On a machine that stands still the time is over before there is anything to kill.
        for milliseconds in [500, 5_000, 50_000, 200_000] where pid.isEmpty {
            await #expect(throws: TestSupportError.self) {
                try await run(
                    "/bin/sh", ["-c", "sleep 600 & echo $! >\(note); wait"], timeout: .milliseconds(milliseconds))
            }
            pid = ((try? readText(note)) ?? "").split(separator: "\n").joined()
        }
        try #require(!pid.isEmpty)
        try await eventually("the end of \(pid)") {
            // Killed, and perhaps not yet reaped by the process it was left to.
            let check = try await run("/bin/sh", ["-c", "grep -s '^State:' /proc/\(pid)/status || true"])
            return check.outputText.isEmpty || check.outputText.contains("Z")
        }
    }

    @Test("A missing program is named")
    func missing() async throws {
        await #expect(throws: TestSupportError.self) { try await run("no-such-program-here") }
    }

    @Test("A temporary directory goes with its last reference")
    func temporaryDirectory() async throws {
        var directory: TemporaryDirectory? = try TemporaryDirectory()
        let path = try #require(directory?.path)
        try writeFile(path + "/a", text: "a")
        #expect(try readText(path + "/a") == "a")
        directory = nil
        #expect(throws: SystemError.self) { try readFile(path + "/a") }
    }
}
