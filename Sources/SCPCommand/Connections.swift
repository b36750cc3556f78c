import SSHClient

/// The connections of one command, one for each host and user, made when they are first needed.
actor Connections {
    private let options: CopyOptions
    private var clients: [String: Result<SSHClient, any Error>] = [:]

    init(_ options: CopyOptions) { self.options = options }

    /// The connection to a host. A host that could not be reached is not tried twice.
    ///
    /// - Parameter request: what it is for, which a configuration file may ask.
    /// - Throws: what `SSHClient.connect` throws; `ConfigurationError`.
    func client(
        for remote: Location.Remote, request: ClientConfiguration.Request
    ) async throws -> SSHClient {
        let key = "\(remote.user ?? "")@\(remote.host):\(remote.port ?? 0)"
        if let known = clients[key] { return try known.get() }
        let result: Result<SSHClient, any Error>
        do {
            result = .success(try await connect(options.resolve(remote, request: request)))
        } catch {
            result = .failure(error)
        }
        clients[key] = result
        return try result.get()
    }

    private func connect(_ resolved: ResolvedConfiguration) async throws -> SSHClient {
        let settings = resolved.options
        let log = ClientLog(verbosity: settings.verbosity) { StandardError.write($0 + "\n") }
        for note in resolved.notes { log.note(1, note) }
        // To connect directly would be to leave out what the user asked for.
        guard settings.proxyJump.isEmpty else {
            throw CopyOptions.Fault.message("\(settings.originalHost): jump hosts are not supported yet")
        }
        guard settings.proxyCommand == nil else {
            throw CopyOptions.Fault.message("\(settings.originalHost): ProxyCommand is not supported yet")
        }
        return try await SSHClient.connect(settings, interface: TerminalInterface(), log: log)
    }

    func close() async {
        for case .success(let client) in clients.values { await client.close() }
        clients = [:]
    }
}
