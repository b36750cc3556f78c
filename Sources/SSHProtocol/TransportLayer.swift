import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

/// The transport layer protocol (RFC 4253), both roles, sans-I/O: versions, packets and keys.
///
/// Payloads of the layers above go through it; everything numbered below 50 that concerns keys stays inside.
struct TransportLayer {
    let role: Role
    var configuration: ConnectionConfiguration
    /// Whether strict key exchange and RFC 8308's extensions are offered; only tests do without.
    var offersStrictOrder = true
    var asksForExtensions = true
    var observer: (any ConnectionObserver)? {
        didSet {
            let watching = observer?.wantsPackets == true ? observer : nil
            outbound.observer = watching
            inbound.observer = watching
        }
    }

    var outbound = OutboundPackets()
    var inbound = InboundPackets()
    var events = CircularBuffer<ConnectionEvent>()

    private var versions: VersionExchange
    var ourVersion: String { "SSH-2.0-" + configuration.softwareVersion }
    var peerVersion: String?

    var exchange = KeyExchangeState.idle
    var isFirstExchange = true
    var isStrict = false
    var clientReadsExtensions = false
    /// Client: whether the server said that it reads our extensions.
    var peerReadsExtensions = false
    var sessionID: [UInt8]?
    var negotiated: NegotiatedAlgorithms?
    var hostKey: PublicKey?
    var hostKeyProof: HostKeyProof?
    /// What the server showed the key in, the first one on the client's side; nil for a plain key.
    var hostCertificate: Certificate?
    var rekeyLimits: (sent: UInt64, received: UInt64) = (.max, .max)
    /// Readings of the clock: when the keys in use came into use, and the last one; nil before there was one.
    var keysSince: Int64?
    var now: Int64?
    /// Whether the user is let in. Not before that keys are replaced by volume and time, as peers exist that mind it.
    var isLoggedIn = false
    /// How much may wait here now, in bytes.
    var memoryLimit: Int { isLoggedIn ? MemoryLimits.afterLogin : MemoryLimits.beforeLogin }
    /// Payloads of upper layers that wait for our NEWKEYS.
    var held = CircularBuffer<ByteBuffer>()
    var heldBytes = 0

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

    /// The user is let in: compression that waited for this begins.
    mutating func authenticated() {
        isLoggedIn = true
        outbound.authenticated()
        inbound.authenticated()
    }

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

    /// Sends our identification and, without waiting for the peer's unless the offer depends on it, our KEXINIT.
    mutating func start() throws(ConnectionError) {
        outbound.output.writeString(ourVersion + "\r\n")
        observer?.note(1, "Local version string \(ourVersion)")
        if configuration.algorithmsForPeer == nil { try sendKexInit() }
    }

    /// Sends a payload of an upper layer, or keeps it until new keys are in use.
    mutating func send(_ payload: ByteBuffer, body: ByteBuffer? = nil) throws(ConnectionError) {
        guard maySend else {
            var whole = payload
            if let body { whole.writeImmutableBuffer(body) }
            heldBytes += whole.readableBytes + MemoryLimits.overhead
            // A peer that asks for answers and gives none to our KEXINIT meets it.
            guard heldBytes <= memoryLimit else {
                throw .violation("the key exchange is not answered, and \(held.count) messages wait for it")
            }
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
                if let choose = configuration.algorithmsForPeer {
                    configuration.algorithms = choose(line)
                    try sendKexInit()
                }
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
        if let now {
            self.now = now
            if keysSince == nil, sessionID != nil { keysSince = now }
        }
        guard isLoggedIn, case .idle = exchange, sessionID != nil else { return }
        let mostPackets: UInt64 = 1 << 31
        let isOld: Bool
        if let limit = configuration.rekeySeconds, let now = self.now, let keysSince {
            isOld = now - keysSince >= limit
        } else {
            isOld = false
        }
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
        if isStrict, isFirstExchange { try Self.checkStrictOrder(number) }
        switch number {
        case Disconnect.number:
            let message = try Disconnect(decoding: payload)
            let text = PeerText(message.text.readableBytesView, keepingNewlines: true)
            throw .disconnected(reason: DisconnectReason(rawValue: message.reason), text: text)
        case Ignore.number:
            return true
        case Unimplemented.number:
            let message = try Unimplemented(decoding: payload)
            observer?.note(1, "The peer does not know our packet \(message.sequenceNumber)")
            return isFirstExchange
        case Debug.number:
            let message = try Debug(decoding: payload)
            // Made printable only where somebody looks: a peer may send as many of these as it likes.
            var text: PeerText { PeerText(message.text.readableBytesView) }
            if message.alwaysDisplay, role == .client {
                events.append(.debug(text))
            } else {
                observer?.note(1, "Remote: \(text)")
            }
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
        case Ping.number where !isFirstExchange:
            let ping = try Ping(decoding: payload)
            if let pong = try? Pong(data: ping.data).encoded() { try send(pong) }
            return true
        case Pong.number where !isFirstExchange:
            return true
        default:
            // RFC 4253 section 7.1: whoever has sent KEXINIT sends nothing of upper layers until NEWKEYS.
            guard sessionID != nil, exchange.passesUpperLayers else {
                throw .unexpected(message: number, during: PeerText(exchange.name))
            }
            return false
        }
    }

    /// Strict key exchange: until the first keys are in use nothing but the exchange itself may pass.
    private static func checkStrictOrder(_ number: UInt8) throws(ConnectionError) {
        switch number {
        case Disconnect.number, KexInit.number, NewKeys.number, 30...49: return
        default: throw .unexpected(message: number, during: "strict key exchange")
        }
    }
}
