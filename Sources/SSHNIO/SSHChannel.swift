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
        var reader: CheckedContinuation<ByteBuffer?, any Error>?
        var sawEOF = false

        var outgoing = CircularBuffer<ByteBuffer>()
        /// Bytes in `outgoing` and, by the last count, in the connection.
        var queued = 0
        var writers: [CheckedContinuation<Void, any Error>] = []
        var wakes = false
        var errors = ByteBuffer()
        var exitStatusToSend: UInt32?
        var finishes = false
        var closes = false

        var replies = CircularBuffer<CheckedContinuation<Bool, any Error>>()
        var closeWaiters: [CheckedContinuation<Void, Never>] = []
        var isClosed = false
        var failure: TransportError?
        var exitStatus: ExitStatus?
    }

    let id: ChannelID
    private let transport: Transport
    private let state = NIOLockedValueBox(State())
    /// Receives the remote program's standard error.
    private let errorOutput: @Sendable (ByteBuffer) -> Void

    init(id: ChannelID, transport: Transport, errorOutput: @escaping @Sendable (ByteBuffer) -> Void) {
        self.id = id
        self.transport = transport
        self.errorOutput = errorOutput
    }

    // MARK: For callers on any thread

    /// How the remote program ended, once that is known.
    public var exitStatus: ExitStatus? { state.withLockedValue { $0.exitStatus } }

    nonisolated(nonsending) public func read() async throws -> ByteBuffer? {
        let ready: Result<ByteBuffer?, any Error>? = state.withLockedValue { take(&$0) }
        if let ready { return try ready.get() }
        return try await withCheckedThrowingContinuation { continuation in
            let ready = state.withLockedValue { state -> Result<ByteBuffer?, any Error>? in
                if let ready = take(&state) { return ready }
                state.reader = continuation
                return nil
            }
            if let ready { continuation.resume(with: ready) }
        }
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
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let ready = state.withLockedValue { state -> Result<Void, any Error>? in
                if let failure = state.failure { return .failure(failure) }
                if state.isClosed { return .failure(TransportError.channelClosed) }
                if state.queued <= Self.bufferLimit { return .success(()) }
                state.writers.append(continuation)
                return nil
            }
            if let ready { continuation.resume(with: ready) }
        }
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

    /// Waits until the channel is closed both ways, or the connection is gone.
    public func waitForClose() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLockedValue { state in
                if !state.isClosed { state.closeWaiters.append(continuation) }
                return state.isClosed
            }
            if isClosed { continuation.resume() }
        }
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
        try await withCheckedThrowingContinuation { continuation in
            transport.request(self, kind, continuation)
        }
    }

    // MARK: For the event loop

    private func take(_ state: inout State) -> Result<ByteBuffer?, any Error>? {
        if let bytes = state.incoming.popFirst() {
            state.consumed += bytes.readableBytes
            if state.consumed >= transport.consumedBatch, !state.isClosed {
                let count = state.consumed
                state.consumed = 0
                transport.consumed(self, count)
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
        let writers = state.withLockedValue { state -> [CheckedContinuation<Void, any Error>] in
            state.queued = unsent + state.outgoing.reduce(0) { $0 + $1.readableBytes }
            guard state.queued <= Self.bufferLimit / 2 else { return [] }
            defer { state.writers = [] }
            return state.writers
        }
        for writer in writers { writer.resume() }
    }

    func received(_ bytes: ByteBuffer) {
        let reader = state.withLockedValue { state -> (CheckedContinuation<ByteBuffer?, any Error>, ByteBuffer?)? in
            append(bytes, &state.incoming)
            guard let reader = state.reader, case .success(let bytes)? = take(&state) else { return nil }
            state.reader = nil
            return (reader, bytes)
        }
        if let (reader, bytes) = reader { reader.resume(returning: bytes) }
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
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    func received(_ status: ExitStatus) { state.withLockedValue { $0.exitStatus = status } }

    func awaitsReply(_ continuation: CheckedContinuation<Bool, any Error>) {
        state.withLockedValue { $0.replies.append(continuation) }
    }

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
            state.closeWaiters = []
            state.outgoing = CircularBuffer()
            return before
        }
        if let failure { before.reader?.resume(throwing: failure) } else { before.reader?.resume(returning: nil) }
        for writer in before.writers { writer.resume(throwing: failure ?? .channelClosed) }
        for reply in before.replies { reply.resume(throwing: failure ?? .channelClosed) }
        for waiter in before.closeWaiters { waiter.resume() }
    }
}
