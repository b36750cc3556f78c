import Crypto
import CryptoExtras
import Platform
import SSHKeys

/// A password's hash by scrypt (RFC 7914) in the PHC string format: `$scrypt$ln=15,r=8,p=1$salt$hash`, salt and hash in
/// base64 without padding.
public struct ScryptHash: Hashable, Sendable {
    /// How much work a hash is.
    public struct Cost: Hashable, Sendable {
        /// The logarithm of the number of blocks that are held in memory.
        public let logRounds: Int
        /// In units of 128 bytes.
        public let blockSize: Int
        public let parallelism: Int

        /// 32 MiB, and some 100 ms.
        public static let usual = Cost(uncheckedLogRounds: 15, blockSize: 8, parallelism: 1)

        /// The most memory a hash may take, in bytes.
        static let mostMemory = 128 << 20

        private init(uncheckedLogRounds: Int, blockSize: Int, parallelism: Int) {
            logRounds = uncheckedLogRounds
            self.blockSize = blockSize
            self.parallelism = parallelism
        }

        /// - Throws: `ScryptError.badCost` for numbers that are none of scrypt's, or take more memory and time than a
        ///   server has for a log-in: `logRounds` from 1 to 20, `blockSize` and `parallelism` from 1 to 16, 128 MiB.
        public init(logRounds: Int, blockSize: Int, parallelism: Int) throws(ScryptError) {
            guard (1...20).contains(logRounds), (1...16).contains(blockSize), (1...16).contains(parallelism),
                128 * blockSize * parallelism << logRounds <= Self.mostMemory
            else { throw .badCost("ln=\(logRounds),r=\(blockSize),p=\(parallelism)") }
            self.init(uncheckedLogRounds: logRounds, blockSize: blockSize, parallelism: parallelism)
        }

        var text: String { "ln=\(logRounds),r=\(blockSize),p=\(parallelism)" }
    }

    public let cost: Cost
    let salt: [UInt8]
    let hash: [UInt8]

    /// The longest password that is hashed, in bytes.
    static let longestPassword = 1024

    /// Reads the PHC string format.
    ///
    /// - Throws: `ScryptError`.
    public init(_ text: some StringProtocol) throws(ScryptError) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { throw .notScrypt }
        cost = try Self.cost(String(parts[2]))
        salt = try Self.decode(String(parts[3]), field: "salt", sizes: 8...64)
        // The beginning of a longer hash is a shorter one: half a line must not pass for a whole one.
        hash = try Self.decode(String(parts[4]), field: "hash", sizes: 32...64)
    }

    /// Hashes a password with a salt of its own. It takes the time and memory of ``cost``.
    ///
    /// - Throws: `ScryptError.badPassword`, or `.failed` when there is not the memory for it.
    public init(password: some Collection<UInt8>, cost: Cost = .usual) throws(ScryptError) {
        guard (1...Self.longestPassword).contains(password.count) else { throw .badPassword }
        self.cost = cost
        salt = Self.random(16)
        hash = try Self.derive(password, salt: salt, count: 32, cost: cost)
    }

    /// A hash that no password is known for, to do the same work where there is no user.
    init(dummy cost: Cost) {
        self.cost = cost
        salt = Self.random(16)
        hash = Self.random(32)
    }

    /// Whether the password is the one. It takes the time and memory of ``cost``.
    func matches(_ password: some Collection<UInt8>) throws(ScryptError) -> Bool {
        guard (1...Self.longestPassword).contains(password.count) else { return false }
        var derived = try Self.derive(password, salt: salt, count: hash.count, cost: cost)
        defer { wipe(&derived) }
        return LoginSecret.equal(derived, hash)
    }

    /// The PHC string format.
    public var text: String {
        "$scrypt$\(cost.text)$\(Base64.encode(salt, padding: false))$\(Base64.encode(hash, padding: false))"
    }

    private static func random(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    static func derive(
        _ password: some Collection<UInt8>, salt: [UInt8], count: Int, cost: Cost
    ) throws(ScryptError) -> [UInt8] {
        var bytes = Array(password)
        defer { wipe(&bytes) }
        do {
            let key = try KDF.Scrypt.deriveKey(
                from: bytes, salt: salt, outputByteCount: count, rounds: 1 << cost.logRounds,
                blockSize: cost.blockSize, parallelism: cost.parallelism)
            return key.withUnsafeBytes { Array($0) }
        } catch {
            throw .failed("\(error)")
        }
    }

    private static func cost(_ text: String) throws(ScryptError) -> Cost {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 3, let rounds = number(parts[0], "ln="), let size = number(parts[1], "r="),
            let parallelism = number(parts[2], "p=")
        else { throw .badCost(text) }
        return try Cost(logRounds: rounds, blockSize: size, parallelism: parallelism)
    }

    private static func number(_ text: Substring, _ name: String) -> Int? {
        guard text.hasPrefix(name) else { return nil }
        let digits = text.utf8.dropFirst(name.utf8.count)
        guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func decode(
        _ text: String, field: String, sizes: ClosedRange<Int>
    ) throws(ScryptError) -> [UInt8] {
        let bare = text.utf8.prefix { $0 != UInt8(ascii: "=") }
        let padded = Array(bare) + [UInt8](repeating: UInt8(ascii: "="), count: (4 - bare.count % 4) % 4)
        guard text.utf8.count <= 128, let bytes = Base64.decode(padded), sizes.contains(bytes.count),
            bare.count == text.utf8.count || Array(text.utf8) == padded
        else { throw .malformed(field) }
        return bytes
    }
}

extension ScryptHash: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The cost alone.
    public var description: String { "scrypt hash, \(cost.text)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What was wrong with a hash or its parts.
public enum ScryptError: Error, Equatable, Sendable {
    case notScrypt
    case badCost(String)
    case malformed(String)
    /// Empty, or longer than 1,024 bytes.
    case badPassword
    case failed(String)
}

extension ScryptError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notScrypt: "not $scrypt$ln=…,r=…,p=…$salt$hash"
        case .badCost: "the scrypt cost is not of the form ln=…,r=…,p=…, or not possible, or too high"
        case .malformed(let field): "the \(field) is not base64 or not of a size in use"
        case .badPassword: "a password has 1 to \(ScryptHash.longestPassword) bytes"
        case .failed(let text): "scrypt: \(text)"
        }
    }
}
