import TestSupport
import Testing

@Suite("Our scp as what a server runs, the installed scp -O as client", .timeLimit(.minutes(hangMinutes)))
struct ServerSideTests {
    /// An sshd whose `scp` is ours, put in its place by a forced command.
    private func start() async throws -> Peer {
        let ours = try scpBinary()
        let script = #"eval "exec '\#(ours)' ${SSH_ORIGINAL_COMMAND#scp }""#
        return try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["ForceCommand \(script)"])
    }

    private func installed(_ peer: Peer, _ options: [String], _ operands: [String]) async throws -> Finished {
        try await run("scp", ["-O"] + options + peer.clientOptions() + ["--"] + operands)
    }

    @Test("A tree goes there and comes back as it was")
    func tree() async throws {
        let peer = try await start()
        let tree = sampleTree(newlines: false)
        try makeTree(tree, at: peer.directory.file("source"))
        let up = try await installed(peer, ["-r", "-p"], [peer.directory.file("source"), peer.remote("there")])
        #expect(up.succeeded, "\(up)\n\(peer.log)")
        #expect(differences(tree, try readTree(at: peer.directory.file("there")), attributes: true) == [])
        let down = try await installed(peer, ["-r", "-p"], [peer.remote("there"), peer.directory.file("back")])
        #expect(down.succeeded, "\(down)\n\(peer.log)")
        #expect(differences(tree, try readTree(at: peer.directory.file("back")), attributes: true) == [])
    }

    @Test("Several files go into a directory, and patterns are expanded there")
    func severalFiles() async throws {
        let peer = try await start()
        for name in ["a 1", "a 2", "b"] { try writeFile(Array(name.utf8), at: peer.directory.file(name)) }
        try peer.directory.makeDirectory("there")
        try peer.directory.makeDirectory("back")
        let names = ["a 1", "a 2", "b"].map { peer.directory.file($0) }
        try await installed(peer, [], names + [peer.remote("there")]).success()
        #expect(listDirectory(peer.directory.file("there")).count == 3)
        try await installed(peer, [], [peer.remote("there/a*"), peer.directory.file("back")]).success()
        #expect(Set(listDirectory(peer.directory.file("back"))) == [Array("a 1".utf8), Array("a 2".utf8)])
    }

    @Test("What is missing, or no file, or in the way there, reaches the client's person")
    func failures() async throws {
        let peer = try await start()
        try writeFile([1], at: peer.directory.file("file"))
        try peer.directory.makeDirectory("directory")
        let source = peer.directory.file("file")
        let missing = try await installed(peer, [], [peer.remote("missing"), peer.directory.file("x")])
        #expect(missing.status == .exited(1) && missing.errorText.contains("missing: No such file"), "\(missing)")
        let directory = try await installed(peer, [], [peer.remote("directory"), peer.directory.file("x")])
        #expect(directory.status == .exited(1) && directory.errorText.contains("not a regular file"), "\(directory)")
        let noDirectory = try await installed(peer, [], [source, source, peer.remote("file")])
        #expect(noDirectory.status == .exited(1) && noDirectory.errorText.contains("Not a directory"), "\(noDirectory)")
        let noParent = try await installed(peer, [], [source, peer.remote("none/x")])
        #expect(noParent.status == .exited(1) && noParent.errorText.contains("none/x: No such file"), "\(noParent)")
    }

    @Test("Ours at both ends copies a tree there and back, newlines in names and all")
    func both() async throws {
        let peer = try await start()
        let tree = sampleTree()
        try makeTree(tree, at: peer.directory.file("source"))
        try await peer.scp(["-O", "-r", "-p"], [peer.directory.file("source"), peer.remote("there")]).success()
        #expect(differences(tree, try readTree(at: peer.directory.file("there")), attributes: true) == [])
        try await peer.scp(["-O", "-r", "-p"], [peer.remote("there"), peer.directory.file("back")]).success()
        #expect(differences(tree, try readTree(at: peer.directory.file("back")), attributes: true) == [])
    }
}
