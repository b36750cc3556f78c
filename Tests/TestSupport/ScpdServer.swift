import Platform

/// Our own `scpd`, running on a free loopback port, that lets the client keys of `TestKeys` in, and the password
/// ``password``. It serves a directory of its own, and ends with its last reference.
package final class ScpdServer: Sendable {
    /// What its user may log in with instead of a key.
    package static let password = "correct horse"

    package let port: Int
    /// The account to log in to: the one the tests run as.
    package let user: String
    package let keys: TestKeys
    /// The directory that is served: clients see it as `/`.
    package let root: String
    /// The path of a `known_hosts` file with its host key.
    package let knownHosts: String
    /// A directory for the test's own files, which lives as long as the server does.
    package let directory: TemporaryDirectory
    private let process: ChildProcess
    private let logPath: String

    /// All it has logged.
    package var log: String { (try? readText(logPath)) ?? "" }

    /// Starts it and waits until it listens.
    ///
    /// - Parameter options: more of its command-line options.
    package static func start(_ options: [String] = [], hostKey: TestKeyType = .ed25519) async throws -> ScpdServer {
        let program = try scpdBinary()
        let keys = try await TestKeys.ofThisRun()
        let passwords = try await passwordLine.value()
        return try await onThread {
            try ScpdServer(program, options, keys: keys, hostKey: hostKey, passwords: passwords)
        }
    }

    /// A line of a password file, whose hash takes a while.
    private static let passwordLine = Shared {
        let user = try currentUser().name
        return try await run(scpdBinary(), ["--hash-password", user], input: Array("\(password)\n".utf8)).success()
            .outputText
    }

    private init(
        _ program: String, _ options: [String], keys: TestKeys, hostKey: TestKeyType, passwords: String
    ) throws {
        self.keys = keys
        user = try currentUser().name
        directory = try TemporaryDirectory("scp-test-scpd")
        root = try directory.makeDirectory("root")
        logPath = directory.file("log")
        knownHosts = directory.file("known_hosts")
        try writeFile(directory.file("passwords"), text: passwords)
        chmod(directory.file("passwords"), 0o600)
        let outputPath = directory.file("output")
        let (output, errors) = (try Self.create(outputPath), try Self.create(logPath))
        defer {
            close(output)
            close(errors)
        }
        process = try ChildProcess(
            program,
            [
                "--listen", "127.0.0.1", "--port", "0", "--root", root, "--host-key", keys.hostKey(hostKey),
                "--authorized-keys", keys.authorizedKeys, "--password-file", directory.file("passwords"),
                "--no-penalties", "--login-grace", "3600", "--max-startups", "1000", "--stop-timeout", "3600",
            ] + options, output: output, errors: errors)
        port = try Self.port(process, outputPath, logPath)
        try writeFile(knownHosts, text: keys.knownHosts("[127.0.0.1]:\(port)", [hostKey]))
    }

    private static func create(_ path: String) throws -> Int32 {
        let descriptor = openUninherited { open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600) }
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        return descriptor
    }

    /// The port it says it listens on.
    private static func port(_ process: ChildProcess, _ outputPath: String, _ logPath: String) throws -> Int {
        let deadline = ContinuousClock.now + patience
        while process.poll() == nil, ContinuousClock.now < deadline {
            let line = try readText(outputPath)
            if line.hasSuffix("\n"), line.hasPrefix("scpd: listening on 127.0.0.1 port "),
                let port = Int(line.dropLast().split(separator: " ").last ?? "")
            {
                return port
            }
            usleep(3000)
        }
        process.end()
        throw TestSupportError("scpd did not start:\n\(try readText(outputPath))\(try readText(logPath))")
    }

    /// Asks it to stop, as a service manager does.
    ///
    /// - Returns: how it ended; nil if it did not.
    package func terminate() async throws -> ExitStatus? {
        process.signal(SIGTERM)
        return try await onThread { [process] in process.wait() }
    }

    /// The path of a file below the directory that is served.
    package func served(_ name: String) -> String { "\(root)/\(name)" }

    /// Options with which the installed `ssh`, `scp` and `sftp`, and ours, reach it.
    package var clientOptions: [String] {
        [
            "-F", "none", "-o", "Port=\(port)", "-o", "UserKnownHostsFile=\(knownHosts)", "-o",
            "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none", "-o",
            "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i", keys.clientKey(.ed25519),
        ]
    }
}
