import CopyEngine
import Files
import Platform
import SCP
import TestSupport
import Testing

private let scp = "/usr/bin/scp"

@Suite("With OpenSSH's scp at the other end", .enabled(if: access(scp, X_OK) == 0))
struct OpenSSHTests {
    private func text(_ path: BytePath) -> String { String(decoding: path.bytes, as: UTF8.self) }

    /// Uploads to `scp -t`; returns what was sent and its exit status.
    private func upload(
        _ sources: [BytePath], to target: BytePath, flags: String, observer: Recorder = Recorder()
    ) async throws -> (CopySummary, status: TestSupport.ExitStatus?) {
        let child = try PipedProgram([scp, flags, "-t", "--", text(target)])
        let options = Wishes(recursive: flags.contains("r"), preserve: flags.contains("p"))
        let result = await Result {
            try await SCPUpload(stream: child.stream, options: options, observer: observer).run(sources)
        }
        return (try result.get(), child.wait())
    }

    /// Downloads from `scp -f`.
    private func download(
        _ source: BytePath, to target: BytePath, flags: String, observer: Recorder = Recorder()
    ) async throws -> (CopySummary, status: TestSupport.ExitStatus?) {
        let child = try PipedProgram([scp, flags, "-f", "--", text(source)])
        let recursive = flags.contains("r")
        let options = Wishes(recursive: recursive, preserve: flags.contains("p"))
        let result = await Result {
            try await SCPDownload(stream: child.stream, of: source, options: options, observer: observer)
                .run(into: target)
        }
        return (try result.get(), child.wait())
    }

    @Test("a tree goes there and comes back byte for byte, odd names and all")
    func roundTrip() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(sampleTree(), at: base / "source")
            let sent = try await upload([base / "source"], to: base / "there", flags: "-rp")
            #expect(sent.0.errors == 0)
            #expect(sent.status == .exited(0))
            let received = try await download(base / "there", to: base / "back", flags: "-rp")
            #expect(received.0.errors == 0)
            #expect(received.status == .exited(0))
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "back"))
            #expect(differences(a, b, attributes: true) == [])
        }
    }

    // OpenSSH's source cannot open a directory whose name has a newline: it looks for the encoded name.
    @Test("a tree that stands there comes byte for byte")
    func downloading() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(sampleTree(oddDirectoryNames: false), at: base / "there")
            let received = try await download(base / "there", to: base / "here", flags: "-rp")
            #expect(received.0.errors == 0)
            #expect(received.status == .exited(0))
            let (a, b) = (try readTree(at: base / "there"), try readTree(at: base / "here"))
            #expect(differences(a, b, attributes: true) == [])
        }
    }

    @Test("several files go into a directory, and -d asks for one")
    func severalFiles() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named([:]), at: base / "d")
            for index in 0..<200 { try makeTree(.file([UInt8(index)]), at: base / "f\(index)") }
            let files = (0..<200).map { base / "f\($0)" }
            let sent = try await upload(files, to: base / "d", flags: "-d")
            #expect(sent.0.files == 200)
            #expect(sent.status == .exited(0))
            #expect(listDirectory(base / "d").count == 200)
            await #expect(throws: SCPError.self) { try await upload(files, to: base / "nowhere", flags: "-d") }
        }
    }

    @Test("a file it cannot write is refused with its reason, and the next goes on")
    func refusal() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .named([:])]), at: base / "d")
            try makeTree(.file([1]), at: base / "a")
            try makeTree(.file([2]), at: base / "b")
            let observer = Recorder()
            let sent = try await upload([base / "a", base / "b"], to: base / "d", flags: "-d", observer: observer)
            #expect(sent.0.files == 1)
            #expect(observer.warnings.count == 1)
            #expect(observer.warnings.first?.hasSuffix("/d/a: Is a directory") == true)
            #expect(try readFile(at: base / "d" / "b") == [2])
        }
    }

    @Test("a full disk there is that file's failure")
    func fullDisk() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file(noise(600_000)), at: base / "a")
            let observer = Recorder()
            let sent = try await upload([base / "a"], to: "/dev/full", flags: "-q", observer: observer)
            #expect(sent.0.files == 0)
            #expect(observer.warnings == ["/dev/full: No space left on device"])
        }
    }

    @Test("a file that is not there is a warning")
    func missing() async throws {
        try await withTemporaryDirectory { base in
            let observer = Recorder()
            let received = try await download(base / "no", to: base / "x", flags: "-q", observer: observer)
            #expect(received.0.errors == 1)
            #expect(received.status == .exited(1))
            #expect(observer.warnings.first?.hasSuffix("no: No such file or directory") == true)
            #expect(listDirectory(base) == [])
        }
    }

    @Test("a directory without -r is refused by the source")
    func directory() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named([:]), at: base / "d")
            let received = try await download(base / "d", to: base / "x", flags: "-q")
            #expect(received.0.errors == 1)
            #expect(received.0.directories == 0)
        }
    }
}
