import NIOCore
import SSHConnection
import SSHKeys
import SSHTransport
import SSHWire

/// Logs in: offers the user's keys, answers questions and gives passwords, in the order the user prefers
/// (RFC 4252, RFC 4256).
struct Authenticator {
    let options: ClientOptions
    let interface: any UserInterface
    let log: ClientLog
    let transport: Transport
    let publicKeyAlgorithms: [String]

    private var identities: [Identity]
    /// The key whose offer was answered last, or is under way, and the algorithm it signed with.
    private var lastOffer: (identity: Identity, algorithm: String)?
    private var passwordPrompts = 0
    private var interactiveRounds = 0
    /// What the server said may go on; nil before it said anything.
    private var methods: [String]?
    /// The algorithms the server verifies (RFC 8308 section 3.1); nil when it did not say.
    private var serverAlgorithms: [String]?

    init(options: ClientOptions, interface: any UserInterface, log: ClientLog, transport: Transport) throws(ClientError)
    {
        self.options = options
        self.interface = interface
        self.log = log
        self.transport = transport
        publicKeyAlgorithms = try AlgorithmList.resolve(
            options.publicKeyAlgorithms, option: "PubkeyAcceptedAlgorithms",
            defaults: SignatureAlgorithm.defaults.map(\.name), all: SignatureAlgorithm.all.map(\.name))
        identities =
            options.publicKeyAuthentication && options.preferredAuthentications.contains("publickey")
            ? Identity.load(
                options.identities, isNamed: options.identityFiles != nil, interface: interface, log: log) : []
    }

    /// Logs in on a connection that has its keys.
    ///
    /// The first request already carries a signature where there is a key to sign with: no question first whether the
    /// key is welcome, no request just to learn the methods.
    ///
    /// - Throws: `ClientError.permissionDenied`, or what ended the connection.
    mutating func run(_ events: inout AsyncStream<ConnectionEvent>.Iterator) async throws {
        while true {
            guard let method = try await nextMethod() else {
                throw ClientError.permissionDenied(
                    user: options.user, host: options.host, methods: methods ?? [])
            }
            let user = options.user
            log.note(1, "Next authentication method: \(method.name)")
            try await transport.perform { (connection) throws(ConnectionError) in
                try connection.authenticate(user: user, method)
            }
            if try await isAccepted(&events) {
                log.note(1, "Authenticated to \(options.host) using \"\(method.name)\".")
                return
            }
        }
    }

    /// Waits for the verdict on the request under way, answering questions on the way to it.
    private mutating func isAccepted(_ events: inout AsyncStream<ConnectionEvent>.Iterator) async throws -> Bool {
        while let event = await events.next() {
            switch event {
            case .authenticated:
                return true
            case .authenticationFailed(let names, let isPartial):
                if isPartial {
                    log.note(1, "Authenticated using one method; more are wanted.")
                    lastOffer = nil
                }
                log.note(1, "Authentications that can continue: \(names.joined(separator: ","))")
                methods = names
                return false
            case .informationRequested(let request):
                try await answer(request)
            case .passwordChangeRequested(let prompt):
                interface.tell(Printable.text(prompt.readableBytesView, keepingNewlines: true))
                interface.tell(
                    "The password of \(options.user)@\(options.host) has expired; it cannot be changed here.")
                methods = methods?.filter { $0 != "password" } ?? []
                passwordPrompts = options.numberOfPasswordPrompts
                return false
            case .extensions(let info):
                note(info)
            case .banner(let text):
                show(text)
            case .debug(let text):
                interface.tell("Remote: \(text)")
            default:
                break
            }
        }
        throw transport.failure ?? .closedByPeer
    }

    mutating func note(_ info: ExtensionInfo) {
        guard let list = info["server-sig-algs"] else { return }
        serverAlgorithms = String(decoding: list.readableBytesView, as: UTF8.self).split(separator: ",").map(
            String.init)
        log.note(1, "The server verifies \(serverAlgorithms?.joined(separator: ",") ?? "")")
    }

    func show(_ banner: ByteBuffer) {
        var text = Printable.text(banner.readableBytesView, keepingNewlines: true)
        while text.hasSuffix("\n") { text.removeLast() }
        interface.tell(text)
    }

    // MARK: What to try next

    private mutating func nextMethod() async throws -> AuthenticationMethod? {
        for name in options.preferredAuthentications where methods?.contains(name) ?? true {
            switch name {
            case "publickey":
                if let method = try await nextPublicKey() { return method }
            case "keyboard-interactive" where methods != nil && options.keyboardInteractiveAuthentication:
                guard !options.batchMode, interactiveRounds < options.numberOfPasswordPrompts else { continue }
                interactiveRounds += 1
                return .keyboardInteractive(submethods: "")
            case "password" where methods != nil && options.passwordAuthentication:
                if let method = await nextPassword() { return method }
            default:
                continue
            }
        }
        // Nothing to offer unasked: learn what the server would take.
        return methods == nil ? AuthenticationMethod.none : nil
    }

    /// The best algorithm for a key that has not been refused with it. What the server did not list may work all the
    /// same, and is tried last (RFC 8308 section 3.1).
    private func signatureAlgorithm(for identity: Identity) -> String? {
        let type = identity.key.publicKey.type
        let fitting = SignatureAlgorithm.all.filter { $0.keyType == type }.map(\.name).filter {
            publicKeyAlgorithms.contains($0) && !identity.refusedAlgorithms.contains($0)
        }
        return fitting.first { serverAlgorithms?.contains($0) ?? true } ?? fitting.first
    }

    /// A server refuses an algorithm it does not know as it refuses a key, and its list of them may have come after
    /// the offer: the key is worth another with the next algorithm.
    private mutating func reconsiderLastOffer() {
        guard let offer = lastOffer else { return }
        lastOffer = nil
        guard serverAlgorithms?.contains(offer.algorithm) != true else { return }
        var identity = offer.identity
        identity.refusedAlgorithms.append(offer.algorithm)
        if signatureAlgorithm(for: identity) != nil { identities.insert(identity, at: 0) }
    }

    private mutating func nextPublicKey() async throws -> AuthenticationMethod? {
        reconsiderLastOffer()
        while !identities.isEmpty {
            let identity = identities.removeFirst()
            let key = identity.key
            guard let algorithm = signatureAlgorithm(for: identity) else {
                log.note(1, "\(identity.path): no signature algorithm that may be used with it")
                continue
            }
            log.note(
                1,
                "Offering public key: \(identity.path) \(key.publicKey.type.shortName) "
                    + "\(key.publicKey.fingerprint())")
            let blob = key.publicKey.blob
            let user = options.user
            let sessionID = try await transport.perform { (connection) throws(ConnectionError) in connection.sessionID }
            guard let sessionID else { return nil }
            let data = AuthenticationSignature.signedData(
                sessionID: sessionID, user: user, algorithm: algorithm, key: blob)
            do throws(KeyError) {
                let signature = try key.sign(data.readableBytesView, algorithm: algorithm)
                lastOffer = (identity, algorithm)
                return .publicKey(algorithm: algorithm, key: blob, signature: signature)
            } catch {
                interface.tell("\(identity.path): \(error)")
            }
        }
        return nil
    }

    private mutating func nextPassword() async -> AuthenticationMethod? {
        guard !options.batchMode, passwordPrompts < options.numberOfPasswordPrompts else { return nil }
        if passwordPrompts > 0 { interface.tell("Permission denied, please try again.") }
        passwordPrompts += 1
        guard var password = await interface.askSecret("\(options.user)@\(options.host)'s password: ") else {
            passwordPrompts = options.numberOfPasswordPrompts
            return nil
        }
        defer { _ = password.withUnsafeMutableBytes { $0.initializeMemory(as: UInt8.self, repeating: 0) } }
        return .password(ByteBuffer(bytes: password), new: nil)
    }

    private func answer(_ request: UserAuthInfoRequest) async throws {
        let words = [request.title, request.instruction].map {
            Printable.text($0.readableBytesView, keepingNewlines: true)
        }
        for text in words where !text.isEmpty { interface.tell(text) }
        var answers: [ByteBuffer] = []
        for prompt in request.prompts {
            let text =
                "(\(options.user)@\(options.host)) "
                + Printable.text(prompt.text.readableBytesView, keepingNewlines: true)
            let answer =
                prompt.echo
                ? await interface.ask(text).map { ByteBuffer(string: $0) }
                : await interface.askSecret(text).map { ByteBuffer(bytes: $0) }
            answers.append(answer ?? ByteBuffer())
        }
        let given = answers
        try await transport.perform { (connection) throws(ConnectionError) in try connection.answer(given) }
    }
}
