import NIOCore
import SSHProtocol
import SSHWire

/// Drives a ``Connection`` from a NIO channel: bytes of the socket in and out, events to whom they concern.
///
/// All of it runs on the channel's event loop. Output is collected over one turn of the loop and leaves in one write.
final class ConnectionHandler: ChannelInboundHandler, TimedConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A channel on its way to whoever wanted it.
    struct Opening {
        let channel: SSHChannel
        /// Whether a request was made on it, whose answer decides.
        let awaitsReply: Bool
        let waiter: Waiter<SSHChannel?>
    }

    /// How much is sealed before it is given to the socket, in bytes.
    private static let writeBatch = 256 << 10
    /// How much is read from the socket at a time before the user is let in, in bytes: the system's memory for reads is
    /// each connection's own.
    private static let readBeforeLogin = 8 << 10

    var connection: Connection
    private var context: ChannelHandlerContext?
    var channels: [ChannelID: SSHChannel] = [:]
    var opening: [ChannelID: Opening] = [:]
    /// Who takes channels the peer opens, by their types.
    var acceptors: [String: @Sendable (OfferedChannel) -> Void] = [:]
    /// Server: who is asked about the requests on session channels, and how many of those there may be.
    var sessions: (most: Int, answer: Transport.SessionAnswer)?
    /// Session channels asked for before there was anybody to serve them.
    var offeredSessions: [ChannelID] = []
    let events: ConnectionEvents
    let transport: Transport
    private(set) var failure: TransportError?
    private var timers: ConnectionTimers?
    private(set) var lastHeard = NIODeadline.now()
    var lastData = NIODeadline.now()
    /// Whether no channel has carried anything yet: one small packet waits for the other's answer.
    var isStarting = true
    private var isFlushing = false
    private var isLoggedIn = false
    /// Bytes that the socket has not taken yet; counted until the user is let in.
    private var unwritten = 0
    /// What the socket is read by once the user is let in.
    private var readAllocator: (any RecvByteBufferAllocator)?

    init(_ connection: Connection, transport: Transport) {
        self.connection = connection
        self.transport = transport
        events = transport.events
    }

    // MARK: The socket

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        timers = ConnectionTimers(self, eventLoop: context.eventLoop)
        if context.channel.isActive { start(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end(.closedByPeer)
    }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        // Not every kind of channel has the option; a tunnel's memory is bounded by its own window.
        let options = context.channel.syncOptions
        readAllocator = try? options?.getOption(.recvAllocator)
        try? options?.setOption(
            .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.readBeforeLogin))
        attempt { () throws(ConnectionError) in try connection.start() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard failure == nil else { return }
        lastHeard = .now()
        if isStarting { context.channel.acknowledgePromptly() }
        do {
            try connection.receive(unwrapInboundIn(data))
        } catch {
            deliverEvents()
            return end(.connection(error))
        }
        deliverEvents()
        if !isLoggedIn { noteLogin() }
        checkMemory()
    }

    private func noteLogin() {
        guard connection.isAuthenticated else { return }
        isLoggedIn = true
        unwritten = 0
        if let readAllocator { try? context?.channel.syncOptions?.setOption(.recvAllocator, value: readAllocator) }
    }

    /// What a peer makes us keep must not pile up: answers that it asks for and does not read, and what it tells while
    /// nobody listens, as a person is asked for a password.
    private func checkMemory() {
        if connection.waitingBytes + unwritten + events.memory > connection.memoryLimit { end(.flooded) }
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
    func flush() {
        guard let context, !isFlushing else { return }
        isFlushing = true
        defer { isFlushing = false }
        do {
            var wrote = true
            // A socket that takes all at once is writable again before the flush is over.
            while wrote {
                wrote = false
                while context.channel.isWritable, let output = try connection.takeOutput(limit: Self.writeBatch) {
                    write(output, context)
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

    private func write(_ output: ByteBuffer, _ context: ChannelHandlerContext) {
        guard !isLoggedIn else { return context.write(wrapOutboundOut(output), promise: nil) }
        let count = output.readableBytes
        unwritten += count
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in bound.value.unwritten = max(0, bound.value.unwritten - count) }
        context.write(wrapOutboundOut(output), promise: promise)
    }

    /// Runs a step of the connection, tells its events and sends its output.
    func attempt(_ body: () throws(ConnectionError) -> Void) {
        guard failure == nil else { return }
        do {
            try body()
        } catch {
            return end(.connection(error))
        }
        deliverEvents()
        flush()
    }

    /// Runs a step of the connection for somebody on another thread.
    func perform<R: Sendable>(_ body: (inout Connection) throws(ConnectionError) -> R) throws(TransportError) -> R {
        if let failure { throw failure }
        do {
            let result = try body(&connection)
            deliverEvents()
            if !isLoggedIn { noteLogin() }
            flush()
            return result
        } catch {
            if connection.failure != nil { end(.connection(error)) }
            throw .connection(error)
        }
    }

    /// Ends everything once: the peer is told what it is to know, everybody here learns why.
    private func end(_ reason: TransportError) {
        guard failure == nil else { return }
        failure = reason
        timers?.stop()
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
            waiting.waiter.resume(throwing: reason)
        }
        channels = [:]
        opening = [:]
        acceptors = [:]
        transport.ended(reason)
        events.finish()
    }

    func close(_ reason: DisconnectReason, _ text: String) {
        guard failure == nil else { return }
        connection.disconnect(reason, text)
        end(.connection(.closed))
    }

    // MARK: Time

    /// Sets a clock of the connection's, if that is not over.
    func time(_ body: (ConnectionTimers) -> Void) {
        if failure == nil, let timers { body(timers) }
    }

    /// Lets the connection see the clock, for keys that are replaced by time.
    func tick(_ now: Int64) { attempt { () throws(ConnectionError) in try connection.clock(now) } }

    var awaitsPeer: Bool { !opening.isEmpty || channels.values.contains { $0.awaitsPeer } }

    func stalledBytes() -> [Int] {
        channels.values.filter { connection.isStalled($0.id) }.map { connection.unsentBytes($0.id) }
    }

    var isExchangingKeys: Bool { connection.isExchangingKeys }

    func askPeer() {
        attempt { () throws(ConnectionError) in try connection.globalRequest("keepalive@openssh.com", wantReply: true) }
    }

    func give(up reason: TransportError) {
        if case .idle = reason { connection.disconnect(.byApplication, "\(reason)") }
        end(reason)
    }

    /// A peer that causes more events than anybody reads is cut off.
    func tell(_ event: ConnectionEvent) { events.yield(event) }
}
