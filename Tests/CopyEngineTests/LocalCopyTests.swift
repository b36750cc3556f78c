import CopyEngine
import Files
import NIOCore
import Platform
import TestSupport
import Testing

@Suite("A local copy")
struct LocalCopyTests {
    @Test("copies a tree with its modes and times")
    func tree() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(sampleTree(), at: base / "a")
            let summary = try await LocalCopy(options: .init(recursive: true, preserve: true))
                .run([base / "a"], to: base / "b")
            #expect(summary.errors == 0)
            #expect(
                differences(try readTree(at: base / "a"), try readTree(at: base / "b"), attributes: true) == [])
        }
    }

    @Test("overwrites, and shortens what it overwrites")
    func overwriting() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1, 2]), at: base / "a")
            try makeTree(.file(noise(500_000)), at: base / "b")
            _ = try await LocalCopy().run([base / "a"], to: base / "b")
            #expect(try readFile(at: base / "b") == [1, 2])
        }
    }

    @Test("refuses to copy a file onto itself, by whatever name")
    func sameFile() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1, 2]), at: base / "a")
            _ = (base / "b").withCString { symlink("a", $0) }
            try makeTree(.named(["x": .file([3])]), at: base / "d")
            let observer = Recorder()
            let copy = LocalCopy(options: .init(recursive: true), observer: observer)
            for (source, target) in [("a", "a"), ("a", "b"), ("b", "a"), ("a", ""), ("d", "")] {
                #expect(try await copy.run([base / source], to: base / target).errors == 1, "\(source) \(target)")
            }
            #expect(observer.warnings.allSatisfy { $0.hasSuffix("are the same file") })
            #expect(try readFile(at: base / "a") == [1, 2])
        }
    }

    @Test("of a directory into itself ends, with a message")
    func intoItself() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["x": .file([3])]), at: base / "d")
            let observer = Recorder()
            let copy = LocalCopy(options: .init(recursive: true), observer: observer)
            #expect(try await copy.run([base / "d"], to: base / "d" / "copy").errors == 1)
            #expect(observer.warnings.first?.contains("into itself") == true)
            #expect(try readFile(at: base / "d" / "copy" / "x") == [3])
        }
    }

    @Test("goes on after an error, and needs a directory for several sources if told so")
    func errors() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1]), at: base / "a")
            try makeTree(.named([:]), at: base / "d")
            let copy = LocalCopy(options: .init(targetMustBeDirectory: true))
            let summary = try await copy.run([base / "no", base / "d", base / "a"], to: base / "d")
            #expect(summary.errors == 2)
            #expect(summary.files == 1)
            await #expect(throws: CopyError.self) { try await copy.run([base / "a"], to: base / "a") }
        }
    }

    @Test("of a large file of holes takes no room")
    func sparse() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1]), at: base / "a")
            _ = (base / "a").withCString { truncate($0, 3 << 30) }
            let summary = try await LocalCopy().run([base / "a"], to: base / "b")
            #expect(summary.bytes == 3 << 30)
            var status = stat()
            _ = (base / "b").withCString { stat($0, &status) }
            #expect(status.st_size == 3 << 30)
            #expect(status.st_blocks * 512 < 1 << 20)
        }
    }
}
