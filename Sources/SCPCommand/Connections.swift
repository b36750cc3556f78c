import SSHClient
import SSHConfig

/// The remote hosts of one command, one for each host and user, reached when they are first needed.
actor Connections {
    private let options: CopyOptions
    private var hosts: [String: Result<any RemoteHost, any Error>] = [:]

    init(_ options: CopyOptions) { self.options = options }

    /// The way to a host. A host that could not be reached is not tried twice.
    ///
    /// - Parameter request: what it is for, which a configuration file may ask.
    /// - Throws: what `SSHClient.connect` throws; `ConfigurationError`.
    func host(
        for remote: Location.Remote, request: ClientConfiguration.Request
    ) async throws -> any RemoteHost {
        var key = Self.key(remote)
        var program: ProgramHost?
        if case .subsystem = request, let host = options.localServer(for: remote) {
            key += " sftp"
            program = host
        } else {
            program = options.program(for: remote)
        }
        if let known = hosts[key] { return try known.get() }
        let result: Result<any RemoteHost, any Error>
        do {
            if let program {
                result = .success(program)
            } else {
                result = .success(try await connect(options.resolve(remote, request: request), request))
            }
        } catch {
            result = .failure(error)
        }
        hosts[key] = result
        return try result.get()
    }

    private static func key(_ remote: Location.Remote) -> String {
        "\(remote.user ?? "")@\(remote.host):\(remote.port ?? 0)"
    }

    /// A new way to a host whose connection was lost, or could not be made again.
    ///
    /// - Throws: as ``host(for:request:)``.
    func hostAgain(for remote: Location.Remote, request: ClientConfiguration.Request) async throws -> any RemoteHost {
        if case .success(let host)? = hosts.removeValue(forKey: Self.key(remote)) { _ = await host.close() }
        return try await host(for: remote, request: request)
    }

    private func connect(
        _ resolved: ResolvedConfiguration, _ request: ClientConfiguration.Request
    ) async throws -> any RemoteHost {
        var settings = resolved.options
        // What is on its way cannot be slowed down any more.
        if let limit = options.bandwidth { settings.receiveWindow = max(64 << 10, min(1 << 20, limit * 1024 / 8)) }
        let log = ClientLog(verbosity: settings.verbosity) { StandardError.write($0 + "\n") }
        for note in resolved.notes { log.note(1, note) }
        let subsystem: String? = if case .subsystem(let name) = request { name } else { nil }
        let connect = { @Sendable [settings] in
            ClientHost(
                client: try await SSHClient.connect(
                    settings, interface: TerminalInterface(), log: log, subsystem: subsystem))
        }
        if let shared = await SharedConnection.find(settings, log: log) {
            return SharedHost(shared, log: log, connect: connect)
        }
        return try await connect()
    }

    /// - Returns: false if something failed that nobody was told of.
    func close() async -> Bool {
        var isComplete = true
        for case .success(let host) in hosts.values where await !host.close() { isComplete = false }
        hosts = [:]
        return isComplete
    }
}
