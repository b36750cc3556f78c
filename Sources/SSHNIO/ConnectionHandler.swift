import NIOCore
import SSHProtocol
import SSHWire

/// Drives a ``Connection`` from a NIO channel: bytes of the socket in and out, events to whom they concern.
///
/// All of it runs on the channel's event loop. Output is collected over one turn of the loop and leaves in one write.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A channel on its way to whoever wanted it.
    private struct Opening {
        let channel: SSHChannel
        /// Whether a request was made on it, whose answer decides.
        let awaitsReply: Bool
        let continuation: CheckedContinuation<SSHChannel?, any Error>
    }

    /// How much is sealed before it is given to the socket, in bytes.
    private static let writeBatch = 256 << 10
    /// How much may wait for a socket that takes nothing, in bytes.
    private static let mostPendingOutput = 8 << 20

    private(set) var connection: Connection
    private var context: ChannelHandlerContext?
    private var channels: [ChannelID: SSHChannel] = [:]
    private var opening: [ChannelID: Opening] = [:]
    /// Who takes channels the peer opens, by their types.
    private var acceptors: [String: @Sendable (OfferedChannel) -> Void] = [:]
    /// Server: who is asked about the requests on session channels, and how many of those there may be.
    private var sessions: (most: Int, answer: Transport.SessionAnswer)?
    /// Session channels asked for before there was anybody to serve them.
    private var offeredSessions: [ChannelID] = []
    private let events: AsyncStream<ConnectionEvent>.Continuation
    private let transport: Transport
    private var failure: TransportError?
    private var keepalive: Keepalive?
    private var deadline: Scheduled<Void>?
    /// Ends the connection when no channel has carried anything since `lastData` for long enough.
    private var idleCheck: RepeatedTask?
    private var lastData = NIODeadline.now()
    /// Whether no channel has carried anything yet: one small packet waits for the other's answer.
    private var isStarting = true
    private var isFlushing = false

    init(_ connection: Connection, transport: Transport, events: AsyncStream<ConnectionEvent>.Continuation) {
        self.connection = connection
        self.transport = transport
        self.events = events
    }

    // MARK: The socket

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end(.closedByPeer)
    }

    func channelActive(context: ChannelHandlerContext) {
        start()
        context.fireChannelActive()
    }

    private func start() { attempt { () throws(ConnectionError) in try connection.start() } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard failure == nil else { return }
        keepalive?.heard()
        if isStarting { context.channel.acknowledgePromptly() }
        do {
            try connection.receive(unwrapInboundIn(data))
        } catch {
            deliverEvents()
            return end(.connection(error))
        }
        deliverEvents()
        // Answers that the peer asks for and does not read must not pile up.
        if connection.pendingOutput > Self.mostPendingOutput { end(.flooded) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.closedByPeer)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? IOError {
            end(.broken(SystemError.text(error.errnoCode)))
        } else {
            end(.broken("\(error)"))
        }
    }

    /// Gives what the connection has for the peer to the socket, as long as the socket takes it.
    private func flush() {
        guard let context, !isFlushing else { return }
        isFlushing = true
        defer { isFlushing = false }
        do {
            var wrote = true
            // A socket that takes all at once is writable again before the flush is over.
            while wrote {
                wrote = false
                while context.channel.isWritable, let output = try connection.takeOutput(limit: Self.writeBatch) {
                    context.write(wrapOutboundOut(output), promise: nil)
                    wrote = true
                }
                if wrote { context.flush() }
            }
        } catch {
            end(.connection(error))
        }
        deliverEvents()
        for channel in channels.values { channel.sent(unsent: connection.unsentBytes(channel.id)) }
    }

    /// Runs a step of the connection, tells its events and sends its output.
    private func attempt(_ body: () throws(ConnectionError) -> Void) {
        guard failure == nil else { return }
        do {
            try body()
        } catch {
            return end(.connection(error))
        }
        deliverEvents()
        flush()
    }

    /// Ends everything once: the peer is told what it is to know, everybody here learns why.
    private func end(_ reason: TransportError) {
        guard failure == nil else { return }
        failure = reason
        keepalive?.stop()
        deadline?.cancel()
        idleCheck?.cancel()
        if let context, context.channel.isActive {
            while let output = try? connection.takeOutput(limit: .max) {
                context.write(wrapOutboundOut(output), promise: nil)
            }
            context.flush()
        }
        // Also where it is not active yet, or it would become so and stay.
        context?.close(promise: nil)
        for channel in channels.values { channel.ended(reason) }
        for waiting in opening.values {
            waiting.channel.ended(reason)
            waiting.continuation.resume(throwing: reason)
        }
        channels = [:]
        opening = [:]
        acceptors = [:]
        transport.ended(reason)
        events.finish()
    }

    // MARK: What callers ask for

    /// Runs a step of the connection for somebody on another thread.
    func perform<R: Sendable>(_ body: (inout Connection) throws(ConnectionError) -> R) throws(TransportError) -> R {
        if let failure { throw failure }
        do {
            let result = try body(&connection)
            deliverEvents()
            flush()
            return result
        } catch {
            if connection.failure != nil { end(.connection(error)) }
            throw .connection(error)
        }
    }

    func openChannel(
        _ type: ChannelType, requests: [ChannelRequestKind], errorOutput: @escaping @Sendable (ByteBuffer) -> Void,
        _ continuation: CheckedContinuation<SSHChannel?, any Error>
    ) {
        do {
            if let failure { throw failure }
            let id = try connection.openChannel(type, requests: requests)
            let channel = SSHChannel(id: id, transport: transport, errorOutput: errorOutput)
            opening[id] = Opening(channel: channel, awaitsReply: !requests.isEmpty, continuation: continuation)
            flush()
        } catch {
            continuation.resume(throwing: error)
        }
    }

    /// Moves what was written to a channel into the connection.
    func drain(_ channel: SSHChannel) {
        guard failure == nil, channels[channel.id] === channel else { return }
        lastData = .now()
        let outgoing = channel.takeOutgoing()
        // A channel the peer has closed takes no more; its writer learns that from the close.
        for bytes in outgoing.data { try? connection.write(channel.id, bytes) }
        if outgoing.errors.readableBytes > 0 { try? connection.writeErrors(channel.id, outgoing.errors) }
        if let status = outgoing.exitStatus { connection.setExitStatus(channel.id, status) }
        if outgoing.finishes { connection.finishWriting(channel.id) }
        if outgoing.closes { connection.close(channel.id) }
        flush()
    }

    func consumed(_ channel: SSHChannel, _ count: Int) {
        guard channels[channel.id] === channel else { return }
        attempt { () throws(ConnectionError) in try connection.consumed(channel.id, count) }
    }

    func request(
        _ channel: SSHChannel, _ kind: ChannelRequestKind, _ continuation: CheckedContinuation<Bool, any Error>
    ) {
        guard failure == nil, channels[channel.id] === channel else {
            return continuation.resume(throwing: failure ?? .channelClosed)
        }
        do {
            try connection.request(channel.id, kind, wantReply: true)
            channel.awaitsReply(continuation)
            flush()
        } catch {
            continuation.resume(throwing: TransportError.connection(error))
        }
    }

    /// From now on the peer may open channels of a type, each of which goes to `acceptor`.
    func accept(_ type: String, _ acceptor: @escaping @Sendable (OfferedChannel) -> Void) {
        guard failure == nil else { return }
        acceptors[type] = acceptor
        connection.acceptedChannelTypes.insert(type)
    }

    /// Opens a channel that the peer has offered; nil when the connection is over.
    func accept(_ id: ChannelID) -> SSHChannel? {
        guard failure == nil, channels[id] == nil else { return nil }
        let channel = SSHChannel(id: id, transport: transport) { _ in }
        channels[id] = channel
        attempt { () throws(ConnectionError) in try connection.acceptChannel(id) }
        return failure == nil ? channel : nil
    }

    func serveSessions(atMost most: Int, _ answer: @escaping Transport.SessionAnswer) {
        guard failure == nil else { return }
        sessions = (most, answer)
        for id in offeredSessions { acceptSession(id) }
        offeredSessions = []
        // What was asked for on them is answered before what there is to say is sent.
        deliverEvents()
        flush()
    }

    /// Server: takes a session channel, to wait for its requests.
    private func acceptSession(_ id: ChannelID) {
        do {
            guard let sessions, channels.count < sessions.most else {
                return try connection.rejectChannel(id, .resourceShortage, "too many sessions")
            }
            channels[id] = SSHChannel(id: id, transport: transport) { _ in }
            try connection.acceptChannel(id)
        } catch {
            // What is wrong with the connection shows at its next step.
        }
    }

    private func answerRequest(_ id: ChannelID, _ kind: ChannelRequestKind, wantReply: Bool) {
        guard let sessions, let channel = channels[id] else { return }
        let isGranted = sessions.answer(channel, kind)
        if wantReply { try? connection.replyToRequest(id, success: isGranted) }
    }

    func refuse(_ id: ChannelID, _ text: String) {
        attempt { () throws(ConnectionError) in try connection.rejectChannel(id, .connectFailed, text) }
    }

    func close(_ reason: DisconnectReason, _ text: String) {
        guard failure == nil else { return }
        connection.disconnect(reason, text)
        end(.connection(.closed))
    }

    /// Sends a question whenever the peer has been silent for `interval` seconds; ends after `most` without an answer.
    func keepAlive(interval: Int, most: Int) {
        guard let context, failure == nil, interval > 0 else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        keepalive = Keepalive(eventLoop: context.eventLoop, interval: interval, most: most) { verdict in
            switch verdict {
            case .wait: break
            case .ask:
                bound.value.attempt { () throws(ConnectionError) in
                    try bound.value.connection.globalRequest("keepalive@openssh.com", wantReply: true)
                }
            case .giveUp:
                bound.value.end(.unresponsive(seconds: interval * max(1, most)))
            }
        }
    }

    func startDeadline(seconds: Int) {
        guard let context, failure == nil else { return }
        deadline?.cancel()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: .seconds(Int64(seconds))) {
            bound.value.end(.unresponsive(seconds: seconds))
        }
    }

    func endWhenIdle(seconds: Int) {
        guard let context, failure == nil, seconds > 0 else { return }
        let limit = TimeAmount.seconds(Int64(seconds))
        lastData = .now()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let interval = TimeAmount.milliseconds(max(100, Int64(seconds) * 1000 / 8))
        idleCheck = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            guard bound.value.lastData + limit <= .now() else { return }
            bound.value.connection.disconnect(.byApplication, "idle for \(seconds) seconds")
            bound.value.end(.idle(seconds: seconds))
        }
    }

    func stopDeadline() { deadline?.cancel() }

    /// Lets the connection see the clock, for keys that are replaced by time.
    func tick(_ now: Int64) { attempt { () throws(ConnectionError) in try connection.clock(now) } }

    // MARK: Events

    private func deliverEvents() {
        while let event = connection.nextEvent() {
            switch event {
            case .channelReadable(let id): deliverData(id)
            case .channelEOF(let id): channels[id]?.receivedEOF()
            case .channelReply(let id, let success):
                if let waiting = opening.removeValue(forKey: id) {
                    if !success { connection.close(id) }
                    waiting.continuation.resume(returning: success ? waiting.channel : nil)
                } else {
                    channels[id]?.receivedReply(success)
                }
            case .channelRequest(let id, let kind, let wantReply) where connection.role == .server:
                answerRequest(id, kind, wantReply: wantReply)
            case .channelRequest(let id, .exitStatus(let status), _): channels[id]?.received(.status(status))
            case .channelRequest(let id, .exitSignal(let name, _, _), _): channels[id]?.received(.signal(name))
            case .channelOpened(let id):
                guard let waiting = opening[id] else { break }
                channels[id] = waiting.channel
                guard !waiting.awaitsReply else { break }
                opening[id] = nil
                waiting.continuation.resume(returning: waiting.channel)
            case .channelRefused(let id, let reason, let text):
                opening.removeValue(forKey: id)?.continuation
                    .resume(throwing: TransportError.channelRefused(reason, text))
            case .channelOffered(let id, .session) where connection.role == .server:
                if sessions == nil { offeredSessions.append(id) } else { acceptSession(id) }
            case .channelOffered(let id, let type):
                guard let acceptor = acceptors[type.name] else {
                    if case .dropped = events.yield(event) { return end(.flooded) }
                    break
                }
                acceptor(OfferedChannel(id: id, transport: transport))
            case .channelClosed(let id):
                deliverData(id)
                connection.release(id)
                opening.removeValue(forKey: id)?.continuation.resume(throwing: TransportError.channelClosed)
                channels.removeValue(forKey: id)?.ended(nil)
            default:
                if case .dropped = events.yield(event) { return end(.flooded) }
            }
        }
    }

    private func deliverData(_ id: ChannelID) {
        guard let channel = channels[id] else { return }
        lastData = .now()
        isStarting = false
        if let data = connection.takeReceived(id) { channel.received(data) }
        if let data = connection.takeReceivedErrors(id) {
            channel.receivedErrors(data)
            try? connection.consumed(id, data.readableBytes)
        }
    }
}
