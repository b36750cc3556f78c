import NIOConcurrencyHelpers
import NIOCore

/// A NIO channel whose bytes go through a channel of another SSH connection, so that a connection can run inside of
/// another. Both live on one event loop, and no bytes are copied between them.
package final class TunnelChannel: NIOCore.Channel, ChannelCore {
    private struct State {
        var pipeline: ChannelPipeline?
        var isActive = true
        var isWritable = true
        /// Written and not flushed yet.
        var unflushed = CircularBuffer<ByteBuffer>()
    }

    package let eventLoop: any EventLoop
    package let allocator = ByteBufferAllocator()
    package var parent: (any NIOCore.Channel)? { nil }
    package var localAddress: SocketAddress? { nil }
    package var remoteAddress: SocketAddress? { nil }
    private let tunnel: SSHChannel
    private let state = NIOLockedValueBox(State())
    private let closePromise: EventLoopPromise<Void>

    private init(_ tunnel: SSHChannel, eventLoop: any EventLoop) {
        self.tunnel = tunnel
        self.eventLoop = eventLoop
        closePromise = eventLoop.makePromise()
    }

    /// Makes a NIO channel of a channel to another server.
    ///
    /// - Parameters:
    ///   - eventLoop: the one of the connection that `tunnel` belongs to.
    ///   - initializer: adds the handlers, on the event loop; the channel is active already.
    package static func open<Output: Sendable>(
        through tunnel: SSHChannel, on eventLoop: any EventLoop,
        _ initializer: @escaping @Sendable (any NIOCore.Channel) throws -> Output
    ) async throws -> Output {
        let channel = TunnelChannel(tunnel, eventLoop: eventLoop)
        let output = try await eventLoop.submit {
            do {
                return try initializer(channel)
            } catch {
                channel.end()
                throw error
            }
        }.get()
        Task { await channel.carryIncoming() }
        return output
    }

    private func carryIncoming() async {
        do {
            while let bytes = try await tunnel.read() {
                // Nothing more is read until this is dealt with.
                try await eventLoop.submit { [self] in
                    pipeline.fireChannelRead(bytes)
                    pipeline.fireChannelReadComplete()
                }.get()
            }
            eventLoop.execute { [self] in end() }
        } catch {
            eventLoop.execute { [self] in
                pipeline.fireErrorCaught(error)
                end()
            }
        }
    }

    /// On the event loop: closes the channel, once.
    private func end() {
        let wasActive = state.withLockedValue { state in
            defer { state.isActive = false }
            return state.isActive
        }
        guard wasActive else { return }
        tunnel.close()
        pipeline.fireChannelInactive()
        pipeline.fireChannelUnregistered()
        let promise = closePromise
        let pipeline = pipeline
        // The handlers are still in the middle of what closed the channel.
        eventLoop.execute { [self] in
            removeHandlers(pipeline: pipeline)
            promise.succeed()
            state.withLockedValue { $0.pipeline = nil }
        }
    }

    // MARK: Channel

    package var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
    package var isActive: Bool { state.withLockedValue { $0.isActive } }
    package var isWritable: Bool { state.withLockedValue { $0.isWritable } }
    package var _channelCore: any ChannelCore { self }

    package var pipeline: ChannelPipeline {
        if let known = state.withLockedValue({ $0.pipeline }) { return known }
        let made = ChannelPipeline(channel: self)
        return state.withLockedValue { state in
            let pipeline = state.pipeline ?? made
            state.pipeline = pipeline
            return pipeline
        }
    }

    package func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
        eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
    }

    package func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
    }

    // MARK: ChannelCore

    package func localAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
    package func remoteAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
    package func register0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    package func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) { promise?.succeed() }

    package func bind0(to address: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    package func connect0(to address: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    package func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = unwrapData(data, as: ByteBuffer.self)
        let isActive = state.withLockedValue { state in
            if state.isActive { state.unflushed.append(bytes) }
            return state.isActive
        }
        if isActive { promise?.succeed() } else { promise?.fail(ChannelError.ioOnClosedChannel) }
    }

    package func flush0() {
        let all = state.withLockedValue { state in
            defer { state.unflushed = CircularBuffer() }
            return state.unflushed
        }
        var isFull = false
        do {
            for bytes in all { isFull = try tunnel.post(bytes) }
        } catch {
            return end()
        }
        guard isFull, state.withLockedValue({ $0.isWritable }) else { return }
        state.withLockedValue { $0.isWritable = false }
        pipeline.fireChannelWritabilityChanged()
        Task {
            // A tunnel that has ended says so where it is read.
            try? await tunnel.waitForRoom()
            eventLoop.execute { [self] in
                state.withLockedValue { $0.isWritable = true }
                pipeline.fireChannelWritabilityChanged()
            }
        }
    }

    package func read0() {}

    package func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all else {
            promise?.fail(ChannelError.operationUnsupported)
            return
        }
        end()
        promise?.succeed()
    }

    package func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    package func channelRead0(_ data: NIOAny) {}
    package func errorCaught0(error: any Error) {}
}
