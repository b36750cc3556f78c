import SSHKeys
import SSHNIO
import SSHWire

/// Why a connection to a server was not made.
public enum ClientError: Error, Sendable {
    /// The name of the host has no address.
    case unresolvable(host: String, reason: String)
    /// No address of the host could be connected to; the reason is the last one's.
    case unreachable(host: String, port: Int, reason: String)
    /// A server on the way did not lead on to the next one.
    case unreachableThrough(jump: String, host: String, port: Int, reason: String)
    /// A server is to be reached through itself.
    case jumpLoop(host: String)
    /// The server said nothing useful in time.
    case handshakeTimeout(host: String, seconds: Int)
    /// The connection ended before it was of use.
    case lost(host: String, port: Int, reason: TransportError)
    /// The host key is not to be trusted; the user has been told why.
    case hostKeyRejected(HostKeyFault, reason: String)
    /// The server let nobody in; `methods` are those it would have gone on with, `missingKeyFiles` the key files that were
    /// named and are not there, so that the server has not seen them.
    case permissionDenied(user: String, host: String, methods: [String], missingKeyFiles: [String] = [])
    /// The server counts the keys that were offered, and allows no more.
    case tooManyAttempts(user: String, host: String)
    /// The server wanted one more thing after each that it was given.
    case endlessLogin(user: String, host: String, steps: Int)
    /// An option's value makes no sense.
    case badOption(name: String, reason: String)
    /// A program on the way to the server could not be run.
    case program(String, reason: String)
    /// The server refused to run a command or subsystem.
    case requestRefused(String)
}

extension ClientError {
    /// Whether no connection or no login came about, for which ssh ends with status 255.
    ///
    /// What is left is a server that let the user in and would not do what was asked of it.
    public var isConnectionFailure: Bool {
        if case .requestRefused = self { false } else { true }
    }
}

/// What is wrong with a host key.
public enum HostKeyFault: Equatable, Sendable {
    /// Another key is known for the host, or for its address.
    case changed
    /// No key is known for the host, and this one was not accepted.
    case unknown
    /// The key, or its certificate, is revoked, or whether it is could not be found out.
    case revoked
    /// The key is of a kind or size that is not wanted, or what is known of the host could not be found out.
    case unacceptable
}

extension ClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unresolvable(let host, let reason): "Could not resolve hostname \(host): \(reason)"
        case .unreachable(let host, let port, let reason): "connect to host \(host) port \(port): \(reason)"
        case .unreachableThrough(let jump, let host, let port, let reason):
            "connect to host \(host) port \(port) through jump host \(jump): \(reason)"
        case .jumpLoop(let host): "jumphost loop via \(host)"
        case .handshakeTimeout(let host, let seconds): "connect to host \(host): no SSH handshake within \(seconds) s"
        case .lost(let host, let port, let reason): "connection to \(host) port \(port): \(reason)"
        case .hostKeyRejected(_, let reason): "Host key verification failed: \(reason)"
        case .permissionDenied(let user, let host, let methods, _):
            "\(user)@\(host): Permission denied (\(PeerText(list: methods)))."
        case .tooManyAttempts(let user, let host):
            "\(user)@\(host): Too many authentication failures. Each key that is offered counts; with IdentitiesOnly=yes "
                + "only those that -i or IdentityFile names are offered."
        case .endlessLogin(let user, let host, let steps):
            "\(user)@\(host): the server wants more after \(steps) steps of the login"
        case .badOption(let name, let reason): "\(name): \(reason)"
        case .program(let program, let reason): "\(program): \(reason)"
        case .requestRefused(let what): "the server refused \(what)"
        }
    }
}
