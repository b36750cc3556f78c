import CopyEngine
import Files
import TestSupport
import Testing

@Suite("A dry run")
struct DryRunTests {
    private static let names = ["a", "b", "c.o", "d.txt", "build"]
    private static let patterns = ["*.o", "!c.o", "build/", "/a", "b/*", "**/b", "d*", "/build/**", "!*.txt"]

    /// A tree whose files hold one byte more often than not, to tell from which end they are.
    private func tree(_ mark: UInt8, depth: Int, _ random: inout SeededGenerator) -> Tree {
        var entries: [String: Tree] = [:]
        for name in Self.names where Int.random(in: 0..<3, using: &random) > 0 {
            if depth > 0, name != "d.txt", Bool.random(using: &random) {
                entries[name] = tree(mark, depth: depth - 1, &random)
            } else {
                let size = Int.random(in: 1...3, using: &random)
                entries[name] = .file(
                    [UInt8](repeating: mark, count: size), modified: 1_000 * Int.random(in: 1...3, using: &random))
            }
        }
        return .named(entries)
    }

    /// The tree as it is over another one, where a file stands in no directory's place, nor the reverse.
    private func fitting(_ target: Tree, to source: Tree) -> Tree {
        guard case .directory(var entries, let mode, let modified) = target, case .directory(let others, _, _) = source
        else { return target }
        for (name, entry) in entries {
            guard let other = others[name] else { continue }
            switch (entry, other) {
            case (.directory, .directory): entries[name] = fitting(entry, to: other)
            case (.file, .file): break
            default: entries[name] = nil
            }
        }
        return .directory(entries, mode: mode, modified: modified)
    }

    private func wishes(_ way: CopyWay, _ random: inout SeededGenerator) -> Wishes {
        var wishes = Wishes(recursive: true, preserve: Bool.random(using: &random))
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            if let pattern = Self.patterns.randomElement(using: &random) { wishes.filter.rules.add(bytes(pattern)) }
        }
        if Int.random(in: 0..<4, using: &random) == 0 { wishes.filter.maximumDepth = 2 }
        if Int.random(in: 0..<4, using: &random) == 0 { wishes.filter.minimumSize = 2 }
        if Int.random(in: 0..<4, using: &random) == 0 { wishes.filter.newerThan = FileTime(seconds: 1_500) }
        if way.target != .scp {
            wishes.update = [.always, .ifMissing, .ifNewer, .unlessSame].randomElement(using: &random) ?? .always
        }
        return wishes
    }

    @Test("lists what the copy copies, and changes nothing", arguments: CopyWay.all)
    func sameAsCopy(way: CopyWay) async throws {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<8 {
            let source = tree(1, depth: 3, &random)
            let there = fitting(tree(2, depth: 3, &random), to: source)
            var wishes = wishes(way, &random)
            try await withTemporaryDirectory { base in
                try makeTree(source, at: base / "source")
                // Sometimes there is nothing at the target.
                let exists = Bool.random(using: &random)
                if exists { try makeTree(.named(["source": there]), at: base / "target") }
                let before = try readTree(at: base)

                let recorder = Recorder()
                wishes.isDryRun = true
                let planned = try await way.copy(["source"], to: "target", in: base, wishes, observer: recorder)
                #expect(differences(before, try readTree(at: base), attributes: true) == [])

                wishes.isDryRun = false
                let copied = try await way.copy(["source"], to: "target", in: base, wishes)
                #expect(planned == copied && copied.errors == 0)
                let place = exists ? base / "target" / "source" : base / "target"
                var changed: Set<String> = []
                for leaf in (try? readTree(at: place).leaves) ?? [] where !leaf.hasSuffix("/") {
                    if try readFile(at: place / leaf).first == 1 { changed.insert(leaf) }
                }
                let prefixes = ["source/", "\(base)/source/"]
                let listed = recorder.planned.map { path in
                    String(path.dropFirst(prefixes.first(where: path.hasPrefix)?.count ?? 0))
                }
                #expect(Set(listed) == changed, "\(wishes)")
            }
        }
    }

    @Test("compares hashes where they decide", arguments: CopyWay.seeing)
    func hashes(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["same": .file([1]), "other": .file([1])]), at: base / "source")
            try makeTree(.files([]), at: base / "target")
            try makeTree(.named(["same": .file([1]), "other": .file([2])]), at: base / "target" / "source")
            var wishes = Wishes(recursive: true)
            (wishes.update, wishes.verify, wishes.isDryRun) = (.unlessSame, true, true)
            let summary = try await way.copy(["source"], to: "target", in: base, wishes)
            #expect(summary.files == 1 && summary.skipped == 1 && summary.errors == 0)
            #expect(try readFile(at: base / "target" / "source" / "other") == [2])
        }
    }

    @Test("of several sources to a directory that is not there makes none", arguments: [CopyWay.End.local, .sftp])
    func missingTarget(target: CopyWay.End) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.files(["x"]), at: base / "source")
            try makeTree(.file([1]), at: base / "file")
            var wishes = Wishes(recursive: true)
            (wishes.isDryRun, wishes.targetMustBeDirectory) = (true, target == .sftp)
            let way = CopyWay(source: .local, target: target)
            let summary = try await way.copy(["source", "file"], to: "target", in: base, wishes)
            #expect(summary.files == 2 && summary.errors == 0)
            #expect(listDirectory(base).count == 2)
        }
    }
}
