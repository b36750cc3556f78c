import NIOCore
import SSHConfig
import SSHNIO
import SSHProtocol
import SSHWire

/// Logs in: offers the user's keys, answers questions and gives passwords, in the order the user prefers
/// (RFC 4252, RFC 4256).
struct Authenticator {
    let options: ClientOptions
    let interface: any UserInterface
    let log: ClientLog
    let transport: Transport
    /// What is to be asked for on a session that is wanted as soon as the user is let in; nil for no session.
    private let session: [ChannelRequestKind]?

    private var keys: PublicKeyOffers
    private var passwords: PasswordPrompts
    private var questions: KeyboardInteractive
    /// What the server said may go on; nil before it said anything.
    private var methods: [String]?
    private var requests = 0
    /// Partial successes and rounds of questions so far.
    private var steps = 0
    /// No login takes more: a server that always wants another is left.
    private static let mostSteps = 32
    /// What banners may add up to, in bytes.
    private static let mostBanner = 64 << 10
    private var bannerBytes = 0
    private var hasOpenedAhead = false

    init(
        options: ClientOptions, interface: any UserInterface, log: ClientLog, time: TimeLimit, facts: SessionFacts,
        publicKeyAlgorithms: [String], session: [ChannelRequestKind]?
    ) {
        self.session = session
        self.options = options
        self.interface = interface
        self.log = log
        transport = time.transport
        keys = PublicKeyOffers(
            options: options, interface: interface, log: log, time: time, session: facts,
            algorithms: publicKeyAlgorithms)
        passwords = PasswordPrompts(options: options, interface: interface)
        questions = KeyboardInteractive(options: options, interface: interface)
    }

    /// Logs in on a connection that has its keys.
    ///
    /// The first request already carries a signature where there is a key to sign with: no question first whether the
    /// key is welcome, no request just to learn the methods.
    ///
    /// - Throws: `ClientError.permissionDenied`, or what ended the connection.
    mutating func run(_ events: inout ConnectionEvents.Iterator) async throws {
        while true {
            let method = try await nextMethod()
            try Task.checkCancellation()
            guard let method else {
                for remark in options.missedAtLogin { interface.tell(remark) }
                throw ClientError.permissionDenied(
                    user: options.user, host: options.host, methods: methods ?? [],
                    missingKeyFiles: IdentityList.missingFiles(options))
            }
            log.note(1, "Next authentication method: \(method.name)")
            try await send(method)
            if try await isAccepted(&events) {
                log.note(1, "Authenticated to \(options.host) using \"\(method.name)\".")
                return
            }
        }
    }

    private mutating func send(_ method: AuthenticationMethod) async throws {
        let (user, session) = (options.user, session)
        requests += 1
        defer { method.wipeSecretsForAll() }
        hasOpenedAhead = try await transport.perform { (connection) throws(ConnectionError) in
            try connection.authenticate(user: user, method, session: session)
            return connection.hasOpenedAhead
        }
    }

    /// Whether the connection ended because the server minded a session asked for before the user was let in, as far as one
    /// can see.
    func mayHaveRefusedSessionAhead(_ error: TransportError) -> Bool {
        // Its end comes with its first refusal; by then the next request may have been sent.
        guard hasOpenedAhead, requests <= 2 else { return false }
        switch error {
        case .closedByPeer, .broken: return true
        case .connection(.disconnected(.protocolError, let text)):
            return !text.description.contains("authentication failures")
        default: return false
        }
    }

    /// Waits for the verdict on the request under way, answering questions on the way to it.
    private mutating func isAccepted(_ events: inout ConnectionEvents.Iterator) async throws -> Bool {
        while let event = await events.next() {
            switch event {
            case .authenticated:
                await keys.succeeded(isPartial: false)
                return true
            case .authenticationFailed(let names, let isPartial):
                if isPartial {
                    try countStep()
                    log.note(1, "Authenticated using one method; more are wanted.")
                    await keys.succeeded(isPartial: true)
                } else {
                    keys.refused()
                }
                let shown = names.map { Printable.text($0.utf8) }
                log.note(1, "Authentications that can continue: \(shown.joined(separator: ","))")
                methods = names
                return false
            case .publicKeyAcceptable:
                guard let method = await keys.signed() else { return false }
                try await send(method)
            case .informationRequested(let request):
                try countStep()
                let answers = await questions.answers(to: request)
                try await transport.perform { (connection) throws(ConnectionError) in try connection.answer(answers) }
            case .passwordChangeRequested(let demand):
                guard let method = await passwords.change(demand) else { return false }
                try await send(method)
            case .banner(let text):
                show(text)
            case .debug(let text):
                interface.tell("Remote: \(text)")
            default:
                break
            }
        }
        try Task.checkCancellation()
        throw transport.failure ?? .closedByPeer
    }

    private mutating func countStep() throws(ClientError) {
        steps += 1
        guard steps <= Self.mostSteps else {
            throw .endlessLogin(user: options.user, host: options.host, steps: Self.mostSteps)
        }
    }

    private mutating func show(_ banner: ByteBuffer) {
        bannerBytes += banner.readableBytes
        guard !options.isQuiet, banner.readableBytes > 0, bannerBytes <= Self.mostBanner else { return }
        interface.tell(Printable.text(banner.readableBytesView, keepingNewlines: true).withoutLineEnd)
    }

    // MARK: What to try next

    private mutating func nextMethod() async throws -> AuthenticationMethod? {
        for name in options.preferredAuthentications where methods?.contains(name) ?? true {
            switch name {
            case "publickey" where options.publicKeyAuthentication:
                guard let facts = try await SessionFacts(of: transport) else { continue }
                if let method = await keys.next(facts) { return method }
            case "keyboard-interactive" where methods != nil:
                if let method = questions.next() { return method }
            case "password" where methods != nil:
                if let method = await passwords.next() { return method }
            default:
                continue
            }
        }
        // Nothing to offer unasked: learn what the server would take.
        return methods == nil ? AuthenticationMethod.none : nil
    }
}

extension SessionFacts {
    /// What is known of a connection now; nil before it has keys.
    init?(of transport: Transport) async throws {
        let facts = try await transport.perform { (connection) throws(ConnectionError) in SessionFacts(connection) }
        guard let facts else { return nil }
        self = facts
    }
}
