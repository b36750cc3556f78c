import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

/// An SSH connection (RFC 4251), either end of it: bytes in, events and bytes out, no socket, clock or file.
///
/// Feed what the socket gives to ``receive(_:)``, act on every ``nextEvent()``, and write what ``takeOutput(limit:)``
/// returns. The first error is the last: after it the connection only hands out what is left to be written.
package struct Connection {
    package let role: Role
    var transport: TransportLayer
    var channels: ChannelTable
    var clientAuthentication = ClientAuthentication()
    var serverAuthentication = ServerAuthentication()
    /// The names of the global requests that an answer is owed to, oldest first.
    var globalRepliesAwaited = CircularBuffer<String>()
    /// Server: whether the host keys were proved; once is enough, as signatures are work.
    var hasProvedHostKeys = false
    /// Client: whether a session was asked for before the user was let in.
    package internal(set) var hasOpenedAhead = false
    /// Whether the other end's word on that has come before the user was let in: the refusal, or to a server the request.
    var hasHeardOfAhead = false
    /// Server: requests made on a channel that was asked for ahead and in vain.
    var requestsTooEarly = 0
    static let mostRequestsTooEarly = 64
    /// Bytes of a packet that is not whole yet, or that wait for a decision.
    private var partial = ByteBuffer()
    /// How much of a read joins the packet that began before it, at a time.
    private static let pieceSize = 16 * 1024
    package private(set) var failure: ConnectionError?
    /// The types of channel a server may open to us.
    package var acceptedChannelTypes: Set<String>

    package init(role: Role, configuration: ConnectionConfiguration, observer: (any ConnectionObserver)? = nil) {
        self.role = role
        transport = TransportLayer(role: role, configuration: configuration)
        transport.observer = observer
        channels = ChannelTable(configuration: configuration)
        acceptedChannelTypes = role == .server ? ["session"] : []
    }

    /// What identifies this connection to signatures (RFC 4253 section 7.2); nil before the first key exchange.
    package var sessionID: [UInt8]? { transport.sessionID }
    package var negotiated: NegotiatedAlgorithms? { transport.negotiated }
    /// What the peer says it is; nil before it did.
    package var peer: PeerSoftware? { transport.peerVersion.map { PeerSoftware(identification: $0) } }
    package var hostKey: PublicKey? { transport.hostKey }
    /// Client: how the server proved in the first key exchange that it holds its host key; nil before that.
    package var hostKeyProof: HostKeyProof? { transport.hostKeyProof }
    /// The certificate that the server showed its key in; nil for a plain key.
    package var hostCertificate: Certificate? { transport.hostCertificate }
    /// What the server showed: its key's blob, or the certificate's.
    package var hostKeyBlob: ByteBuffer? { hostCertificate?.blob ?? hostKey?.blob }
    /// What the peer last said it can do (RFC 8308); nil when it said nothing yet.
    package private(set) var peerExtensions: ExtensionInfo?
    package var isAuthenticated: Bool { clientAuthentication.state == .done || serverAuthentication.isDone }

    // MARK: Driving it

    /// Sends our identification and KEXINIT.
    package mutating func start() throws(ConnectionError) {
        try guarded { (connection) throws(ConnectionError) in try connection.transport.start() }
    }

    /// Takes bytes from the peer.
    ///
    /// - Throws: what ended the connection. The peer has then been told, where it is at fault: write the output.
    package mutating func receive(_ bytes: ByteBuffer) throws(ConnectionError) {
        try checkAlive()
        var bytes = bytes
        // The packet that began earlier is completed piece by piece; what follows it is then read where it lies.
        while partial.readableBytes > 0, !isPaused, let piece = bytes.readSlice(length: nextPiece(bytes)) {
            var whole = partial
            partial = ByteBuffer()
            whole.writeImmutableBuffer(piece)
            try process(&whole)
            if whole.readableBytes <= piece.readableBytes, !isPaused {
                bytes.moveReaderIndex(to: bytes.readerIndex - whole.readableBytes)
                whole.clear()
            } else {
                whole.discardReadBytes()
            }
            partial = whole
            if partial.readableBytes == 0 { break }
        }
        if partial.readableBytes == 0 { try process(&bytes) }
        try keep(bytes)
    }

    private func nextPiece(_ bytes: ByteBuffer) -> Int {
        bytes.readableBytes == 0 ? -1 : min(bytes.readableBytes, Self.pieceSize)
    }

    /// Keeps what is no whole packet yet, or waits for a decision.
    private mutating func keep(_ rest: ByteBuffer) throws(ConnectionError) {
        if rest.readableBytes > 0 { partial.writeImmutableBuffer(rest) }
        guard partial.readableBytes <= transport.memoryLimit else {
            partial = ByteBuffer()
            let reason = isPaused ? "sent ahead of an answer" : "of a packet before the user is let in"
            let error = ConnectionError.violation("more than \(transport.memoryLimit) bytes \(reason)")
            fail(error)
            throw error
        }
    }

    private mutating func process(_ input: inout ByteBuffer) throws(ConnectionError) {
        try guarded { (connection) throws(ConnectionError) in
            while !connection.isPaused, try connection.transport.next(&input) {
                try connection.dispatch(connection.transport.inbound.payload)
            }
            try connection.transport.rekeyIfDue()
        }
    }

    /// Goes on with bytes that waited for a decision.
    mutating func resume() throws(ConnectionError) {
        var waiting = partial
        partial = ByteBuffer()
        try process(&waiting)
        waiting.discardReadBytes()
        partial = waiting
    }

    /// Whether input waits for a decision: on the host key, or on a request to be let in. Reading from the socket may
    /// wait too; more than a little sent ahead ends the connection.
    package var isPaused: Bool { transport.isPaused || serverAuthentication.isJudging }

    /// Whether an exchange of keys is under way.
    package var isExchangingKeys: Bool { if case .idle = transport.exchange { false } else { true } }

    /// What happened since the last call, oldest first.
    package mutating func nextEvent() -> ConnectionEvent? { transport.nextEvent() ?? channels.nextEvent() }

    /// Bytes that wait for ``takeOutput(limit:)``, channel data left out.
    ///
    /// Mutating in name alone, as is ``unsentBytes(_:)``: whoever keeps the connection in an object asks both after every batch, and
    /// anything else is asked of a copy of all of it.
    package var pendingOutput: Int {
        mutating get { transport.outbound.output.readableBytes + channels.outgoingBytes }
    }

    /// Bytes kept for the peer: of a packet that is not whole, of input that waits for a decision, of messages that wait for
    /// keys or the socket, and of requests on channels that nobody has taken. Whoever drives the connection adds the events
    /// that it keeps, and ends the connection where that is more than ``memoryLimit``.
    package var waitingBytes: Int {
        mutating get { partial.readableBytes + transport.heldBytes + pendingOutput + channels.unclaimedBytes }
    }

    /// How much may wait now, in bytes.
    package var memoryLimit: Int { mutating get { transport.memoryLimit } }

    /// Takes what is to be written to the peer: all messages, and channel data until there are `limit` bytes.
    package mutating func takeOutput(limit: Int) throws(ConnectionError) -> ByteBuffer? {
        if failure == nil {
            try guarded { (connection) throws(ConnectionError) in try connection.fill(limit: limit) }
        }
        return transport.outbound.take()
    }

    private mutating func fill(limit: Int) throws(ConnectionError) {
        try sendChannelMessages()
        while transport.maySend, transport.outbound.output.readableBytes < limit,
            try channels.pump(into: &transport.outbound, limit: limit)
        {
            try sendChannelMessages()
        }
        try transport.rekeyIfDue()
    }

    mutating func sendChannelMessages() throws(ConnectionError) {
        while let message = channels.nextMessage() { try transport.send(message) }
    }

    /// A monotonic clock's reading in seconds, for keys that are to be replaced by time.
    package mutating func clock(_ now: Int64) throws(ConnectionError) {
        try guarded { (connection) throws(ConnectionError) in try connection.transport.rekeyIfDue(now: now) }
    }

    /// Asks for new keys now.
    package mutating func rekey() throws(ConnectionError) {
        try guarded { (connection) throws(ConnectionError) in try connection.transport.rekey() }
    }

    /// Ends the connection from this side.
    package mutating func disconnect(_ reason: DisconnectReason = .byApplication, _ text: String = "") {
        guard failure == nil else { return }
        try? sendChannelMessages()
        try? transport.sendNow(Disconnect(reason: reason, text: text))
        failure = .closed
    }

    /// Ends the connection for a fault found above it.
    package mutating func fail(_ error: ConnectionError) {
        guard failure == nil else { return }
        failure = error
        partial = ByteBuffer()
        if let reason = error.disconnectReason { try? transport.sendNow(Disconnect(reason: reason, text: "\(error)")) }
    }

    /// Refuses what is asked of a connection that is over.
    func checkAlive() throws(ConnectionError) {
        if let failure { throw failure }
    }

    mutating func guarded(
        _ body: (inout Connection) throws(ConnectionError) -> Void
    ) throws(ConnectionError) {
        try checkAlive()
        do { try body(&self) } catch {
            fail(error)
            throw error
        }
    }

    mutating func send(_ message: some Message) throws(ConnectionError) {
        let payload: ByteBuffer
        do { payload = try message.encoded() } catch { throw .violation("\(error)") }
        try transport.send(payload)
    }

    /// Sends a message with a password in it, of which nothing is left here.
    mutating func sendSecret(_ message: some Message) throws(ConnectionError) {
        var payload: ByteBuffer
        do { payload = try message.encoded() } catch { throw .violation("\(error)") }
        defer { payload.wipe() }
        try transport.send(payload)
    }

    // MARK: Incoming messages

    private mutating func dispatch(_ payload: ByteBuffer) throws(ConnectionError) {
        guard let number = payload.getInteger(at: payload.readerIndex, as: UInt8.self) else { return }
        switch number {
        case ServiceRequest.number where role == .server:
            try receivedServiceRequest(payload)
        case ExtensionInfo.number:
            // It is kept as long as the connection, which the packet it came in is not.
            let event = ConnectionEvent.extensions(try ExtensionInfo(decoding: payload)).detached()
            if case .extensions(let info) = event { peerExtensions = info }
            transport.emit(event)
        case ServiceAccept.number, 50...79:
            try receivedAuthentication(payload, number)
        case 80...127:
            guard isAuthenticated else { return try receivedTooEarly(number) }
            try receivedConnection(payload, number)
        case Unimplemented.number:
            try channels.unknown(packet: try Unimplemented(decoding: payload).sequenceNumber)
        default:
            try sendUnimplemented()
        }
    }

    /// Tells the peer that we do not know the packet taken last.
    mutating func sendUnimplemented() throws(ConnectionError) {
        try send(Unimplemented(sequenceNumber: transport.inbound.counter.sequenceNumber &- 1))
    }

    private mutating func receivedServiceRequest(_ payload: ByteBuffer) throws(ConnectionError) {
        let request = try ServiceRequest(decoding: payload)
        guard request.service == "ssh-userauth", serverAuthentication.state == .awaitingService else {
            let name = PeerText(request.service)
            disconnect(.serviceNotAvailable, "no service \(name) now")
            throw .violation("service \(name) requested")
        }
        serverAuthentication.serviceAccepted()
        try send(ServiceAccept(service: request.service))
    }
}

extension Connection: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Nothing of its insides, which hold keys.
    package var description: String { "SSH connection (\(role))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
