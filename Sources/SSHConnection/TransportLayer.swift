import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

/// The transport layer protocol (RFC 4253), both roles, sans-I/O: versions, packets and keys.
///
/// Payloads of the layers above go through it; everything numbered below 50 that concerns keys stays inside.
struct TransportLayer {
    let role: Role
    let configuration: ConnectionConfiguration
    var observer: (any ConnectionObserver)? {
        didSet {
            outbound.observer = observer
            inbound.observer = observer
        }
    }

    var outbound = OutboundPackets()
    var inbound = InboundPackets()
    private(set) var events = CircularBuffer<ConnectionEvent>()

    private var versions: VersionExchange
    private var ourVersion: String { "SSH-2.0-" + configuration.softwareVersion }
    private var peerVersion: String?

    private var exchange = KeyExchangeState.idle
    private var isFirstExchange = true
    private var isStrict = false
    private var clientReadsExtensions = false
    private(set) var sessionID: [UInt8]?
    private(set) var negotiated: NegotiatedAlgorithms?
    private(set) var hostKey: PublicKey?
    private var rekeyLimits: (sent: UInt64, received: UInt64) = (.max, .max)
    private var keysSince: Int64 = 0
    private var now: Int64 = 0
    /// Payloads of upper layers that wait for our NEWKEYS.
    private var held = CircularBuffer<ByteBuffer>()

    init(role: Role, configuration: ConnectionConfiguration) {
        self.role = role
        self.configuration = configuration
        versions = VersionExchange(role: role)
    }

    // MARK: What the layers above use

    /// Whether payloads of upper layers may be sent now: not between our KEXINIT and our NEWKEYS.
    var maySend: Bool {
        switch exchange {
        case .idle: sessionID != nil
        case .newKeysSent: true
        case .initSent, .running, .awaitingVerdict: false
        }
    }

    /// Whether input must wait for a verdict on the host key.
    var isPaused: Bool {
        if case .awaitingVerdict = exchange { true } else { false }
    }

    mutating func nextEvent() -> ConnectionEvent? { events.popFirst() }

    /// What the numbers 60 to 79 mean from now on, for the observer.
    mutating func describeAuthentication(_ method: AuthenticationMethod) {
        let family: MessageTrace.AuthenticationFamily =
            switch method {
            case .password: .password
            case .keyboardInteractive: .keyboardInteractive
            default: .publicKey
            }
        outbound.trace.authentication = family
        inbound.trace.authentication = family
    }

    mutating func emit(_ event: ConnectionEvent) { events.append(event) }

    /// Sends our identification and, without waiting for the peer's, our KEXINIT.
    mutating func start() throws(ConnectionError) {
        outbound.output.writeString(ourVersion + "\r\n")
        observer?.note(1, "Local version string \(ourVersion)")
        try sendKexInit()
    }

    /// Sends a payload of an upper layer, or keeps it until new keys are in use.
    mutating func send(_ payload: ByteBuffer, body: ByteBuffer? = nil) throws(ConnectionError) {
        guard maySend else {
            var whole = payload
            if let body { whole.writeImmutableBuffer(body) }
            held.append(whole)
            return
        }
        try outbound.send(head: payload, body: body)
    }

    /// Sends a message of the transport layer itself, which no key exchange holds back.
    mutating func sendNow(_ message: some Message) throws(ConnectionError) {
        do { try outbound.send(head: message.encoded(), body: nil) } catch let error as ConnectionError {
            throw error
        } catch {
            throw .violation("\(error)")
        }
    }

    /// Takes packets from `input` until one is for an upper layer, whose payload is then `inbound.payload`;
    /// false when `input` holds no more.
    mutating func next(_ input: inout ByteBuffer) throws(ConnectionError) -> Bool {
        while peerVersion == nil {
            guard let step = try versions.next(&input) else { return false }
            switch step {
            case .preamble(let line):
                events.append(.preamble(line))
            case .identification(let line):
                peerVersion = line
                observer?.note(1, "Remote protocol version \(line)")
                events.append(.identification(line))
            }
        }
        while !isPaused, try inbound.next(&input) {
            if try !handle(inbound.payload) { return true }
        }
        return false
    }

    /// Starts an exchange of new keys where none is under way.
    mutating func rekey() throws(ConnectionError) {
        guard case .idle = exchange, sessionID != nil else { return }
        try sendKexInit()
    }

    /// Starts new keys where the volume or the time of the present ones has run out.
    ///
    /// - Parameter now: a monotonic clock's reading in seconds; nil when no time has passed.
    mutating func rekeyIfDue(now: Int64? = nil) throws(ConnectionError) {
        if let now { self.now = now }
        guard case .idle = exchange, sessionID != nil else { return }
        let mostPackets: UInt64 = 1 << 31
        let isOld = configuration.rekeySeconds.map { self.now - keysSince >= $0 } ?? false
        guard
            isOld || outbound.counter.bytesSinceKeys >= rekeyLimits.sent
                || inbound.counter.bytesSinceKeys >= rekeyLimits.received
                || outbound.counter.packetsSinceKeys >= mostPackets || inbound.counter.packetsSinceKeys >= mostPackets
        else { return }
        try sendKexInit()
    }

    // MARK: Incoming messages

    /// Handles a payload of this layer; false for one of the layers above.
    private mutating func handle(_ payload: ByteBuffer) throws(ConnectionError) -> Bool {
        guard let number = payload.getInteger(at: payload.readerIndex, as: UInt8.self) else {
            throw .violation("a packet without payload")
        }
        try checkStrictOrder(number)
        switch number {
        case Disconnect.number:
            let message = try Disconnect(decoding: payload)
            let text = Printable.text(message.text.readableBytesView, keepingNewlines: true)
            throw .disconnected(reason: DisconnectReason(rawValue: message.reason), text: text)
        case Ignore.number:
            return true
        case Unimplemented.number:
            let message = try Unimplemented(decoding: payload)
            observer?.note(1, "The peer does not know our packet \(message.sequenceNumber)")
            return true
        case Debug.number:
            let message = try Debug(decoding: payload)
            let text = Printable.text(message.text.readableBytesView)
            if message.alwaysDisplay { events.append(.debug(text)) } else { observer?.note(1, "Remote: \(text)") }
            return true
        case KexInit.number:
            try receivedKexInit(payload)
            return true
        case NewKeys.number:
            _ = try NewKeys(decoding: payload)
            try receivedNewKeys()
            return true
        case 30...49:
            try receivedMethodMessage(payload)
            return true
        case Ping.number where sessionID != nil:
            let ping = try Ping(decoding: payload)
            if let pong = try? Pong(data: ping.data).encoded() { try send(pong) }
            return true
        case Pong.number where sessionID != nil:
            return true
        default:
            try checkUpperLayerAllowed(number)
            return false
        }
    }

    /// Strict key exchange: until the first keys are in use nothing but the exchange itself may pass.
    private func checkStrictOrder(_ number: UInt8) throws(ConnectionError) {
        guard isStrict, isFirstExchange else { return }
        switch number {
        case Disconnect.number, KexInit.number, NewKeys.number, 30...49: return
        default: throw .unexpected(message: number, during: "strict key exchange")
        }
    }

    /// RFC 4253 section 7.1: whoever has sent KEXINIT sends nothing of upper layers until NEWKEYS.
    private func checkUpperLayerAllowed(_ number: UInt8) throws(ConnectionError) {
        switch exchange {
        case .idle where sessionID != nil, .initSent where sessionID != nil: return
        default: throw .unexpected(message: number, during: exchange.name)
        }
    }

    // MARK: Key exchange

    private mutating func sendKexInit() throws(ConnectionError) {
        var markers: [KeyExchangeMarker] = []
        if isFirstExchange {
            markers =
                role == .client
                ? [.extInfoClient, .strictClient]
                : [.strictServer]
        }
        let message = KexInit(configuration.algorithms, markers: markers)
        let payload: ByteBuffer
        do { payload = try message.encoded() } catch { throw .violation("\(error)") }
        try outbound.send(head: payload, body: nil)
        observer?.note(1, "SSH2_MSG_KEXINIT sent")
        exchange = .initSent(.init(message: message, payload: payload))
    }

    private mutating func receivedKexInit(_ payload: ByteBuffer) throws(ConnectionError) {
        let theirs = KeyExchangeState.KexInitPayload(message: try KexInit(decoding: payload), payload: payload)
        if case .idle = exchange { try sendKexInit() }
        guard case .initSent(let ours) = exchange else {
            throw .unexpected(message: KexInit.number, during: exchange.name)
        }
        observer?.note(1, "SSH2_MSG_KEXINIT received")
        let (client, server) = role == .client ? (ours, theirs) : (theirs, ours)
        if isFirstExchange {
            clientReadsExtensions = client.message.kexAlgorithms.contains(KeyExchangeMarker.extInfoClient.rawValue)
            try agreeOnStrictness(client.message, server.message)
        }

        let choice: NegotiatedAlgorithms
        do {
            choice = try AlgorithmNegotiation.negotiate(
                client: client.message.proposal, server: server.message.proposal)
        } catch { throw .noCommonAlgorithm("\(error)") }
        guard let algorithm = KeyExchangeAlgorithm.named(choice.kex) else {
            throw .keyExchangeFailed("method \(choice.kex) was chosen and does not exist")
        }
        note(choice)
        outbound.trace.keyExchange = MessageTrace.KeyExchangeFamily(method: choice.kex)
        inbound.trace.keyExchange = outbound.trace.keyExchange
        exchange = .running(
            .init(
                method: try makeMethod(algorithm, hostKeyAlgorithm: choice.hostKey),
                algorithm: algorithm, negotiated: choice, clientInit: client.payload, serverInit: server.payload,
                dropsNextPacket: theirs.message.firstKexPacketFollows
                    && AlgorithmNegotiation.guessIsWrong(
                        client: client.message.proposal, server: server.message.proposal)
            ))
    }

    private mutating func makeMethod(
        _ algorithm: KeyExchangeAlgorithm, hostKeyAlgorithm: String
    ) throws(ConnectionError) -> KeyExchangeState.Exchange.Method {
        do {
            switch role {
            case .client:
                let method = try algorithm.makeClient()
                try outbound.send(head: method.initialPayload, body: nil)
                return .client(method)
            case .server:
                let key = configuration.hostKeys.first { $0.signatureAlgorithms.contains(hostKeyAlgorithm) }
                guard let key else { throw ConnectionError.keyExchangeFailed("no host key for \(hostKeyAlgorithm)") }
                return .server(try algorithm.makeServer(), hostKey: key)
            }
        } catch let error as ConnectionError {
            throw error
        } catch {
            throw .keyExchangeFailed("\(error)")
        }
    }

    private mutating func agreeOnStrictness(_ client: KexInit, _ server: KexInit) throws(ConnectionError) {
        isStrict =
            client.kexAlgorithms.contains(KeyExchangeMarker.strictClient.rawValue)
            && server.kexAlgorithms.contains(KeyExchangeMarker.strictServer.rawValue)
        guard isStrict else { return }
        observer?.note(3, "will use strict KEX ordering")
        guard inbound.counter.sequenceNumber == 1 else {
            throw .violation("strict key exchange: KEXINIT was not the first packet")
        }
    }

    private mutating func receivedMethodMessage(_ payload: ByteBuffer) throws(ConnectionError) {
        guard case .running(var running) = exchange else {
            let number = payload.getInteger(at: payload.readerIndex, as: UInt8.self) ?? 0
            throw .unexpected(message: number, during: exchange.name)
        }
        if running.dropsNextPacket {
            running.dropsNextPacket = false
            exchange = .running(running)
            return
        }
        do {
            switch running.method {
            case .client(var method):
                let step = try method.receive(payload)
                running.method = .client(method)
                exchange = .running(running)
                switch step {
                case .send(let next): try outbound.send(head: next, body: nil)
                case .finished(let result): try finishAsClient(running, result)
                }
            case .server(var method, let key):
                let step = try method.receive(payload)
                running.method = .server(method, hostKey: key)
                exchange = .running(running)
                switch step {
                case .send(let next): try outbound.send(head: next, body: nil)
                case .computed(let tail, let secret):
                    try finishAsServer(running, method, key, tail: tail, secret: secret)
                }
            }
        } catch let error as ConnectionError {
            throw error
        } catch {
            throw .keyExchangeFailed("\(error)")
        }
    }

    private func exchangeHash(_ running: KeyExchangeState.Exchange, hostKey: ByteBuffer, tail: ByteBuffer) -> [UInt8] {
        let peer = peerVersion ?? ""
        var input = ByteBuffer()
        input.writeSSHString(role == .client ? ourVersion : peer)
        input.writeSSHString(role == .client ? peer : ourVersion)
        input.writeSSHString(running.clientInit)
        input.writeSSHString(running.serverInit)
        input.writeSSHString(hostKey)
        input.writeImmutableBuffer(tail)
        return running.algorithm.hash.digest(input)
    }

    private mutating func finishAsClient(
        _ running: KeyExchangeState.Exchange, _ result: KeyExchangeResult
    ) throws(ConnectionError) {
        let hash = exchangeHash(running, hostKey: result.hostKey, tail: result.exchangeHashTail)
        let key: PublicKey
        do {
            key = try PublicKey(blob: result.hostKey)
            try key.verify(signature: result.signature, of: hash, algorithm: running.negotiated.hostKey)
        } catch { throw .keyExchangeFailed("host key: \(error)") }
        observer?.note(1, "Server host key: \(key.type.name) \(key.fingerprint())")
        let fresh = freshKeys(running, result.sharedSecret, hash, key)
        if let hostKey {
            guard hostKey == key else { throw .keyExchangeFailed("the server changed its host key within the session") }
            try sendNewKeys(fresh)
        } else {
            exchange = .awaitingVerdict(fresh)
            events.append(.hostKey(key))
        }
    }

    /// The host key is the right one: the exchange goes on.
    mutating func acceptHostKey() throws(ConnectionError) {
        guard case .awaitingVerdict(let fresh) = exchange else { throw .violation("no host key awaits a verdict") }
        hostKey = fresh.hostKey
        try sendNewKeys(fresh)
    }

    private mutating func finishAsServer(
        _ running: KeyExchangeState.Exchange, _ method: any ServerKeyExchange, _ key: PrivateKey,
        tail: ByteBuffer, secret: ByteBuffer
    ) throws(ConnectionError) {
        let blob = key.publicKey.blob
        let hash = exchangeHash(running, hostKey: blob, tail: tail)
        do {
            let signature = try key.sign(hash, algorithm: running.negotiated.hostKey)
            try outbound.send(head: method.makeReply(hostKey: blob, signature: signature), body: nil)
        } catch let error as ConnectionError { throw error } catch { throw .keyExchangeFailed("\(error)") }
        hostKey = key.publicKey
        try sendNewKeys(freshKeys(running, secret, hash, key.publicKey))
    }

    private mutating func freshKeys(
        _ running: KeyExchangeState.Exchange, _ secret: ByteBuffer, _ hash: [UInt8], _ hostKey: PublicKey
    ) -> KeyExchangeState.FreshKeys {
        let session = sessionID ?? hash
        sessionID = session
        return .init(
            negotiated: running.negotiated,
            derivation: KeyDerivation(
                hash: running.algorithm.hash, sharedSecret: secret, exchangeHash: hash, sessionID: session),
            hostKey: hostKey)
    }

    private mutating func sendNewKeys(_ fresh: KeyExchangeState.FreshKeys) throws(ConnectionError) {
        let direction = try fresh.direction(clientToServer: role == .client)
        try sendNow(NewKeys())
        observer?.note(1, "SSH2_MSG_NEWKEYS sent")
        do {
            let sealer = try PacketProtection.makeSealer(
                cipher: direction.cipher, mac: direction.mac, keys: direction.keys)
            outbound.use(sealer, resettingSequence: isStrict)
        } catch { throw .keyExchangeFailed("\(error)") }
        rekeyLimits.sent = configuration.rekeyLimit(for: direction.cipher)
        exchange = .newKeysSent(fresh)
        if isFirstExchange && role == .server && clientReadsExtensions { try sendExtensions() }
        while let payload = held.popFirst() { try outbound.send(head: payload, body: nil) }
    }

    private mutating func sendExtensions() throws(ConnectionError) {
        let names = SignatureAlgorithm.defaults.map(\.name).joined(separator: ",")
        try sendNow(
            ExtensionInfo([
                .init(name: "server-sig-algs", value: ByteBuffer(string: names)),
                .init(name: "publickey-hostbound@openssh.com", value: ByteBuffer(string: "0")),
                .init(name: "ping@openssh.com", value: ByteBuffer(string: "0")),
            ]))
    }

    private mutating func receivedNewKeys() throws(ConnectionError) {
        guard case .newKeysSent(let fresh) = exchange else {
            throw .unexpected(message: NewKeys.number, during: exchange.name)
        }
        observer?.note(1, "SSH2_MSG_NEWKEYS received")
        let direction = try fresh.direction(clientToServer: role == .server)
        do {
            let opener = try PacketProtection.makeOpener(
                cipher: direction.cipher, mac: direction.mac, keys: direction.keys)
            inbound.use(opener, resettingSequence: isStrict)
        } catch { throw .keyExchangeFailed("\(error)") }
        rekeyLimits.received = configuration.rekeyLimit(for: direction.cipher)
        exchange = .idle
        keysSince = now
        negotiated = fresh.negotiated
        events.append(isFirstExchange ? .ready(fresh.negotiated) : .rekeyed)
        let asksForService = isFirstExchange && role == .client
        isFirstExchange = false
        if asksForService { try sendNow(ServiceRequest(service: "ssh-userauth")) }
    }

    private func note(_ choice: NegotiatedAlgorithms) {
        guard let observer else { return }
        observer.note(1, "kex: algorithm: \(choice.kex)")
        observer.note(1, "kex: host key algorithm: \(choice.hostKey)")
        for (label, way) in [("server->client", choice.serverToClient), ("client->server", choice.clientToServer)] {
            let mac = way.mac ?? "<implicit>"
            observer.note(1, "kex: \(label) cipher: \(way.cipher) MAC: \(mac) compression: \(way.compression)")
        }
    }
}
