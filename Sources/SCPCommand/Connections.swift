import SSHClient

/// The connections of one command, one for each host and user, made when they are first needed.
actor Connections {
    private let options: CopyOptions
    private var clients: [String: Result<SSHClient, any Error>] = [:]

    init(_ options: CopyOptions) { self.options = options }

    /// The connection to a host. A host that could not be reached is not tried twice.
    ///
    /// - Throws: what `SSHClient.connect` throws.
    func client(for remote: Location.Remote) async throws -> SSHClient {
        let key = "\(remote.user ?? "")@\(remote.host)"
        if let known = clients[key] { return try known.get() }
        let result: Result<SSHClient, any Error>
        do {
            let settings = try options.client(for: remote)
            let log = ClientLog(verbosity: settings.verbosity) { StandardError.write($0 + "\n") }
            result = .success(try await SSHClient.connect(settings, interface: TerminalInterface(), log: log))
        } catch {
            result = .failure(error)
        }
        clients[key] = result
        return try result.get()
    }

    func close() async {
        for case .success(let client) in clients.values { await client.close() }
        clients = [:]
    }
}
