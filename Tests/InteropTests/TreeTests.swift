import TestSupport
import Testing

/// A server that trees are copied to and from.
enum ServerKind: CaseIterable {
    case openSSH
    case dropbear

    static let available = allCases.filter { $0 == .openSSH || Peer.dropbearIsAvailable }

    func start(_ address: Loopback = .ipv4) async throws -> Peer {
        switch self {
        case .openSSH: try await Peer.openSSH(address)
        case .dropbear: try await Peer.dropbear(address)
        }
    }
}

@Suite("Trees there and back", .timeLimit(.minutes(hangMinutes)))
struct TreeTests {
    @Test(
        "scp -rp keeps contents, odd names, modes and times, both ways", arguments: ServerKind.available,
        Loopback.available)
    func sample(kind: ServerKind, address: Loopback) async throws {
        try await check(sampleTree(), on: kind.start(address), bySFTP: true)
        try await check(sampleTree(newlines: false), on: kind.start(address), ["-O"])
    }

    @Test("Newlines in names, which no SCP record can hold, survive the way to OpenSSH's scp and back")
    func newlines() async throws {
        let peer = try await Peer.openSSH()
        let tree = Tree.named(["a\nb": .file([1]), "c\nd": .named(["\n": .file([2])])])
        try makeTree(tree, at: peer.directory.file("source"))
        try await peer.scp(["-Orp"], [peer.directory.file("source"), peer.remote("there")]).success()
        // OpenSSH's sink keeps the form in which such names travel.
        #expect(Set(listDirectory(peer.directory.file("there"))) == [Array(#"a\^Jb"#.utf8), Array(#"c\^Jd"#.utf8)])
        try await peer.scp(["-Orp"], [peer.remote("there"), peer.directory.file("back")]).success()
        #expect(differences(tree, try readTree(at: peer.directory.file("back")), attributes: true) == [])
    }

    @Test("Thousands of small files arrive, both ways")
    func smallFiles() async throws {
        try await check(treeOfSmallFiles(testsReleaseBinary ? 10_000 : 2_000), on: ServerKind.openSSH.start())
    }

    private func check(_ made: Tree, on peer: Peer, _ options: [String] = [], bySFTP: Bool = false) async throws {
        try makeTree(made, at: peer.directory.file("source"))
        let tree = bySFTP ? made.asCopiedBySFTP : made
        let up = try await peer.scp(options + ["-r", "-p"], [peer.directory.file("source"), peer.remote("there")])
        #expect(up.succeeded && up.errors.isEmpty, "\(up)\n\(peer.log)")
        let there = try readTree(at: peer.directory.file("there"))
        #expect(differences(tree, there, attributes: true) == [])
        let down = try await peer.scp(options + ["-r", "-p"], [peer.remote("there"), peer.directory.file("back")])
        #expect(down.succeeded && down.errors.isEmpty, "\(down)\n\(peer.log)")
        let back = try readTree(at: peer.directory.file("back"))
        #expect(differences(tree, back, attributes: true) == [])
    }

    @Test("A tree whose target exists goes into it under its own name, a directory without times to keep gets new ones")
    func intoExisting() async throws {
        let peer = try await Peer.openSSH()
        try makeTree(.named(["a": .named(["b": .file([1])])]), at: peer.directory.file("source"))
        try peer.directory.makeDirectory("target")
        try await peer.scp(["-r"], [peer.directory.file("source"), peer.remote("target")]).success()
        #expect(try readFile(peer.directory.file("target/source/a/b")) == [1])
        try peer.directory.makeDirectory("back")
        try await peer.scp(["-r"], [peer.remote("target/source"), peer.directory.file("back")]).success()
        guard case .directory(_, _, let modified) = try readTree(at: peer.directory.file("back/source")) else {
            Issue.record("no directory")
            return
        }
        #expect(modified > 1_600_000_000)
    }

    @Test(
        "A sparse file far larger than memory allows keeps its size, its content and its holes",
        arguments: [true, false])
    func sparse(isUpload: Bool) async throws {
        let peer = try await Peer.openSSH()
        let (source, target) = (peer.directory.file("source"), peer.directory.file("target"))
        let size = testsReleaseBinary ? 3 << 30 : 300 << 20
        try await run("truncate", ["-s", "\(size)", source]).success()
        for place in [0, size / 2, size - 1] {
            try await run(
                "dd", ["of=\(source)", "bs=1", "seek=\(place)", "conv=notrunc", "status=none"], input: [7]
            ).success()
        }
        let operands = isUpload ? [source, peer.remote("target")] : [peer.remote("source"), target]
        let finished = try await peer.scp(operands)
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        try await run("cmp", [source, target]).success()
        // The installed scp at the other end of an upload fills the holes.
        if !isUpload {
            let blocks = try await run("stat", ["-c", "%b", target]).success().outputText
            #expect(Int(blocks.dropLast()) ?? .max < size / 512 / 10, "\(blocks) blocks")
        }
    }

    @Test("What is copied from a remote host to a remote host passes through here unchanged")
    func remoteToRemote() async throws {
        let peer = try await Peer.openSSH()
        let tree = sampleTree(newlines: false)
        try makeTree(tree, at: peer.directory.file("source"))
        let finished = try await peer.scp(["-3", "-r", "-p"], [peer.remote("source"), peer.remote("target")])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)\n\(peer.log)")
        #expect(
            differences(tree.asCopiedBySFTP, try readTree(at: peer.directory.file("target")), attributes: true) == [])
    }
}
