import NIOCore
import Platform
import SFTP
import Synchronization
import TestSupport
import Testing

@testable import FileServer
@testable import Files

/// Makes `root/sub` a directory and a link to `outside` by turns, on a thread of its own.
private final class Swapper: Sendable {
    private let isStopped = Atomic(false)
    private let task: Mutex<Task<Void, Never>?> = Mutex(nil)

    init(_ place: TemporaryDirectory) throws {
        try place.makeDirectory("root/sub")
        let (sub, kept) = (place.file("root/sub"), place.file("kept"))
        let task = Task<Void, Never>.detached {
            _ = try? await DiskExecutor.run {
                while !self.isStopped.load(ordering: .relaxed) {
                    _ = rename(sub, kept)
                    symlink("../outside", sub)
                    sched_yield()
                    unlink(sub)
                    _ = rename(kept, sub)
                    sched_yield()
                }
            }
        }
        self.task.withLock { $0 = task }
    }

    func end() { isStopped.store(true, ordering: .relaxed) }

    func stop() async {
        end()
        await task.withLock { $0 }?.value
    }
}

/// What the race does to `sub`, and what came of it.
private struct Outcomes {
    var done = 0
    var refused = 0
    var leaks: [String] = []

    mutating func attempt(_ body: () throws -> Void) {
        attempt("") {
            try body()
            return false
        }
    }

    /// - Parameter body: returns whether it saw something of the outside.
    mutating func attempt(_ leak: String, _ body: () throws -> Bool) {
        do {
            if try body() { leaks.append(leak) }
            done += 1
        } catch {
            refused += error as? FileError.Cause == .leadsOut ? 1 : 0
        }
    }
}

/// Does all that can be done through the path, once.
private func use(_ confined: Confined, _ outcomes: inout Outcomes) {
    let root = confined.root
    var changes = FileChanges()
    changes.mode = 0o777
    changes.times = (FileTime(seconds: 1), FileTime(seconds: 2))
    let all = changes
    outcomes.attempt { try confined.write("/sub/secret", "overwritten") }
    outcomes.attempt("read") { try confined.read("/sub/secret") == "secret" }
    outcomes.attempt("list") { try confined.names("/sub").contains("inner") }
    outcomes.attempt("stat") {
        try root.status(of: bytes("/sub/secret"), followingLinks: true).size == 6
    }
    outcomes.attempt("lstat") {
        try root.status(of: bytes("/sub/secret"), followingLinks: false).size == 6
    }
    outcomes.attempt("realpath") { try root.realPath(bytes("/sub/x")) != bytes("/sub/x") }
    outcomes.attempt {
        try root.change(bytes("/sub/secret"), all, followingLinks: true)
    }
    outcomes.attempt { try root.makeDirectory(bytes("/sub/made"), mode: 0o755) }
    outcomes.attempt {
        try root.rename(bytes("/sub/made"), to: bytes("/sub/moved"), replacing: false)
    }
    outcomes.attempt { try root.removeDirectory(bytes("/sub/moved")) }
    outcomes.attempt { try root.removeDirectory(bytes("/sub/inner")) }
    outcomes.attempt {
        try root.makeHardLink(bytes("/sub/hard"), to: bytes("/sub/secret"))
    }
    outcomes.attempt { try root.remove(bytes("/sub/hard")) }
    outcomes.attempt { try root.remove(bytes("/sub/secret")) }
}

/// - Returns: what was touched or told of the directory outside.
///
/// - Parameter isEnough: ends the race; else it ends when neither side has won for long.
private func race(
    _ confinement: DirectoryConfinement, until isEnough: @Sendable (Outcomes) -> Bool
) async throws -> Outcomes {
    let confined = try Confined(confinement)
    let outside = confined.place.file("outside")
    try confined.place.makeDirectory("outside/inner")
    var before = stat()
    stat("\(outside)/secret", &before)
    /// What has been done outside.
    func touched() throws -> [String] {
        var marks: [String] = []
        var after = stat()
        if stat("\(outside)/secret", &after) != 0 {
            marks.append("removed")
        } else {
            if try readText("\(outside)/secret") != "secret" { marks.append("written") }
            if after.st_mode != before.st_mode { marks.append("mode") }
            if FileStatus(after).modified != FileStatus(before).modified { marks.append("times") }
            if after.st_nlink != 1 { marks.append("linked") }
        }
        if access("\(outside)/inner", F_OK) != 0 { marks.append("rmdir") }
        for name in ["made", "moved", "hard"] where access("\(outside)/\(name)", F_OK) == 0 {
            marks.append("made \(name)")
        }
        return marks
    }
    let swapper = try Swapper(confined.place)
    defer { swapper.end() }
    var outcomes = Outcomes()
    let deadline = ContinuousClock.now + patience
    while !isEnough(outcomes), ContinuousClock.now < deadline {
        // On a thread of its own: it has to keep up with the other.
        outcomes = try await DiskExecutor.run { [outcomes] in
            var outcomes = outcomes
            for _ in 0..<100 { use(confined, &outcomes) }
            return outcomes
        }
        // What is done outside at once hides what would have been seen of it.
        outcomes.leaks += try touched()
        if !outcomes.leaks.isEmpty { break }
    }
    await swapper.stop()
    outcomes.leaks += try touched()
    return outcomes
}

@Suite("While a directory is swapped for a link that leads out", .timeLimit(.minutes(hangMinutes)), .serialized)
struct DirectoryRaceTests {
    @Test("nothing outside is read or touched", arguments: confinements)
    func confined(confinement: DirectoryConfinement) async throws {
        let outcomes = try await race(confinement) { $0.done >= 3_000 && $0.refused >= 3_000 }
        #expect(outcomes.leaks.isEmpty)
        // Both sides of the race were seen.
        #expect(outcomes.done >= 3_000 && outcomes.refused >= 3_000, "\(outcomes)")
    }

    @Test("the same uses do reach outside where nothing confines them")
    func unconfined() async throws {
        let outcomes = try await race(.none) { !$0.leaks.isEmpty }
        #expect(!outcomes.leaks.isEmpty)
    }

    @Test("a client that reads, writes and removes through the path gets nothing of it", arguments: confinements)
    func client(confinement: DirectoryConfinement) async throws {
        try await withSFTP(confinement) { client, place in
            try place.makeDirectory("outside")
            try writeFile(place.file("outside/secret"), text: "secret")
            let swapper = try Swapper(place)
            defer { swapper.end() }
            var (written, denied) = (0, 0)
            let deadline = ContinuousClock.now + patience
            while written < 300 || denied < 300, ContinuousClock.now < deadline {
                let code = try await status {
                    let handle = try await client.open(bytes("/sub/secret"), [.read, .write, .create])
                    try await client.write(handle, at: 100, ByteBuffer(string: "mine"))
                    let data = try await client.read(handle, at: 0, length: 6)
                    #expect(data == ByteBuffer(repeating: 0, count: 6))
                    try await client.close(handle)
                }
                written += code == nil ? 1 : 0
                denied += code == .permissionDenied ? 1 : 0
                _ = try await status { try await client.remove(bytes("/sub/secret")) }
            }
            await swapper.stop()
            #expect(written >= 300 && denied >= 300, "\(written) \(denied)")
            #expect(try readText(place.file("outside/secret")) == "secret")
        }
    }
}
