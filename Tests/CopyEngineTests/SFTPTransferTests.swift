import CopyEngine
import Files
import NIOCore
import Platform
import SFTP
import SSHWire
import TestSupport
import Testing

/// Starts OpenSSH's sftp-server in a directory for each channel asked for.
private func opener(_ servers: Servers) -> SFTPOpener {
    { try await servers.start() }
}

private actor Servers {
    private let arguments: [String]
    private(set) var children: [PipedProgram] = []

    init(directory: BytePath, _ arguments: [String] = []) {
        self.arguments = [sftpServer, "-d", String(decoding: directory.bytes, as: UTF8.self)] + arguments
    }

    func start() throws -> any ByteStream {
        let child = try PipedProgram(arguments)
        children.append(child)
        return child.stream
    }

    func end() { for child in children { _ = child.wait() } }
}

@Suite("With OpenSSH's sftp-server at the other end")
struct SFTPTransferTests {
    private func upload(
        _ sources: [BytePath], to target: String, at base: BytePath, options: Wishes,
        observer: Recorder = Recorder(), arguments: [String] = []
    ) async throws -> CopySummary {
        let servers = Servers(directory: base, arguments)
        let result = await Result {
            try await SFTPUpload(open: opener(servers), options: options, observer: observer)
                .run(sources, to: Array(target.utf8))
        }
        await servers.end()
        return try result.get()
    }

    private func download(
        _ sources: [String], to target: BytePath, at base: BytePath, options: Wishes,
        observer: Recorder = Recorder()
    ) async throws -> CopySummary {
        let servers = Servers(directory: base)
        let result = await Result {
            try await SFTPDownload(open: opener(servers), options: options, observer: observer)
                .run(sources.map { Array($0.utf8) }, into: target)
        }
        await servers.end()
        return try result.get()
    }

    @Test("a tree goes there and comes back byte for byte, odd names and all")
    func roundTrip() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(sampleTree(), at: base / "source")
            let sent = try await upload(
                [base / "source"], to: "there", at: base, options: .init(recursive: true, preserve: true))
            #expect(sent.errors == 0)
            let received = try await download(
                ["there"], to: base / "back", at: base, options: .init(recursive: true, preserve: true))
            #expect(received.errors == 0)
            #expect(sent.files == received.files)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "back"))
            #expect(differences(a.asCopiedBySFTP, b, attributes: true) == [])
        }
    }

    @Test("thousands of files in many directories", arguments: [true, false])
    func many(preserve: Bool) async throws {
        try await withTemporaryDirectory { base in
            var top: [String: Tree] = [:]
            for index in 0..<60 {
                var files: [String: Tree] = [:]
                for file in 0..<50 { files["f\(file)"] = .file(Array("\(index) \(file)".utf8)) }
                top["d\(index)"] = .named(["deeper": .named(files), "empty": .named([:]), "zero": .file([])])
            }
            try makeTree(.named(top), at: base / "source")
            let options = Wishes(recursive: true, preserve: preserve)
            let sent = try await upload([base / "source"], to: "there", at: base, options: options)
            #expect(sent.errors == 0)
            #expect(sent.files == 60 * 51)
            #expect(sent.directories == 60 * 3 + 1)
            let received = try await download(
                ["there"], to: base / "back", at: base, options: .init(recursive: true, preserve: preserve))
            #expect(received == sent)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "back"))
            #expect(differences(a, b, attributes: preserve) == [])
        }
    }

    @Test("a file where a directory should be costs what is in that directory, and nothing else")
    func conflict() async throws {
        try await withTemporaryDirectory { base in
            // What is sent last takes longer than the answers about the directories.
            let large = Tree.file((0..<6_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 5) })
            var entries: [String: Tree] = ["large": large]
            for index in 0..<20 { entries["d\(index)"] = .named(["x": .file([1]), "y": .file([2])]) }
            try makeTree(.named(entries), at: base / "source")
            let files = entries.filter { $0.key != "large" }.mapValues { _ in Tree.file([9]) }
            try makeTree(.named(["source": .named(files)]), at: base / "there")
            let recorder = Recorder()
            let sent = try await upload(
                [base / "source"], to: "there", at: base, options: .init(recursive: true), observer: recorder)
            #expect(sent.errors == 20 && sent.files == 1 && recorder.warnings.count == 20, "\(recorder.warnings)")
            #expect(differences(large, try readTree(at: base / "there" / "source" / "large"), attributes: false) == [])
        }
    }

    @Test("the size of a file is set where one may have been there, and not in a directory made for the copy")
    func sizesSet() async throws {
        try await withTemporaryDirectory { base in
            let files = Dictionary(uniqueKeysWithValues: (0..<3000).map { ("f\($0)", Tree.file(Array("\($0)".utf8))) })
            try makeTree(.named(files), at: base / "source")
            let longer = files.mapValues { _ in Tree.file(Array("longer than before".utf8)) }
            try makeTree(.named(["source": .named(longer)]), at: base / "old")
            for (target, isNew) in [("new", true), ("old", false)] {
                let recorder = Recorder(wantsTrace: true)
                _ = try await upload(
                    [base / "source"], to: target, at: base, options: .init(recursive: true), observer: recorder)
                let set = recorder.traces.count { $0.contains("SSH_FXP_FSETSTAT") }
                #expect(isNew ? set < files.count : set == files.count, "\(set)")
                let copied = try readTree(at: isNew ? base / "new" : base / "old" / "source")
                #expect(differences(try readTree(at: base / "source"), copied, attributes: false) == [])
            }
        }
    }

    @Test(
        "sizes around the edges of a block, and a file with a hole",
        arguments: [0, 1, 32_768, 261_119, 261_120, 261_121, 5_000_000])
    func sizes(size: Int) async throws {
        try await withTemporaryDirectory { base in
            let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 7) }
            try makeTree(.file(content), at: base / "source")
            // What is there already is longer, and must not show through.
            try makeTree(.file(content + [1, 2, 3]), at: base / "there")
            try makeTree(.file(content + [4, 5]), at: base / "back")
            let recorder = Recorder()
            let sent = try await upload([base / "source"], to: "there", at: base, options: .init(), observer: recorder)
            #expect(sent.bytes == Int64(size))
            #expect(recorder.bytes == size)
            #expect(recorder.finished == ["source": true])
            let received = try await download(["there"], to: base / "back", at: base, options: .init())
            #expect(received == sent)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "back"))
            #expect(differences(a, b, attributes: false) == [])
        }
    }

    @Test(
        "a target that is opened while it is looked at gets what it would have got",
        arguments: ["new", "old", "dir", "dir/", "dir/new", ".", "", "missing/new", "old/new", "/dev/null"])
    func openedAhead(target: String) async throws {
        try await withTemporaryDirectory { base in
            for recursive in [false, true] {
                var outcomes: [([String], Tree)] = []
                for ahead in [false, true] {
                    let place = base / "\(recursive) \(ahead)"
                    try makeTree(
                        .named([
                            "source": .file([1, 2, 3]), "tree": .named(["a": .file([4])]),
                            "there": .named([
                                "old": .file([9, 9, 9, 9, 9]), "dir": .named(["source": .file([8, 8, 8, 8])]),
                            ]),
                        ]), at: place)
                    var options = Wishes(recursive: recursive, preserve: true)
                    options.opensAhead = ahead
                    var told: [String] = []
                    for name in recursive ? ["source", "tree"] : ["source", "none"] {
                        let recorder = Recorder()
                        do {
                            let summary = try await upload(
                                [place / name], to: target, at: place / "there", options: options, observer: recorder)
                            told.append("\(summary) \(recorder.finished)")
                        } catch {
                            told.append("\(error)")
                        }
                        told += recorder.warnings
                    }
                    let words = told.map { $0.replacing("\(recursive) \(ahead)", with: "place") }
                    outcomes.append((words, try readTree(at: place / "there")))
                }
                #expect(outcomes[0].0 == outcomes[1].0)
                #expect(differences(outcomes[0].1, outcomes[1].1, attributes: false) == [])
            }
        }
    }

    @Test("patterns stand for what matches, and names with wildcards for themselves")
    func patterns() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(
                .named([
                    "a1": .named(["x.txt": .file([1]), "y.txt": .file([2]), ".hidden.txt": .file([3])]),
                    "a2": .named(["x.txt": .file([4]), "z[1].txt": .file([5])]),
                ]), at: base / "from")
            try makeTree(.named([:]), at: base / "to")
            let summary = try await download(
                ["from/a?/[yz]*.txt"], to: base / "to", at: base, options: .init())
            #expect(summary.files == 2)
            #expect(
                listDirectory(base / "to").map { String(decoding: $0, as: UTF8.self) }.sorted() == [
                    "y.txt", "z[1].txt",
                ])
            let literal = try await download(["from/a2/z[1].txt"], to: base / "one", at: base, options: .init())
            #expect(literal.files == 1)
            let escaped = try await download([#"from/a2/z\[1\].txt"#], to: base / "two", at: base, options: .init())
            #expect(escaped.files == 1)
            let recorder = Recorder()
            let none = try await download(["from/q*"], to: base / "to", at: base, options: .init(), observer: recorder)
            #expect(none.errors == 1)
            #expect(recorder.warnings == ["from/q*: No such file or directory"])
            // Several files for a target that is not there: it becomes a directory, as with OpenSSH.
            let made = try await download(["from/a?/x.txt"], to: base / "new", at: base, options: .init())
            #expect(made.errors == 0)
            #expect(listDirectory(base / "new") == [Array("x.txt".utf8)])
        }
    }

    @Test("what cannot be copied is told, and the rest is copied")
    func failures() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["good": .file([1]), "sub": .named(["also": .file([2])])]), at: base / "source")
            try makeTree(.named(["sub": .file([9])]), at: base / "there")
            let recorder = Recorder()
            let summary = try await upload(
                [base / "source", base / "missing"], to: "there", at: base,
                options: .init(recursive: true, targetMustBeDirectory: true), observer: recorder)
            #expect(summary.errors == 1)
            #expect(recorder.warnings.count == 1)
            #expect(recorder.warnings.first?.hasSuffix("missing: No such file or directory") == true)

            // A file stands where a directory should go.
            let blocked = Recorder()
            try makeTree(.file([7]), at: base / "there" / "source" / "extra")
            let again = try await upload(
                [base / "source" / "sub"], to: "there", at: base, options: .init(recursive: true), observer: blocked)
            #expect(again.errors == 1)
            #expect(blocked.warnings == ["there/sub: exists but is not a directory"])

            let gone = Recorder()
            let down = try await download(
                ["nothing", "there/source/good", "there/source"], to: base / "here", at: base, options: .init(),
                observer: gone)
            #expect(down.files == 1)
            #expect(gone.warnings.contains("nothing: No such file or directory"))
            #expect(gone.warnings.contains("there/source: not a regular file"))
        }
    }

    @Test("a server that may not write says so for each file")
    func readOnly() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file([1]), "b": .file([2])]), at: base / "source")
            try makeTree(.named([:]), at: base / "there")
            let recorder = Recorder()
            let summary = try await upload(
                [base / "source" / "a", base / "source" / "b"], to: "there", at: base,
                options: .init(targetMustBeDirectory: true), observer: recorder, arguments: ["-R"])
            #expect(summary.errors == 2)
            #expect(summary.files == 0)
            #expect(recorder.warnings.allSatisfy { $0.hasSuffix("Permission denied") })
        }
    }

    @Test("links are followed, and a link back to where it lies is no cycle")
    func links() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(
                .named(["real": .named(["file": .file([1, 2])]), "loop": .named(["f": .file([3])])]), at: base / "tree")
            #expect(symlink("real", (base / "tree" / "link").text) == 0)
            #expect(symlink("real/file", (base / "tree" / "filelink").text) == 0)
            #expect(symlink("..", (base / "tree" / "loop" / "up").text) == 0)
            let recorder = Recorder()
            let summary = try await download(
                ["tree"], to: base / "copy", at: base, options: .init(recursive: true), observer: recorder)
            #expect(summary.errors == 1)
            #expect(recorder.warnings == ["tree/loop/up: Too many levels of symbolic links"])
            #expect(listDirectory(base / "copy" / "link") == [Array("file".utf8)])
            #expect(listDirectory(base / "copy" / "loop") == [Array("f".utf8)])
        }
    }

    @Test("the directory . goes into the target, or becomes it")
    func dot() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file([1])]), at: base / "source")
            let sent = try await upload(
                [base / "source" / "."], to: "new", at: base, options: .init(recursive: true))
            #expect(sent.errors == 0)
            #expect(listDirectory(base / "new") == [Array("a".utf8)])
            try makeTree(.named([:]), at: base / "there")
            let received = try await download(
                ["source/."], to: base / "there", at: base, options: .init(recursive: true))
            #expect(received.errors == 0)
            #expect(listDirectory(base / "there") == [Array("a".utf8)])
        }
    }
}

extension BytePath {
    fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
}

@Suite("From one sftp-server to another")
struct SFTPRelayTests {
    private func relay(
        _ sources: [String], to target: String, at base: BytePath, options: Wishes,
        observer: Recorder = Recorder()
    ) async throws -> CopySummary {
        let (near, far) = (Servers(directory: base), Servers(directory: base))
        let result = await Result {
            try await SFTPRelay(from: opener(near), to: opener(far), options: options, observer: observer)
                .run(sources.map { Array($0.utf8) }, to: Array(target.utf8))
        }
        await near.end()
        await far.end()
        return try result.get()
    }

    @Test("a tree comes over whole")
    func tree() async throws {
        try await withTemporaryDirectory { base in
            var top: [String: Tree] = ["big": .file((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 5) })]
            for index in 0..<20 {
                top["d\(index)"] = .named(["f": .file(Array("\(index)".utf8)), "none": .file([]), "in": .named([:])])
            }
            try makeTree(.named(top), at: base / "source")
            let recorder = Recorder()
            let summary = try await relay(
                ["source"], to: "target", at: base, options: .init(recursive: true, preserve: true),
                observer: recorder)
            #expect(recorder.warnings == [])
            #expect(summary.files == 41)
            #expect(summary.directories == 41)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "target"))
            #expect(differences(a, b, attributes: true) == [])
        }
    }

    @Test("what cannot be copied is told, and the rest is copied")
    func failures() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file([1]), "sub": .named(["b": .file([2])])]), at: base / "source")
            try makeTree(.named(["sub": .file([9])]), at: base / "there")
            let recorder = Recorder()
            let summary = try await relay(
                ["source/a", "source/sub", "source/none*"], to: "there", at: base,
                options: .init(recursive: true, targetMustBeDirectory: true), observer: recorder)
            #expect(summary.files == 1)
            #expect(summary.errors == 2)
            #expect(recorder.warnings.contains("source/none*: No such file or directory"))
            #expect(listDirectory(base / "there").count == 2)
            await #expect(throws: CopyError.self) {
                try await relay(["source/a", "source/sub"], to: "nowhere", at: base, options: .init(recursive: true))
            }
        }
    }
}
