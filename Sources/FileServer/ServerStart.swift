import Files
import Logging
import SSHKeys
import SSHServer

extension SSHServer {
    /// Starts a server for these files and users on this machine alone, with a host key made for it: for test suites.
    ///
    /// ```swift
    /// let server = try await SSHServer.start(
    ///     serving: MemoryFileSystem(["a.txt": "hello"]), users: ["me": .password("secret")])
    /// // copy from me@127.0.0.1, port `server.port`
    /// await server.stop()
    /// ```
    ///
    /// - Parameters:
    ///   - port: 0 for any free one, see ``SSHServer/port``.
    ///   - hostKey: nil for a new one.
    /// - Throws: ``ServerError``, `KeyError`.
    public static func start(
        serving files: any FileSystem, users: [String: StaticPolicy.User], address: String = "127.0.0.1",
        port: Int = 0, hostKey: PrivateKey? = nil, isReadOnly: Bool = false, logger: Logger? = nil
    ) async throws -> SSHServer {
        var configuration = ServerConfiguration(hostKeys: [try hostKey ?? .generate(.ed25519)])
        // A suite that tests failures is not to be shut out for them.
        configuration.limits.penalizesFailures = false
        return try await start(
            on: [.address(address, port: port)], configuration: configuration, policy: StaticPolicy(users: users),
            handler: FileService(files, isReadOnly: isReadOnly, logger: logger), logger: logger)
    }
}
