import SSHClient
import SSHConfig

/// The options of all hosts that a command line names, found out before anything is done.
struct ResolvedHosts: Sendable {
    private let command: CopyOptions
    private var found: [String: ResolvedConfiguration] = [:]
    /// Whether the options of every host are known.
    private var isComplete = true

    /// Reads the configuration. What is wrong with it is told by who asks for a host then.
    init(_ options: CopyOptions) {
        command = options
        guard options.serverRole == nil, !options.showsConfiguration else { return }
        var remotes: [Location.Remote] = []
        if case .remote(let remote) = options.target { remotes.append(remote) }
        // The second host is reached from the first one.
        if options.copiesDirectly { remotes = [] }
        for case .remote(let remote) in options.sources { remotes.append(remote) }
        let request: ClientConfiguration.Request =
            options.transferProtocol == .scp || options.copiesDirectly ? .command("scp") : .subsystem("sftp")
        for remote in remotes where found[remote.key] == nil {
            do throws(ConfigurationError) {
                found[remote.key] = try options.resolve(remote, request: request)
            } catch {
                isComplete = false
            }
        }
    }

    /// The options of a host; nil where they could not be found out.
    func options(for remote: Location.Remote) -> ResolvedConfiguration? { found[remote.key] }

    /// Gives up what the copy has no need of. Nothing but this thread may be there yet.
    ///
    /// - Returns: what came of it, in words; nil where there is no copy with another host.
    func confine() -> String? {
        guard isComplete, !found.isEmpty else { return nil }
        return CopyConfinement(command, found.values.map(\.options), environment: LocalAccount.environment).apply()
    }
}

extension Location.Remote {
    /// What tells hosts of one command line apart.
    var key: String { "\(user ?? "")@\(host):\(port ?? 0)" }
}
