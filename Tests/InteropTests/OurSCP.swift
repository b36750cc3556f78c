import Platform
import TestSupport

/// Whether the `scp` under test is a release build, which the largest copies are for.
let testsReleaseBinary = environmentValue("SCP_BINARY")?.contains("/release/") == true

/// The quickest key exchange, where none is wanted in particular: others take long in a debug build.
let quickExchange = testsReleaseBinary ? [] : ["-oKexAlgorithms=^curve25519-sha256"]

extension Peer {
    /// Runs our `scp` with the options that reach this server.
    ///
    /// - Parameters:
    ///   - options: come first, so that they count before those that reach the server.
    ///   - timeout: for the largest copies there are.
    func scp(
        _ options: [String], _ operands: [String], key: TestKeyType = .ed25519, port: Int? = nil,
        timeout: Duration = patience * 2
    ) async throws -> Finished {
        try await run(
            scpBinary(), options + quickExchange + clientOptions(key: key, port: port) + ["--"] + operands,
            timeout: timeout)
    }

    /// Runs our `scp` without any options but those that reach this server.
    func scp(_ operands: [String]) async throws -> Finished { try await scp([], operands) }

    /// Runs our `scp` on a terminal of its own.
    func scpOnTerminal(_ options: [String] = [], _ operands: [String], port: Int? = nil) throws -> Terminal {
        try Terminal(scpBinary(), options + quickExchange + clientOptions(port: port, asking: true) + ["--"] + operands)
    }

    /// `host:path` for a name in the server's directory.
    func remote(_ name: String) -> String { "\(destination):\(directory.file(name))" }

    /// Copies a file of `size` bytes there and back with our `scp`.
    ///
    /// - Throws: `TestSupportError` if one of the copies failed, said something, or is not the same.
    func roundTrip(
        _ options: [String] = [], size: Int = 300_000, key: TestKeyType = .ed25519, port: Int? = nil
    ) async throws {
        let bytes = noise(size)
        try writeFile(bytes, at: directory.file("original"))
        for operands in [[directory.file("original"), remote("copy")], [remote("copy"), directory.file("back")]] {
            let finished = try await scp(options, operands, key: key, port: port)
            guard finished.succeeded, finished.errors.isEmpty else { throw TestSupportError("\(finished)\n\(log)") }
        }
        for path in [directory.file("copy"), directory.file("back")] where try readFile(at: path) != bytes {
            throw TestSupportError("\(path) has another content")
        }
    }

    /// How often a text is in the server's log.
    func countInLog(_ text: String) -> Int {
        log.utf8.split(separator: 10).count { String($0)?.contains(text) == true }
    }
}

/// The path of OpenSSH's SFTP server.
func sftpServer() throws -> String {
    let places = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server"]
    guard let place = places.first(where: { access($0, X_OK) == 0 }) else {
        throw TestSupportError("sftp-server is not installed: Scripts/setup.sh installs what the tests need")
    }
    return place
}
