import SSHProtocol
import SSHWire

/// Why a connection, or a channel of it, cannot be used any more.
public enum TransportError: Error, Sendable {
    /// The peer closed the connection without a word.
    case closedByPeer
    /// The operating system reported a fault of the connection.
    case broken(String)
    /// The protocol came to its end.
    case connection(ConnectionError)
    /// The peer did not open a channel.
    case channelRefused(ChannelOpenFailureReason, PeerText)
    /// The channel is closed.
    case channelClosed
    /// The peer does not answer any more.
    case unresponsive(seconds: Int)
    /// The peer answers and yet does not do what it must, for so long.
    case stalled(Stall, seconds: Int)
    /// No channel has carried a byte for so long.
    case idle(seconds: Int)
    /// The peer says more than anybody reads, or asks for more than it reads.
    case flooded

    /// What a peer does not get done.
    public enum Stall: Sendable {
        /// It takes none of the data that waits for its window.
        case window
        /// It does not finish the exchange of new keys.
        case keyExchange
    }
}

extension TransportError {
    /// Whether the peer ended the connection because it had no more to do.
    package var isGoodbye: Bool {
        if case .connection(.disconnected(.byApplication, _)) = self { true } else { false }
    }

    /// Whether nobody did anything wrong: the network failed, or the server was stopped or gave its client up.
    package var isLoss: Bool {
        switch self {
        case .closedByPeer, .broken, .unresponsive, .stalled: true
        case .connection(.disconnected(let reason, _)):
            [.byApplication, .connectionLost, .tooManyConnections].contains(reason)
        default: false
        }
    }
}

extension TransportError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .closedByPeer: "Connection closed by remote host"
        case .broken(let text): text
        case .connection(let error): "\(error)"
        case .channelRefused(let reason, let text): "channel open failed (\(reason.rawValue)): \(text)"
        case .channelClosed: "channel closed"
        case .unresponsive: "Timeout, peer not responding"
        case .stalled(.window, let seconds): "the peer has taken no data for \(seconds) seconds"
        case .stalled(.keyExchange, let seconds): "the peer did not finish a key exchange within \(seconds) seconds"
        case .idle(let seconds): "idle for \(seconds) seconds"
        case .flooded: "the peer sends more than may wait here, or asks for more than it reads"
        }
    }
}
