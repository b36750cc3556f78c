import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SSHNIO
import SSHWire

/// A byte stream over two descriptors, one to read from and one to write to, that blocks no thread: reading goes on while
/// a write waits for room.
final class PipeStream: ByteStream {
    private let input: IncomingPipe
    private let output: any NIOCore.Channel
    private let outgoing = NIOLockedValueBox(Outgoing())

    /// How much is queued for writing before a writer waits, in bytes.
    private static let bufferLimit = 1 << 20

    private struct Outgoing {
        var queued = 0
        var writers: [Waiter<Void>] = []
        var failure: TransportError?
    }

    private init(input: IncomingPipe, output: any NIOCore.Channel) {
        self.input = input
        self.output = output
    }

    /// Takes both descriptors over: they are closed with the stream, and also where this throws.
    static func open(input: CInt, output: CInt, on group: any EventLoopGroup) async throws -> PipeStream {
        let reading: IncomingPipe
        do {
            reading = try await IncomingPipe.open(input, on: group)
        } catch {
            closeDescriptor(output)
            throw error
        }
        do {
            let writing = try await NIOPipeBootstrap(group: group).takingOwnershipOfDescriptor(output: output).get()
            return PipeStream(input: reading, output: writing)
        } catch {
            closeDescriptor(output)
            await reading.close()
            throw error
        }
    }

    func read() async throws -> ByteBuffer? { try await input.read() }

    func write(_ bytes: ByteBuffer) async throws {
        let count = bytes.readableBytes
        let mustWait = try outgoing.withLockedValue { state throws -> Bool in
            if let failure = state.failure { throw failure }
            state.queued += count
            return state.queued > Self.bufferLimit
        }
        output.writeAndFlush(bytes).whenComplete { [self] result in written(count, result) }
        guard mustWait else { return }
        let waiter = Waiter<Void>()
        let isFull = try outgoing.withLockedValue { state throws -> Bool in
            if let failure = state.failure { throw failure }
            guard state.queued > Self.bufferLimit else { return false }
            state.writers.append(waiter)
            return true
        }
        if isFull { try await waiter.wait() }
    }

    private func written(_ count: Int, _ result: Result<Void, any Error>) {
        let (writers, failure) = outgoing.withLockedValue { state in
            state.queued -= count
            if case .failure(let error) = result, state.failure == nil { state.failure = Self.failure(error) }
            guard state.failure != nil || state.queued <= Self.bufferLimit / 2 else {
                return ([Waiter<Void>](), state.failure)
            }
            defer { state.writers = [] }
            return (state.writers, state.failure)
        }
        for writer in writers {
            if let failure { writer.resume(throwing: failure) } else { writer.resume() }
        }
    }

    func finishWriting() async throws {
        // What was written before comes first.
        output.writeAndFlush(ByteBuffer()).whenComplete { [output] _ in output.close(promise: nil) }
    }

    /// Closes both descriptors; what was not read or written yet is lost.
    func close() async {
        output.close(promise: nil)
        await input.close()
        try? await output.closeFuture.get()
    }

    fileprivate static func failure(_ error: any Error) -> TransportError {
        if let error = error as? IOError { return .broken(SystemError.text(error.errnoCode)) }
        return .closedByPeer
    }
}

/// What comes out of a pipe: read only as far as somebody wants it.
final class IncomingPipe: Sendable {
    private struct State {
        var buffers = CircularBuffer<ByteBuffer>()
        var count = 0
        var reader: Waiter<Void>?
        var isPaused = false
        var isOver = false
        var failure: TransportError?
        var channel: (any NIOCore.Channel)?
    }

    /// How much is read before anybody wants it, in bytes.
    private static let bufferLimit = 512 << 10

    private let state = NIOLockedValueBox(State())

    /// Takes a descriptor over: it is closed with the pipe, and also where this throws.
    static func open(_ descriptor: CInt, on group: any EventLoopGroup) async throws -> IncomingPipe {
        let pipe = IncomingPipe()
        let bootstrap = NIOPipeBootstrap(group: group)
            .channelOption(.autoRead, value: false)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 << 10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(pipe))
                }
            }
        do {
            let channel = try await bootstrap.takingOwnershipOfDescriptor(input: descriptor).get()
            pipe.state.withLockedValue { if !$0.isOver { $0.channel = channel } }
            channel.read()
            return pipe
        } catch {
            closeDescriptor(descriptor)
            throw error
        }
    }

    /// Closes the descriptor; whoever reads is told that it is over.
    func close() async {
        guard let channel = state.withLockedValue({ $0.channel }) else { return }
        try? await channel.close()
    }

    func read() async throws -> ByteBuffer? {
        while true {
            let waiter = Waiter<Void>()
            let (ready, resumed) = state.withLockedValue { state in
                let ready = Self.take(&state)
                if ready == nil { state.reader = waiter }
                guard state.isPaused, state.count <= Self.bufferLimit / 2 else {
                    return (ready, (any NIOCore.Channel)?.none)
                }
                state.isPaused = false
                return (ready, state.channel)
            }
            resumed?.read()
            if let ready { return try ready.get() }
            try await waiter.wait()
        }
    }

    private static func take(_ state: inout State) -> Result<ByteBuffer?, any Error>? {
        if let bytes = state.buffers.popFirst() {
            state.count -= bytes.readableBytes
            return .success(bytes)
        }
        if let failure = state.failure { return .failure(failure) }
        return state.isOver ? .success(nil) : nil
    }

    private func received(_ bytes: ByteBuffer) {
        let reader = state.withLockedValue { state in
            state.count += bytes.readableBytes
            state.buffers.append(bytes)
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    private var wantsMore: Bool {
        state.withLockedValue { state in
            state.isPaused = state.count > Self.bufferLimit
            return !state.isPaused
        }
    }

    private func ended(_ failure: TransportError?) {
        let reader = state.withLockedValue { state in
            state.isOver = true
            if state.failure == nil { state.failure = failure }
            // The channel and this object hold each other while it lives.
            state.channel = nil
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let pipe: IncomingPipe

        init(_ pipe: IncomingPipe) { self.pipe = pipe }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { pipe.received(unwrapInboundIn(data)) }

        func channelReadComplete(context: ChannelHandlerContext) { if pipe.wantsMore { context.read() } }

        func channelInactive(context: ChannelHandlerContext) { pipe.ended(nil) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            pipe.ended(PipeStream.failure(error))
            context.close(promise: nil)
        }
    }
}
