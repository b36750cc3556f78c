import CopyEngine
import RemoteHosts
import SSHClient
import SSHConfig
import SSHWire

/// The remote hosts of one command, one for each host and user, reached when they are first needed.
struct Hosts: Sendable {
    private let options: CopyOptions
    private let resolved: ResolvedHosts
    private let pool = HostPool<String>()
    /// The rate of all streams together (`-l`, `--bwlimit`).
    private let limit: RateLimit?
    private let report: EventReport?

    init(_ options: CopyOptions, _ resolved: ResolvedHosts, _ report: EventReport?) {
        self.report = report
        self.options = options
        self.resolved = resolved
        limit = options.bandwidth.map { RateLimit(bytesPerSecond: $0) }
    }

    /// Bytes that should be on the way at most, so that they do not come faster than they may.
    var bytesUnderWay: Int? { limit?.bytesUnderWay }

    /// The way to a host.
    ///
    /// - Parameter request: what it is for, which a configuration file may ask.
    /// - Throws: what `SSHClient.connect` throws; `ConfigurationError`.
    func host(
        for remote: Location.Remote, request: ClientConfiguration.Request
    ) async throws -> any CopyHost {
        var key = remote.key
        var program: ProgramHost?
        if case .subsystem = request, let host = options.localServer(for: remote) {
            key += " sftp"
            program = host
        } else {
            program = options.program(for: remote)
        }
        let host = try await pool.host(for: key) { [program] in
            if let program { return program }
            return try await reach(remote, request)
        }
        return limit.map { RateLimitedHost(host, $0) } ?? host
    }

    private func reach(
        _ remote: Location.Remote, _ request: ClientConfiguration.Request
    ) async throws -> any RemoteHost {
        let resolved = try self.resolved.options(for: remote) ?? options.resolve(remote, request: request)
        var settings = resolved.options
        // What is on its way cannot be slowed down any more.
        if let limit = options.bandwidth { settings.receiveWindow = max(64 << 10, min(1 << 20, limit)) }
        let log = ClientLog(verbosity: settings.verbosity) { StandardError.write($0 + "\n") }
        for note in resolved.notes { log.note(1, note) }
        let subsystem: String? = if case .subsystem(let name) = request { name } else { nil }
        let policy = RetryPolicy(retries: options.retries)
        let tell = { @Sendable [quiet = options.quiet, report] (event: HostEvent) in
            report?.receive(event)
            show(event, quiet: quiet)
        }
        let connect = { @Sendable [settings] in
            try await ClientHost.reach(remote.host, policy: policy, tell: tell) {
                try await SSHClient.connect(
                    settings, interface: TerminalInterface(), log: log, subsystem: subsystem)
            }
        }
        guard let shared = await SharedConnection.find(settings, log: log) else { return try await connect() }
        return SharedHost(remote.host, shared, log: log, tell: tell, connect: connect)
    }

    /// - Returns: false if something failed that nobody was told of.
    func close() async -> Bool { await pool.close() }
}

/// Tells the user what happens to the connection to a host.
private func show(_ event: HostEvent, quiet: Bool) {
    switch event {
    case .retrying(let host, let reason, let pause):
        let text = "\(host): \(reason); connecting again"
        if !quiet { CommandObserver.tell(pause > 1 ? "\(text) in \(pause) s" : text) }
    case .errorOutput(let bytes): StandardError.write(Printable.text(bytes, keepingNewlines: true))
    }
}
