import CopyEngine
import Files
import SSHWire
import Synchronization
import TestSupport
import Testing

@Suite("Servers that do not do as OpenSSH's", .timeLimit(.minutes(hangMinutes)))
struct FaultyServerTests {
    /// The way to a server: how many lanes lead there.
    enum Way: CaseIterable, Sendable {
        /// One channel.
        case near
        /// Answers take so long that further channels carry a large file.
        case far
        /// Three connections.
        case connections

        var delay: Duration { self == .near ? .zero : .milliseconds(6) }
    }

    /// A copy, and what is to come of it.
    struct Trial: Sendable, CustomTestStringConvertible {
        var quirk: ServerQuirk
        var isUpload: Bool
        var tree: Tree
        var way: Way
        /// Whether something cannot be copied, which is told.
        var isRefused = false

        var testDescription: String { "\(quirk), \(isUpload ? "up" : "down"), \(way)" }
    }

    private static let quirks: [ServerQuirk] = [
        .holds(1), .holds(4), .holds(64), .repeatsHandles, .writesInOrder, .emptiesOnOpening, .failsAtEnd,
        .refusesToRead, .refusesAttributes, .answersInAnyOrder,
    ]

    private static let trees: [Trial] = quirks.flatMap { quirk in
        [true, false].flatMap { isUpload in
            [Way.near, .connections].map { way in
                let tree = Tree.named([
                    "small": treeOfSmallFiles(250), "empty": .named([:]), "some": .file(noise(300_001)),
                    "one": .named(["two": .named(["three": .file([3])])]),
                    "none": .file(quirk == .failsAtEnd ? [0] : []),
                ])
                return Trial(
                    quirk: quirk, isUpload: isUpload, tree: tree, way: way,
                    isRefused: quirk == .refusesToRead && !isUpload)
            }
        }
    }

    private static let largeFiles: [Trial] = quirks.flatMap { quirk in
        [true, false].flatMap { isUpload in
            Way.allCases.map { way in
                Trial(
                    quirk: quirk, isUpload: isUpload, tree: .file(noise(9_000_001)), way: way,
                    isRefused: quirk == .refusesToRead && !isUpload)
            }
        }
    }

    /// The channels to a server that are open.
    private final class Server: Sendable {
        private let quirk: ServerQuirk
        private let delay: Duration
        private let running = Mutex<[(PipedProgram, FaultyServer)]>([])

        init(_ quirk: ServerQuirk, delay: Duration = .zero) { (self.quirk, self.delay) = (quirk, delay) }

        var host: StreamHost {
            var host = StreamHost()
            host.sftp = { [self] in try start() }
            host.another = { [self] in try start() }
            return host
        }

        /// How often the fault showed.
        var shown: Int { running.withLock { $0.reduce(0) { $0 + $1.1.shown } } }

        private func start() throws -> any ByteStream {
            let program = try PipedProgram([sftpServer])
            let server = FaultyServer(program.stream, quirk, delay: delay)
            running.withLock { $0.append((program, server)) }
            return server
        }

        func stop() async { for (program, _) in running.withLock({ $0 }) { await program.cutOff() } }
    }

    private struct Outcome {
        var summary: Result<CopySummary, any Error>
        var warnings: [String]
        var differences: [String]

        /// Whether all is there, and nothing was said.
        var isWhole: Bool { (try? summary.get())?.errors == 0 && warnings.isEmpty && differences.isEmpty }
        /// Whether a person hears that something is missing.
        var isTold: Bool {
            switch summary {
            case .success(let summary): summary.errors > 0 && warnings.count == summary.errors
            case .failure(let error): error is CopyError
            }
        }
    }

    private func copy(_ trial: Trial, _ server: Server, in base: BytePath, at place: BytePath) async throws -> Outcome {
        let recorder = Recorder()
        var wishes = Wishes(recursive: true)
        if trial.way == .connections { wishes.connections = .exactly(3) }
        try makeTree(trial.tree, at: base / "source")
        let summary = await Result {
            if trial.isUpload {
                try await SFTPUpload(host: server.host, options: wishes, observer: recorder)
                    .run([base / "source"], to: (base / "target").bytes)
            } else {
                try await SFTPDownload(host: server.host, options: wishes, observer: recorder)
                    .run([(base / "source").bytes], into: base / "target")
            }
        }
        await server.stop()
        let found = try? readTree(at: place)
        return Outcome(
            summary: summary, warnings: recorder.warnings,
            differences: found.map { differences(trial.tree, $0, attributes: false) } ?? ["there is nothing"])
    }

    @Test("A tree comes over as it is, or what is missing is told", arguments: trees)
    func tree(trial: Trial) async throws {
        let server = Server(trial.quirk, delay: trial.way.delay / 3)
        try await withTemporaryDirectory { base in
            let outcome = try await copy(trial, server, in: base, at: base / "target")
            #expect(trial.isRefused ? outcome.isTold : outcome.isWhole, "\(outcome)")
        }
        // What goes one way only, or for large files, shows elsewhere.
        switch trial.quirk {
        case .holds, .repeatsHandles, .answersInAnyOrder: #expect(server.shown > 0)
        case .refusesAttributes, .emptiesOnOpening: #expect((server.shown > 0) == trial.isUpload)
        case .writesInOrder, .failsAtEnd, .refusesToRead: break
        }
    }

    @Test("A large file comes over as it is, or that it does not is told", arguments: largeFiles)
    func largeFile(trial: Trial) async throws {
        let server = Server(trial.quirk, delay: trial.way.delay)
        try await withTemporaryDirectory { base in
            let outcome = try await copy(trial, server, in: base, at: base / "target")
            #expect(trial.isRefused ? outcome.isTold : outcome.isWhole, "\(outcome)")
        }
    }

    @Test("Nothing shows through of longer files that were there, or it is told", arguments: quirks)
    func longerFiles(quirk: ServerQuirk) async throws {
        let entries = (0..<40).map { ("\($0)", Tree.file(noise($0 * 50))) }
        let longer = entries.map { ($0.0, Tree.file(noise(5_000))) }
        let trial = Trial(
            quirk: quirk, isUpload: true, tree: .named(Dictionary(uniqueKeysWithValues: entries)), way: .near)
        try await withTemporaryDirectory { base in
            try makeTree(
                .named(["source": .named(Dictionary(uniqueKeysWithValues: longer))]), at: base / "target")
            let outcome = try await copy(trial, Server(quirk), in: base, at: base / "target" / "source")
            // Where nobody may look, a directory that is there cannot be told from a file.
            let isRefused = quirk == .refusesAttributes || quirk == .refusesToRead
            #expect(isRefused ? outcome.isTold && !outcome.isWhole : outcome.isWhole, "\(outcome)")
        }
    }

    @Test("An empty file of a server that fails at its end is told of: nothing shows that it is empty")
    func failsAtOnce() async throws {
        let trial = Trial(quirk: .failsAtEnd, isUpload: false, tree: .named(["none": .file([])]), way: .near)
        try await withTemporaryDirectory { base in
            let outcome = try await copy(trial, Server(trial.quirk), in: base, at: base / "target")
            #expect(outcome.isTold && outcome.warnings.first?.hasSuffix("none: Failure") == true, "\(outcome)")
        }
    }
}
