import Platform
import TestSupport
import Testing

@Suite("Servers with SFTP, without it, and by other hands", .timeLimit(.minutes(hangMinutes)))
struct ServerKindTests {
    /// Copies a tree there and back and compares.
    private func roundTrip(_ options: [String], _ peer: Peer, newlines: Bool) async throws -> [Finished] {
        let tree = sampleTree(newlines: newlines)
        try makeTree(tree, at: peer.directory.file("source"))
        let up = try await peer.scp(options + ["-rp"], [peer.directory.file("source"), peer.remote("there")])
        #expect(up.succeeded, "\(up)\n\(peer.log)")
        try check("there")
        let down = try await peer.scp(options + ["-rp"], [peer.remote("there"), peer.directory.file("back")])
        #expect(down.succeeded, "\(down)\n\(peer.log)")
        try check("back")
        return [up, down]

        func check(_ name: String) throws {
            // By SFTP, OpenSSH and ours keep no set-group-ID bit.
            let found = differences(tree, try readTree(at: peer.directory.file(name)), attributes: true)
            #expect(found.filter { !$0.contains("2755: mode") } == [])
        }
    }

    /// A server without SFTP in one of the ways there are.
    enum WithoutSFTP: CaseIterable, Sendable {
        /// sshd that has no such subsystem.
        case unknownSubsystem
        /// sshd whose subsystem cannot be started.
        case missingProgram
        /// sshd whose subsystem ends without a word.
        case silentProgram
        /// Dropbear on a machine without `sftp-server`.
        case dropbear

        static let available = allCases.filter { $0 != .dropbear || Peer.dropbearIsAvailable }

        func start() async throws -> Peer {
            switch self {
            case .unknownSubsystem:
                try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["Subsystem other internal-sftp"])
            case .missingProgram:
                try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["Subsystem sftp /nonexistent/sftp-server"])
            case .silentProgram:
                try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["Subsystem sftp /bin/true"])
            case .dropbear: try await Peer.dropbear(hostKeys: [.ed25519], hasSFTP: false)
            }
        }
    }

    @Test("A server without SFTP is spoken to by the SCP protocol", arguments: WithoutSFTP.available)
    func fallsBack(kind: WithoutSFTP) async throws {
        let peer = try await kind.start()
        for finished in try await roundTrip(["-v"], peer, newlines: false) {
            #expect(finished.errorText.contains("falling back to the scp protocol"), "\(finished)")
            #expect(finished.errorText.contains("Sending command: scp -v -r -p -"), "\(finished)")
        }
        let quiet = try await peer.scp([peer.knownHosts, peer.remote("copy")])
        #expect(quiet.succeeded && quiet.errorText.contains("falling back to the scp protocol"), "\(quiet)")
    }

    @Test("-s takes nothing but SFTP, and points to -O", arguments: WithoutSFTP.available, [true, false])
    func insists(kind: WithoutSFTP, isUpload: Bool) async throws {
        let peer = try await kind.start()
        let (here, there) = (peer.knownHosts, peer.remote("copy"))
        let finished = try await peer.scp(["-s"], isUpload ? [here, there] : [there, here])
        #expect(finished.status == .exited(1), "\(finished)")
        #expect(finished.errorText.contains("use -O for the scp protocol"), "\(finished)")
        #expect(access(peer.directory.file("copy"), F_OK) != 0)
    }

    @Test("An SFTP server that fails half-way is no reason to begin again with another protocol")
    func failsLater() async throws {
        // It ends after the first requests, and a file of four megabytes is then only begun.
        let script = "stdbuf -o0 head -c 500000 | /usr/lib/openssh/sftp-server"
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["Subsystem sftp \(script)"])
        try writeFile(noise(4_000_000), at: peer.directory.file("file"))
        let operands = [peer.directory.file("file"), peer.remote("copy")]
        let finished = try await peer.scp(["-v", "--retries", "0"], operands)
        #expect(finished.status == .exited(1), "\(finished)")
        #expect(!finished.errorText.contains("Sending command"), "\(finished)")
    }

    @Test("A tree goes to the SFTP server of each and back", arguments: SFTPServer.available)
    func sftp(kind: SFTPServer) async throws {
        // No SCP protocol comes to the rescue.
        for finished in try await roundTrip(["-s"], kind.start(), newlines: true) {
            #expect(finished.errors.isEmpty, "\(finished)")
        }
    }

    enum SFTPServer: CaseIterable, Sendable {
        case openSSH
        case dropbear
        case asyncSSH
        case paramiko

        static let available = allCases.filter { $0 != .dropbear || Peer.dropbearIsAvailable }

        func start() async throws -> Peer {
            switch self {
            case .openSSH: try await Peer.openSSH()
            case .dropbear: try await Peer.dropbear()
            case .asyncSSH: try await Peer.asyncSSH(hostKeys: [.ed25519])
            case .paramiko: try await Peer.paramiko()
            }
        }
    }
}

@Suite("Our scp as what a server runs, PuTTY's pscp as client", .timeLimit(.minutes(hangMinutes)))
struct PSCPTests {
    /// An sshd that finds our `scp` first.
    private struct Server {
        let peer: Peer
        private let programs: TemporaryDirectory
        private let options: [String]

        init() async throws {
            programs = try TemporaryDirectory("scp-test-bin")
            let ours = try scpBinary()
            guard symlink(ours, programs.file("scp")) == 0 else { throw SystemError("symlink \(programs.file("scp"))") }
            let path = "\(programs.path):/usr/local/bin:/usr/bin:/bin"
            peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["SetEnv SHLVL=1 PATH=\(path)"])
            let key = peer.directory.file("key.ppk")
            try await run("puttygen", [peer.keys.clientKey(.ed25519), "-O", "private", "-o", key]).success()
            let print = try await run("ssh-keygen", ["-l", "-f", peer.keys.hostKey(.ed25519) + ".pub"]).success()
            let fields = print.outputText.split(separator: " ")
            options = [
                "-scp", "-batch", "-q", "-noagent", "-P", "\(peer.port)", "-i", key, "-hostkey", String(fields[1]),
            ]
        }

        func pscp(_ arguments: [String]) async throws -> Finished {
            // It keeps a file in the home directory.
            try await run("pscp", options + arguments, environment: ["HOME": programs.path])
        }
    }

    @Test("A tree goes there and comes back")
    func tree() async throws {
        let server = try await Server()
        let peer = server.peer
        let tree = Tree.named([
            "empty": .file([]), "a b": .file([1]), "large": .file(noise(700_001)),
            "sub": .named(["x": .file([2]), "none": .named([:])]),
        ])
        try makeTree(tree, at: peer.directory.file("source"))
        try peer.directory.makeDirectory("there")
        try peer.directory.makeDirectory("back")
        let up = try await server.pscp(["-r", "-p", peer.directory.file("source"), peer.remote("there")])
        #expect(up.succeeded, "\(up)\n\(peer.log)")
        let there = try readTree(at: peer.directory.file("there/source"))
        #expect(differences(tree, there, attributes: false) == [])
        let down = try await server.pscp(["-r", "-p", peer.remote("there/source"), peer.directory.file("back")])
        #expect(down.succeeded, "\(down)\n\(peer.log)")
        #expect(differences(there, try readTree(at: peer.directory.file("back/source")), attributes: false) == [])
    }

    @Test("Files go by name and by pattern, and keep their times")
    func files() async throws {
        let server = try await Server()
        let peer = server.peer
        for name in ["a1", "a2", "b"] {
            try makeTree(.file(Array(name.utf8), modified: 1_234_567_890), at: peer.directory.file(name))
        }
        try peer.directory.makeDirectory("there")
        try peer.directory.makeDirectory("back")
        let names = ["a1", "a2", "b"].map { peer.directory.file($0) }
        try await server.pscp(["-p"] + names + [peer.remote("there")]).success()
        try await server.pscp(["-p", "-unsafe", peer.remote("there/a*"), peer.directory.file("back")]).success()
        for name in ["a1", "a2"] {
            let expected = Tree.file(Array(name.utf8), modified: 1_234_567_890)
            #expect(
                differences(expected, try readTree(at: peer.directory.file("back/\(name)")), attributes: true) == [])
        }
        #expect(listDirectory(peer.directory.file("back")).count == 2)
    }

    @Test("What goes wrong reaches its person")
    func failures() async throws {
        let server = try await Server()
        let peer = server.peer
        let missing = try await server.pscp([peer.remote("missing"), peer.directory.file("copy")])
        #expect(!missing.succeeded, "\(missing)")
        #expect(missing.errorText.contains("missing: No such file or directory"), "\(missing)")
        let nowhere = try await server.pscp([peer.knownHosts, peer.remote("none/copy")])
        #expect(!nowhere.succeeded, "\(nowhere)")
        #expect(nowhere.errorText.contains("none/copy: No such file or directory"), "\(nowhere)")
    }
}
