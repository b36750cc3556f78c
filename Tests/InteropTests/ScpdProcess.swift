import Platform
import TestSupport

/// A directory with all that scpd needs: something to serve, a host key and authorized keys.
struct ScpdHome {
    let directory: TemporaryDirectory
    let keys: TestKeys
    let user: String
    var root: String { directory.file("root") }
    var authorizedKeys: String { directory.file("authorized_keys") }

    init() async throws {
        keys = try await TestKeys.ofThisRun()
        directory = try TemporaryDirectory("scp-test-home")
        user = try await run("id", ["-un"]).success().outputText.split(separator: "\n").joined()
        try directory.makeDirectory("root")
        try writeFile(authorizedKeys, text: readText(keys.clientKey(.ed25519) + ".pub"))
    }

    /// Writes a file of the home and returns its path.
    func write(_ name: String, _ text: String) throws -> String {
        try writeFile(directory.file(name), text: text)
        return directory.file(name)
    }

    /// Writes a file that is served.
    func serve(_ name: String, _ text: String) throws { try writeFile("\(root)/\(name)", text: text) }

    /// Starts scpd on a free port of 127.0.0.1, with a host key and with the authorized keys of this home.
    func start(
        _ options: [String] = [], hostKeys: [TestKeyType] = [.ed25519], environment: [String: String?] = [:]
    ) async throws -> ScpdProcess {
        try await ScpdProcess.start(
            [
                "--listen", "127.0.0.1", "--port", "0", "--root", root, "--authorized-keys", authorizedKeys,
                // Limits that no client meets, however slow the machine is; options that come later count.
                "--login-grace", "3600", "--max-startups", "1000", "--stop-timeout", "3600",
            ]
                + hostKeys.flatMap { ["--host-key", keys.hostKey($0)] } + options, home: self, environment: environment)
    }

    /// Runs scpd where it is not to come as far as serving.
    func fail(_ options: [String], environment: [String: String?] = [:]) async throws -> Finished {
        try await run(scpdBinary(), options, environment: environment, directory: directory.path)
    }

    /// Runs `ssh-keygen` in the home's directory.
    @discardableResult
    func keygen(_ arguments: String...) async throws -> Finished {
        try await run("ssh-keygen", arguments, directory: directory.path).success()
    }
}

/// What came of fetching a file.
struct Fetched: CustomStringConvertible {
    let finished: Finished
    /// What was in it; nil where it did not come.
    let text: String?
    var description: String { "\(finished)" }
}

/// A running scpd, whatever its options. It ends with its last reference.
final class ScpdProcess: Sendable {
    let home: ScpdHome
    let process: ChildProcess
    private let outputPath: String
    private let logPath: String

    /// What it listens on, as it says itself.
    let listening: [(address: String, port: Int)]
    var port: Int { listening.first?.port ?? 0 }

    var output: String { (try? readText(outputPath)) ?? "" }
    var log: String { (try? readText(logPath)) ?? "" }
    /// The lines of the log that say, behind time and level, just these words of what happened.
    func lines(_ words: String) -> [String] {
        log.split(separator: "\n").map(String.init).filter { line in
            line.split(separator: " ").dropFirst(2).prefix { !$0.contains("=") }.joined(separator: " ") == words
        }
    }

    /// Starts it and waits until it listens on `count` addresses.
    static func start(
        _ arguments: [String], home: ScpdHome, environment: [String: String?] = [:], program: String? = nil,
        listening count: Int = 1
    ) async throws -> ScpdProcess {
        let program = try program ?? scpdBinary()
        return try await onThread {
            try ScpdProcess(program, arguments, home: home, environment: environment, count: count)
        }
    }

    private init(
        _ program: String, _ arguments: [String], home: ScpdHome, environment: [String: String?], count: Int
    ) throws {
        self.home = home
        let number = UInt32.random(in: 0 ... .max)
        (outputPath, logPath) = (home.directory.file("output.\(number)"), home.directory.file("log.\(number)"))
        let (output, errors) = (try Self.create(outputPath), try Self.create(logPath))
        defer {
            close(output)
            close(errors)
        }
        process = try ChildProcess(
            program, arguments, environment: environment, directory: home.directory.path, output: output,
            errors: errors)
        let deadline = ContinuousClock.now + patience
        var lines: [Substring] = []
        while lines.count < count {
            guard process.poll() == nil, ContinuousClock.now < deadline else {
                process.end()
                throw TestSupportError("scpd did not start:\n\(try readText(outputPath))\(try readText(logPath))")
            }
            usleep(3000)
            lines = try readText(outputPath).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        }
        listening = lines.compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 6, words[..<3] == ["scpd:", "listening", "on"], words[4] == "port" else { return nil }
            return Int(words[5]).map { (String(words[3]), $0) }
        }
    }

    private static func create(_ path: String) throws -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        return descriptor
    }

    /// Waits for its end; nil if it does not end.
    func end() async throws -> ExitStatus? {
        try await onThread { [process] in process.wait() }
    }

    /// Waits for something to be in the log.
    func waitForLog(_ text: String) async throws {
        try await eventually("\"\(text)\" in the log:\n\(log)") { log.contains(text) }
    }

    /// Waits until so many lines of the log say just these words of what happened.
    func waitForLines(_ words: String, _ count: Int) async throws {
        try await eventually("\(count) lines \"\(words)\" in the log:\n\(log)") { lines(words).count >= count }
    }

    /// Where clients keep its host keys.
    func knownHosts(_ types: [TestKeyType] = [.ed25519]) throws -> String {
        try home.write("known_hosts", home.keys.knownHosts("[127.0.0.1]:\(port)", types))
    }

    /// What the installed clients need to reach it; for ssh, `host` and a command follow.
    ///
    /// - Parameters:
    ///   - options: `-o` options that count before those made here.
    ///   - key: nil for none at all.
    func client(_ options: [String] = [], key: String? = nil, knownHosts: String? = nil) throws -> [String] {
        let known = try knownHosts ?? self.knownHosts()
        let chosen = options.flatMap { ["-o", $0] }
        let made = [
            "Port=\(port)", "UserKnownHostsFile=\(known)", "GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes",
            "IdentityAgent=none", "IdentitiesOnly=yes", "BatchMode=yes", "UpdateHostKeys=no",
            // The quickest one: the hybrids take long in a debug build.
            "KexAlgorithms=curve25519-sha256",
        ].flatMap { ["-o", $0] }
        return ["-F", "none"] + chosen + made + ["-i", key ?? home.keys.clientKey(.ed25519)]
    }

    /// Fetches a file with OpenSSH's `scp`: by SFTP, or with `-O` by the SCP protocol.
    func fetch(
        _ name: String, user: String? = nil, _ options: [String] = [], key: String? = nil, flags: [String] = [],
        environment: [String: String?] = [:], knownHosts: String? = nil
    ) async throws -> Fetched {
        let target = home.directory.file("fetched.\(UInt32.random(in: 0 ... .max))")
        let fetched = try await run(
            "scp",
            flags + client(options, key: key, knownHosts: knownHosts)
                + ["\(user ?? home.user)@127.0.0.1:\(name)", target], environment: environment)
        return Fetched(finished: fetched, text: fetched.succeeded ? try readText(target) : nil)
    }

    /// Copies a text to it with OpenSSH's `scp`.
    func put(
        _ text: String, as name: String, user: String? = nil, _ options: [String] = [], key: String? = nil,
        flags: [String] = []
    ) async throws -> Finished {
        let source = try home.write("source.\(UInt32.random(in: 0 ... .max))", text)
        return try await run(
            "scp", flags + client(options, key: key) + [source, "\(user ?? home.user)@127.0.0.1:\(name)"])
    }
}
