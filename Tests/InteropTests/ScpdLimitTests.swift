import NIOCore
import Platform
import SFTP
import SSHClient
import SSHConfig
import TestSupport
import Testing

@Suite("scpd's limits", .timeLimit(.minutes(hangMinutes)))
struct ScpdLimitTests {
    /// A program that connects `count` times, waits for the server's words on each connection or its end, and prints
    /// the first line of each; then it stays until its input ends.
    private static let connecting = """
        import socket, sys
        made = []
        for _ in range(int(sys.argv[2])):
            s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            made.append(s)
            print(s.makefile("rb").readline().decode("latin1").strip(), flush=True)
        sys.stdin.read()
        """

    private func connect(_ server: ScpdProcess, _ count: Int) async throws -> [String] {
        try await run("python3", ["-c", Self.connecting, "\(server.port)", "\(count)"]).success().outputText
            .split(separator: "\n").map(String.init)
    }

    private static let turnedAway = "Not allowed at this time"

    @Test("Who is silent for too long has to go; who copies slowly has not")
    func idle() async throws {
        let home = try await ScpdHome()
        // A machine that stands still for as long as the limit makes anybody silent.
        for limit in [2, 8, 32, 128] {
            let server = try await home.start(["--idle-timeout", "\(limit)"])
            let start = ContinuousClock.now
            let idle = try await run("ssh", ["-N"] + server.client() + ["\(home.user)@127.0.0.1"])
            #expect(!idle.succeeded, "\(idle)")
            #expect(ContinuousClock.now - start >= .seconds(limit))
            try await server.waitForLog("idle for \(limit) seconds")
            var options = ClientOptions(host: "127.0.0.1")
            options.port = server.port
            options.userKnownHostsFiles = [try server.knownHosts()]
            options.globalKnownHostsFiles = []
            options.identityFiles = [home.keys.clientKey(.ed25519)]
            options.agentSocket = nil
            var slow: (client: SSHClient, sftp: SFTPClient, file: ByteBuffer, size: UInt64)?
            let pause = try await use(for: .seconds(2 * limit)) {
                if slow == nil {
                    let client = try await SSHClient.connect(options, interface: SilentInterface())
                    let sftp = try await SFTPClient(stream: client.subsystem("sftp"))
                    slow = (client, sftp, try await sftp.open(Array("slow".utf8), [.write, .create]), 0)
                }
                guard let (_, sftp, file, size) = slow else { return }
                try await sftp.write(file, at: size, ByteBuffer(string: "x"))
                slow?.size += 1
            }
            await slow?.client.close()
            guard let pause else { return }
            #expect(pause >= .seconds(limit), "\(server.log)")
        }
        Issue.record("who copied slowly had to go each time")
    }

    @Test("Logging in may take so long and no longer")
    func grace() async throws {
        let home = try await ScpdHome()
        let server = try await home.start(["--login-grace", "1", "--no-penalties"])
        let script = """
            import socket, sys, time
            start = time.monotonic()
            try:
                s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
                s.sendall(b"SSH-2.0-idler\\r\\n")
                while s.recv(65536): pass
            except ConnectionError: pass
            print(time.monotonic() - start)
            """
        let finished = try await run("python3", ["-c", script, "\(server.port)"]).success()
        let seconds = Double(finished.outputText.split(separator: "\n").joined()) ?? 0
        #expect(seconds > 0.8)
        try await server.waitForLines("connection ended before login", 1)
        #expect(server.lines("connection ended before login").count == 1, "\(server.log)")
    }

    @Test("So many connections before log-in and no more")
    func startups() async throws {
        let home = try await ScpdHome()
        let server = try await home.start(["--max-startups", "3", "--no-penalties"])
        let lines = try await connect(server, 5)
        #expect(lines.prefix(3).allSatisfy { $0.hasPrefix("SSH-2.0-swift-scp") }, "\(lines)")
        #expect(lines.suffix(2) == [Self.turnedAway, Self.turnedAway], "\(lines)")
        // The first is told at once, the second with all others of ten seconds.
        server.process.signal(SIGTERM)
        #expect(try await server.end() == .exited(0))
        #expect(server.lines("connection refused").count + server.lines("connections refused").count == 2)
        #expect(server.log.contains(#"reason="too many connections before log-in""#), "\(server.log)")
    }

    @Test("So many connections and no more, and those that end make room")
    func connections() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let server = try await home.start(["--max-connections", "2", "--no-penalties"])
        #expect(try await connect(server, 4).count { $0 == Self.turnedAway } == 2)
        #expect(server.log.contains(#"reason="too many connections""#), "\(server.log)")
        // They are counted out a moment after they have ended.
        try await eventually("room for another:\n\(server.log)") { try await server.fetch("a").text == "content" }
    }

    @Test("So many attempts on a connection and no more")
    func tries() async throws {
        let home = try await ScpdHome()
        let server = try await home.start(["--max-auth-tries", "2", "--no-penalties"])
        let wrong: [TestKeyType] = [.ecdsa256, .ecdsa384, .rsa]
        let finished = try await run(
            "ssh",
            wrong.flatMap { ["-i", home.keys.clientKey($0)] } + server.client() + [
                "\(home.user)@127.0.0.1", "scp -f a",
            ])
        #expect(finished.errorText.contains("Too many authentication failures"), "\(finished)")
        #expect(server.lines("login failed").count == 2 && server.lines("login refused").count == 1, "\(server.log)")
    }

    @Test("After some failed log-ins the next connection is refused, and with --no-penalties it is not")
    func penalties() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let server = try await home.start()
        let mild = try await home.start(["--no-penalties"])
        func fail(_ server: ScpdProcess) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 {
                    group.addTask { _ = try await server.fetch("a", key: home.keys.strangerKey) }
                }
                try await group.waitForAll()
            }
        }
        // An address is punished a moment after its failure, for some seconds, which may be over on a machine that stands
        // still.
        try await eventually("a refusal:\n\(server.log)") {
            try await fail(server)
            guard try await connect(server, 1) == [Self.turnedAway] else { return false }
            return try await server.fetch("a").text == nil
        }
        try await fail(mild)
        #expect(server.lines("connection refused").last?.contains("address=127.0.0.1") == true, "\(server.log)")
        #expect(try await mild.fetch("a").text == "content")
        #expect(mild.lines("connection refused").isEmpty)
    }

    @Test("So many channels of a connection and no more")
    func sessions() async throws {
        let home = try await ScpdHome()
        let server = try await home.start(["--max-sessions", "1"])
        let control = home.directory.file("control")
        let master = try ChildProcess(
            requireProgram("sftp"),
            ["-b", home.write("batch", "!sleep 600\n")]
                + server.client(["ControlMaster=yes", "ControlPath=\(control)"]) + ["\(home.user)@127.0.0.1"])
        // Without it the second would come by a connection of its own.
        try await eventually("the control socket:\n\(server.log)") { access(control, F_OK) == 0 }
        let second = try await run(
            "ssh", ["-S", control] + server.client(["ControlMaster=no"]) + ["\(home.user)@127.0.0.1", "scp -f a"])
        #expect(
            second.errorText.contains("open failed") || second.errorText.contains("refused"), "\(second)\n\(server.log)"
        )
        master.end()
    }

    @Test("New keys after so many bytes do not disturb a copy")
    func rekeying() async throws {
        let home = try await ScpdHome()
        let bytes = noise(8 << 20)
        try writeFile("\(home.root)/big", bytes)
        let server = try await home.start(["--rekey-limit", "512K", "--verbose"])
        let target = home.directory.file("got")
        let finished = try await run("scp", ["-v"] + server.client() + ["\(home.user)@127.0.0.1:big", target])
        #expect(finished.succeeded, "\(finished)")
        #expect(try readFile(target) == bytes)
        #expect(finished.errorText.ranges(of: "SSH2_MSG_KEXINIT received").count >= 3)
    }
}
