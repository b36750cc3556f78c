import NIOCore
import SSHWire

/// A channel of this connection, by our own number for it.
package struct ChannelID: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt32
    package var description: String { String(number) }
}

/// The state of one channel (RFC 4254 section 5).
///
/// Three things run down independently: what we may send (the peer's window and our end of file), what the peer may
/// send, and the opening and closing itself.
struct Channel {
    enum Stage: Equatable {
        /// There is none of this number.
        case unused
        /// We asked for it.
        case requested
        /// The peer asked for it and awaits our word.
        case offered
        /// The peer refused it, and nobody has been told yet.
        case refused
        case open
    }

    let id: ChannelID
    let type: String
    var stage: Stage
    var remoteNumber: UInt32 = 0

    // Sending
    /// What the peer's window still admits, in bytes.
    var sendWindow = 0
    /// The most data the peer takes in one packet, in bytes.
    var sendPacketSize = 0
    private(set) var unsent = CircularBuffer<ByteBuffer>()
    private(set) var unsentBytes = 0
    /// Standard error that has not left yet.
    private(set) var unsentErrors = ByteBuffer()
    /// What the peer is told behind the last data; nil for nothing.
    var exitStatus: UInt32?
    var eofWanted = false
    var eofSent = false
    var closeWanted = false
    var closeSent = false
    var closeReceived = false

    // Receiving
    var window: ReceiveWindow
    private(set) var received = ByteBuffer()
    var receivedErrors = ByteBuffer()
    /// The batch taken last: the next is likely to be as large, and finds its memory there once the reader let go.
    private var taken = ByteBuffer()
    var eofReceived = false
    /// Requests that await their answers, in the order of sending.
    var repliesAwaited = 0
    /// What is to be asked for as soon as the channel is open; the last one's answer is wanted.
    var requests: [ChannelRequestKind] = []
    /// What the peer has asked for before the channel was accepted.
    var requestsAhead: [(kind: ChannelRequestKind, wantReply: Bool)] = []

    init(id: ChannelID, type: String, stage: Stage, window: ReceiveWindow) {
        self.id = id
        self.type = type
        self.stage = stage
        self.window = window
    }

    /// The peer's grant and limit as it opened or confirmed the channel.
    mutating func opened(remoteNumber: UInt32, window: UInt32, packetSize: UInt32) {
        stage = .open
        self.remoteNumber = remoteNumber
        sendWindow = Int(window)
        sendPacketSize = Int(packetSize)
    }

    /// Whether more may be written to it.
    var takesData: Bool { !eofWanted && !closeWanted && !closeSent }

    /// Whether its end of file or its CLOSE may be due.
    var mayEnd: Bool { stage == .open && !closeSent && (closeWanted || eofWanted && !eofSent) }

    /// Whether the peer may still send data.
    var mayReceive: Bool { stage == .open && !eofReceived && !closeReceived }

    /// Whether nothing waits to be sent.
    var isDrained: Bool { unsentBytes == 0 && unsentErrors.readableBytes == 0 }

    mutating func enqueueErrors(_ bytes: ByteBuffer) { unsentErrors.writeImmutableBuffer(bytes) }

    /// Takes the next packet's worth of standard error the window admits; nil when none may go now.
    mutating func nextErrors(atMost limit: Int) -> ByteBuffer? {
        let size = min(sendWindow, sendPacketSize, limit, unsentErrors.readableBytes)
        guard size > 0, stage == .open else { return nil }
        sendWindow -= size
        return unsentErrors.readSlice(length: size)
    }

    mutating func enqueue(_ bytes: ByteBuffer) {
        unsentBytes += bytes.readableBytes
        unsent.append(bytes)
    }

    /// Blocks up to this size, in bytes, are copied into a packet with their neighbours; only larger ones are worth a
    /// slice.
    private static let smallBlock = 16 * 1024

    /// Takes the next packet's worth of data the window admits: small blocks are appended to `head`, one large block, or
    /// what of it fits, is returned. Nil in place of a size when nothing may go now.
    mutating func nextData(atMost limit: Int, head: inout ByteBuffer) -> (size: Int, body: ByteBuffer?)? {
        let size = min(sendWindow, sendPacketSize, limit, unsentBytes)
        guard size > 0, stage == .open else { return nil }
        var (left, body): (Int, ByteBuffer?) = (size, nil)
        while left > 0, body == nil, !unsent.isEmpty {
            var block = unsent.removeFirst()
            guard let piece = block.readSlice(length: min(block.readableBytes, left)) else { break }
            if block.readableBytes > 0 { unsent.prepend(block) }
            left -= piece.readableBytes
            if piece.readableBytes <= Self.smallBlock { head.writeImmutableBuffer(piece) } else { body = piece }
        }
        unsentBytes -= size - left
        sendWindow -= size - left
        return (size - left, body)
    }

    private static let cacheLine = 64
    private static let largestReserve = 1 << 20

    /// Adds data to the batch that waits to be taken.
    mutating func receive(_ data: ByteBuffer) {
        if received.readableBytes == 0 {
            let likely = max(data.readableBytes, min(taken.readableBytes, Self.largestReserve))
            received = taken
            taken = ByteBuffer()
            received.clear(minimumCapacity: likely + Self.cacheLine)
            // Copying a large block is ten times slower on some processors where its destination begins a few bytes
            // further into a page than its source; never so where it begins a cache line.
            let misplaced = received.withUnsafeMutableWritableBytes { UInt(bitPattern: $0.baseAddress) }
            received.writeRepeatingByte(0, count: Int((~misplaced &+ 1) & UInt(Self.cacheLine - 1)))
            received.moveReaderIndex(to: received.writerIndex)
        }
        received.writeImmutableBuffer(data)
    }

    /// Takes the batch.
    mutating func takeReceived() -> ByteBuffer? {
        guard received.readableBytes > 0 else { return nil }
        taken = received
        received = ByteBuffer()
        return taken
    }

    /// Whether data waits that the peer's window does not admit.
    var isStalled: Bool { stage == .open && sendWindow == 0 && !isDrained }

    mutating func dropUnsent() {
        unsent.removeAll()
        unsentBytes = 0
        unsentErrors.clear()
    }
}
