import NIOPosix
import Platform
import SSHKeys
import SSHWire

/// Users and the hashes of their passwords: a line `user:$scrypt$ln=15,r=8,p=1$salt$hash` each; empty lines and those
/// that begin with `#` do not count.
///
/// All hashes should be of one cost: a user that does not exist costs what the first of the file does.
public struct PasswordFile: Sendable {
    /// A line that was skipped.
    public struct Fault: Equatable, Sendable, CustomStringConvertible {
        /// Counted from 1.
        public let line: Int
        public let reason: String
        public var description: String { "line \(line): \(reason)" }
    }

    let users: [[UInt8]: ScryptHash]
    public let faults: [Fault]
    /// What takes the work of a hash for users that do not exist.
    let dummy: ScryptHash

    /// Reads a file's content. A line that is not understood lets nobody in.
    public init(_ content: [UInt8]) {
        var users: [[UInt8]: ScryptHash] = [:]
        var faults: [Fault] = []
        var first: ScryptHash.Cost?
        for (index, line) in content.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            var text = ByteOrderMark.skipped(in: line).drop { $0 == 0x20 || $0 == 0x09 }
            while let last = text.last, [0x20, 0x09, 0x0d].contains(last) { text.removeLast() }
            guard let start = text.first, start != UInt8(ascii: "#") else { continue }
            do throws(ScryptError) {
                let colon = text.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
                guard let name = String(validating: text[..<colon], as: UTF8.self), UserName.isSound(name) else {
                    faults.append(Fault(line: index + 1, reason: "no user's name in front of a colon"))
                    continue
                }
                let hash = try ScryptHash(String(decoding: text[colon...].dropFirst(), as: UTF8.self))
                if first == nil { first = hash.cost }
                if users[Array(name.utf8)] == nil {
                    users[Array(name.utf8)] = hash
                } else {
                    faults.append(Fault(line: index + 1, reason: "\(Printable.text(name.utf8)) stands there twice"))
                }
            } catch {
                faults.append(Fault(line: index + 1, reason: Printable.text("\(error)".utf8)))
            }
        }
        self.users = users
        self.faults = faults
        dummy = ScryptHash(dummy: first ?? .usual)
    }

    /// Whether the file has a line for a user.
    public func lists(_ user: String) -> Bool { users[Array(user.utf8)] != nil }

    /// A line of such a file, for a new user or a new password.
    ///
    /// - Throws: `ScryptError`.
    public static func line(
        user: String, password: LoginSecret, cost: ScryptHash.Cost = .usual
    ) throws(ScryptError) -> String {
        guard UserName.isSound(user), !user.utf8.contains(UInt8(ascii: ":")), user.utf8.first != UInt8(ascii: "#")
        else { throw .malformed("user's name") }
        var bytes = password.bytes
        defer { wipe(&bytes) }
        return user + ":" + (try ScryptHash(password: bytes, cost: cost)).text
    }
}

/// Threads on which passwords are hashed, two at most, as each hash takes its share of memory and of a processor.
final class PasswordHasher: Sendable {
    private let pool = NIOThreadPool(numberOfThreads: 2)

    init() { pool.start() }

    deinit { pool.shutdownGracefully { _ in } }

    /// Whether the password is the one behind the hash. It takes its time whatever comes of it.
    ///
    /// - Throws: `ScryptError.failed`, or `CancellationError` where nobody waits for it any more.
    func verify(_ password: LoginSecret, against hash: ScryptHash) async throws -> Bool {
        try await pool.runIfActive {
            var bytes = password.bytes
            defer { wipe(&bytes) }
            return try hash.matches(bytes)
        }
    }
}
