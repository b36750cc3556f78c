import NIOCore
import SSHWire

extension Connection {
    /// Asks the peer for a channel; ``ConnectionEvent/channelOpened(_:)`` or `channelRefused` follows.
    ///
    /// - Parameter requests: are made as soon as it is open. The answer to the last one is wanted: a
    ///   ``ConnectionEvent/channelReply(_:success:)`` follows.
    package mutating func openChannel(
        _ type: ChannelType = .session, requests: [ChannelRequestKind] = []
    ) throws(ConnectionError) -> ChannelID {
        try checkAlive()
        guard isAuthenticated else { throw .violation("a channel before authentication") }
        return try channels.open(type, requests: requests)
    }

    /// Grants what ``ConnectionEvent/channelOffered(_:_:)`` asked for.
    package mutating func acceptChannel(_ id: ChannelID) throws(ConnectionError) {
        try checkAlive()
        try channels.accept(id)
    }

    package mutating func rejectChannel(
        _ id: ChannelID, _ reason: ChannelOpenFailureReason, _ text: String
    ) throws(ConnectionError) {
        try checkAlive()
        try channels.reject(id, reason, text)
    }

    /// Sends a request to an open channel; where `wantReply` is set, ``ConnectionEvent/channelReply(_:success:)``
    /// follows, in the order of the requests.
    package mutating func request(
        _ id: ChannelID, _ kind: ChannelRequestKind, wantReply: Bool
    ) throws(ConnectionError) {
        try checkAlive()
        try channels.request(id, kind, wantReply: wantReply)
    }

    package mutating func replyToRequest(_ id: ChannelID, success: Bool) throws(ConnectionError) {
        try checkAlive()
        try channels.reply(id, success: success)
    }

    /// Queues data for a channel; it leaves as the peer's window admits it.
    package mutating func write(_ id: ChannelID, _ bytes: ByteBuffer) throws(ConnectionError) {
        try checkAlive()
        try channels.write(id, bytes)
    }

    /// Queues standard error for a channel.
    package mutating func writeErrors(_ id: ChannelID, _ bytes: ByteBuffer) throws(ConnectionError) {
        try checkAlive()
        try channels.writeErrors(id, bytes)
    }

    /// The exit status that the peer is told behind the data, before CLOSE.
    package mutating func setExitStatus(_ id: ChannelID, _ status: UInt32) { channels.setExitStatus(id, status) }

    /// EOF follows the data queued so far.
    package mutating func finishWriting(_ id: ChannelID) { channels.finishWriting(id) }

    /// CLOSE follows the data queued so far; what still comes in is dropped.
    package mutating func close(_ id: ChannelID) { channels.close(id) }

    /// Forgets a channel after ``ConnectionEvent/channelClosed(_:)``; before it, nothing happens.
    package mutating func release(_ id: ChannelID) { channels.release(id) }

    /// Bytes queued for a channel that the peer's window or the socket has not taken yet.
    package mutating func unsentBytes(_ id: ChannelID) -> Int { channels.unsentBytes(id) }

    /// Whether a channel's data waits for the peer's window alone.
    package func isStalled(_ id: ChannelID) -> Bool { channels.isStalled(id) }

    /// Takes the data that came on a channel.
    package mutating func takeReceived(_ id: ChannelID) -> ByteBuffer? { channels.takeReceived(id) }

    /// Takes the standard error that came on a channel.
    package mutating func takeReceivedErrors(_ id: ChannelID) -> ByteBuffer? { channels.takeReceivedErrors(id) }

    /// Tells that taken data was read by whom it is for; the peer may then send as much again.
    package mutating func consumed(
        _ id: ChannelID, _ count: Int, at now: FlowMeasure.Instant
    ) throws(ConnectionError) {
        guard failure == nil else { return }
        try channels.consumed(id, count, at: now)
    }

    /// How much may be read of a channel before ``consumed(_:_:at:)`` tells of it, in bytes.
    package func readBatch(_ id: ChannelID) -> Int { channels.readBatch(id) }

    /// Sends a request about the whole connection; where `wantReply` is set, a
    /// ``ConnectionEvent/globalReply(to:_:)`` follows, in the order of the requests.
    package mutating func globalRequest(
        _ name: String, wantReply: Bool, _ fields: ByteBuffer = ByteBuffer()
    ) throws(ConnectionError) {
        try checkAlive()
        guard isAuthenticated else { throw .violation("a global request before authentication") }
        try guarded { (connection) throws(ConnectionError) in
            if wantReply { connection.globalRepliesAwaited.append(name) }
            try connection.send(GlobalRequest(request: name, wantReply: wantReply, fields: fields))
        }
    }

    /// Sends a message that changes nothing, to be seen by whoever watches the wire.
    package mutating func ignore() throws(ConnectionError) {
        try guarded { (connection) throws(ConnectionError) in try connection.send(Ignore()) }
    }

    /// Whoever wants an answer, a keepalive above all, gets the plain refusal to all but one request.
    private mutating func answer(_ request: GlobalRequest) throws(ConnectionError) {
        guard request.wantReply else { return }
        if role == .server, request.request == HostKeyRotation.proof, !hasProvedHostKeys,
            let proofs = proveHostKeys(request.fields)
        {
            hasProvedHostKeys = true
            try send(RequestSuccess(fields: proofs))
        } else {
            try send(RequestFailure())
        }
    }

    mutating func receivedConnection(_ payload: ByteBuffer, _ number: UInt8) throws(ConnectionError) {
        switch number {
        case GlobalRequest.number:
            let request = try GlobalRequest(decoding: payload)
            transport.emit(.globalRequest(request))
            try answer(request)
        case RequestSuccess.number, RequestFailure.number:
            guard let name = globalRepliesAwaited.popFirst() else { throw .violation("an answer to no global request") }
            let fields = number == RequestSuccess.number ? try RequestSuccess(decoding: payload).fields : nil
            transport.emit(.globalReply(to: name, fields))
        case 90...100:
            let accepted = acceptedChannelTypes
            try channels.receive(
                payload, number: number, accepts: { accepted.contains($0.name) }, answersRequests: role == .server)
        default:
            try sendUnimplemented()
        }
    }
}
