import CopyEngine
import Files
import NIOCore
import Platform
import SFTP
import SSHWire
import Synchronization
import TestSupport
import Testing

/// Bytes whose order is lost in no multiple of a block; quickly made.
private func content(_ count: Int) -> [UInt8] {
    var bytes = noisePeriod
    bytes.reserveCapacity(count + noisePeriod.count)
    while bytes.count < count { bytes += noisePeriod }
    bytes.removeLast(bytes.count - count)
    return bytes
}

private let noisePeriod = noise(100_003)

/// What a connection ends with that is cut off.
private struct Cut: Error {}

/// A stream that is cut off after so many bytes, whichever way they go.
private final class FragileStream: ByteStream {
    private let base: any ByteStream
    private let budget: Int
    /// How many bytes have passed after each call.
    private let passed = Mutex([0])

    init(_ base: any ByteStream, budget: Int) {
        self.base = base
        self.budget = budget
    }

    var marks: [Int] { passed.withLock { $0 } }

    private func pass(_ count: Int) throws {
        let total = passed.withLock { passed in
            passed.append((passed.last ?? 0) + count)
            return passed.last ?? 0
        }
        if total > budget || (count == 0 && total == budget) { throw Cut() }
    }

    func read() async throws -> ByteBuffer? {
        try pass(0)
        let bytes = try await base.read()
        try pass(bytes?.readableBytes ?? 0)
        return bytes
    }

    func write(_ bytes: ByteBuffer) async throws {
        try pass(bytes.readableBytes)
        try await base.write(bytes)
    }

    func finishWriting() async throws { try await base.finishWriting() }
}

/// A host with OpenSSH's sftp-server whose connections are cut off one after another, after so many bytes each; then they
/// hold.
actor FragileHost {
    private let directory: String
    private var budgets: [Int]
    private var children: [PipedProgram] = []
    private var latest: FragileStream?
    /// What happens between two connections.
    private let between: @Sendable (_ losses: Int) throws -> Void
    private(set) var losses: [Bool] = []

    init(
        directory: BytePath, budgets: [Int], between: @escaping @Sendable (_ losses: Int) throws -> Void = { _ in }
    ) {
        self.directory = String(decoding: directory.bytes, as: UTF8.self)
        self.budgets = budgets
        self.between = between
    }

    nonisolated var opener: SFTPOpener { { try await self.start() } }

    /// The host as a copy has it, its connection made again whenever it was cut off.
    nonisolated var host: StreamHost {
        var host = StreamHost()
        host.sftp = opener
        host.isLost = { $0 is Cut }
        host.reconnect = { loss, hasProgressed in
            guard loss is Cut else { throw loss }
            try await self.lose(hasProgressed)
        }
        return host
    }

    private func start() throws -> any ByteStream {
        let child = try PipedProgram([sftpServer, "-d", directory])
        children.append(child)
        let stream = FragileStream(child.stream, budget: budgets.isEmpty ? .max : budgets.removeFirst())
        latest = stream
        return stream
    }

    /// How many bytes had passed over the latest connection after each call.
    var marks: [Int] { latest?.marks ?? [] }

    private func lose(_ hasProgressed: Bool) async throws {
        losses.append(hasProgressed)
        await end()
        try between(losses.count)
    }

    /// Waits until no server writes any more.
    func end() async {
        for child in children { await child.cutOff() }
        children = []
    }
}

@Suite("A connection that is lost and made again")
struct ReconnectionTests {
    private func upload(
        _ sources: [BytePath], to target: String, _ host: FragileHost, options: Wishes = Wishes(),
        observer: Recorder = Recorder()
    ) async throws -> CopySummary {
        var options = options
        // One channel alone, however slow the machine is.
        options.tuning.requests = 1_000
        let result = await Result {
            try await SFTPUpload(host: host.host, options: options, observer: observer).run(
                sources, to: Array(target.utf8))
        }
        await host.end()
        return try result.get()
    }

    private func download(
        _ sources: [String], to target: BytePath, _ host: FragileHost, options: Wishes = Wishes(),
        observer: Recorder = Recorder()
    ) async throws -> CopySummary {
        let result = await Result {
            try await SFTPDownload(host: host.host, options: options, observer: observer).run(
                sources.map { Array($0.utf8) }, into: target)
        }
        await host.end()
        return try result.get()
    }

    /// Copies `source` in a directory that both ends have, the one by the server.
    private func copy(
        in base: BytePath, to target: String = "target", isUpload: Bool, _ host: FragileHost,
        options: Wishes = Wishes()
    ) async throws -> CopySummary {
        isUpload
            ? try await upload([base / "source"], to: target, host, options: options)
            : try await download(["source"], to: base / target, host, options: options)
    }

    private static let size = 20_000_000

    @Test("A large file is not sent twice: it goes on behind what the server has confirmed")
    func largeUp() async throws {
        try await withTemporaryDirectory { base in
            let bytes = content(Self.size)
            try makeTree(.file(bytes), at: base / "source")
            let host = FragileHost(directory: base, budgets: [6_000_000, 7_000_000, 1_000, 6_000_000])
            let recorder = Recorder()
            let summary = try await upload([base / "source"], to: "there", host, observer: recorder)
            #expect(try readFile(at: base / "there") == bytes)
            #expect(summary.errors == 0 && summary.files == 1 && summary.bytes == Int64(Self.size))
            let losses = await host.losses
            #expect(losses == [true, true, false, true])
            // What was on its way and not confirmed goes again: 4 MiB at most, each time.
            #expect(recorder.bytes < Self.size + 3 * (5 << 20))
            #expect(recorder.finished == ["source": true])
        }
    }

    @Test("A large file is not fetched twice: it goes on behind what was written")
    func largeDown() async throws {
        try await withTemporaryDirectory { base in
            let bytes = content(Self.size)
            try makeTree(.file(bytes), at: base / "source")
            let host = FragileHost(directory: base, budgets: [6_000_000, 7_000_000, 1_000, 5_000_000])
            let recorder = Recorder()
            let summary = try await download(["source"], to: base / "here", host, observer: recorder)
            #expect(try readFile(at: base / "here") == bytes)
            #expect(summary.errors == 0 && summary.files == 1 && summary.bytes == Int64(Self.size))
            let losses = await host.losses
            #expect(losses == [true, true, false, true])
            #expect(recorder.bytes < Self.size + (1 << 20))
            #expect(recorder.finished == ["here": true])
        }
    }

    @Test("A file with holes, over a longer one that was there")
    func holes() async throws {
        try await withTemporaryDirectory { base in
            let bytes = content(3_000_000) + [UInt8](repeating: 0, count: 8_000_000) + content(1_000_000)
            for name in ["source", "there", "here"] {
                try makeTree(.file(name == "source" ? bytes : content(14_000_000)), at: base / name)
            }
            let budgets = [4_000_000, 2_000_000, 3_500_000]
            _ = try await upload([base / "source"], to: "there", FragileHost(directory: base, budgets: budgets))
            #expect(try readFile(at: base / "there") == bytes)
            _ = try await download(["source"], to: base / "here", FragileHost(directory: base, budgets: budgets))
            #expect(try readFile(at: base / "here") == bytes)
            _ = try await download(["source"], to: base / "new", FragileHost(directory: base, budgets: budgets))
            #expect(try readFile(at: base / "new") == bytes)
        }
    }

    /// Directories without leave to write or enter, and files to try patience.
    private func manyFiles() -> Tree {
        var top: [String: Tree] = [:]
        for index in 0..<30 {
            var files: [String: Tree] = ["large": .file(content(200_000 + index))]
            for file in 0..<60 { files["f\(file)"] = .file(Array("\(index) \(file)".utf8), mode: 0o444) }
            top["d\(index)"] = .named(["closed": .named(files, mode: 0o555), "empty": .named([:], mode: 0o700)])
        }
        return .named(top)
    }

    @Test(
        "Of a tree, what is done is not done again, and in the end all is as if nothing had been",
        arguments: [true, false])
    func trees(preserve: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(manyFiles(), at: base / "source")
            let options = Wishes(recursive: true, preserve: preserve)
            let budgets = [1_000, 300_000, 1_000_000, 60_000, 700_000, 700_000, 500]
            let whole = try await upload(
                [base / "source"], to: "whole", FragileHost(directory: base, budgets: []), options: options)
            let host = FragileHost(directory: base, budgets: budgets)
            let sent = try await upload([base / "source"], to: "there", host, options: options)
            #expect(sent == whole)
            #expect(await host.losses.count == budgets.count)
            let back = FragileHost(directory: base, budgets: budgets)
            let received = try await download(["there"], to: base / "back", back, options: options)
            #expect(received == whole)
            #expect(await back.losses.count == budgets.count)
            let original = try readTree(at: base / "source")
            for name in ["whole", "there", "back"] {
                #expect(differences(original, try readTree(at: base / name), attributes: preserve) == [], "\(name)")
            }
            // Modes come over even where times do not.
            let modes = [try readTree(at: base / "whole"), try readTree(at: base / "there")].map {
                modesOfDirectories($0)
            }
            #expect(modes[0] == modes[1])
        }
    }

    private func modesOfDirectories(_ tree: Tree, at path: String = "") -> [String: UInt16] {
        guard case .directory(let entries, let mode, _) = tree else { return [:] }
        return entries.reduce(into: [path: mode]) { modes, entry in
            let name = String(decoding: entry.key, as: UTF8.self)
            modes.merge(modesOfDirectories(entry.value, at: "\(path)/\(name)")) { first, _ in first }
        }
    }

    @Test("Wherever it is cut off, the copy ends, whole, and nothing stays open", arguments: [true, false])
    func everywhere(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            let tree = Tree.named([
                "a": .named(["x": .file(content(100)), "y": .file(content(70_000))]), "b": .named([:]),
                "z": .file([]),
            ])
            try makeTree(tree, at: base / "source")
            let options = Wishes(recursive: true, preserve: true)
            let whole = FragileHost(directory: base, budgets: [])
            _ = try await copy(in: base, to: "whole", isUpload: isUpload, whole, options: options)
            let original = try readTree(at: base / "source")
            // Just before a call is through, and just after.
            let cuts = Set(await whole.marks.flatMap { [$0 - 1, $0] }).filter { $0 > 0 }.sorted()
            #expect(cuts.count > 10)
            for cut in cuts {
                let host = FragileHost(directory: base, budgets: [cut])
                _ = try await copy(in: base, to: "cut \(cut)", isUpload: isUpload, host, options: options)
                let copied = try readTree(at: base / "cut \(cut)")
                #expect(differences(original, copied, attributes: true) == [], "cut off after \(cut) bytes")
            }
            #expect(openFiles(below: base) == [])
        }
    }

    @Test("A file whose source has changed meanwhile starts over", arguments: [true, false])
    func changedSource(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            let (before, after) = (content(12_000_000), content(12_000_001))
            try makeTree(.file(before), at: base / "source")
            let host = FragileHost(directory: base, budgets: [8_000_000]) { _ in
                try makeTree(.file(after, modified: 1_234_567_890), at: base / "source")
            }
            let summary = try await copy(in: base, isUpload: isUpload, host)
            let losses = await host.losses
            #expect(losses == [true])
            #expect(try readFile(at: base / "target") == after)
            #expect(summary.bytes == Int64(after.count))
        }
    }

    @Test("A file whose target is shorter than it was left starts over", arguments: [true, false])
    func truncatedTarget(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            let bytes = content(8_000_000)
            try makeTree(.file(bytes), at: base / "source")
            let host = FragileHost(directory: base, budgets: [7_000_000]) { _ in
                try writeFile([1, 2, 3], at: base / "target")
            }
            let summary = try await copy(in: base, isUpload: isUpload, host)
            let losses = await host.losses
            #expect(losses == [true])
            #expect(try readFile(at: base / "target") == bytes)
            #expect(summary.bytes == Int64(bytes.count))
        }
    }

    @Test("A directory that the copy itself made does not take the next one into it", arguments: [true, false])
    func sameTarget(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file(content(3_000_000)), "b": .file([1])]), at: base / "source")
            let host = FragileHost(directory: base, budgets: [2_000_000])
            let options = Wishes(recursive: true)
            _ = try await copy(in: base, isUpload: isUpload, host, options: options)
            #expect(Set(listDirectory(base / "target")) == [Array("a".utf8), Array("b".utf8)])
        }
    }

    @Test("What was told once is not told again, and still counts")
    func warnings() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(
                .named(["big": .file(content(3_000_000)), "sub": .named(["x": .file([1])])]), at: base / "source")
            try makeTree(.named(["source": .named(["sub": .file([9])])]), at: base / "there")
            for isUpload in [true, false] {
                let recorder = Recorder()
                let host = FragileHost(directory: base, budgets: [2_500_000])
                let options = Wishes(recursive: true, targetMustBeDirectory: true)
                let summary =
                    isUpload
                    ? try await upload(
                        [base / "missing", base / "source"], to: "there", host, options: options, observer: recorder)
                    : try await download(
                        ["missing", "source"], to: base / "there", host, options: options, observer: recorder)
                #expect(await host.losses.count == 1)
                #expect(summary.errors == 2)
                #expect(recorder.warnings.count == 2, "\(recorder.warnings)")
                #expect(try readFile(at: base / "there" / "source" / "big") == content(3_000_000))
                try writeFile([], at: base / "there" / "source" / "big")
            }
        }
    }

    @Test("Without anything that makes the connection again, its loss is the end")
    func noReconnection() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file(content(3_000_000)), at: base / "source")
            let host = FragileHost(directory: base, budgets: [1_000_000])
            await #expect(throws: Cut.self) {
                try await SFTPUpload(open: host.opener).run([base / "source"], to: Array("there".utf8))
            }
            await host.end()
        }
    }

    @Test("What a device has got is not sent to it twice")
    func device() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file(content(3_000_000)), at: base / "source")
            for isUpload in [true, false] {
                let host = FragileHost(directory: base, budgets: [1_000_000])
                await #expect(throws: Cut.self) {
                    if isUpload {
                        _ = try await upload([base / "source"], to: "/dev/null", host)
                    } else {
                        _ = try await download(["source"], to: BytePath("/dev/null"), host)
                    }
                }
                #expect(await host.losses == [])
            }
        }
    }
}
