import TestSupport
import Testing

@Suite("What a copy is asked to choose", .timeLimit(.minutes(hangMinutes)))
struct ChoosingTests {
    /// A server, and what is spoken with it.
    struct Place: Sendable, CustomTestStringConvertible {
        enum Server { case openSSH, dropbear, scpd }

        let server: Server
        let bySCP: Bool

        static let all = [Server.openSSH, .dropbear, .scpd].flatMap { server in
            [false, true].map { Place(server: server, bySCP: $0) }
        }.filter { $0.server != .dropbear || Peer.dropbearIsAvailable }

        var testDescription: String { "\(server)\(bySCP ? ", -O" : "")" }

        func start() async throws -> RunningHost {
            switch server {
            case .openSSH: RunningHost(try await Peer.openSSH(hostKeys: [.ed25519]))
            case .dropbear: RunningHost(try await Peer.dropbear(hostKeys: [.ed25519]))
            case .scpd: RunningHost(try await ScpdServer.start())
            }
        }
    }

    private static let source = Tree.named([
        "a.txt": .file(noise(10_000)), "b.o": .file(noise(300_000)), "empty": .file([]),
        "build": .named(["x": .file([1]), "y": .named(["z": .file([2])])]),
        "sub": .named([
            "build": .file([3]), "c.o": .file([4]), "keep.o": .file([5]), "old": .file([6], modified: 1_000),
        ]),
    ])

    /// Copies there or back; what is left out is no error, and nothing is said of it.
    private func copy(
        _ place: Place, up isUpload: Bool, _ options: [String], of source: Tree = source
    ) async throws -> Tree {
        let server = try await place.start()
        let (from, to) = (isUpload ? RunningHost.Place.here : .there, isUpload ? RunningHost.Place.there : .here)
        try makeTree(source, at: server.path(from, "source"))
        let finished = try await server.copy(
            up: isUpload, "source", "target", port: server.port, (place.bySCP ? ["-O", "-r"] : ["-r"]) + options)
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        return try readTree(at: server.path(to, "target"))
    }

    @Test("Patterns leave files and directories out", arguments: Place.all, [true, false])
    func patterns(place: Place, isUpload: Bool) async throws {
        let copied = try await copy(
            place, up: isUpload, ["--exclude", "*.o", "--include", "keep.o", "--exclude", "/build"])
        let expected = Tree.named([
            "a.txt": .file(noise(10_000)), "empty": .file([]),
            "sub": .named(["build": .file([3]), "keep.o": .file([5]), "old": .file([6])]),
        ])
        #expect(differences(expected, copied, attributes: false) == [])
    }

    @Test("Depth, size and age leave files out", arguments: Place.all, [true, false])
    func bounds(place: Place, isUpload: Bool) async throws {
        let copied = try await copy(
            place, up: isUpload,
            ["--max-depth", "2", "--min-size=1", "--max-size=100K", "--newer-than", "2000-01-01"])
        let expected = Tree.named([
            "a.txt": .file(noise(10_000)), "build": .named(["x": .file([1])]),
            "sub": .named(["build": .file([3]), "c.o": .file([4]), "keep.o": .file([5])]),
        ])
        #expect(differences(expected, copied, attributes: false) == [])
    }

    @Test("Between two servers, and how much was left out is said at -v", arguments: [[], ["-O"]])
    func relay(options: [String]) async throws {
        let peer = try await Peer.openSSH()
        try makeTree(Self.source, at: peer.directory.file("source"))
        let finished = try await peer.scp(
            options + ["-r", "-v", "--exclude=*.o", "--exclude=build/"],
            [peer.remote("source"), peer.remote("target")])
        #expect(finished.succeeded, "\(finished)")
        #expect(finished.errorText.contains("debug1: 4 left out\n"), "\(finished)")
        #expect(Set(listDirectory(peer.directory.file("target"))) == [bytes("a.txt"), bytes("empty"), bytes("sub")])
        #expect(Set(listDirectory(peer.directory.file("target/sub"))) == [bytes("build"), bytes("old")])
    }

    @Test(
        "What the first server's own scp would have to do is refused",
        arguments: ["--exclude=x", "--resume", "--verify"])
    func direct(option: String) async throws {
        let peer = try await Peer.openSSH()
        try writeFile([1], at: peer.directory.file("a"))
        let finished = try await peer.scp(["-R", option], [peer.remote("a"), peer.remote("b")])
        expectFailure(finished, "with -R its own scp copies, which does not know of it", status: 1)
        #expect(listDirectory(peer.directory.path).contains(bytes("b")) == false)
    }

    // MARK: What is at the target

    private static let files = Tree.named([
        "older": .file([1], modified: 5_000), "newer": .file([1], modified: 5_000),
        "same": .file([1], modified: 5_000), "missing": .file([1], modified: 5_000),
    ])
    private static let present = Tree.named([
        "older": .file([2], modified: 4_000), "newer": .file([2], modified: 6_000),
        "same": .file([2], modified: 5_000),
    ])

    @Test(
        "A rule says what of the target is overwritten", arguments: Place.all,
        [
            ("--no-clobber", ["missing"]), ("--update", ["missing", "older"]),
            ("--skip-unchanged", ["missing", "newer", "older"]),
        ])
    func rules(place: Place, rule: (option: String, copied: [String])) async throws {
        for isUpload in place.bySCP ? [false] : [true, false] {
            let server = try await place.start()
            let (from, to) = (isUpload ? RunningHost.Place.here : .there, isUpload ? RunningHost.Place.there : .here)
            try makeTree(Self.files, at: server.path(from, "source"))
            try makeTree(.named(["source": Self.present]), at: server.path(to, "target"))
            let finished = try await server.copy(
                up: isUpload, "source", "target", port: server.port,
                (place.bySCP ? ["-O"] : []) + ["-r", "-p", rule.option])
            #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
            let copied = try ["missing", "newer", "older", "same"].filter {
                try readFile(server.path(to, "target/source/\($0)")) == [1]
            }
            #expect(copied == rule.copied)
        }
    }

    @Test("A remote scp does not tell what it has: one line, before anybody is asked for a password")
    func refused() async throws {
        let peer = try await Peer.openSSH()
        try writeFile([1], at: peer.directory.file("a"))
        for rule in ["--no-clobber", "--update", "--skip-unchanged"] {
            for source in [peer.directory.file("a"), peer.remote("a")] {
                let finished = try await peer.scp(["-O", rule], [source, peer.remote("b")])
                expectFailure(
                    finished, "\(rule): 127.0.0.1: the SCP protocol does not tell what is at the target", status: 1)
            }
        }
        #expect(peer.countInLog("Accepted") == 0)
        #expect(!listDirectory(peer.directory.path).contains(bytes("b")))
    }

    @Test("Where a server has no SFTP, rules are refused for uploads", .enabled(if: Peer.dropbearIsAvailable))
    func fallback() async throws {
        let peer = try await Peer.dropbear(hasSFTP: false)
        try writeFile([1], at: peer.directory.file("a"))
        let finished = try await peer.scp(["-q", "--update"], [peer.directory.file("a"), peer.remote("b")])
        expectFailure(finished, "--update: 127.0.0.1: the SCP protocol does not tell what is at the target", status: 1)
        #expect(!listDirectory(peer.directory.path).contains(bytes("b")))
    }

    @Test("A dry run lists sizes and paths, and copies nothing", arguments: Place.all, [true, false])
    func dryRun(place: Place, isUpload: Bool) async throws {
        let server = try await place.start()
        let (from, to) = (isUpload ? RunningHost.Place.here : .there, isUpload ? RunningHost.Place.there : .here)
        try makeTree(Self.source, at: server.path(from, "source"))
        let finished = try await server.copy(
            up: isUpload, "source", "target", port: server.port,
            (place.bySCP ? ["-O"] : []) + ["-r", "--dry-run", "--exclude=*.o", "--max-depth=1"])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        let lines = Set(
            finished.outputText.split(separator: "\n").map { $0.split(separator: "/").last.map(String.init) })
        #expect(lines == ["a.txt", "empty"] && finished.outputText.contains("10000\t"), "\(finished)")
        #expect(throws: (any Error).self) { try readTree(at: server.path(to, "target")) }
    }

    @Test("Statistics are one line at the end, whatever came of the copy")
    func statistics() async throws {
        let peer = try await Peer.openSSH()
        try makeTree(Self.source, at: peer.directory.file("source"))
        let options = ["-q", "-r", "-p", "--stats", "--exclude=*.o", "--no-clobber"]
        let operands = [peer.directory.file("source"), peer.remote("target")]
        let plan = try await peer.scp(options + ["--dry-run"], operands)
        #expect(
            plan.errorText == "scp: would copy 6 files, 10004 bytes; 0 skipped, 3 left out, 0 verified, 0 errors\n")
        let first = try await peer.scp(options, operands)
        #expect(first.errorText.hasPrefix("scp: copied 6 files, 10004 bytes in "), "\(first)")
        #expect(first.errorText.hasSuffix("; 0 skipped, 3 left out, 0 verified, 0 errors\n"), "\(first)")
        let second = try await peer.scp(
            options, [peer.directory.file("missing"), peer.directory.file("source") + "/.", peer.remote("target")])
        #expect(second.status == .exited(1))
        #expect(second.errorText.hasSuffix("; 6 skipped, 3 left out, 0 verified, 1 errors\n"), "\(second)")
    }

    @Test("Between two servers, and by hash", arguments: [[], ["--verify"]])
    func relayedRules(options: [String]) async throws {
        let peer = try await Peer.openSSH()
        try makeTree(Self.files, at: peer.directory.file("source"))
        let operands = [peer.remote("source"), peer.remote("target")]
        try await peer.scp(["-r", "-p"], operands).success()
        try writeFile([2], at: peer.directory.file("target/newer"))
        let finished = try await peer.scp(
            ["-r", "-p", "-v", "--skip-unchanged"] + options, [peer.remote("source/."), peer.remote("target")])
        #expect(finished.succeeded && finished.errorText.contains("debug1: 3 skipped\n"), "\(finished)")
        #expect(try readFile(peer.directory.file("target/newer")) == [1])
    }
}
