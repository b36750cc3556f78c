import Platform
import TestSupport
import Testing

@Suite("How scpd stops", .timeLimit(.minutes(hangMinutes)))
struct ScpdStopTests {
    /// An SFTP client that fetches a file slowly.
    private func slowFetch(_ server: ScpdProcess, _ target: String, kilobits: Int) throws -> ChildProcess {
        try ChildProcess(
            requireProgram("scp"),
            ["-l", "\(kilobits)"] + server.client() + ["\(server.home.user)@127.0.0.1:big", target])
    }

    private func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : -1
    }

    /// Waits until some of a file has come.
    private func begun(_ path: String) async throws {
        try await eventually("the beginning of \(path)") { size(path) > 0 }
    }

    /// Makes a file that takes hours to fetch.
    private func serveEndless(_ home: ScpdHome) throws {
        try home.serve("big", "")
        guard truncate("\(home.root)/big", 8 << 30) == 0 else { throw SystemError("truncate") }
    }

    @Test(
        "A transfer under way ends first, nobody else comes in, and the exit status is 0", arguments: [SIGTERM, SIGINT])
    func graceful(signal: Int32) async throws {
        let home = try await ScpdHome()
        let bytes = noise(4 << 20)
        try writeFile("\(home.root)/big", bytes)
        let server = try await home.start()
        let target = home.directory.file("got")
        // 4 MiB at 2 MB/s.
        let client = try slowFetch(server, target, kilobits: 16_000)
        try await begun(target)
        server.process.signal(signal)
        try await server.waitForLog("stopping")
        // It stops to listen a moment later.
        try await eventually("a refusal") {
            try await server.fetch("none").finished.errorText.contains("Connection refused")
        }
        #expect(try await onThread { client.wait() } == .exited(0))
        #expect(try await server.end() == .exited(0))
        #expect(try readFile(target) == bytes)
        #expect(server.lines("stopping").count == 1 && server.lines("stopped").count == 1, "\(server.log)")
        #expect(server.log.contains("outcome=complete"), "\(server.log)")
    }

    @Test("A second signal ends what goes on")
    func second() async throws {
        let home = try await ScpdHome()
        try serveEndless(home)
        let server = try await home.start()
        let target = home.directory.file("got")
        let client = try slowFetch(server, target, kilobits: 4000)
        try await begun(target)
        server.process.signal(SIGTERM)
        try await server.waitForLog("stopping")
        try await Task.sleep(for: .milliseconds(200))
        #expect(server.process.poll() == nil)
        server.process.signal(SIGTERM)
        #expect(try await server.end() == .exited(0), "\(server.log)")
        let status = try await onThread { client.wait() }
        #expect(status != nil && status != .exited(0))
        #expect(server.lines("ending at once").count == 1, "\(server.log)")
        #expect(server.log.contains("outcome=interrupted"), "\(server.log)")
    }

    @Test("What goes on ends when the patience does")
    func patience() async throws {
        let home = try await ScpdHome()
        try serveEndless(home)
        let server = try await home.start(["--stop-timeout", "1"])
        let target = home.directory.file("got")
        let client = try slowFetch(server, target, kilobits: 4000)
        try await begun(target)
        let start = ContinuousClock.now
        server.process.signal(SIGTERM)
        #expect(try await server.end() == .exited(0), "\(server.log)")
        #expect(ContinuousClock.now - start >= .milliseconds(900))
        client.end()
    }

    @Test("Clients that do nothing are no reason to wait: before log-in, and after it")
    func idle() async throws {
        let home = try await ScpdHome()
        let server = try await home.start()
        let script = "s = socket.create_connection(('127.0.0.1', \(server.port))); print(s.recv(9)); time.sleep(600)"
        let said = home.directory.file("said")
        let file = open(said, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        let silent = try ChildProcess(
            requireProgram("python3"), ["-u", "-c", "import socket, time; \(script)"], output: file)
        try await eventually("a word of the server") { try !readText(said).isEmpty }
        let idle = try ChildProcess(
            requireProgram("ssh"), ["-N"] + server.client() + ["\(home.user)@127.0.0.1"])
        try await server.waitForLog(" login ")
        server.process.signal(SIGTERM)
        // It would wait an hour for others.
        #expect(try await server.end() == .exited(0), "\(server.log)")
        silent.end()
        idle.end()
    }

    @Test("A signal that was ignored when it started is ignored for good, as nohup wants it")
    func nohup() async throws {
        let home = try await ScpdHome()
        let server = try await ScpdProcess.start(
            [
                "-c", #"trap "" HUP; exec "$0" "$@""#, scpdBinary(), "--listen", "127.0.0.1", "--port", "0",
                "--authorized-keys", home.authorizedKeys, "--host-key", home.keys.hostKey(.ed25519),
            ], home: home, program: "/bin/sh")
        server.process.signal(SIGHUP)
        try await Task.sleep(for: .milliseconds(300))
        #expect(server.process.poll() == nil)
        server.process.signal(SIGTERM)
        #expect(try await server.end() == .exited(0))
    }

    @Test("SIGHUP has the files read again: the lists, and the host keys for whoever connects next")
    func readAgain() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        try await home.keygen("-q", "-t", "ed25519", "-N", "", "-f", "host")
        try await home.keygen("-q", "-t", "ed25519", "-N", "", "-f", "next")
        let server = try await home.start(["--host-key", home.directory.file("host")], hostKeys: [])
        func fetch(trusting key: String) async throws -> Fetched {
            let words = try readText(home.directory.file("\(key).pub")).split(separator: " ").prefix(2)
            let known = try home.write("known", "[127.0.0.1]:\(server.port) " + words.joined(separator: " ") + "\n")
            return try await server.fetch("a", knownHosts: known)
        }
        #expect(try await fetch(trusting: "host").text == "content")
        guard rename(home.directory.file("next"), home.directory.file("host")) == 0 else { throw SystemError("rename") }
        server.process.signal(SIGHUP)
        try await server.waitForLines("files read again", 1)
        #expect(server.lines("host key").count == 2, "\(server.log)")
        #expect(try await fetch(trusting: "next").text == "content", "\(server.log)")
        #expect(try await fetch(trusting: "host").text == nil)
        // A key that cannot be read leaves the old one.
        try writeFile(home.directory.file("host"), text: "nonsense")
        server.process.signal(SIGHUP)
        try await server.waitForLines("host keys stay as they were", 1)
        #expect(try await fetch(trusting: "next").text == "content", "\(server.log)")
        server.process.signal(SIGTERM)
        #expect(try await server.end() == .exited(0))
    }

    @Test("A service manager is told when it serves and when it stops")
    func notifications() async throws {
        let home = try await ScpdHome()
        let script = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.bind(sys.argv[1])
            print("bound", flush=True)
            for _ in range(2): print(s.recv(100).decode(), flush=True)
            """
        let path = home.directory.file("notify")
        let output = home.directory.file("told")
        let file = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        let listener = try ChildProcess(requireProgram("python3"), ["-c", script, path], output: file)
        try await eventually("a socket") { try readText(output) == "bound\n" }
        let server = try await home.start(environment: ["NOTIFY_SOCKET": path])
        try await eventually("READY=1") { try readText(output) == "bound\nREADY=1\n" }
        server.process.signal(SIGTERM)
        #expect(try await server.end() == .exited(0))
        #expect(try await onThread { listener.wait() } == .exited(0))
        #expect(try readText(output) == "bound\nREADY=1\nSTOPPING=1\n")
    }
}
