import Files
import TestSupport
import Testing

@Suite("A walk")
struct LocalWalkTests {
    @Test("leaves out what it is told to skip, and enters a directory without a name")
    func skipping() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["skip": .named(["x": .file([])]), "f": .file([])]), at: base / "d")
            let unnamed = base / "d" / "."
            for (source, handling) in [(base / "d", .entered), (unnamed, .entered), (unnamed, .replacedByEntries)]
                as [(BytePath, LocalWalk.Unnamed)]
            {
                var seen: [String] = []
                var options = LocalWalk.Options(recursive: true)
                options.unnamed = handling
                let walk = LocalWalk(sources: [source], options: options)
                while let item = walk.next() {
                    switch item {
                    case .file(let name, _): seen.append(String(decoding: name, as: UTF8.self))
                    case .leaveDirectory: seen.append("leave")
                    case .passedBy: seen.append("passed by")
                    case .failure(let error): seen.append("\(error)")
                    case .enterDirectory(let name, _, _):
                        if name == Array("skip".utf8) { walk.skipDirectory() } else { seen.append("enter") }
                    }
                }
                #expect(seen == (handling == .entered ? ["enter", "f", "leave"] : ["f"]))
            }
        }
    }

    @Test("is not stopped by a path that is too long or holds a NUL")
    func oddPaths() {
        let long = BytePath([UInt8](repeating: 97, count: 5_000))
        let walk = LocalWalk(sources: [long, BytePath([97, 0]), BytePath([])], options: .init(recursive: true))
        for ending in ["File name too long", "No such file or directory", "No such file or directory"] {
            guard case .failure(let error)? = walk.next() else {
                Issue.record("no failure")
                return
            }
            #expect("\(error)".hasSuffix(ending))
        }
        if walk.next() != nil { Issue.record("more than was asked for") }
    }
}
