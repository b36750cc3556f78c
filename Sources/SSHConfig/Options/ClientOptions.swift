import SSHKeys

/// Everything that decides how a server is reached, trusted and logged in to.
///
/// The names and meanings are those of ssh_config(5).
public struct ClientOptions: Sendable {
    /// The name or address that is connected to, and looked up among the known hosts.
    public var host: String
    /// What the user called the host, before any configuration.
    public var originalHost: String
    public var port = 22
    public var user: String
    public var addressFamily = AddressFamily.any
    /// Seconds for connecting, and again for the handshake; nil for the system's and our own limits.
    public var connectTimeout: Int?
    public var connectionAttempts = 1
    public var bindAddress: String?
    /// The interface that is connected from, by its name.
    public var bindInterface: String?
    /// A command that reaches the server on its standard input and output, instead of a connection of our own.
    public var proxyCommand: String?
    /// Servers to go through, in order.
    public var proxyJump: [JumpHost] = []
    /// What the options of the servers in ``proxyJump`` come from: the same files, and nothing of the command line's.
    package var hopConfiguration = ClientConfiguration(files: .none)
    /// The program of ``proxyCommand`` is to hand over a connected socket in place of carrying the bytes, which is not
    /// supported.
    public var proxyUseFdpass = false
    public var tcpKeepAlive = true
    public var serverAliveInterval = 0
    public var serverAliveCountMax = 3
    public var ipQoS = ServiceClass()
    /// The congestion control of the TCP connection, by the system's name for it (`bbr`, `cubic`); nil for the system's
    /// choice. It is no option of ssh_config's.
    public var congestionControl: String?
    /// The one host key that is accepted, for one more connection to the same host; nil to judge it by the files.
    package var expectedHostKey: PublicKey?

    /// The name to look up among the known hosts in place of the host's.
    public var hostKeyAlias: String?
    public var strictHostKeyChecking = HostKeyChecking.ask
    public var userKnownHostsFiles: [String]
    public var globalKnownHostsFiles = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
    public var hashKnownHosts = false
    /// Looks the address up among the known hosts too.
    public var checkHostIP = false
    /// Trusts whatever answers on a loopback address, unless there is an alias.
    public var noHostAuthenticationForLocalhost = false
    /// A program, with arguments, whose output counts as one more known hosts file; nil for none.
    public var knownHostsCommand: String?
    /// Files that list revoked keys; while one of them cannot be read, no host is trusted.
    public var revokedHostKeysFiles: [String] = []
    /// Learns the other keys of a host; nil for yes, unless the user has chosen `userKnownHostsFiles` or
    /// `verifyHostKeyDNS`.
    public var updateHostKeys: UpdateHostKeys?
    /// Nothing is looked up in DNS; set, it turns the default of `updateHostKeys` to no.
    public var verifyHostKeyDNS = false
    public var fingerprintHash = FingerprintHash.sha256
    /// Shows a picture of the host key's fingerprint.
    public var visualHostKey = false
    /// The fewest bits of an RSA key that is used, the host's or the user's.
    public var requiredRSASize = 1024
    /// The signature algorithms of authorities, in ssh_config's form; nil for the default.
    public var caSignatureAlgorithms: String?

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
    /// Ways of keyboard-interactive to ask for, with commas between; nil leaves it to the server.
    public var keyboardInteractiveDevices: String?
    public var preferredAuthentications = ["publickey", "keyboard-interactive", "password"]
    public var publicKeyAuthentication = true
    public var passwordAuthentication = true
    public var keyboardInteractiveAuthentication = true
    public var numberOfPasswordPrompts = 3
    /// Asks nobody anything.
    public var batchMode = false

    /// What follows our name where we identify ourselves; nil for nothing.
    public var versionAddendum: String?
    /// Warns where the key exchange is not safe from quantum computers to come, unless the user has chosen it.
    public var warnsOfWeakCrypto = true
    /// Settings that have no effect here and that a login that fails may have needed, each as a sentence.
    package var missedAtLogin: [String] = []

    /// Lists of algorithms in ssh_config's form; nil for the defaults.
    public var ciphers: String?
    public var macs: String?
    public var keyExchanges: String?
    public var hostKeyAlgorithms: String?
    public var publicKeyAlgorithms: String?
    /// Which defaults stand for lists that are nil.
    package var reach = Reach.usual
    /// How much a server may send ahead of the reader on each channel, in bytes; nil for our own choice.
    public var receiveWindow: Int?
    /// Compresses, where the server does.
    public var compression = false
    /// New keys after so many bytes; nil for the cipher's own limit.
    public var rekeyBytes: UInt64?
    /// New keys after so many seconds; nil for never.
    public var rekeySeconds: Int64?

    /// Names of local variables of the environment to send, as patterns.
    public var sendEnvironment: [String] = []
    /// Variables to set there.
    public var setEnvironment: [(name: String, value: String)] = []

    /// The socket of a connection that an ssh keeps for others to share; nil for none.
    public var controlPath: String?
    public var controlMaster = ControlMaster.no
    /// Seconds a shared connection lives on unused, 0 for ever; nil where it ends with its first user.
    public var controlPersist: Int?

    var canonicalization = Canonicalization()

    public var logLevel = LogLevel.info
    /// What `-v` counts: 0 tells nothing, 3 every packet.
    public var verbosity: Int {
        get { max(0, logLevel.rawValue - LogLevel.verbose.rawValue) }
        set {
            logLevel =
                newValue > 0 ? LogLevel(rawValue: LogLevel.verbose.rawValue + min(newValue, 3)) ?? .debug3 : .info
        }
    }
    /// Shows no banner of a server's: `logLevel` is quiet, fatal or error.
    public var isQuiet: Bool { logLevel <= .error }

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
        originalHost = host
        user = account.name
        home = account.home
        agentSocket = environment("SSH_AUTH_SOCK").flatMap { $0.isEmpty ? nil : $0 }
        userKnownHostsFiles = Self.usualKnownHostsFiles(home: account.home)
    }

    /// The key files to try.
    package var identities: [String] {
        identityFiles
            ?? ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"].map { "\(home)/.ssh/\($0)" }
    }
}

/// Which addresses are connected to.
public enum AddressFamily: String, Sendable {
    case any
    case inet
    case inet6
}

/// Whether a connection is offered to others to share (`ControlMaster`).
public enum ControlMaster: Sendable {
    case no
    case yes
    case ask
    case auto
    case autoAsk
}

/// Whether the other keys of a known host are learnt (`UpdateHostKeys`).
public enum UpdateHostKeys: String, Sendable {
    case yes
    case no
    /// As `no`: during a copy nobody can be asked.
    case ask
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
