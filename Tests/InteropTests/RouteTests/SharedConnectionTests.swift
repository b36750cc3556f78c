import Platform
import TestSupport
import Testing

/// A connection that the installed ssh keeps for others.
private struct Master {
    let peer: Peer
    let socket: String

    init(_ peer: Peer, _ options: [String] = []) async throws {
        self.peer = peer
        socket = peer.directory.file("control")
        try await run(
            "ssh",
            ["-M", "-S", socket, "-N", "-f", "-oLogLevel=ERROR"] + options + peer.clientOptions()
                + [peer.sshDestination]
        ).success()
    }

    /// Those that lead to it; our scp takes one that is silent for long to be dead.
    var options: [String] { ["-oControlPath=\(socket)", "-oConnectTimeout=600"] }
    /// Our own connection is out of the question with these: nobody is let in.
    static let noLogin = ["-oPubkeyAuthentication=no"]

    /// Ends it and waits until its socket is gone.
    func end() async throws {
        try await run("ssh", ["-S", socket, "-O", "exit", "x"]).success()
        try await eventually("the end of \(socket)") { access(socket, F_OK) != 0 }
    }
}

@Suite("Connections of others, shared", .timeLimit(.minutes(hangMinutes)))
struct SharedConnectionTests {
    @Test(
        "A tree goes there and back over the connection that an ssh keeps, without another log-in",
        arguments: [
            "-O", "-s",
        ])
    func tree(letter: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let master = try await Master(peer)
        let tree = sampleTree(newlines: false)
        try makeTree(tree, at: peer.directory.file("source"))
        let options = [letter, "-r"] + master.options + Master.noLogin
        let up = try await peer.scp(options, [peer.directory.file("source"), peer.remote("there")])
        #expect(up.succeeded && up.errors.isEmpty, "\(up)")
        let down = try await peer.scp(options, [peer.remote("there"), peer.directory.file("back")])
        #expect(down.succeeded && down.errors.isEmpty, "\(down)")
        #expect(differences(tree, try readTree(at: peer.directory.file("back")), attributes: false) == [])
        #expect(peer.countInLog("Accepted publickey") == 1)
        try await master.end()
    }

    @Test("The path's tokens lead to the socket; a large file crosses it whole, and its errors are told")
    func large() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let master = try await Master(peer)
        try await run("ln", ["-s", master.socket, peer.directory.file("c-\(peer.port)")]).success()
        let path = "-oControlPath=\(peer.directory.path)/c-%p"
        let bytes = noise(20_000_000)
        try writeFile(bytes, at: peer.directory.file("a"))
        for letter in ["-O", "-s"] {
            let options = [letter, path, "-oConnectTimeout=600"] + Master.noLogin
            try await peer.scp(options, [peer.directory.file("a"), peer.remote("b\(letter)")]).success()
            #expect(try readFile(peer.directory.file("b\(letter)")) == bytes)
            let missing = try await peer.scp(options, [peer.remote("missing"), peer.directory.file("x")])
            expectFailure(missing, "missing: No such file", status: 1)
        }
        try await master.end()
    }

    @Test("A dead socket, one that is no socket, and one that wants no session make way for our own connection")
    func fallback() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["MaxSessions 0"])
        let open = try await Peer.openSSH(hostKeys: [.ed25519])
        let master = try await Master(peer)
        // The server gives the shared connection no sessions; the other one does.
        let full = try await open.scp(["-v"] + master.options, ["/etc/hosts", open.remote("a")])
        #expect(full.succeeded && full.errorText.contains("shared connection opens no session"), "\(full)")
        try await master.end()
        let dead = try await open.scp(["-v"] + master.options, ["/etc/hosts", open.remote("b")])
        #expect(dead.succeeded && dead.errorText.contains("Control socket \(master.socket)"), "\(dead)")
        try writeFile([1], at: master.socket)
        try await open.scp(master.options, ["/etc/hosts", open.remote("c")]).success()
        try await open.scp(["-oControlPath=none"], ["/etc/hosts", open.remote("d")]).success()
    }

    @Test("A master that a person has to agree to may say no")
    func refused() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let deny = peer.directory.file("deny")
        try writeFile(deny, text: "#!/bin/sh\nexit 1\n", mode: 0o755)
        let socket = peer.directory.file("control")
        try await run(
            "ssh",
            ["-oControlMaster=ask", "-S", socket, "-N", "-f", "-oLogLevel=QUIET"] + peer.clientOptions()
                + [peer.sshDestination],
            environment: ["SSH_ASKPASS": deny, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"]
        ).success()
        try await peer.scp(["-oControlPath=\(socket)"], ["/etc/hosts", peer.remote("a")]).success()
        #expect(peer.countInLog("Accepted publickey") == 2)
        _ = try await run("ssh", ["-S", socket, "-O", "exit", "x"])
    }

    @Test("Standard error of the far end, and variables of ours, cross the shared connection")
    func surroundings() async throws {
        let directory = try TemporaryDirectory()
        let noted = directory.file("noted")
        let peer = try await Peer.openSSH(
            hostKeys: [.ed25519],
            configuration: ["AcceptEnv SHARED_*", "ForceCommand env >\(noted); echo far words >&2; exit 4"])
        // An ssh passes on what its own SendEnv names.
        let master = try await Master(peer, ["-oSendEnv=SHARED_*"])
        let finished = try await run(
            scpBinary(),
            ["-O", "-oSendEnv=SHARED_*"] + master.options + Master.noLogin + peer.clientOptions()
                + ["/etc/hosts", peer.remote("x")], environment: ["SHARED_WORD": "here"])
        #expect(finished.status == .exited(1) && finished.errorText.contains("far words\n"), "\(finished)")
        #expect(try readText(noted).split(separator: "\n").contains("SHARED_WORD=here"))
        try await master.end()
    }
}
