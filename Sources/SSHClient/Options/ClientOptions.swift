/// Everything that decides how a server is reached, trusted and logged in to.
///
/// The names and meanings are those of ssh_config(5).
public struct ClientOptions: Sendable {
    /// What the user called the host.
    public var host: String
    public var port = 22
    public var user: String
    public var addressFamily = AddressFamily.any
    /// Seconds for connecting, and again for the handshake; nil for the system's and our own limits.
    public var connectTimeout: Int?
    public var connectionAttempts = 1
    public var bindAddress: String?
    public var tcpKeepAlive = true
    public var serverAliveInterval = 0
    public var serverAliveCountMax = 3
    public var ipQoS = ServiceClass()

    /// The name to look up among the known hosts in place of the host's.
    public var hostKeyAlias: String?
    public var strictHostKeyChecking = HostKeyChecking.ask
    public var userKnownHostsFiles: [String]
    public var globalKnownHostsFiles = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
    public var hashKnownHosts = false

    /// Key files to offer, in order; nil for the usual ones in `~/.ssh`.
    public var identityFiles: [String]?
    /// Certificates for keys of the user's, beside those next to the key files.
    public var certificateFiles: [String] = []
    /// Offers no key of the agent's that is not named in a file too.
    public var identitiesOnly = false
    /// Where the agent listens; nil for no agent.
    public var agentSocket: String?
    public var addKeysToAgent = AddKeysToAgent.no
    public var forwardAgent = ForwardAgent.no
    public var preferredAuthentications = ["publickey", "keyboard-interactive", "password"]
    public var publicKeyAuthentication = true
    public var passwordAuthentication = true
    public var keyboardInteractiveAuthentication = true
    public var numberOfPasswordPrompts = 3
    /// Asks nobody anything.
    public var batchMode = false

    /// Lists of algorithms in ssh_config's form; nil for the defaults.
    public var ciphers: String?
    public var macs: String?
    public var keyExchanges: String?
    public var hostKeyAlgorithms: String?
    public var publicKeyAlgorithms: String?
    /// Compresses, where the server does.
    public var compression = false
    /// New keys after so many bytes; nil for the cipher's own limit.
    public var rekeyBytes: UInt64?
    /// New keys after so many seconds; nil for never.
    public var rekeySeconds: Int64?

    /// What `-v` counts: 0 tells nothing, 3 every packet.
    public var verbosity = 0
    /// Shows no banner of a server's: `LogLevel` is `QUIET`, `FATAL` or `ERROR`.
    public var isQuiet = false

    /// The user's home directory.
    public let home: String

    /// Options for a host, all else as it is without any configuration.
    ///
    /// - Parameters:
    ///   - account: who is logged in here; the remote user's name by default.
    ///   - environment: looks up a variable of the process; `SSH_AUTH_SOCK` leads to the agent.
    public init(
        host: String, account: LocalAccount = .current,
        environment: (String) -> String? = LocalAccount.environment
    ) {
        self.host = host
        user = account.name
        home = account.home
        agentSocket = environment("SSH_AUTH_SOCK").flatMap { $0.isEmpty ? nil : $0 }
        userKnownHostsFiles = [account.home + "/.ssh/known_hosts", account.home + "/.ssh/known_hosts2"]
    }

    /// The key files to try.
    var identities: [String] {
        identityFiles ?? ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"].map { "\(home)/.ssh/\($0)" }
    }
}

/// Which addresses are connected to.
public enum AddressFamily: String, Sendable {
    case any
    case inet
    case inet6
}

/// What happens to a host key that is not known (`StrictHostKeyChecking`).
public enum HostKeyChecking: Sendable {
    /// Refused.
    case yes
    /// Accepted and written down.
    case acceptNew
    /// Accepted and written down, as in `acceptNew`: a changed key is never accepted.
    case no
    /// The user decides.
    case ask
}
