import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

/// Why an SSH connection could not go on.
///
/// Each is found by one side alone; where the peer is at fault it is told with ``disconnectReason`` before the end.
public enum ConnectionError: Error, Sendable {
    /// The peer's first lines are not those of an SSH server; `line` is the first of them.
    case notSSH(line: PeerText)
    /// The peer speaks another version of the protocol.
    case unsupportedVersion(PeerText)
    /// The two sides share no algorithm of a kind; the text lists both offers.
    case noCommonAlgorithm(PeerText)
    /// A packet could not be decrypted, authenticated or framed.
    case packetCorrupt(PeerText)
    /// A message could not be decoded.
    case malformed(message: String, fault: WireError)
    /// A message came that the protocol does not allow now.
    case unexpected(message: UInt8, during: PeerText)
    /// A message broke another rule of the protocol.
    case violation(PeerText)
    /// The key exchange's own arithmetic or the host key's signature failed.
    case keyExchangeFailed(PeerText)
    /// The peer ended the connection and said why.
    case disconnected(reason: DisconnectReason, text: PeerText)
    /// The host key was refused on this side.
    case hostKeyRejected
    /// The peer did not open a session on which requests were made ahead, and which are now for a channel that is not there.
    case sessionRefused(ChannelOpenFailureReason, PeerText)
    /// The connection is over; nothing can be done on it any more.
    case closed
}

extension ConnectionError {
    /// What a peer at fault is told; nil where there is nobody to tell.
    package var disconnectReason: DisconnectReason? {
        switch self {
        case .notSSH, .disconnected, .closed: nil
        case .unsupportedVersion: .protocolVersionNotSupported
        case .noCommonAlgorithm, .keyExchangeFailed: .keyExchangeFailed
        case .packetCorrupt: .macError
        case .malformed, .unexpected, .violation: .protocolError
        case .hostKeyRejected: .hostKeyNotVerifiable
        case .sessionRefused: .byApplication
        }
    }
}

extension ConnectionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notSSH(let line): "not an SSH server: it said \"\(line)\""
        case .unsupportedVersion(let version): "protocol version not supported: \"\(version)\""
        case .noCommonAlgorithm(let text): "\(text)"
        case .packetCorrupt(let text): "corrupted packet: \(text)"
        case .malformed(let message, let fault): "malformed \(message): \(fault)"
        case .unexpected(let message, let phase): "unexpected message \(message) during \(phase)"
        case .violation(let text): "protocol error: \(text)"
        case .keyExchangeFailed(let text): "key exchange failed: \(text)"
        case .disconnected(let reason, let text): "received disconnect: \(reason.rawValue): \(text)"
        case .hostKeyRejected: "host key verification failed"
        case .sessionRefused(let reason, let text): "channel open failed (\(reason.rawValue)): \(text)"
        case .closed: "connection closed"
        }
    }
}

extension Message {
    /// Decodes a payload, with this layer's error.
    init(decoding payload: ByteBuffer) throws(ConnectionError) {
        do throws(WireError) { self = try Self(payload: payload) } catch {
            throw .malformed(message: Self.name, fault: error)
        }
    }
}

/// Which end of the connection this is.
package enum Role: Sendable {
    case client
    case server
}
