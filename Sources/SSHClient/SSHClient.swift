import NIOCore
import NIOPosix
import SSHConfig
import SSHCrypto
import SSHKeys
import SSHNIO
import SSHProtocol
import SSHWire

/// A connection to an SSH server, logged in.
///
/// ```swift
/// import SSHClient
/// import SSHConfig
///
/// let client = try await SSHClient.connect(ClientOptions(host: "example.org"), interface: TerminalInterface())
/// let channel = try await client.exec("uptime")
/// while let bytes = try await channel.read() { print(String(buffer: bytes)) }
/// let status = try await channel.exitStatus
/// await client.close()
/// ```
public final class SSHClient: Sendable {
    public let options: ClientOptions
    private let server: PeerSoftware
    let transport: Transport
    private let route: Route
    private let watcher: Task<Void, Never>
    /// Whether sessions are told that they may use the agent here.
    private let forwardsAgent: Bool
    private let updates: UpdateGate
    private let hostKey: PublicKey?
    /// Given by a program.
    private let group: (any EventLoopGroup)?

    /// Seconds a server has for the handshake when the user set none.
    private static let handshakeLimit = 120

    private init(
        options: ClientOptions, server: PeerSoftware, route: Route, watcher: Task<Void, Never>, forwardsAgent: Bool,
        updates: UpdateGate, hostKey: PublicKey?, group: (any EventLoopGroup)?
    ) {
        self.group = group
        self.hostKey = hostKey
        self.options = options
        self.server = server
        self.forwardsAgent = forwardsAgent
        self.route = route
        transport = route.transport
        self.watcher = watcher
        self.updates = updates
    }

    /// Connects, verifies the host and logs in.
    ///
    /// - Parameters:
    ///   - interface: asked about unknown hosts and for passwords.
    ///   - log: told the story of the connection.
    ///   - subsystem: what ``subsystem(_:)`` will be asked for first, such as `sftp`. A server whose ways are known starts it
    ///     as soon as the user is let in, which saves a round trip.
    ///   - group: whose event loops the connection lives on; the process's own if it is nil.
    /// - Throws: `ClientError`; `TransportError` when the connection ends in between; `CancellationError` as soon as the task
    ///   is cancelled, wherever the server, a program on the way or a person is waited for.
    public static func connect(
        _ options: ClientOptions, interface: any UserInterface, log: ClientLog = ClientLog(verbosity: 0) { _ in },
        subsystem: String? = nil, on group: (any EventLoopGroup)? = nil
    ) async throws -> SSHClient {
        var session: [ChannelRequestKind] = []
        // Lending the agent needs a request of its own, and that an agent can be reached, which is looked at later.
        if let subsystem, options.forwardAgent == .no {
            let requests = requests(for: .subsystem(name: subsystem), options)
            if requests.count <= mostRequestsAhead { session = requests }
        }
        return try await connect(
            options, Approach(interface: interface, log: log, session: session, group: group))
    }

    /// What a connection is made with besides its options.
    struct Approach {
        var interface: any UserInterface
        let log: ClientLog
        /// The servers that are to be reached through this one.
        var trail: [Dialer.Stop] = []
        /// What will be asked for on the first session; nil if none will be opened.
        var session: [ChannelRequestKind]?
        /// Given by a program; nil for the process's own.
        let group: (any EventLoopGroup)?
    }

    /// So many requests may be made before the user is let in; more variables to be set than that wait.
    private static let mostRequestsAhead = 32

    static func connect(_ options: ClientOptions, _ approach: Approach) async throws -> SSHClient {
        var approach = approach
        approach.interface = LeveledInterface(base: approach.interface, threshold: options.logLevel)
        let log = approach.log
        do {
            return try await connect(again: options, approach)
        } catch let error where Task.isCancelled {
            log.note(1, "cancelled: \(error)")
            throw CancellationError()
        } catch ClientError.lost(options.host, options.port, .connection(.noCommonAlgorithm(let reason)))
            where options.canReachFurther
        {
            log.note(1, "\(reason); connecting again, with what is for such servers")
            var options = options
            options.reach = .wide
            return try await connect(again: options, approach)
        }
    }

    /// The server has ended the connection for a session that was asked for before the user was let in.
    private struct SessionAheadRefused: Error {}

    private static func connect(again options: ClientOptions, _ approach: Approach) async throws -> SSHClient {
        do {
            return try await connect(once: options, approach)
        } catch is SessionAheadRefused {
            approach.log.note(1, "The server has ended the connection; connecting again, one step after the other")
            var approach = approach
            approach.session = nil
            return try await connect(once: options, approach)
        }
    }

    private static func connect(once options: ClientOptions, _ approach: Approach) async throws -> SSHClient {
        var options = options
        let (interface, log) = (approach.interface, approach.log)
        var verifier = HostVerifier(options: options, interface: interface, log: log)
        let publicKeyAlgorithms = try PublicKeyOffers.algorithms(options)
        let configuration = try configuration(options, hostKeys: try await verifier.algorithms())
        let dialer = Dialer(
            options: options, interface: interface, log: log, group: approach.group ?? Self.group,
            trail: approach.trail)
        let route = try await dialer.connect(configuration)
        let (transport, address) = (route.transport, route.address)
        let limit = options.connectTimeout ?? handshakeLimit
        let time = TimeLimit(transport: transport, step: limit)
        let server: PeerSoftware
        let forwarding: AgentForwarding?
        let updates = UpdateGate()
        let updater: HostKeyUpdater?
        let hostKey: PublicKey?
        do {
            let timed = TimedInterface(base: interface, time: time)
            verifier.interface = timed
            var events = transport.events.makeAsyncIterator()
            let trust: HostTrust
            (trust, hostKey) = try await handshake(&events, transport, verifier, address: address, log: log)
            if case .changed = trust { options.withholdSecrets(interface) }
            updater = try verifier.updater(after: trust, address: address, gate: updates)
            try await warnOfWeakExchange(options, transport, interface)
            guard let facts = try await SessionFacts(of: transport) else { throw TransportError.closedByPeer }
            server = facts.server
            var authenticator = Authenticator(
                options: options, interface: timed, log: log, time: time, facts: facts,
                publicKeyAlgorithms: publicKeyAlgorithms, session: approach.session)
            do {
                try await authenticator.run(&events)
            } catch let error as TransportError where authenticator.mayHaveRefusedSessionAhead(error) {
                throw SessionAheadRefused()
            }
            transport.stopDeadline()
            let binding = AgentBinding(sessionID: facts.sessionID, proof: facts.proof)
            forwarding = await AgentForwarding(options, binding: binding, log: log)
            forwarding?.start(on: transport)
        } catch let error as TransportError {
            await route.release()
            throw explain(error, options, limit)
        } catch {
            await route.close(.byApplication, "")
            throw error
        }
        var silence = SilenceLimits()
        if options.serverAliveInterval > 0 {
            transport.keepAlive(interval: options.serverAliveInterval, most: options.serverAliveCountMax)
            silence.mostQuestions = 0
        }
        transport.watch(silence)
        let watcher = Task {
            var updater = updater
            for await event in transport.events {
                if case .debug(let text) = event { interface.tell("Remote: \(text)") }
                await updater?.receive(event, transport)
            }
        }
        return SSHClient(
            options: options, server: server, route: route, watcher: watcher, forwardsAgent: forwarding != nil,
            updates: updates, hostKey: hostKey, group: approach.group)
    }

    /// One thread serves the connections of a process.
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// Further connections to a host share the work among processors.
    private static let furtherGroup = MultiThreadedEventLoopGroup(
        numberOfThreads: max(1, min(8, System.coreCount - 1)))

    /// Connects once more to the same host as the same user, for more than one connection carries. Nobody is asked anything, and
    /// no other host key is taken.
    ///
    /// - Parameter log: told the story of the connection.
    /// - Throws: as ``connect(_:interface:log:subsystem:on:)``.
    package func connectAgain(log: ClientLog = ClientLog(verbosity: 0) { _ in }) async throws -> SSHClient {
        guard let hostKey else { throw TransportError.closedByPeer }
        var options = options
        options.expectedHostKey = hostKey
        options.batchMode = true
        options.forwardAgent = .no
        return try await Self.connect(
            options, interface: SilentInterface(), log: log, subsystem: "sftp", on: group ?? Self.furtherGroup)
    }

    private static func explain(_ error: TransportError, _ options: ClientOptions, _ limit: Int) -> ClientError {
        switch error {
        case .unresponsive: return .handshakeTimeout(host: options.host, seconds: limit)
        case .connection(.disconnected(_, let text)) where text.description.contains("Too many authentication failures"):
            return .tooManyAttempts(user: options.user, host: options.host)
        default: break
        }
        return .lost(host: options.host, port: options.port, reason: error)
    }

    /// Goes from the first byte to keys in use.
    ///
    /// - Returns: on what grounds the host is trusted, and its key.
    private static func handshake(
        _ events: inout ConnectionEvents.Iterator, _ transport: Transport, _ verifier: HostVerifier,
        address: String, log: ClientLog
    ) async throws -> (HostTrust, PublicKey?) {
        var trust = HostTrust.indirect
        var hostKey: PublicKey?
        while let event = await events.next() {
            switch event {
            case .hostKey(let key):
                hostKey = key
                let certificate = try await transport.perform { (connection) throws(ConnectionError) in
                    connection.hostCertificate
                }
                do throws(ClientError) {
                    trust = try await verifier.verify(key, certificate: certificate, address: address)
                } catch {
                    try? await transport.perform { (connection) throws(ConnectionError) in
                        connection.fail(.hostKeyRejected)
                    }
                    throw error
                }
                try await transport.perform { (connection) throws(ConnectionError) in try connection.acceptHostKey() }
            case .preamble(let line):
                log.note(1, "server says: \(line)")
            case .ready:
                return (trust, hostKey)
            default:
                break
            }
        }
        throw transport.failure ?? .closedByPeer
    }

    /// `WarnWeakCrypto`: what is recorded today can be read once there are quantum computers. A user who has chosen the
    /// algorithms knows.
    private static func warnOfWeakExchange(
        _ options: ClientOptions, _ transport: Transport, _ interface: any UserInterface
    ) async throws {
        guard options.warnsOfWeakCrypto, options.keyExchanges == nil else { return }
        let name = try await transport.perform { (connection) throws(ConnectionError) in connection.negotiated?.kex }
        guard let name, KeyExchangeAlgorithm.named(name)?.isPostQuantum == false else { return }
        interface.tell(
            """
            ** WARNING: connection is not using a post-quantum key exchange algorithm.
            ** What is sent over it may be recorded now and decrypted later.
            ** The server may need to be upgraded. See https://openssh.com/pq.html
            """)
    }

    private static func configuration(
        _ options: ClientOptions, hostKeys: [String]
    ) throws(ClientError) -> ConnectionConfiguration {
        var configuration = ConnectionConfiguration()
        configuration.algorithms = AlgorithmProposal(
            kex: try AlgorithmKind.keyExchange.names(
                options.keyExchanges, option: "KexAlgorithms",
                defaults: options.offer(KeyExchangeAlgorithm.defaults, KeyExchangeAlgorithm.fallbacks).map(\.name)),
            hostKeys: hostKeys,
            ciphers: try AlgorithmKind.cipher.names(options.ciphers, option: "Ciphers"),
            macs: try AlgorithmKind.mac.names(
                options.macs, option: "MACs",
                defaults: options.offer(MACAlgorithm.defaults, MACAlgorithm.fallbacks + MACAlgorithm.oldFallbacks)
                    .map(\.name)),
            compression: options.compression ? ["zlib@openssh.com", "none"] : ["none", "zlib@openssh.com"])
        if let addendum = options.versionAddendum { configuration.softwareVersion += " \(addendum)" }
        configuration.rekeyBytes = options.rekeyBytes
        configuration.rekeySeconds = options.rekeySeconds
        if let window = options.receiveWindow { configuration.receiveWindow = window }
        return configuration
    }

    // MARK: Channels

    /// Runs a command on the server, in the user's shell there.
    ///
    /// - Parameter errorOutput: receives what the command writes to its standard error.
    /// - Throws: `TransportError`; `ClientError.requestRefused`.
    public func exec(
        _ command: [UInt8], errorOutput: @escaping @Sendable (ByteBuffer) -> Void = { _ in }
    ) async throws -> SSHChannel {
        let requests = requests(for: .exec(command: ByteBuffer(bytes: command)))
        guard let channel = try await transport.openSession(requests, errorOutput: errorOutput) else {
            throw ClientError.requestRefused("to run \"\(Printable.text(command))\"")
        }
        return channel
    }

    /// What to ask for on a session's channel: that the agent may be used, variables to be set, and the thing itself.
    private func requests(for kind: ChannelRequestKind) -> [ChannelRequestKind] {
        (forwardsAgent ? [AgentForwarding.request] : []) + Self.requests(for: kind, options)
    }

    /// A server that does not want to set variables says nothing.
    private static func requests(for kind: ChannelRequestKind, _ options: ClientOptions) -> [ChannelRequestKind] {
        options.sentVariables().map { .environment(name: $0.name, value: $0.value) } + [kind]
    }

    /// Runs a command given as text.
    public func exec(_ command: String) async throws -> SSHChannel { try await exec(Array(command.utf8)) }

    /// Starts a subsystem of the server, such as `sftp`.
    ///
    /// - Throws: `TransportError`; `ClientError.requestRefused`.
    public func subsystem(_ name: String) async throws -> SSHChannel {
        guard let channel = try await transport.openSession(requests(for: .subsystem(name: name))) else {
            throw ClientError.requestRefused("the subsystem \"\(name)\"")
        }
        return channel
    }

    /// Whether the server is OpenSSH's or this package's, whose ways are known.
    package var isServerKnown: Bool { server.isKnown }

    /// What the server calls its software, such as `OpenSSH_9.2p1`; its own word, not printable.
    package var serverSoftware: String { String(server.name) }

    /// Why the connection ended; nil while it lives.
    public var failure: TransportError? { transport.failure }

    /// Says goodbye and closes the connection.
    public func close() async {
        updates.close()
        await route.close()
        watcher.cancel()
    }
}
