import NIOCore
import Platform
import SSHConfig
import SSHKeys
import SSHNIO
import SSHProtocol
import SSHWire

/// What a connection's authentication depends on, as far as the server has said it by now.
struct SessionFacts: Sendable {
    let sessionID: [UInt8]
    let proof: HostKeyProof
    /// Whether signatures are to name the host key they are for (OpenSSH's PROTOCOL section 3.1).
    let bindsHost: Bool
    /// The algorithms the server verifies (RFC 8308 section 3.1); nil when it did not say.
    let algorithms: [String]?
    let server: PeerSoftware

    init?(_ connection: Connection) {
        guard let sessionID = connection.sessionID, let proof = connection.hostKeyProof, let peer = connection.peer
        else {
            return nil
        }
        server = peer
        self.sessionID = sessionID
        self.proof = proof
        let info = connection.peerExtensions
        bindsHost = info?["publickey-hostbound@openssh.com"]?.readableBytesView.elementsEqual("0".utf8) ?? false
        algorithms = info?["server-sig-algs"].map { list in
            String(decoding: list.readableBytesView, as: UTF8.self).split(separator: ",").map(String.init)
        }
    }
}

/// Offers the user's keys one after the other (RFC 4252 section 7).
struct PublicKeyOffers {
    let options: ClientOptions
    let interface: any UserInterface
    let log: ClientLog
    let time: TimeLimit
    /// What keys may be used with, by the user's choice.
    let algorithms: [String]

    /// Every key; nil before they were looked for.
    private var all: [Identity]?
    private var rest: [Identity] = []
    /// The key the server was asked about, and the algorithm named to it.
    private var questioned: (identity: Identity, algorithm: String)?
    /// The key whose offer was answered last, or is under way, and the algorithm named with it.
    private var lastOffer: (identity: Identity, algorithm: String)?
    /// The key of the last signature, if it was read from a file.
    private var fileKey: (key: PrivateKey, name: String)?
    private var session: SessionFacts

    init(
        options: ClientOptions, interface: any UserInterface, log: ClientLog, time: TimeLimit, session: SessionFacts,
        algorithms: [String]
    ) {
        self.options = options
        self.interface = interface
        self.log = log
        self.time = time
        self.session = session
        self.algorithms = algorithms
    }

    /// What keys may be used with, by the user's choice (`PubkeyAcceptedAlgorithms`).
    ///
    /// - Throws: `ClientError.badOption`.
    static func algorithms(_ options: ClientOptions) throws(ClientError) -> [String] {
        let names = { (algorithms: [SignatureAlgorithm]) in
            algorithms.map { Certificate.name(certifying: $0.name) } + algorithms.map(\.name)
        }
        return try AlgorithmKind.anySignature.names(
            options.publicKeyAlgorithms, option: "PubkeyAcceptedAlgorithms",
            defaults: names(SignatureAlgorithm.defaults))
    }

    /// The request with the next key; nil when there is none left.
    mutating func next(_ facts: SessionFacts) async -> AuthenticationMethod? {
        session = facts
        if all == nil {
            let binding = AgentBinding(sessionID: facts.sessionID, proof: facts.proof)
            let list = IdentityList(options: options, interface: interface, log: log, binding: binding)
            // The wait for an agent has a limit of its own.
            rest = await time.pause { await list.load() }
            all = rest
        }
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
            guard identity.signsUnasked else { return request(algorithm, blob, signature: nil) }
            if let method = await signed() { return method }
        }
        return nil
    }

    /// The request for the key in question, signed; nil where it cannot be signed.
    mutating func signed() async -> AuthenticationMethod? {
        guard let (asked, algorithm) = questioned else { return nil }
        questioned = nil
        var identity = asked
        if case .locked = identity.signer {
            guard let opened = await unlock(identity) else { return nil }
            identity = opened
        }
        guard let blob = identity.blob else { return nil }
        let data = AuthenticationSignature.signedData(
            sessionID: session.sessionID, user: options.user, algorithm: algorithm, key: blob,
            hostKey: session.bindsHost ? session.proof.blob : nil)
        let signer = identity
        do {
            // An agent may ask its owner, or have a token touched.
            let signature = try await time.pause { try await signer.sign(data, algorithm: algorithm) }
            fileKey = nil
            if case .key(let key) = identity.signer, !identity.isInAgent { fileKey = (key, identity.name) }
            return request(algorithm, blob, signature: signature)
        } catch {
            interface.tell("sign_and_send_pubkey: signing failed for \(identity.name): \(error)", at: .error)
            return nil
        }
    }

    /// The server took the last key, as one step of several if `isPartial`: every key may then be of use again.
    mutating func succeeded(isPartial: Bool) async {
        if let (key, name) = fileKey { await give(key, name) }
        fileKey = nil
        lastOffer = nil
        if isPartial { rest = all ?? [] }
    }

    /// The server did not take the last request.
    mutating func refused() { fileKey = nil }

    private func request(_ algorithm: String, _ key: ByteBuffer, signature: ByteBuffer?) -> AuthenticationMethod {
        guard session.bindsHost else { return .publicKey(algorithm: algorithm, key: key, signature: signature) }
        return .hostBoundPublicKey(
            algorithm: algorithm, key: key, hostKey: session.proof.blob, signature: signature)
    }

    // MARK: Algorithms

    /// The best algorithm for a key that has not been refused with it. What the server did not list may work all the
    /// same, and is tried last (RFC 8308 section 3.1).
    private func algorithm(for identity: Identity) -> String? {
        let fitting = identity.algorithms.filter {
            algorithms.contains($0) && !identity.refusedAlgorithms.contains($0)
        }
        return fitting.first(where: serverVerifies) ?? fitting.first
    }

    private func serverVerifies(_ algorithm: String) -> Bool {
        guard let known = session.algorithms else { return true }
        return known.contains(algorithm) || Certificate.plainName(of: algorithm).map(known.contains) ?? false
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

    // MARK: Files and the agent

    /// Opens an encrypted key file with a passphrase, asked for as often as passwords are.
    private mutating func unlock(_ identity: Identity) async -> Identity? {
        guard case .locked(let bytes) = identity.signer, !options.batchMode else { return nil }
        for _ in 0..<max(0, options.numberOfPasswordPrompts) {
            guard var passphrase = await interface.askSecret("Enter passphrase for key '\(identity.name)': "),
                !passphrase.isEmpty
            else {
                log.note(2, "no passphrase given, try next key")
                return nil
            }
            defer { wipe(&passphrase) }
            do throws(KeyError) {
                let key = try PrivateKey(file: bytes, passphrase: passphrase)
                // Nobody is asked twice for the same file.
                rest = rest.map { $0.opened(with: key, like: identity) }
                all = all?.map { $0.opened(with: key, like: identity) }
                return identity.opened(with: key, like: identity)
            } catch .wrongPassphrase {
                log.note(2, "bad passphrase given, try again...")
            } catch {
                interface.tell("Load key \"\(identity.name)\": \(error)", at: .error)
                return nil
            }
        }
        return nil
    }

    /// `AddKeysToAgent`: hands a key that was read from a file to the agent.
    private func give(_ key: PrivateKey, _ name: String) async {
        guard options.addKeysToAgent != .no, let path = options.agentSocket else { return }
        var key = key
        if key.comment.isEmpty { key.comment = name }
        var (lifetime, confirm): (UInt32?, Bool) = (nil, false)
        switch options.addKeysToAgent {
        case .no: return
        case .yes(let time): lifetime = time
        case .confirm(let time): (lifetime, confirm) = (time, true)
        case .ask:
            guard !options.batchMode,
                await interface.confirm("Add key \(name) (\(Printable.text(key.comment.utf8))) to agent?")
            else { return log.note(1, "user denied adding this key") }
        }
        do {
            try await AgentClient.connected(to: path).add(key, lifetime: lifetime, confirm: confirm)
            log.note(1, "identity added to agent: \(name)")
        } catch {
            log.note(1, "could not add identity to agent: \(name) (\(error))")
        }
    }
}

extension Identity {
    /// Able to sign where it is the encrypted file of `other`, which this key was in; else as it is.
    fileprivate func opened(with key: PrivateKey, like other: Identity) -> Identity {
        guard case .locked = signer, name == other.name else { return self }
        var opened = Identity(name: name, publicKey: key.publicKey, signer: .key(key), certificate: certificate)
        opened.isInAgent = isInAgent
        return opened
    }
}
