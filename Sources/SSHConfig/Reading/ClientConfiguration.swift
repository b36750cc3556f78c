import SSHKeys
import SSHNIO

/// The settings of a command line and of configuration files, from which the options for any host follow.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// try configuration.set("Port", to: "2222")
/// let options = try configuration.options(for: "example")
/// ```
///
/// The files are read for each host anew, as what applies depends on it. The settings made here come before theirs.
public struct ClientConfiguration: Sendable {
    /// Which files are read.
    public enum Files: Sendable, Equatable {
        /// `~/.ssh/config`, then `/etc/ssh/ssh_config`, as far as they are there.
        case usual
        /// This one alone, which must be there (`-F`).
        case only(String)
        case none
    }

    /// What the connection is for, which `Match command` and `Match sessiontype` ask.
    public enum Request: Sendable, Equatable {
        case shell
        case command(String)
        case subsystem(String)

        var text: String {
            switch self {
            case .shell: ""
            case .command(let text), .subsystem(let text): text
            }
        }

        var sessionType: String {
            switch self {
            case .shell: "shell"
            case .command(let text): text.isEmpty ? "shell" : "exec"
            case .subsystem: "subsystem"
            }
        }
    }

    static let systemFile = "/etc/ssh/ssh_config"

    public var files: Files
    private let environment: any ConfigurationEnvironment
    private var settings = Settings()

    public init(files: Files = .usual) { self.init(files: files, environment: SystemEnvironment()) }

    package init(files: Files, environment: any ConfigurationEnvironment) {
        self.files = files
        self.environment = environment
    }

    // MARK: The command line's settings

    /// Takes a setting as `-o` does: `Name=value`, `Name = value` or `Name value`. Of a name that is set before, the
    /// first value counts. What has no name, as an empty text or a comment, sets nothing.
    ///
    /// - Throws: `ConfigurationError.option` for a name that does not exist or a value that makes no sense.
    public mutating func set(_ text: String) throws(ConfigurationError) {
        guard let line = ConfigurationLine(commandLine: text) else { return }
        try set(line)
    }

    /// Takes a setting whose value is one argument, quotes and all.
    ///
    /// - Parameter isLiteral: whether tokens such as `%h` in it stand for themselves.
    /// - Throws: `ConfigurationError.option`.
    public mutating func set(
        _ name: String, to value: String, isLiteral: Bool = false
    ) throws(ConfigurationError) {
        try set(ConfigurationLine(keyword: name, value: value), isLiteral: isLiteral)
    }

    /// What ssh warns of when `-i` names a file that is not there, which it then leaves out; nil for one that is there, be
    /// it with its public half alone.
    package static func warning(ofIdentity path: String) -> String? {
        let home = LocalAccount.current.home
        let expanded = path == "~" || path.hasPrefix("~/") ? home + path.dropFirst() : path
        guard path.lowercased() != "none", let number = TextFile.obstacle(to: expanded),
            TextFile.obstacle(to: expanded + ".pub") != nil
        else { return nil }
        return "Warning: Identity file \(path) not accessible: \(SystemError.text(number))."
    }

    private mutating func set(_ line: ConfigurationLine, isLiteral: Bool = false) throws(ConfigurationError) {
        if ["host", "match", "include"].contains(line.keyword) {
            throw .option(name: line.spelling, reason: "directive not supported as a command-line option")
        }
        if line.keyword == "refuseconnection" {
            throw .refused(path: "command-line", line: 0, reason: line.arguments?.first ?? line.rest)
        }
        do throws(Keyword.Fault) {
            try settings.take(line, isActive: true, isLiteral: isLiteral)
        } catch {
            let prefix = "\(line.spelling): "
            let reason = error.reason.hasPrefix(prefix) ? String(error.reason.dropFirst(prefix.count)) : error.reason
            throw .option(name: line.spelling, reason: reason)
        }
    }

    // MARK: Options of a host

    /// The options for a host.
    ///
    /// - Parameters:
    ///   - host: the host as the user calls it.
    ///   - user: the user there; what `User` says, else the local one's name, where there is none. `User` among the
    ///     settings made here comes first, as in ssh.
    ///   - port: as `user`.
    ///   - request: what the connection is for.
    /// - Throws: `ConfigurationError`.
    public func options(
        for host: String, user: String? = nil, port: Int? = nil, request: Request = .shell
    ) throws(ConfigurationError) -> ClientOptions {
        try resolve(host, user: user, port: port, request: request).options
    }

    /// The options for a host, and how they came about.
    ///
    /// - Throws: `ConfigurationError`.
    public func resolve(
        _ host: String, user: String? = nil, port: Int? = nil, request: Request = .shell
    ) throws(ConfigurationError) -> ResolvedConfiguration {
        try Self.resolve(self, host, user: user, port: port, request: request, environment)
    }

    private static func resolve(
        _ configuration: ClientConfiguration, _ host: String, user: String?, port: Int?, request: Request,
        _ environment: some ConfigurationEnvironment
    ) throws(ConfigurationError) -> ResolvedConfiguration {
        var configuration = configuration
        guard HostAddress.isValidHost(host) else { throw .name(reason: "hostname contains invalid characters") }
        if let user {
            guard HostAddress.isValidUser(user) else {
                throw .name(reason: "remote username contains invalid characters")
            }
            try configuration.set("User", to: user, isLiteral: true)
        }
        if let port { try configuration.set("Port", to: String(port)) }
        // The command line's may come from a program, so it is checked like the one before the host.
        if let user = configuration.settings.value("user"), !HostAddress.isValidUser(user) {
            throw .name(reason: "remote username contains invalid characters")
        }
        var evaluation = ConfigurationEvaluation(
            environment: environment, host: host, request: request, settings: configuration.settings)
        try configuration.readFiles(into: &evaluation)

        // What the first pass has found decides how the host is called in the second.
        var found = ClientOptions(host: host, account: environment.account, environment: environment.variable)
        try evaluation.settings.apply(to: &found)
        let isDirect = found.proxyCommand == nil && found.proxyJump.isEmpty
        let name = try found.canonicalization.canonicalName(
            of: replacing(host, in: found.host), isDirect: isDirect, family: found.addressFamily,
            environment: environment)
        if evaluation.wantsFinal || found.canonicalization.mode != .no {
            evaluation.isFinal = true
            evaluation.host = name
            try configuration.readFiles(into: &evaluation)
        }
        var resolved = try finish(evaluation.settings, host, name, evaluation.notes, environment)
        resolved.options.hopConfiguration = ClientConfiguration(files: configuration.files, environment: environment)
        return resolved
    }

    /// The value of `HostName`, whose `%h` is the host as typed.
    private static func replacing(_ host: String, in name: String) throws(ConfigurationError) -> String {
        if name == host { return host }
        do throws(Expansion.Fault) {
            return try Expansion.hostName.expand(
                name, token: { $0 == UInt8(ascii: "h") ? host : nil }, variable: { _ in nil }, home: { _ in nil })
        } catch {
            throw .expansion(name: "hostname", reason: error.reason)
        }
    }

    private func readFiles(
        into evaluation: inout ConfigurationEvaluation<some ConfigurationEnvironment>
    ) throws(ConfigurationError) {
        switch files {
        case .none:
            break
        case .only(let path):
            switch try evaluation.read(path, owner: .user, isChecked: false) {
            case nil: break
            case .missing: throw .unreadable(path: path, reason: "No such file or directory")
            case .permissions: throw .permissions(path: path)
            case .other(let reason): throw .unreadable(path: path, reason: reason)
            }
        case .usual:
            try evaluation.read(environment.account.home + "/.ssh/config", owner: .user, isChecked: true)
            try evaluation.read(Self.systemFile, owner: .system, isChecked: false)
        }
    }

    /// Replaces tokens, now that all they stand for is known.
    private static func finish(
        _ settings: Settings, _ originalHost: String, _ name: String, _ notes: [String],
        _ environment: some ConfigurationEnvironment
    ) throws(ConfigurationError) -> ResolvedConfiguration {
        var options = ClientOptions(host: originalHost, account: environment.account, environment: environment.variable)
        try settings.apply(to: &options)
        var tokens = ConnectionTokens(
            originalHost: originalHost, host: name, port: options.port, user: options.user,
            keyAlias: options.hostKeyAlias ?? originalHost, jumpHost: settings.lastJump,
            localUser: environment.account.name, home: environment.account.home, userID: environment.userID,
            localHost: environment.hostName)
        // The user's name may hold tokens of its own, and is one itself for all others.
        if let user = settings.all.first(where: { $0.name == "user" }), !user.isLiteral {
            tokens.user = try expandedUser(options.user, tokens, environment)
        }
        let expanded = try settings.expanded(tokens, environment: environment)
        options = ClientOptions(host: originalHost, account: environment.account, environment: environment.variable)
        try expanded.apply(to: &options)
        options.originalHost = originalHost
        options.host = name
        options.user = tokens.user
        do throws(Expansion.Fault) {
            options.proxyJump = try options.proxyJump.map { (jump) throws(Expansion.Fault) in
                try jump.expanded { (name) throws(Expansion.Fault) in
                    try Expansion.jumpHost.expand(name, tokens, environment)
                }
            }
        } catch {
            throw .expansion(name: "proxyjump", reason: error.reason)
        }
        let remarks = KeywordTable.remarks(on: settings)
        options.missedAtLogin = remarks.atLogin
        return ResolvedConfiguration(
            options: options, raw: settings, expanded: expanded, notes: notes + remarks.all)
    }

    private static func expandedUser(
        _ user: String, _ tokens: ConnectionTokens, _ environment: some ConfigurationEnvironment
    ) throws(ConfigurationError) -> String {
        let expanded: String
        do throws(Expansion.Fault) {
            expanded = try Expansion.user.expand(user, tokens, environment)
        } catch {
            throw .expansion(name: "user", reason: error.reason)
        }
        guard expanded == user || HostAddress.isValidUser(expanded) else {
            throw .name(reason: "remote username contains invalid characters")
        }
        return expanded
    }
}

extension ClientOptions {
    /// The options that the configuration files of the user and of the system give for a host.
    ///
    /// - Parameter user: the user there, if it is not for the files to say.
    /// - Throws: `ConfigurationError`.
    public static func resolved(host: String, user: String? = nil) throws(ConfigurationError) -> ClientOptions {
        try ClientConfiguration().options(for: host, user: user)
    }
}
