import CopyEngine
import Files
import Platform
import TestSupport
import Testing

@Suite("What a copy leaves out")
struct FilterTests {
    private static let paths = [
        "a.txt", "b.o", "build/x", "build/deep/y", "sub/build/z", "sub/c.o", "sub/keep.o", "logs/old", "logs/new/w",
        "sub/more/d.txt",
    ]

    private func wishes(_ patterns: String..., configure: (inout CopyFilter) -> Void = { _ in }) -> Wishes {
        var wishes = Wishes(recursive: true)
        for pattern in patterns { wishes.filter.rules.add(Array(pattern.utf8)) }
        configure(&wishes.filter)
        return wishes
    }

    @Test("By name: the same in every mode, counted, and no error", arguments: CopyWay.all)
    func names(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.files(Self.paths), at: base / "source")
            let recorder = Recorder()
            let summary = try await way.copy(
                ["source"], to: "target", in: base, wishes("*.o", "!keep.o", "/build/", "new/"), observer: recorder)
            #expect(
                try readTree(at: base / "target").leaves
                    == ["a.txt", "sub/build/z", "sub/keep.o", "logs/old", "sub/more/d.txt"])
            #expect(recorder.warnings == [])
            #expect(summary.leftOut == 4 && summary.files == 5 && summary.errors == 0)
        }
    }

    @Test("Below a depth: what lies deeper, and its directories", arguments: CopyWay.all)
    func depth(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.files(Self.paths), at: base / "source")
            for (depth, expected) in [
                (1, ["a.txt", "b.o"]),
                (2, ["a.txt", "b.o", "build/x", "sub/c.o", "sub/keep.o", "logs/old"]),
                (3, Self.paths),
            ] {
                let summary = try await way.copy(
                    ["source"], to: "target\(depth)", in: base, wishes { $0.maximumDepth = depth })
                #expect(try readTree(at: base / "target\(depth)").leaves == Set(expected))
                #expect(summary.errors == 0)
            }
        }
    }

    @Test("By size and by time", arguments: CopyWay.all)
    func sizesAndTimes(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            let files: [String: Tree] = [
                "small": .file([1], modified: 1_000), "middle": .file(noise(100), modified: 2_000),
                "large": .file(noise(1_000), modified: 3_000),
            ]
            try makeTree(.named(files.merging(["below": .named(files)]) { $1 }), at: base / "source")
            for (number, (expected, configure)) in [
                (["middle", "large"], { $0.minimumSize = 100 }),
                (["small", "middle"], { $0.maximumSize = 100 }),
                (["large"], { $0.newerThan = FileTime(seconds: 2_000) }),
                (["small"], { $0.olderThan = FileTime(seconds: 2_000) }),
                (["middle"], { ($0.minimumSize, $0.olderThan) = (2, FileTime(seconds: 2_001)) }),
            ].enumerated() as EnumeratedSequence<[([String], (inout CopyFilter) -> Void)]> {
                let summary = try await way.copy(
                    ["source"], to: "target\(number)", in: base, wishes(configure: configure))
                #expect(
                    try readTree(at: base / "target\(number)").leaves == Set(expected + expected.map { "below/" + $0 }))
                #expect(summary.leftOut == 2 * (3 - expected.count) && summary.errors == 0)
            }
        }
    }

    @Test("A directory that the user names is copied whatever it is called, a file is not", arguments: CopyWay.all)
    func named(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.files(["build/a", "build/b.o"]), at: base / "source")
            try makeTree(.files(["x"]), at: base / "target")
            try makeTree(.file([1]), at: base / "c.o")
            try makeTree(.file([1]), at: base / "c")
            let summary = try await way.copy(
                ["source/build", "c.o", "c"], to: "target", in: base, wishes("build", "*.o"))
            #expect(try readTree(at: base / "target").leaves == ["x", "c", "build/a"])
            #expect(summary.leftOut == 2 && summary.errors == 0)
        }
    }

    @Test(
        "Patterns are about what is in a source without a name, too",
        arguments: CopyWay.all.filter { $0.source != .scp })
    func unnamed(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.files(Self.paths), at: base / "source")
            try makeTree(.files([]), at: base / "target")
            let summary = try await way.copy(
                ["source/."], to: "target", in: base, wishes("/build", "/sub/more") { $0.maximumDepth = 2 })
            #expect(
                try readTree(at: base / "target").leaves == ["a.txt", "b.o", "sub/c.o", "sub/keep.o", "logs/old"])
            #expect(summary.errors == 0)
        }
    }

    @Test(
        "What cannot be copied is no error where it is left out", arguments: CopyWay.all.filter { $0.source != .scp })
    func obstacles(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.files(["a"]), at: base / "source")
            #expect((base / "source" / "queue").withCString { mkfifo($0, 0o600) } == 0)
            #expect((base / "source" / "dangling").withCString { symlink("nowhere", $0) } == 0)
            #expect((base / "source" / "loop").withCString { symlink(".", $0) } == 0)
            let all = try await way.copy(["source"], to: "first", in: base, wishes("a"))
            #expect(all.errors == 3)
            let some = try await way.copy(["source"], to: "second", in: base, wishes("queue", "dangling", "loop"))
            #expect(some.errors == 0 && some.leftOut == 3)
            #expect(try readTree(at: base / "second").leaves == ["a"])
        }
    }
}
