import NIOCore
import Platform
import SFTP
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import CopyEngine
@testable import Files

/// A host with OpenSSH's sftp-server, and a shell if it is to run commands.
private actor Host {
    private let directory: String
    private var children: [PipedProgram] = []

    init(directory: BytePath) { self.directory = String(decoding: directory.bytes, as: UTF8.self) }

    nonisolated var opener: SFTPOpener { { try await self.start([sftpServer, "-d", self.directory]) } }

    /// - Parameter runs: whether it runs commands.
    nonisolated func host(runs: Bool = true) -> StreamHost {
        var host = StreamHost()
        host.sftp = opener
        if runs { host.exec = { try await self.start(["/bin/sh", "-c", String(decoding: $0, as: UTF8.self)]) } }
        return host
    }

    private func start(_ words: [String]) throws -> any ByteStream {
        let child = try PipedProgram(words)
        children.append(child)
        return child.stream
    }

    func end() async {
        for child in children { await child.cutOff() }
    }
}

@Suite("Going on from what an earlier copy left, and comparing hashes")
struct ResumeTests {
    private struct Outcome {
        var summary: CopySummary
        /// Of files' contents that were sent or fetched, in bytes.
        var moved: Int
        var notes: [String]
        var warnings: [String]
    }

    /// Copies `source` to `target`, both in `base`, up or down.
    private func copy(
        _ isUpload: Bool, at base: BytePath, _ change: (inout Wishes) -> Void, runs: Bool = true
    ) async throws -> Outcome {
        let (host, recorder) = (Host(directory: base), Recorder())
        var options = Wishes(recursive: true)
        change(&options)
        let result = await Result {
            isUpload
                ? try await SFTPUpload(host: host.host(runs: runs), options: options, observer: recorder).run(
                    [base / "source"], to: Array("target".utf8))
                : try await SFTPDownload(host: host.host(runs: runs), options: options, observer: recorder).run(
                    [Array("source".utf8)], into: base / "target")
        }
        await host.end()
        return Outcome(
            summary: try result.get(), moved: recorder.bytes, notes: recorder.notes, warnings: recorder.warnings)
    }

    private static let size = 3_000_000

    /// What an earlier copy left, and how much of it is good, in bytes.
    enum Left: CaseIterable {
        case half, all, corrupt, longer, small, nothing

        var contents: [UInt8] {
            let whole = noise(size)
            switch self {
            case .half: return Array(whole.prefix(1_234_567))
            case .all: return whole
            case .corrupt: return Array(whole.prefix(1_000_000)) + [whole[1_000_000] ^ 1]
            case .longer: return whole + [1]
            case .small: return Array(whole.prefix(100))
            case .nothing: return []
            }
        }

        var good: Int {
            switch self {
            case .half, .all, .small: contents.count
            case .corrupt, .longer, .nothing: 0
            }
        }
    }

    @Test("What is there is compared, and only the rest is copied", arguments: Left.allCases, [true, false])
    func rest(left: Left, isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file(noise(Self.size)), at: base / "source")
            try makeTree(.file(left.contents), at: base / "target")
            let outcome = try await copy(isUpload, at: base) { $0.resume = true }
            #expect(try readFile(at: base / "target") == noise(Self.size))
            #expect(outcome.summary.errors == 0 && outcome.summary.files == 1)
            #expect(outcome.moved == Self.size - left.good, "\(outcome)")
        }
    }

    @Test("Without any means to hash what is there, all is copied, and that is noted", arguments: [true, false])
    func noMeans(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file(noise(Self.size)), at: base / "source")
            try makeTree(.file(Left.half.contents), at: base / "target")
            let outcome = try await copy(isUpload, at: base, { $0.resume = true }, runs: false)
            #expect(try readFile(at: base / "target") == noise(Self.size))
            #expect(outcome.moved == Self.size)
            #expect(outcome.notes.contains("the server has no means to hash files"))
            #expect(outcome.notes.last?.hasSuffix("copied anew") == true, "\(outcome.notes)")
        }
    }

    @Test("Without --resume nothing is looked at", arguments: [true, false])
    func notAsked(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file(noise(Self.size)), at: base / "source")
            try makeTree(.file(noise(Self.size)), at: base / "target")
            let outcome = try await copy(isUpload, at: base) { _ in }
            #expect(outcome.moved == Self.size && outcome.notes == [])
        }
    }

    @Test(
        "Small files are passed by where size and time are the same and kept, else copied again",
        arguments: [true, false])
    func smallFiles(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(
                .named(["same": .file([1, 2, 3]), "newer": .file([4, 5], modified: 1_500_000_000), "new": .file([6])]),
                at: base / "source")
            try makeTree(.named([:]), at: base / "target")
            try makeTree(.named(["same": .file([9, 9, 9]), "newer": .file([9, 9])]), at: base / "target" / "source")
            let kept = try await copy(isUpload, at: base) { ($0.resume, $0.preserve) = (true, true) }
            #expect(kept.moved == 3, "\(kept)")
            // Nobody looked into it.
            #expect(try readFile(at: base / "target" / "source" / "same") == [9, 9, 9])
            #expect(try readFile(at: base / "target" / "source" / "newer") == [4, 5])
            let copied = try await copy(isUpload, at: base) { $0.resume = true }
            #expect(copied.moved == 6, "\(copied)")
            #expect(try readFile(at: base / "target" / "source" / "same") == [1, 2, 3])
        }
    }

    @Test("Of a tree only what is missing is copied", arguments: [true, false])
    func tree(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            func tree(missing: Int) -> Tree {
                var files: [String: Tree] = [:]
                for index in 0..<(40 - missing) { files["f \(index)"] = .file(noise(100_000 + index)) }
                return .named(["in": .named(files)])
            }
            try makeTree(tree(missing: 0), at: base / "source")
            try makeTree(.named(["source": tree(missing: 3)]), at: base / "target")
            let outcome = try await copy(isUpload, at: base) { ($0.resume, $0.verify) = (true, true) }
            #expect(outcome.moved == (37..<40).reduce(0) { $0 + 100_000 + $1 }, "\(outcome)")
            #expect(outcome.summary.files == 40 && outcome.summary.errors == 0)
            let there = try readTree(at: base / "target" / "source")
            #expect(differences(tree(missing: 0), there, attributes: false) == [])
        }
    }

    @Test("Every file is compared once it is copied", arguments: [true, false], [true, false])
    func verified(isUpload: Bool, preserve: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(treeOfSmallFiles(300), at: base / "source")
            let outcome = try await copy(isUpload, at: base) { ($0.verify, $0.preserve) = (true, preserve) }
            #expect(outcome.summary.files == 300 && outcome.summary.errors == 0 && outcome.warnings == [])
            #expect(differences(treeOfSmallFiles(300), try readTree(at: base / "target"), attributes: preserve) == [])
        }
    }

    @Test("Where the server cannot hash, an upload is read back")
    func readBack() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(
                .named(["large": .file(noise(5_000_001)), "small": .file([1]), "none": .file([])]), at: base / "source")
            let outcome = try await copy(true, at: base, { $0.verify = true }, runs: false)
            #expect(outcome.summary.files == 3 && outcome.summary.errors == 0 && outcome.warnings == [])
        }
    }

    @Test("Where the server cannot hash, a download is not begun")
    func downloadWithoutMeans() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1]), at: base / "source")
            await #expect(throws: CopyError("source", .source, .noMeansToHash)) {
                _ = try await copy(false, at: base, { $0.verify = true }, runs: false)
            }
            #expect(listDirectory(base).count == 1)
        }
    }

    @Test("What is no regular file cannot be verified", arguments: [true, false])
    func special(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1]), at: base / "source")
            #expect(symlink("/dev/null", String(decoding: (base / "target").bytes, as: UTF8.self)) == 0)
            let outcome = try await copy(isUpload, at: base) { $0.verify = true }
            #expect(outcome.summary.errors == 1)
            #expect(outcome.warnings.first?.hasSuffix("verification failed: not a regular file") == true, "\(outcome)")
        }
    }
}
