import CopyEngine
import SFTP
import SSHClient
import SSHNIO

/// How often a lost connection is made again, and after which pauses.
public struct RetryPolicy: Sendable {
    /// What suits a network that comes back, and a server that starts again: a minute of pauses.
    public static let usual = RetryPolicy(retries: 6)

    /// Attempts in a row that may lead to nothing.
    public var retries: Int

    public init(retries: Int) { self.retries = retries }

    /// In seconds: 1, 2, 4 and so on, a minute at most.
    public static func pause(after failures: Int) -> Int { failures < 6 ? 1 << max(0, failures) : 60 }

    /// Words for a connection that was lost; nil for any other error.
    ///
    /// - Parameter hasProgressed: whether anything was copied over it.
    static func loss(_ error: any Error, _ hasProgressed: Bool) -> String? {
        switch error {
        case let error as TransportError where error.isLoss: "connection lost (\(error))"
        // A server process that ended is no lost connection, but the like; one that ends each time is a failure.
        case SFTPError.ended where hasProgressed: "connection lost (\(error))"
        case TransportError.channelClosed where hasProgressed: "connection lost (\(error))"
        default: nil
        }
    }

    /// Whether another attempt to connect may lead further.
    static func mayPass(_ error: ClientError) -> Bool {
        switch error {
        case .unresolvable, .unreachable, .unreachableThrough, .handshakeTimeout: true
        case .lost(_, _, let reason): reason.isLoss
        default: false
        }
    }
}

/// A connection was lost and could not be made again.
public struct ConnectionLost: Error, Sendable {
    public let host: String
    /// Printable.
    public let reason: String
}

extension ConnectionLost: CustomStringConvertible {
    public var description: String { "\(host): \(reason); the same command with --resume goes on from here" }
}

/// What happens to the connection to a host while it is used.
public enum HostEvent: Sendable {
    /// The connection was lost and is made again after a pause, in seconds.
    case retrying(host: String, reason: String, pause: Int)
    /// What a command there wrote to its standard error, as it came.
    case errorOutput([UInt8])
}
