import CopyEngine
import Files
import Platform
import TestSupport
import Testing

@Suite("Files that get their names when they are whole, and are on the disk")
struct WritingRuleTests {
    private var atomic: Wishes {
        var wishes = Wishes(recursive: true, preserve: true)
        (wishes.writing.isAtomic, wishes.writing.synchronizes) = (true, true)
        return wishes
    }

    /// Names of what is being written, wherever they are below a directory.
    private func parts(below directory: BytePath) throws -> [String] {
        try readTree(at: directory).leaves.filter { $0.hasSuffix(".scp-part") }.sorted()
    }

    @Test(
        "A tree arrives, over what is there and where nothing is, and nothing else is left", arguments: CopyWay.seeing)
    func trees(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            let tree = Tree.named([
                "empty": .file([]), "small": .file([1, 2], mode: 0o600), "large": .file(noise(300_000)),
                String(repeating: "n", count: 255): .file([3]), String(repeating: "n", count: 254) + "m": .file([4]),
                "below": .named(["x": .file([5], modified: 77)]),
            ])
            try makeTree(tree, at: base / "source")
            try makeTree(.named(["source": .named(["small": .file([9, 9, 9])])]), at: base / "target")
            // Left by an earlier copy that was ended, and longer.
            try makeTree(.file(noise(400_000)), at: base / "target" / "source" / ".large.scp-part")
            let summary = try await way.copy(["source"], to: "target", in: base, atomic)
            #expect(summary.errors == 0 && summary.files == 6)
            #expect(differences(tree, try readTree(at: base / "target" / "source"), attributes: true) == [])
        }
    }

    @Test(
        "What was there is not written to, and a directory's name is not taken", arguments: [CopyWay.End.local, .sftp])
    func untouched(source: CopyWay.End) async throws {
        for target in [CopyWay.End.local, .sftp] {
            try await withTemporaryDirectory { base in
                try makeTree(.named(["good": .file([1]), "dir": .file([5])]), at: base / "source")
                let there = Tree.named(["good": .file([8]), "dir": .named(["inside": .file([6])])])
                try makeTree(.named(["source": there]), at: base / "target")
                // The file that was there under another name.
                let paths = [base / "target" / "source" / "good", base / "kept"].map {
                    String(decoding: $0.bytes, as: UTF8.self)
                }
                #expect(link(paths[0], paths[1]) == 0)
                let summary = try await CopyWay(source: source, target: target).copy(
                    ["source"], to: "target", in: base, atomic)
                #expect(summary.errors == 1, "\(target)")
                #expect(try readFile(at: base / "target" / "source" / "good") == [1])
                #expect(try readFile(at: base / "kept") == [8])
                #expect(try readFile(at: base / "target" / "source" / "dir" / "inside") == [6])
                #expect(try parts(below: base / "target") == [], "\(target)")
            }
        }
    }

    @Test("A link is replaced by a file, and a device is written to")
    func links() async throws {
        try await withTemporaryDirectory { base in
            try writeFile([1], at: base / "source")
            try writeFile([2], at: base / "other")
            for (name, place) in [("link", "other"), ("null", "/dev/null")] {
                #expect(symlink(place, String(decoding: (base / name).bytes, as: UTF8.self)) == 0)
                let summary = try await CopyWay(source: .local, target: .local).copy(
                    ["source"], to: name, in: base, atomic)
                #expect(summary.errors == 0 && summary.files == 1)
            }
            #expect(try readFile(at: base / "other") == [2])
            #expect(try readFile(at: base / "link") == [1])
            #expect(try LocalFileSystem.status(of: base / "null").kind != .regular)
        }
    }

    @Test("With --no-clobber nothing is replaced", arguments: CopyWay.seeing)
    func exclusive(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file([1]), "b": .file([1])]), at: base / "source")
            try makeTree(.named(["source": .named(["a": .file([2])])]), at: base / "target")
            var wishes = atomic
            wishes.update = .ifMissing
            let summary = try await way.copy(["source"], to: "target", in: base, wishes)
            #expect(summary.errors == 0 && summary.skipped == 1 && summary.files == 1)
            #expect(try readFile(at: base / "target" / "source" / "a") == [2])
            #expect(try readFile(at: base / "target" / "source" / "b") == [1])
            #expect(try parts(below: base / "target") == [])
        }
    }

    @Test(
        "What is left of a copy is used by the next one, and what is whole is not copied again",
        arguments: CopyWay.seeing.filter { $0.source != .scp })
    func resumed(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            let bytes = noise(900_000)
            let tree = Tree.named(["done": .file(noise(200_000)), "half": .file(bytes), "small": .file([1])])
            try makeTree(tree, at: base / "source")
            try makeTree(.named(["source": tree]), at: base / "target")
            try writeFile([9], at: base / "target" / "source" / "half")
            try writeFile(Array(bytes.prefix(600_000)), at: base / "target" / "source" / ".half.scp-part")
            var wishes = atomic
            wishes.resume = true
            let recorder = Recorder()
            let summary = try await way.copy(["source"], to: "target", in: base, wishes, observer: recorder)
            #expect(summary.errors == 0)
            #expect(differences(tree, try readTree(at: base / "target" / "source"), attributes: true) == [])
            #expect(recorder.bytes == 300_000)
        }
    }

    @Test("A remote scp is not asked for what it cannot do", arguments: CopyWay.all.filter { $0.target == .scp })
    func refused(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try writeFile([1], at: base / "source")
            for wish in ["--atomic", "--fsync"] {
                var wishes = Wishes()
                (wishes.writing.isAtomic, wishes.writing.synchronizes) = (wish == "--atomic", wish == "--fsync")
                do {
                    _ = try await way.copy(["source"], to: "target", in: base, wishes)
                    Issue.record("it was not refused")
                } catch let error as CopyError {
                    #expect("\(error)".hasPrefix("\(wish): host: the SCP protocol"), "\(error)")
                }
                #expect(listDirectory(base).count == 1)
            }
        }
    }
}
