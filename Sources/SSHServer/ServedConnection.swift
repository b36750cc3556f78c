import NIOCore
import SSHNIO
import SSHProtocol
import SSHWire
import Synchronization

/// Why a connection did not come as far as a user.
struct LoginFailure: Error {
    /// What its address is remembered for; nil for nothing.
    var offence: Admission.Offence?
}

/// One client's connection, from its first byte to its last.
final class ServedConnection: Sendable {
    private struct State {
        var login: Login?
        /// The sessions under way.
        var sessions: [ObjectIdentifier: Task<Void, Never>] = [:]
        /// Those of them whose work is not done: that may be so when their channel has long been closed.
        var working = 0
    }

    let address: PeerAddress
    private let transport: Transport
    private let configuration: ServerConfiguration
    private let policy: any LoginPolicy
    private let handler: any SessionHandler
    private let log: ServerLog
    private let state = Mutex(State())

    init(
        transport: Transport, address: PeerAddress, configuration: ServerConfiguration, policy: any LoginPolicy,
        handler: any SessionHandler, log: ServerLog
    ) {
        self.transport = transport
        self.address = address
        self.configuration = configuration
        self.policy = policy
        self.handler = handler
        self.log = log
    }

    /// Lets the client in, or ends the connection.
    func logIn() async throws(LoginFailure) {
        log.connected(address)
        transport.startDeadline(seconds: configuration.limits.loginGrace)
        var options = LoginConversation.Options()
        options.maxAttempts = configuration.limits.authenticationAttempts
        options.banner = configuration.banner
        let hasFailed = Mutex(false)
        let conversation = LoginConversation(
            policy: policy, address: address.text, port: address.port, options: options
        ) { [log] event in
            log.attempt(event)
            if case .failed = event.outcome { hasFailed.withLock { $0 = true } }
        }
        do {
            var events = transport.events.makeAsyncIterator()
            let login = try await conversation.run(transport: transport, events: &events)
            state.withLock { $0.login = login }
            transport.stopDeadline()
        } catch {
            log.ended(address, error)
            await transport.close(.byApplication, "not let in")
            let failed = hasFailed.withLock { $0 }
            throw LoginFailure(offence: Self.offence(error, hasFailed: failed))
        }
    }

    /// What a client that was not let in is remembered for.
    private static func offence(_ error: any Error, hasFailed: Bool) -> Admission.Offence {
        switch error {
        case TransportError.unresponsive: .graceExceeded
        case TransportError.flooded, TransportError.connection(.violation), TransportError.connection(.malformed),
            TransportError.connection(.unexpected), TransportError.connection(.packetCorrupt),
            TransportError.connection(.notSSH), TransportError.connection(.unsupportedVersion):
            .badProtocol
        default: hasFailed ? .failedLogin : .noLogin
        }
    }

    /// Serves the sessions of a client that was let in, until the connection ends.
    ///
    /// - Parameter isStopping: whether a connection without a session is to be ended.
    func serve(isStopping: @escaping @Sendable () -> Bool) async {
        guard let login = state.withLock({ $0.login }) else { return }
        let limits = configuration.limits
        if limits.keepAliveInterval > 0 {
            transport.keepAlive(interval: limits.keepAliveInterval, most: limits.keepAliveCount)
        }
        if let seconds = limits.idleSeconds { transport.endWhenIdle(seconds: seconds) }
        // Clients that do not know it ignore it.
        try? await transport.perform { (connection) throws(ConnectionError) in try connection.announceHostKeys() }
        transport.serveSessions(atMost: limits.sessionsPerConnection) { [self] channel, kind in
            answer(channel, kind, login, isStopping)
        }
        if isStopping() { endIfIdle() }
        // What clients tell of the whole connection changes nothing here.
        for await _ in transport.events {}
        log.ended(login, transport.failure)
        let sessions = state.withLock { Array($0.sessions.values) }
        for session in sessions { session.cancel() }
        for session in sessions { await session.value }
    }

    /// On the event loop: grants a request, or does not.
    private func answer(
        _ channel: SSHChannel, _ kind: ChannelRequestKind, _ login: Login, _ isStopping: @escaping @Sendable () -> Bool
    ) -> Bool {
        let asked: SessionRequest
        switch kind {
        case .exec(let command): asked = .exec(command)
        case .subsystem(let name): asked = .subsystem(name)
        case .other("shell", _): asked = .shell
        // Terminals, variables, agents: nothing here has use for them.
        default: return false
        }
        guard handler.accepts(asked, from: login) else {
            log.refused(login, asked)
            return false
        }
        let request = login.permissions.forcedCommand.map { SessionRequest.exec($0) } ?? asked
        let session = ServedSession(login: login, request: request, asked: asked, stream: channel) {
            channel.writeError($0)
        }
        let key = ObjectIdentifier(channel)
        return state.withLock { state in
            // RFC 4254 section 6.5: one such request a channel.
            guard state.sessions[key] == nil else { return false }
            guard state.working < configuration.limits.sessionsPerConnection else {
                log.refused(login, request)
                return false
            }
            state.working += 1
            state.sessions[key] = Task { [self] in
                let status = await handler.serve(session)
                // Before the client can know of it, and ask for the next.
                self.state.withLock { $0.working -= 1 }
                channel.close(exitStatus: status)
                await channel.waitForClose()
                let isLast = self.state.withLock { state in
                    state.sessions[key] = nil
                    return state.sessions.isEmpty
                }
                if isLast, isStopping() { end() }
            }
            return true
        }
    }

    /// Ends the connection if it serves no session.
    func endIfIdle() {
        if state.withLock({ $0.sessions.isEmpty }) { end() }
    }

    /// Says goodbye, whatever is under way.
    func end() {
        Task { await transport.close(.byApplication, "the server is stopping") }
    }
}
