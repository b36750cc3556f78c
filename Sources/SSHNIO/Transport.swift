import NIOConcurrencyHelpers
import NIOCore
import SSHProtocol
import SSHWire

/// An SSH connection on a NIO channel, for callers on any thread.
package final class Transport: Sendable {
    private let channel: any NIOCore.Channel
    private let handler: NIOLockedValueBox<NIOLoopBound<ConnectionHandler>?> = .init(nil)
    private let failureBox = NIOLockedValueBox<TransportError?>(nil)
    /// What concerns no single channel, in order; it ends with the connection.
    package let events = ConnectionEvents()

    private init(channel: any NIOCore.Channel) { self.channel = channel }

    /// Starts the protocol on a channel. Call it on the channel's event loop.
    ///
    /// - Throws: what NIO says when the channel is already gone.
    package static func start(
        on channel: any NIOCore.Channel, role: Role, configuration: ConnectionConfiguration,
        observer: (any ConnectionObserver)? = nil
    ) throws -> Transport {
        let transport = Transport(channel: channel)
        let connection = Connection(role: role, configuration: configuration, observer: observer)
        let handler = ConnectionHandler(connection, transport: transport)
        transport.handler.withLockedValue { $0 = NIOLoopBound(handler, eventLoop: channel.eventLoop) }
        try channel.pipeline.syncOperations.addHandler(handler)
        if let seconds = configuration.rekeySeconds {
            let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
            let delay = TimeAmount.seconds(max(1, min(seconds, 60)))
            let task = channel.eventLoop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in
                bound.value.tick(Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000_000))
            }
            channel.closeFuture.whenComplete { _ in task.cancel() }
        }
        return transport
    }

    /// Why the connection ended; nil while it lives.
    package var failure: TransportError? { failureBox.withLockedValue { $0 } }

    func ended(_ reason: TransportError) {
        failureBox.withLockedValue { if $0 == nil { $0 = reason } }
        // The handler and this object hold each other while the connection lives.
        handler.withLockedValue { $0 = nil }
    }

    /// Runs `body` on the event loop with the handler; `otherwise` when the connection is over.
    func onLoop(
        _ body: @escaping @Sendable (ConnectionHandler) -> Void,
        otherwise: @escaping @Sendable (TransportError) -> Void = { _ in }
    ) {
        guard let bound = handler.withLockedValue({ $0 }) else {
            return otherwise(failure ?? .closedByPeer)
        }
        channel.eventLoop.execute { body(bound.value) }
    }

    /// Runs a step of the connection on its event loop.
    ///
    /// - Throws: `TransportError`.
    package func perform<R: Sendable>(
        _ body: @escaping @Sendable (inout Connection) throws(ConnectionError) -> R
    ) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            onLoop(
                { handler in
                    do throws(TransportError) {
                        continuation.resume(returning: try handler.perform(body))
                    } catch {
                        continuation.resume(throwing: error)
                    }
                }, otherwise: { continuation.resume(throwing: $0) })
        }
    }

    /// Opens a channel.
    ///
    /// - Parameter errorOutput: receives what the remote program writes to its standard error.
    /// - Throws: `TransportError.channelRefused` when the peer does not want to, or what ended the connection.
    package func openChannel(
        _ type: ChannelType = .session, errorOutput: @escaping @Sendable (ByteBuffer) -> Void = { _ in }
    ) async throws -> SSHChannel {
        guard let channel = try await open(type, requests: [], errorOutput: errorOutput) else {
            throw TransportError.channelClosed
        }
        return channel
    }

    /// Opens a session and makes requests on it, the last of which starts something (RFC 4254 section 6.5).
    ///
    /// - Parameter errorOutput: receives what the remote program writes to its standard error.
    /// - Returns: nil if the peer refuses the last request; the session is closed then.
    /// - Throws: `TransportError.channelRefused` when the peer does not want to, or what ended the connection.
    package func openSession(
        _ requests: [ChannelRequestKind], errorOutput: @escaping @Sendable (ByteBuffer) -> Void = { _ in }
    ) async throws -> SSHChannel? {
        try await open(.session, requests: requests, errorOutput: errorOutput)
    }

    private func open(
        _ type: ChannelType, requests: [ChannelRequestKind], errorOutput: @escaping @Sendable (ByteBuffer) -> Void
    ) async throws -> SSHChannel? {
        let waiter = Waiter<SSHChannel?>()
        onLoop(
            { $0.openChannel(type, requests: requests, errorOutput: errorOutput, waiter) },
            otherwise: { waiter.resume(throwing: $0) })
        return try await waiter.wait { onLoop { $0.abandon(waiter) } }
    }

    /// Lets the peer open channels of a type, such as `auth-agent@openssh.com`.
    ///
    /// - Parameter acceptor: called on the event loop for each; it must not block, and sees to it that the channel is
    ///   accepted or refused.
    package func accept(_ type: String, _ acceptor: @escaping @Sendable (OfferedChannel) -> Void) {
        onLoop { $0.accept(type, acceptor) }
    }

    /// Says whether a request on a session channel is granted. It is called on the event loop and must not block.
    package typealias SessionAnswer = @Sendable (SSHChannel, ChannelRequestKind) -> Bool

    /// Server: from now on session channels are opened as the client asks, and `answer` is asked about each request.
    ///
    /// - Parameter most: how many channels may be open at a time.
    package func serveSessions(atMost most: Int, _ answer: @escaping SessionAnswer) {
        onLoop { $0.serveSessions(atMost: most, answer) }
    }

    /// The loop that the connection lives on.
    package var eventLoop: any EventLoop { channel.eventLoop }

    /// Asks a silent peer every `interval` seconds whether it is there, at most `most` times without an answer.
    package func keepAlive(interval: Int, most: Int) {
        onLoop { $0.time { $0.keepAlive(interval: interval, most: most) } }
    }

    /// Ends the connection when the peer owes something for too long.
    package func watch(_ limits: SilenceLimits) { onLoop { $0.time { $0.watch(limits) } } }

    /// Ends the connection as unresponsive after `seconds`, unless ``stopDeadline()`` comes first.
    package func startDeadline(seconds: Int) { startDeadline(.seconds(Int64(seconds)), limit: seconds) }

    /// - Parameters:
    ///   - time: what is left of `limit`.
    ///   - limit: what the error gives as the time limit, in seconds.
    package func startDeadline(_ time: TimeAmount, limit: Int) {
        onLoop { $0.time { $0.startDeadline(time, limit: limit) } }
    }

    package func stopDeadline() { onLoop { $0.time { $0.stopDeadline() } } }

    /// Ends the connection when no channel has carried a byte for so many seconds.
    package func endWhenIdle(seconds: Int) { onLoop { $0.time { $0.endWhenIdle(seconds: seconds) } } }

    /// Says goodbye and closes the socket.
    package func close(_ reason: DisconnectReason = .byApplication, _ text: String = "disconnected by user") async {
        onLoop { $0.close(reason, text) }
        try? await channel.closeFuture.get()
    }

    // MARK: For channels

    func accept(_ id: ChannelID) async -> SSHChannel? {
        await withCheckedContinuation { continuation in
            onLoop(
                { continuation.resume(returning: $0.accept(id)) },
                otherwise: { _ in continuation.resume(returning: nil) })
        }
    }
    func refuse(_ id: ChannelID, _ text: String) { onLoop { $0.refuse(id, text) } }

    func drain(_ channel: SSHChannel) { onLoop { $0.drain(channel) } }
}
