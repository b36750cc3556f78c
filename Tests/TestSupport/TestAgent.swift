/// An `ssh-agent` of its own, without keys at first. It ends with its last reference.
package final class TestAgent: Sendable {
    /// Where it listens, for `SSH_AUTH_SOCK` and `IdentityAgent`.
    package let socket: String
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    /// - Parameter options: more options of `ssh-agent`.
    package init(_ options: [String] = [], environment: [String: String?] = [:]) async throws {
        let directory = try TemporaryDirectory("scp-test-agent")
        let socket = directory.file("agent")
        let program = try requireProgram("ssh-agent")
        process = try ChildProcess(program, ["-D", "-a", socket] + options, environment: environment)
        self.directory = directory
        self.socket = socket
        try await eventually("ssh-agent answers") {
            guard process.poll() == nil else { throw TestSupportError("ssh-agent did not start") }
            return try await list().hasPrefix("The agent has no identities")
        }
    }

    /// Gives it keys by `ssh-add` with these arguments.
    package func add(_ arguments: [String], environment: [String: String?] = [:]) async throws {
        try await run(
            "ssh-add", ["-q"] + arguments, environment: environment.merging(["SSH_AUTH_SOCK": socket]) { $1 }
        ).success()
    }

    /// What `ssh-add -l` says of it.
    package func list() async throws -> String {
        try await run("ssh-add", ["-l"], environment: ["SSH_AUTH_SOCK": socket]).outputText
    }

    /// Ends it.
    package func stop() { process.end() }
}
