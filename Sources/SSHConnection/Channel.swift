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
        /// We asked for it.
        case requested
        /// The peer asked for it and awaits our word.
        case offered
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
    var eofWanted = false
    var eofSent = false
    var closeWanted = false
    var closeSent = false
    var closeReceived = false

    // Receiving
    var window: ReceiveWindow
    var received = ByteBuffer()
    var receivedErrors = ByteBuffer()
    var eofReceived = false
    /// Requests that await their answers, in the order of sending.
    var repliesAwaited = 0

    init(id: ChannelID, type: String, stage: Stage, window: ReceiveWindow.Policy) {
        self.id = id
        self.type = type
        self.stage = stage
        self.window = ReceiveWindow(window)
    }

    /// The peer's grant and limit as it opened or confirmed the channel.
    mutating func opened(remoteNumber: UInt32, window: UInt32, packetSize: UInt32) {
        stage = .open
        self.remoteNumber = remoteNumber
        sendWindow = Int(window)
        sendPacketSize = Int(packetSize)
    }

    mutating func enqueue(_ bytes: ByteBuffer) {
        unsentBytes += bytes.readableBytes
        unsent.append(bytes)
    }

    /// The next packet's worth of data the window admits.
    mutating func nextData(atMost limit: Int) -> ByteBuffer? {
        let size = min(sendWindow, sendPacketSize, limit)
        guard size > 0, !unsent.isEmpty, stage == .open else { return nil }
        let index = unsent.startIndex
        let data: ByteBuffer
        if unsent[index].readableBytes <= size {
            data = unsent.removeFirst()
        } else if let slice = unsent[index].readSlice(length: size) {
            data = slice
        } else {
            return nil
        }
        unsentBytes -= data.readableBytes
        sendWindow -= data.readableBytes
        return data
    }

    /// Whether data waits that the peer's window does not admit.
    var isStalled: Bool { stage == .open && sendWindow == 0 && unsentBytes > 0 }

    mutating func dropUnsent() {
        unsent.removeAll()
        unsentBytes = 0
    }
}
