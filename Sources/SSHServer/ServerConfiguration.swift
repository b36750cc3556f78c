import SSHCrypto
import SSHKeys
import SSHProtocol

/// How a server presents itself and what it grants.
public struct ServerConfiguration: Sendable {
    /// The keys that the server is known by, one of a type at most.
    public var hostKeys: [PrivateKey]
    /// Host certificates of those keys.
    public var hostCertificates: [Certificate] = []
    /// Shown to clients before they are let in; nil for nothing.
    public var banner: String?
    public var limits = ServerLimits()
    /// New keys after so many bytes; nil for the cipher's own limit.
    public var rekeyBytes: UInt64?
    /// New keys after so many seconds; nil for never by time.
    public var rekeySeconds: Int64? = 3600
    /// What is offered, best first; nil for the defaults.
    /// The congestion control of the connections, by the system's name for it (`bbr`, `cubic`); nil for the system's choice.
    /// Where it cannot be set the log says so.
    public var congestionControl: String?
    public var keyExchanges: [String]?
    public var ciphers: [String]?
    public var macs: [String]?

    public init(hostKeys: [PrivateKey]) { self.hostKeys = hostKeys }

    /// How much a client may send ahead of the disk on each channel, in bytes.
    private static let receiveWindow = 4 << 20

    /// As the connection takes it.
    ///
    /// - Throws: ``ServerError/unknownAlgorithm(_:)``, ``ServerError/noHostKey``.
    func connection() throws(ServerError) -> ConnectionConfiguration {
        guard !hostKeys.isEmpty else { throw .noHostKey }
        var configuration = ConnectionConfiguration()
        let offer = AlgorithmProposal(
            kex: try Self.checked(keyExchanges, Self.keyExchanges.map(\.name), KeyExchangeAlgorithm.all.map(\.name)),
            hostKeys: hostCertificates.flatMap(\.algorithms) + SignatureAlgorithm.defaults.map(\.name),
            ciphers: try Self.checked(
                ciphers, CipherAlgorithm.defaults.map(\.name), CipherAlgorithm.all.map(\.name)),
            macs: try Self.checked(macs, MACAlgorithm.defaults.map(\.name), MACAlgorithm.all.map(\.name)),
            compression: ["none", "zlib@openssh.com"])
        configuration.algorithms = offer
        if macs == nil {
            configuration.algorithmsForPeer = { identification in
                guard Self.knowsPlainMACsOnly(identification) else { return offer }
                var wider = offer
                wider.macsClientToServer += MACAlgorithm.fallbacks.map(\.name)
                wider.macsServerToClient += MACAlgorithm.fallbacks.map(\.name)
                return wider
            }
        }
        configuration.hostKeys = hostKeys
        configuration.hostCertificates = hostCertificates
        configuration.rekeyBytes = rekeyBytes
        configuration.rekeySeconds = rekeySeconds
        configuration.receiveWindow = Self.receiveWindow
        configuration.mostChannels = limits.sessionsPerConnection
        return configuration
    }

    /// The hybrids, and the one classical exchange that every client of today has.
    private static let keyExchanges = KeyExchangeAlgorithm.defaults.filter { method in
        method.name.contains("25519")
    }

    /// libssh2 before 1.11, which curl of some long-lived systems has, can authenticate the plaintext alone.
    static func knowsPlainMACsOnly(_ identification: String) -> Bool {
        let prefix = "SSH-2.0-libssh2_"
        guard identification.hasPrefix(prefix) else { return false }
        let numbers = identification.dropFirst(prefix.count).split(separator: ".").map { Int($0) }
        guard numbers.count >= 2, let major = numbers[0], let minor = numbers[1] else { return false }
        return (major, minor) < (1, 11)
    }

    private static func checked(
        _ wanted: [String]?, _ defaults: [String], _ all: [String]
    ) throws(ServerError) -> [String] {
        guard let wanted else { return defaults }
        if let unknown = wanted.first(where: { !all.contains($0) }) { throw .unknownAlgorithm(unknown) }
        return wanted
    }
}

/// How much clients may ask of a server.
public struct ServerLimits: Sendable {
    /// Connections at a time.
    public var connections = 1000
    /// Connections at a time whose user is not let in yet.
    public var startups = Startups()
    /// Seconds that a client has to be let in.
    public var loginGrace = 120
    /// Failed attempts on one connection.
    public var authenticationAttempts = 6
    /// Channels of one connection at a time, and sessions under way, whose channels may be closed already.
    public var sessionsPerConnection = 16
    /// Seconds without a byte on any channel after which a connection is ended; nil for never.
    public var idleSeconds: Int?
    /// Seconds of silence after which a client is asked whether it is there; 0 for never.
    public var keepAliveInterval = 60
    /// How many such questions may stay unanswered.
    public var keepAliveCount = 3
    /// Whether addresses that fail to be let in are refused for a while.
    public var penalizesFailures = true

    public init() {}

    /// Refuses some of the connections when there are many: from `begin` on `percent` of them, more with each, all at
    /// `full`.
    public struct Startups: Equatable, Sendable {
        public var begin: Int
        public var percent: Int
        public var full: Int

        public init(begin: Int = 10, percent: Int = 30, full: Int = 100) {
            self.begin = begin
            self.percent = percent
            self.full = full
        }
    }
}

/// Why a server could not be started.
public enum ServerError: Error, Equatable, Sendable {
    case noHostKey
    case unknownAlgorithm(String)
    /// Why an address cannot be listened on.
    case cannotListen(address: String, port: Int, reason: String)
}

extension ServerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noHostKey: "no host key"
        case .unknownAlgorithm(let name): "unknown algorithm \(name)"
        case .cannotListen(let address, let port, let reason): "cannot listen on \(address) port \(port): \(reason)"
        }
    }
}
