import Platform
import SSHConfig
import SSHKeys

/// On what grounds a host is trusted.
enum HostTrust: Sendable {
    /// Its very key is known from a file of the user's, or the user confirmed it: it may tell of its other keys.
    case direct
    /// By a certificate, the system's files, a program, or because nobody asks.
    case indirect
    /// Not at all: its key is not the one that is known, and the user has said to go on (`StrictHostKeyChecking no`).
    case changed
}

extension AlgorithmKind {
    /// The list that a setting leads to.
    ///
    /// - Throws: `ClientError.badOption`.
    func names(_ text: String?, option: String, defaults: [String]? = nil) throws(ClientError) -> [String] {
        do throws(ConfigurationError) {
            return try list(text, option: option, defaults: defaults)
        } catch {
            guard case .option(let name, let reason) = error else {
                throw .badOption(name: option, reason: "\(error)")
            }
            throw .badOption(name: name, reason: reason)
        }
    }
}

extension HostKeyAlgorithms {
    /// What `HostKeyAlgorithms` leaves, in its order.
    ///
    /// - Throws: `ClientError.badOption`.
    static func resolve(_ options: ClientOptions) throws(ClientError) -> [String] {
        try AlgorithmKind.anySignature.names(options.hostKeyAlgorithms, option: "HostKeyAlgorithms")
    }
}

/// The time of day.
enum Clock {
    /// Seconds since 1970.
    static var now: UInt64 { UInt64(max(0, time(nil))) }
}
