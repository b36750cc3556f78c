import CopyEngine
import TestSupport
import Testing

@Suite("A tree, whatever the two ends are")
struct CopyWayTests {
    @Test("arrives whole", arguments: CopyWay.all)
    func tree(way: CopyWay) async throws {
        try await withTemporaryDirectory { base in
            let paths = (0..<40).map { "\($0 % 3)/\($0 % 7)/\($0)" } + ["a", "b", "c/d", "c/e"]
            try makeTree(.files(paths), at: base / "source")
            try makeTree(.file([1]), at: base / "file")
            try makeTree(.files([]), at: base / "target")
            let recorder = Recorder()
            _ = try await way.copy(
                ["source", "file"], to: "target", in: base, Wishes(recursive: true, preserve: true),
                observer: recorder)
            #expect(recorder.warnings == [])
            let (sent, copied) = (try readTree(at: base / "source"), try readTree(at: base / "target" / "source"))
            #expect(differences(sent, copied, attributes: true) == [])
            #expect(try readFile(at: base / "target" / "file") == [1])
        }
    }
}
