import CopyEngine
import Files
import Platform
import TestSupport
import Testing

@Suite("Rules about what is at the target")
struct UpdateRuleTests {
    private func wishes(_ rule: UpdateRule, preserve: Bool = true, verify: Bool = false) -> Wishes {
        var wishes = Wishes(recursive: true, preserve: preserve)
        (wishes.update, wishes.verify) = (rule, verify)
        return wishes
    }

    /// At the source; every name says how it is at the target.
    private static let source = Tree.named([
        "same": .file([1], modified: 5_000), "missing": .file([1], modified: 5_000),
        "older": .file([1], modified: 5_000), "newer": .file([1], modified: 5_000),
        "larger": .file([1], modified: 5_000),
        "below": .named(["missing": .file([1], modified: 5_000), "older": .file([1], modified: 5_000)]),
        "absent": .named(["missing": .file([1], modified: 5_000)]),
    ])
    private static let target = Tree.named([
        "same": .file([2], modified: 5_000), "older": .file([2], modified: 4_000), "newer": .file([2], modified: 6_000),
        "larger": .file([2, 2], modified: 5_000), "below": .named(["older": .file([2], modified: 4_000)]),
        "other": .file([2], modified: 4_000),
    ])

    /// Those of them that have the source's contents after a copy.
    private func copied(_ way: CopyWay, _ wishes: Wishes) async throws -> (Set<String>, CopySummary) {
        try await withTemporaryDirectory { base in
            try makeTree(Self.source, at: base / "source")
            try makeTree(.named(["source": Self.target]), at: base / "target")
            let recorder = Recorder()
            let summary = try await way.copy(["source"], to: "target", in: base, wishes, observer: recorder)
            #expect(recorder.warnings == [])
            var copied: Set<String> = []
            for leaf in try readTree(at: base / "target" / "source").leaves {
                if try readFile(at: base / "target" / "source" / leaf) == [1] { copied.insert(leaf) }
            }
            return (copied, summary)
        }
    }

    private static let missing: Set<String> = ["missing", "below/missing", "absent/missing"]

    @Test("What is there stays", arguments: CopyWay.seeing)
    func missing(way: CopyWay) async throws {
        let (copied, summary) = try await copied(way, wishes(.ifMissing))
        #expect(copied == Self.missing)
        #expect(summary.skipped == 5 && summary.files == 3 && summary.errors == 0)
    }

    @Test("What is older is overwritten", arguments: CopyWay.seeing, [true, false])
    func newer(way: CopyWay, preserve: Bool) async throws {
        let (copied, summary) = try await copied(way, wishes(.ifNewer, preserve: preserve))
        #expect(copied == Self.missing.union(["older", "below/older"]))
        #expect(summary.skipped == 3 && summary.files == 5 && summary.errors == 0)
    }

    @Test("What has another size or time is overwritten", arguments: CopyWay.seeing)
    func unchanged(way: CopyWay) async throws {
        let (copied, summary) = try await copied(way, wishes(.unlessSame))
        #expect(copied == Self.missing.union(["older", "below/older", "newer", "larger"]))
        #expect(summary.skipped == 1 && summary.files == 7 && summary.errors == 0)
    }

    @Test("With hashes, what has other contents is overwritten, and nothing else", arguments: CopyWay.seeing)
    func hashes(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(
                .named(["a": .file([1], modified: 5_000), "b": .file([1], modified: 5_000), "c": .file([1])]),
                at: base / "source")
            try makeTree(.files([]), at: base / "target")
            try makeTree(
                .named(["a": .file([1], modified: 6_000), "b": .file([2], modified: 5_000), "c": .file([1, 2])]),
                at: base / "target" / "source")
            let summary = try await way.copy(["source"], to: "target", in: base, wishes(.unlessSame, verify: true))
            guard case .directory(let found, _, _) = try readTree(at: base / "target" / "source") else { return }
            #expect(found[Array("a".utf8)] == .file([1], mode: 0o644, modified: 6_000))
            #expect(found[Array("b".utf8)] == .file([1], mode: 0o644, modified: 5_000))
            #expect(found[Array("c".utf8)] == .file([1]))
            #expect(summary.skipped == 1 && summary.files == 2 && summary.verified == 3 && summary.errors == 0)
        }
    }

    @Test("A second copy of an unchanged tree copies nothing", arguments: CopyWay.seeing)
    func again(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(sampleTree(newlines: false, oddDirectoryNames: false), at: base / "source")
            try makeTree(.files([]), at: base / "target")
            let first = try await way.copy(["source"], to: "target", in: base, wishes(.unlessSame))
            let recorder = Recorder()
            let second = try await way.copy(["source"], to: "target", in: base, wishes(.unlessSame), observer: recorder)
            #expect(first.errors == 0 && first.files > 0 && first.skipped == 0)
            #expect(second.errors == 0 && second.files == 0 && second.skipped == first.files)
            #expect(recorder.bytes == 0)
        }
    }

    @Test("Of files named by the user, into a directory and over a name", arguments: CopyWay.seeing)
    func named(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            for name in ["a", "b", "c"] { try makeTree(.file([1]), at: base / name) }
            try makeTree(.named(["a": .file([2])]), at: base / "target")
            let summary = try await way.copy(["a", "b"], to: "target", in: base, wishes(.ifMissing))
            #expect(summary.skipped == 1 && summary.files == 1 && summary.errors == 0)
            #expect(try readFile(at: base / "target" / "a") == [2])
            #expect(try readFile(at: base / "target" / "b") == [1])
            let single = try await way.copy(["c"], to: "target/a", in: base, wishes(.ifMissing))
            #expect(single.skipped == 1 && single.files == 0 && single.errors == 0)
            #expect(try readFile(at: base / "target" / "a") == [2])
        }
    }

    @Test("A link that leads nowhere stays, and so does the first of two files of a name", arguments: CopyWay.seeing)
    func links(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file([1]), "b": .file([1])]), at: base / "source")
            try makeTree(.files([]), at: base / "target")
            try makeTree(.files([]), at: base / "target" / "source")
            #expect((base / "target" / "source" / "a").withCString { symlink("nowhere", $0) } == 0)
            let summary = try await way.copy(["source"], to: "target", in: base, wishes(.ifMissing))
            #expect(summary.skipped == 1 && summary.files == 1 && summary.errors == 0)
            #expect(listDirectory(base / "target" / "source").count == 2)

            for directory in ["one", "two"] {
                try makeTree(.named(["x": .file(bytes(directory))]), at: base / directory)
            }
            let both = try await way.copy(["one/x", "two/x"], to: "target", in: base, wishes(.ifMissing))
            #expect(both.skipped == 1 && both.files == 1 && both.errors == 0)
        }
    }

    @Test("What a link leads to counts", arguments: CopyWay.seeing)
    func followed(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file([1], modified: 5_000)]), at: base / "source")
            try makeTree(.files([]), at: base / "target")
            try makeTree(.files([]), at: base / "target" / "source")
            try makeTree(.file([2], modified: 5_000), at: base / "real")
            #expect((base / "target" / "source" / "a").withCString { symlink("../../real", $0) } == 0)
            let summary = try await way.copy(["source"], to: "target", in: base, wishes(.unlessSame))
            #expect(summary.skipped == 1 && summary.errors == 0)
        }
    }

    @Test("Where it cannot be known what is there, before anything is opened", arguments: CopyWay.End.allCases)
    func refused(source: CopyWay.End) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.files(["a"]), at: base / "source")
            for (rule, name) in [
                (UpdateRule.ifMissing, "--no-clobber"), (.ifNewer, "--update"), (.unlessSame, "--skip-unchanged"),
            ] {
                let result = await Result {
                    try await CopyWay(source: source, target: .scp).copy(
                        ["source"], to: "target", in: base, wishes(rule))
                }
                guard case .failure(let error as CopyError) = result else {
                    Issue.record("taken")
                    continue
                }
                #expect("\(error)" == "\(name): host: the SCP protocol does not tell what is at the target")
            }
            #expect(listDirectory(base).count == 1)
        }
    }

    @Test("Resuming changes what is there, which a rule may forbid")
    func resuming() async throws {
        var wishes = wishes(.ifMissing)
        wishes.resume = true
        let result = await Result { [wishes] in try await LocalCopy(options: wishes).run(["/none"], to: "/none") }
        guard case .failure(let error as CopyError) = result else {
            Issue.record("taken")
            return
        }
        #expect("\(error)" == "--no-clobber: contradicts --resume")
    }

    @Test("No file costs a request of its own where directories are there", arguments: [true, false])
    func requests(isUpload: Bool) async throws {
        try await withTemporaryDirectory { base in
            let paths = (0..<2_000).map { "\($0 % 10)/\($0)" }
            try makeTree(.files(paths), at: base / "source")
            try makeTree(.files([]), at: base / "target")
            let way = CopyWay(source: isUpload ? .local : .sftp, target: isUpload ? .sftp : .local)
            _ = try await way.copy(["source"], to: "target", in: base, wishes(.unlessSame))
            let recorder = Recorder(wantsTrace: true)
            let summary = try await way.copy(
                ["source"], to: "target", in: base, wishes(.unlessSame), observer: recorder)
            #expect(summary.skipped == 2_000 && summary.errors == 0)
            let requests = recorder.traces.count { $0.hasPrefix("sftp request") }
            #expect(requests > 0 && requests < 200, "\(recorder.traces.prefix(40))")
        }
    }

    @Test("What a lost connection left is this copy's own", arguments: [UpdateRule.ifMissing, .ifNewer, .unlessSame])
    func reconnected(rule: UpdateRule) async throws {
        try await withTemporaryDirectory { base in
            let files = Dictionary(uniqueKeysWithValues: (0..<30).map { ("\($0)", Tree.file(noise(40_000))) })
            try makeTree(.named(files), at: base / "source")
            try makeTree(.files([]), at: base / "target")
            try makeTree(.named(["7": .file([2], modified: 2_000_000_000)]), at: base / "target" / "source")
            let host = FragileHost(directory: base, budgets: [100_000, 300_000, 500_000])
            let summary = try await SFTPUpload(host: host.host, options: wishes(rule, preserve: false))
                .run([base / "source"], to: Array("target".utf8))
            await host.end()
            #expect(await host.losses.count == 3)
            #expect(summary.errors == 0 && summary.files + summary.skipped == 30)
            #expect(summary.skipped == (rule == .unlessSame ? 0 : 1))
            for name in files.keys where name != "7" {
                #expect(try readFile(at: base / "target" / "source" / name) == noise(40_000), "\(name)")
            }
        }
    }
}
