import NIOConcurrencyHelpers
import NIOCore
import SSHProtocol
import SSHWire

/// How the remote side of a channel ended (RFC 4254 section 6.10).
public enum ExitStatus: Equatable, Sendable {
    case status(UInt32)
    case signal(String)
}

/// A channel of an SSH connection: a stream of bytes with a request to start it and a status at its end.
///
/// Reading and writing happen on the caller's threads; the connection's event loop is woken once a batch, not once a
/// packet. Memory is bounded: by the receive window on one side, by ``bufferLimit`` on the other.
public final class SSHChannel: ByteStream {
    /// How much may be queued for sending before a writer waits, in bytes.
    package static let bufferLimit = 1 << 20
    /// Data that waits for the reader is joined while it is smaller than this, in bytes: a peer may send a byte at a time.
    private static let smallBatch = 4 << 10

    package struct State {
        var incoming = CircularBuffer<ByteBuffer>()
        var consumed = 0
        var reader: Waiter<Void>?
        var sawEOF = false

        var outgoing = CircularBuffer<ByteBuffer>()
        /// Bytes in `outgoing` and, by the last count, in the connection.
        var queued = 0
        var writers: [Waiter<Void>] = []
        var wakes = false
        var errors = ByteBuffer()
        var exitStatusToSend: UInt32?
        var finishes = false
        var closes = false

        var replies = CircularBuffer<Waiter<Bool>>()
        /// Who waits for the exit status, or for the end of the channel.
        var statusWaiters: [Waiter<Void>] = []
        var closeWaiters: [Waiter<Void>] = []
        var isClosed = false
        var failure: TransportError?
        var exitStatus: ExitStatus?
    }

    let id: ChannelID
    private let transport: Transport
    /// How much is read before the connection learns of it, in bytes: a wake-up of the event loop each.
    private let readBatch: Int
    private let state = NIOLockedValueBox(State())
    /// Receives the remote program's standard error.
    private let errorOutput: @Sendable (ByteBuffer) -> Void

    init(
        id: ChannelID, transport: Transport, readBatch: Int,
        errorOutput: @escaping @Sendable (ByteBuffer) -> Void
    ) {
        self.id = id
        self.transport = transport
        self.readBatch = readBatch
        self.errorOutput = errorOutput
    }

    // MARK: For callers on any thread

    /// How the remote program ended: waits until the server has said so or has closed the channel.
    ///
    /// A server may say so after the end of the program's output, and a program may go on after it has closed that.
    ///
    /// - Returns: nil where the channel was closed without a word, as for a request that is no program.
    /// - Throws: `TransportError` when the connection ended before that was known; `CancellationError`.
    public var exitStatus: ExitStatus? {
        get async throws {
            let waiter = Waiter<Void>()
            let isKnown = state.withLockedValue { state in
                let isKnown = state.exitStatus != nil || state.isClosed
                if !isKnown { state.statusWaiters.append(waiter) }
                return isKnown
            }
            if !isKnown { try await waiter.wait() }
            return try state.withLockedValue { state in
                if let status = state.exitStatus { return status }
                if let failure = state.failure { throw failure }
                return nil
            }
        }
    }

    nonisolated(nonsending) public func read() async throws -> ByteBuffer? {
        while true {
            let (ready, waiter) = state.withLockedValue { state -> (Result<ByteBuffer?, any Error>?, Waiter<Void>?) in
                if let ready = take(&state) { return (ready, nil) }
                let waiter = Waiter<Void>()
                state.reader = waiter
                return (nil, waiter)
            }
            if let ready { return try ready.get() }
            try await waiter?.wait { forget(waiter) }
        }
    }

    /// Nobody reads any more: what the peer does not send is not missed.
    private func forget(_ reader: Waiter<Void>?) {
        state.withLockedValue { if $0.reader === reader { $0.reader = nil } }
    }

    nonisolated(nonsending) public func write(_ bytes: ByteBuffer) async throws {
        if try post(bytes) { try await waitForRoom() }
    }

    /// Queues bytes for sending, however full the queue is.
    ///
    /// - Returns: whether there is too much in it, so that the next bytes should wait (``waitForRoom()``).
    /// - Throws: `TransportError` when the channel is over.
    func post(_ bytes: ByteBuffer) throws -> Bool {
        let (mustWait, mustWake) = try state.withLockedValue { state throws -> (Bool, Bool) in
            if let failure = state.failure { throw failure }
            if state.isClosed { throw TransportError.channelClosed }
            state.outgoing.append(bytes)
            state.queued += bytes.readableBytes
            return (state.queued > Self.bufferLimit, wake(&state))
        }
        if mustWake { transport.drain(self) }
        return mustWait
    }

    /// Waits until the queue has room.
    ///
    /// - Throws: `TransportError` when the channel is over.
    nonisolated(nonsending) func waitForRoom() async throws {
        let waiter = Waiter<Void>()
        let mustWait = try state.withLockedValue { state throws -> Bool in
            if let failure = state.failure { throw failure }
            if state.isClosed { throw TransportError.channelClosed }
            guard state.queued > Self.bufferLimit else { return false }
            state.writers.append(waiter)
            return true
        }
        if mustWait { try await waiter.wait() }
    }

    nonisolated(nonsending) public func finishWriting() async throws {
        let mustWake = state.withLockedValue { state in
            state.finishes = true
            return wake(&state)
        }
        if mustWake { transport.drain(self) }
    }

    public func checkOpen() throws {
        try state.withLockedValue { state in
            if let failure = state.failure { throw failure }
            if state.isClosed { throw TransportError.channelClosed }
        }
    }

    /// Closes the channel; data written before is still sent.
    public func close() { close(exitStatus: nil) }

    /// Server: tells the client how the request ended, and closes the channel; data written before is still sent.
    package func close(exitStatus: UInt32?) {
        let mustWake = state.withLockedValue { state in
            if let exitStatus {
                state.exitStatusToSend = exitStatus
                state.finishes = true
            }
            state.closes = true
            return wake(&state)
        }
        if mustWake { transport.drain(self) }
    }

    /// How much standard error may wait to be sent, in bytes; more is dropped.
    private static let errorLimit = 64 << 10

    /// Server: sends text to the client's standard error.
    package func writeError(_ bytes: ByteBuffer) {
        let mustWake = state.withLockedValue { state in
            guard !state.isClosed, state.errors.readableBytes + bytes.readableBytes <= Self.errorLimit else {
                return false
            }
            state.errors.writeImmutableBuffer(bytes)
            return wake(&state)
        }
        if mustWake { transport.drain(self) }
    }

    /// Waits until the channel is closed both ways, the connection is gone, or the task is cancelled.
    public func waitForClose() async {
        let waiter = Waiter<Void>()
        let isClosed = state.withLockedValue { state in
            if !state.isClosed { state.closeWaiters.append(waiter) }
            return state.isClosed
        }
        if !isClosed { try? await waiter.wait() }
    }

    /// Asks the peer to run a command in a shell of the user's (RFC 4254 section 6.5).
    ///
    /// - Returns: whether the peer agreed.
    public func exec(_ command: ByteBuffer) async throws -> Bool { try await request(.exec(command: command)) }

    /// Asks the peer to start a subsystem, such as `sftp` (RFC 4254 section 6.5).
    ///
    /// - Returns: whether the peer agreed.
    public func subsystem(_ name: String) async throws -> Bool { try await request(.subsystem(name: name)) }

    package func request(_ kind: ChannelRequestKind) async throws -> Bool {
        let waiter = Waiter<Bool>()
        transport.onLoop({ [self] in $0.request(self, kind, waiter) }, otherwise: { waiter.resume(throwing: $0) })
        return try await waiter.wait()
    }

    // MARK: For the event loop

    private func take(_ state: inout State) -> Result<ByteBuffer?, any Error>? {
        if let bytes = state.incoming.popFirst() {
            state.consumed += bytes.readableBytes
            if state.consumed >= readBatch, !state.isClosed {
                let count = state.consumed
                state.consumed = 0
                transport.onLoop { [self] handler in
                    guard handler.channels[id] === self else { return }
                    handler.attempt { () throws(ConnectionError) in
                        try handler.connection.consumed(id, count, at: .now)
                    }
                }
            }
            return .success(bytes)
        }
        if state.sawEOF { return .success(nil) }
        if let failure = state.failure { return .failure(failure) }
        if state.isClosed { return .success(nil) }
        return nil
    }

    private func wake(_ state: inout State) -> Bool {
        defer { state.wakes = true }
        return !state.wakes
    }

    /// What was written since the last call, and what is to follow it.
    struct Outgoing {
        let data: CircularBuffer<ByteBuffer>
        let errors: ByteBuffer
        let exitStatus: UInt32?
        let finishes: Bool
        let closes: Bool
    }

    func takeOutgoing() -> Outgoing {
        state.withLockedValue { state in
            state.wakes = false
            defer {
                state.outgoing = CircularBuffer()
                state.errors = ByteBuffer()
            }
            return Outgoing(
                data: state.outgoing, errors: state.errors, exitStatus: state.exitStatusToSend,
                finishes: state.finishes, closes: state.closes)
        }
    }

    /// The connection still holds `unsent` bytes of this channel.
    func sent(unsent: Int) {
        let writers = state.withLockedValue { state -> [Waiter<Void>] in
            state.queued = unsent + state.outgoing.reduce(0) { $0 + $1.readableBytes }
            guard state.queued <= Self.bufferLimit / 2 else { return [] }
            defer { state.writers = [] }
            return state.writers
        }
        for writer in writers { writer.resume() }
    }

    func received(_ bytes: ByteBuffer) {
        let reader = state.withLockedValue { state in
            append(bytes, &state.incoming)
            return Self.wakeReader(&state)
        }
        reader?.resume()
    }

    private static func wakeReader(_ state: inout State) -> Waiter<Void>? {
        defer { state.reader = nil }
        return state.reader
    }

    /// Whether somebody here waits for the peer.
    var awaitsPeer: Bool {
        state.withLockedValue { state in
            state.reader != nil || !state.replies.isEmpty || !state.statusWaiters.isEmpty || state.queued > 0
                || !state.closeWaiters.isEmpty
        }
    }

    private func append(_ bytes: ByteBuffer, _ waiting: inout CircularBuffer<ByteBuffer>) {
        guard bytes.readableBytes < Self.smallBatch, !waiting.isEmpty else { return waiting.append(bytes) }
        // Changed where it lies: a second reference to the last one would have its bytes copied each time.
        let isJoined = waiting.modify(waiting.index(before: waiting.endIndex)) { last in
            guard last.readableBytes < Self.smallBatch else { return false }
            last.writeImmutableBuffer(bytes)
            return true
        }
        if !isJoined { waiting.append(bytes) }
    }

    func receivedErrors(_ bytes: ByteBuffer) { errorOutput(bytes) }

    func receivedEOF() {
        let reader = state.withLockedValue { state in
            state.sawEOF = true
            return Self.wakeReader(&state)
        }
        reader?.resume()
    }

    func received(_ status: ExitStatus) {
        let waiters = state.withLockedValue { state in
            state.exitStatus = status
            defer { state.statusWaiters = [] }
            return state.statusWaiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func awaitsReply(_ waiter: Waiter<Bool>) { state.withLockedValue { $0.replies.append(waiter) } }

    func receivedReply(_ success: Bool) {
        state.withLockedValue { $0.replies.popFirst() }?.resume(returning: success)
    }

    /// The channel is over: in order when `failure` is nil.
    func ended(_ failure: TransportError?) {
        let before = state.withLockedValue { state -> State in
            let before = state
            if state.failure == nil { state.failure = failure }
            state.isClosed = true
            state.reader = nil
            state.writers = []
            state.replies = CircularBuffer()
            state.statusWaiters = []
            state.closeWaiters = []
            state.outgoing = CircularBuffer()
            return before
        }
        before.reader?.resume()
        for writer in before.writers { writer.resume(throwing: failure ?? .channelClosed) }
        for reply in before.replies { reply.resume(throwing: failure ?? .channelClosed) }
        for waiter in before.statusWaiters + before.closeWaiters { waiter.resume() }
    }
}
