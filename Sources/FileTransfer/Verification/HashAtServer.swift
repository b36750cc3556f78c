import Files

/// A hash that a server has been asked for.
struct HashAtServer {
    /// Of so many bytes from the beginning; nil for all there are.
    let count: Int64?
    /// Nil if the server cannot tell.
    let value: Task<FileHash?, any Error>
}

extension RemoteHasher {
    /// Asks for a hash, and does not wait for it.
    nonisolated func ask(_ path: [UInt8], first count: Int64? = nil) -> HashAtServer {
        HashAtServer(count: count, value: Task { try await self.hash(of: path, first: count) })
    }
}

/// Why a copy cannot be verified.
public enum VerificationError: Error, Equatable, Sendable {
    /// Nothing at the server's end hashes files.
    case noMeans
}

extension VerificationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noMeans: "the server has no means to hash files: what is copied from it cannot be verified"
        }
    }
}

/// What is said of a file that is not the same at both ends, or of which nobody can tell.
enum VerificationFailure {
    static func differs(here: FileHash, there: FileHash) -> String {
        "verification failed: SHA-256 \(here) here, \(there) there"
    }

    static let untold = "verification failed: the server cannot hash it"
    static let notRegular = "verification failed: not a regular file"
}
