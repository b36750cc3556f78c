import Logging
import SSHKeys
import SSHWire

/// What happened at the door, for a log, a count or a list of those to shut out. Every text in it is printable.
public struct LoginEvent: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        /// Let in.
        case accepted
        /// One step of several is done.
        case stepDone
        /// The attempt failed.
        case failed(reason: String)
        /// The connection was ended for what the client did.
        case disconnected(reason: String)
    }
    public let user: String
    public let address: String
    public let port: Int
    /// The method's name in the protocol; an unknown one's, too.
    public let method: String
    /// The key's fingerprint, and what is to be known of its certificate; nil without a key.
    public let key: String?
    public let outcome: Outcome
    /// How many attempts of the connection have failed by now.
    public let failures: Int
}

extension LoginEvent: CustomStringConvertible {
    public var description: String {
        let who = "\(user) from \(address) port \(port) by \(method)" + (key.map { " (\($0))" } ?? "")
        return switch outcome {
        case .accepted: "Accepted \(who)"
        case .stepDone: "One step done of \(who)"
        case .failed(let reason): "Failed \(who): \(reason)"
        case .disconnected(let reason): "Disconnected \(who): \(reason)"
        }
    }

    /// How loud a log should tell it.
    public var level: Logger.Level {
        switch outcome {
        case .accepted, .stepDone, .failed: .info
        case .disconnected: .notice
        }
    }
}

extension OfferedKey {
    /// The fingerprint, with a certificate's name, serial number and authority.
    var text: String {
        let plain = "\(key.type.shortName) \(key.fingerprint())"
        guard let certificate else { return plain }
        let authority = "\(certificate.authority.type.shortName) \(certificate.authority.fingerprint())"
        return
            "\(plain), certificate \(Printable.quoted(certificate.keyID.utf8)) serial \(certificate.serial) of \(authority)"
    }
}

/// Why a client was not let in and its connection ended, where it was not the connection itself that broke.
public enum LoginError: Error, Equatable, Sendable {
    case tooManyFailures(Int)
    case tooManyRequests(Int)
    /// Another user's name than in the first request.
    case userChanged
}

extension LoginError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooManyFailures: "Too many authentication failures"
        case .tooManyRequests: "Too many authentication requests"
        case .userChanged: "Change of username not allowed"
        }
    }
}
