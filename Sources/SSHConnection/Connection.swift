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
    var globalRepliesAwaited = 0
    /// Bytes of a packet that is not whole yet.
    private var partial = ByteBuffer()
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
    package var hostKey: PublicKey? { transport.hostKey }
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
        if partial.readableBytes == 0 {
            try process(bytes)
        } else {
            var whole = partial
            partial = ByteBuffer()
            whole.writeImmutableBuffer(bytes)
            try process(whole)
        }
    }

    private mutating func process(_ bytes: ByteBuffer) throws(ConnectionError) {
        var input = bytes
        try guarded { (connection) throws(ConnectionError) in
            while !connection.isPaused, try connection.transport.next(&input) {
                try connection.dispatch(connection.transport.inbound.payload)
            }
            try connection.transport.rekeyIfDue()
        }
        if input.readableBytes > 0 {
            partial = ByteBuffer()
            partial.writeImmutableBuffer(input)
        }
    }

    /// Goes on with bytes that waited for a decision.
    mutating func resume() throws(ConnectionError) {
        let waiting = partial
        partial = ByteBuffer()
        try process(waiting)
    }

    private var isPaused: Bool { transport.isPaused || serverAuthentication.isJudging }

    /// What happened since the last call, oldest first.
    package mutating func nextEvent() -> ConnectionEvent? { transport.nextEvent() ?? channels.nextEvent() }

    /// Takes what is to be written to the peer: all messages, and channel data until there are `limit` bytes.
    package mutating func takeOutput(limit: Int) throws(ConnectionError) -> ByteBuffer? {
        if failure == nil {
            try guarded { (connection) throws(ConnectionError) in try connection.fill(limit: limit) }
        }
        guard transport.outbound.output.readableBytes > 0 else { return nil }
        let output = transport.outbound.output
        transport.outbound.output = ByteBuffer()
        return output
    }

    private mutating func fill(limit: Int) throws(ConnectionError) {
        try sendChannelMessages()
        while transport.maySend, transport.outbound.output.readableBytes < limit {
            // The layers are taken apart so that one may feed the other.
            var outbound = transport.outbound
            transport.outbound = OutboundPackets()
            defer { transport.outbound = outbound }
            if outbound.output.capacity < limit { outbound.output.reserveCapacity(limit + 40 * 1024) }
            var moved = false
            while outbound.output.readableBytes < limit,
                try channels.pump({ (head, body) throws(ConnectionError) in try outbound.send(head: head, body: body) })
            {
                moved = true
                while let message = channels.nextMessage() { try outbound.send(head: message, body: nil) }
            }
            if !moved { break }
        }
        try transport.rekeyIfDue()
    }

    private mutating func sendChannelMessages() throws(ConnectionError) {
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
        if let reason = error.disconnectReason { try? transport.sendNow(Disconnect(reason: reason, text: "\(error)")) }
    }

    mutating func guarded(
        _ body: (inout Connection) throws(ConnectionError) -> Void
    ) throws(ConnectionError) {
        if let failure { throw failure }
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

    // MARK: Incoming messages

    private mutating func dispatch(_ payload: ByteBuffer) throws(ConnectionError) {
        guard let number = payload.getInteger(at: payload.readerIndex, as: UInt8.self) else { return }
        switch number {
        case ServiceRequest.number where role == .server:
            try receivedServiceRequest(payload)
        case ExtensionInfo.number:
            transport.emit(.extensions(try ExtensionInfo(decoding: payload)))
        case ServiceAccept.number, 50...79:
            try receivedAuthentication(payload, number)
        case 80...127:
            guard isAuthenticated else { throw .unexpected(message: number, during: "authentication") }
            try receivedConnection(payload, number)
        default:
            let sequence = transport.inbound.counter.sequenceNumber &- 1
            try send(Unimplemented(sequenceNumber: sequence))
        }
    }

    private mutating func receivedServiceRequest(_ payload: ByteBuffer) throws(ConnectionError) {
        let request = try ServiceRequest(decoding: payload)
        guard request.service == "ssh-userauth", serverAuthentication.state == .awaitingService else {
            disconnect(.serviceNotAvailable, "no service \(Printable.text(request.service.utf8))")
            throw .violation("service \(Printable.text(request.service.utf8)) requested")
        }
        serverAuthentication.serviceAccepted()
        try send(ServiceAccept(service: request.service))
    }
}
