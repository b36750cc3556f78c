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

    private var identities: [Identity]?
    /// The key the server was asked about, and the algorithm named to it.
    private var questioned: (identity: Identity, algorithm: String)?
    /// The key whose offer was answered last, or is under way, and the algorithm named with it.
    private var lastOffer: (identity: Identity, algorithm: String)?
    private var passwordPrompts = 0
    private var interactiveRounds = 0
    /// Whether the last keyboard-interactive request led to a question; without one it is of no use to try again.
    private var wasQuestioned = true
    private var sessionID: [UInt8]?
    /// The host key that signatures are to name, where the server knows such signatures.
    private var boundHostKey: ByteBuffer?
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
            log.note(1, "Next authentication method: \(method.name)")
            try await send(method)
            if try await isAccepted(&events) {
                log.note(1, "Authenticated to \(options.host) using \"\(method.name)\".")
                return
            }
        }
    }

    private func send(_ method: AuthenticationMethod) async throws {
        let user = options.user
        try await transport.perform { (connection) throws(ConnectionError) in
            try connection.authenticate(user: user, method)
        }
    }

    /// Waits for the verdict on the request under way, answering questions on the way to it.
    private mutating func isAccepted(_ events: inout AsyncStream<ConnectionEvent>.Iterator) async throws -> Bool {
        while let event = await events.next() {
            switch event {
            case .authenticated:
                return true
            case .authenticationFailed(let names, let isPartial):
                if isPartial { log.note(1, "Authenticated using one method; more are wanted.") }
                log.note(1, "Authentications that can continue: \(names.joined(separator: ","))")
                methods = names
                return false
            case .publicKeyAcceptable:
                guard let method = try await signedRequest() else { return false }
                try await send(method)
            case .informationRequested(let request):
                wasQuestioned = true
                try await answer(request)
            case .passwordChangeRequested(let prompt):
                interface.tell(Printable.text(prompt.readableBytesView, keepingNewlines: true))
                interface.tell(
                    "The password of \(options.user)@\(options.host) has expired; it cannot be changed here.")
                methods = methods?.filter { $0 != "password" } ?? []
                passwordPrompts = options.numberOfPasswordPrompts
                return false
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

    /// Learns what the server has said so far about itself.
    private mutating func learn() async throws {
        let facts = try await transport.perform { (connection) throws(ConnectionError) in
            (connection.sessionID, connection.peerExtensions, connection.hostKeyBlob)
        }
        sessionID = facts.0
        guard let info = facts.1 else { return }
        if let list = info["server-sig-algs"] {
            let names = String(decoding: list.readableBytesView, as: UTF8.self)
            serverAlgorithms = names.split(separator: ",").map(String.init)
        }
        // OpenSSH's PROTOCOL section 3.1: signatures that name the host key they are for.
        let bindsHost = info["publickey-hostbound@openssh.com"]?.readableBytesView.elementsEqual("0".utf8) ?? false
        boundHostKey = bindsHost ? facts.2 : nil
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
                guard !options.batchMode, wasQuestioned,
                    interactiveRounds < options.numberOfPasswordPrompts
                else { continue }
                interactiveRounds += 1
                wasQuestioned = false
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

    private mutating func nextPublicKey() async throws -> AuthenticationMethod? {
        guard options.publicKeyAuthentication else { return nil }
        try await learn()
        var rest: [Identity]
        if let identities {
            rest = identities
        } else {
            rest = await IdentityList(options: options, interface: interface, log: log).load()
        }
        defer { identities = rest }
        if let again = reconsideredOffer() { rest.insert(again, at: 0) }
        while !rest.isEmpty {
            let identity = rest.removeFirst()
            guard let blob = identity.blob, let key = identity.publicKey else {
                // Nothing shows what key this is: it must be opened to be offered.
                if let opened = await unlock(identity) { rest.insert(opened, at: 0) }
                continue
            }
            guard let algorithm = algorithm(for: identity) else {
                log.note(1, "\(identity.name): no signature algorithm in common with the server")
                continue
            }
            log.note(1, "Offering public key: \(identity.name) \(key.type.shortName) \(key.fingerprint())")
            questioned = (identity, algorithm)
            lastOffer = (identity, algorithm)
            // The agent's only key is as good as certain too, and its owner is asked once either way.
            if identity.signsUnasked {
                if let method = try await signedRequest() { return method }
            } else {
                return request(algorithm, blob, signature: nil)
            }
        }
        return nil
    }

    /// The best algorithm for a key that has not been refused with it. What the server did not list may work all the
    /// same, and is tried last (RFC 8308 section 3.1).
    private func algorithm(for identity: Identity) -> String? {
        let fitting = identity.algorithms.filter { name in
            publicKeyAlgorithms.contains(Certificate.plainName(of: name) ?? name)
                && !identity.refusedAlgorithms.contains(name)
        }
        return fitting.first(where: serverVerifies) ?? fitting.first
    }

    private func serverVerifies(_ algorithm: String) -> Bool {
        guard let serverAlgorithms else { return true }
        return serverAlgorithms.contains(algorithm)
            || Certificate.plainName(of: algorithm).map(serverAlgorithms.contains) ?? false
    }

    /// A server refuses an algorithm it does not know as it refuses a key, and its list of them may have come after
    /// the offer: the key is worth another with the next algorithm.
    private mutating func reconsideredOffer() -> Identity? {
        guard let offer = lastOffer else { return nil }
        lastOffer = nil
        guard !serverVerifies(offer.algorithm) else { return nil }
        var identity = offer.identity
        identity.refusedAlgorithms.append(offer.algorithm)
        return algorithm(for: identity) == nil ? nil : identity
    }

    private func request(_ algorithm: String, _ key: ByteBuffer, signature: ByteBuffer?) -> AuthenticationMethod {
        guard let hostKey = boundHostKey else {
            return .publicKey(algorithm: algorithm, key: key, signature: signature)
        }
        return .hostBoundPublicKey(algorithm: algorithm, key: key, hostKey: hostKey, signature: signature)
    }

    /// The request for the key in question, signed; nil where it cannot be signed.
    private mutating func signedRequest() async throws -> AuthenticationMethod? {
        guard let (asked, algorithm) = questioned else { return nil }
        questioned = nil
        var identity = asked
        if case .locked = identity.signer {
            guard let opened = await unlock(identity) else { return nil }
            identity = opened
        }
        guard let sessionID, let blob = identity.blob else { return nil }
        let data = AuthenticationSignature.signedData(
            sessionID: sessionID, user: options.user, algorithm: algorithm, key: blob, hostKey: boundHostKey)
        do {
            let signature = try await identity.sign(data, algorithm: algorithm)
            return request(algorithm, blob, signature: signature)
        } catch {
            interface.tell("\(identity.name): \(error)")
            return nil
        }
    }

    /// Opens an encrypted key file with a passphrase, asked for as often as passwords are.
    private func unlock(_ identity: Identity) async -> Identity? {
        guard case .locked(let text) = identity.signer, !options.batchMode else { return nil }
        for _ in 0..<max(1, options.numberOfPasswordPrompts) {
            guard var passphrase = await interface.askSecret("Enter passphrase for key '\(identity.name)': "),
                !passphrase.isEmpty
            else { return nil }
            defer { _ = passphrase.withUnsafeMutableBytes { $0.initializeMemory(as: UInt8.self, repeating: 0) } }
            do throws(KeyError) {
                let key = try PrivateKey(text: text, passphrase: passphrase)
                return Identity(
                    name: identity.name, publicKey: key.publicKey, signer: .key(key), certificate: identity.certificate)
            } catch .wrongPassphrase {
                log.note(1, "\(identity.name): wrong passphrase")
            } catch {
                interface.tell("\(identity.name): \(error)")
                return nil
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
