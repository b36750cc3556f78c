import NIOCore
import SSHClient
import SSHConfig
import SSHServer

/// Knows one password.
private struct OnePassword: UserInterface {
    let password: String
    func ask(_ question: String) async -> String? { nil }
    func askSecret(_ prompt: String) async -> [UInt8]? { Array(password.utf8) }
    func tell(_ text: String) {}
}

/// Logs in to a server of this process as `me`, with nothing of the tester's own configuration.
func connect(
    _ server: SSHServer, password: String = "secret", on group: (any EventLoopGroup)? = nil,
    _ change: (inout ClientOptions) -> Void = { _ in }
) async throws -> SSHClient {
    var options = ClientOptions(host: "127.0.0.1")
    options.port = server.port
    options.user = "me"
    options.strictHostKeyChecking = .no
    options.userKnownHostsFiles = []
    options.globalKnownHostsFiles = []
    options.identityFiles = []
    options.agentSocket = nil
    change(&options)
    return try await SSHClient.connect(options, interface: OnePassword(password: password), on: group)
}
