import Crypto
import SSHWire

extension KnownHosts {
    /// What a line says about its key.
    public enum Marker: String, Sendable {
        /// The key signs certificates of hosts.
        case certificateAuthority = "@cert-authority"
        /// The key must not be accepted.
        case revoked = "@revoked"
    }

    /// One line that holds a key.
    public struct Entry: Hashable, Sendable {
        /// The file the line stands in, as the caller named it.
        public let file: String
        /// Its number in the file, from 1.
        public let line: Int
        public private(set) var marker: Marker?
        public let key: PublicKey
        /// The hosts as the line writes them.
        public let hosts: String
        let hostMatch: HostMatch

        /// The hosts, or what stands for them where they are hidden.
        public var shownHosts: String {
            if case .hashed = hostMatch { "[hashed name]" } else { Printable.text(hosts.utf8) }
        }

        /// Whether the line is about that name: a host, an address, or `[host]:port`.
        package func covers(_ name: String) -> Bool {
            switch hostMatch {
            case .patterns(let list): list.match(name) == .matched
            case .hashed(let hashed): hashed.covers(name)
            }
        }
    }

    /// The first field of a line.
    enum HostMatch: Hashable, Sendable {
        case patterns(HostPatternList)
        case hashed(HashedHost)
    }

    /// A host name hidden behind HMAC-SHA1: `|1|salt|hash`.
    struct HashedHost: Hashable, Sendable {
        let salt: [UInt8]
        let hash: [UInt8]

        static let prefix = "|1|"
        static let size = 20

        init(name: String, salt: [UInt8]) {
            self.salt = salt
            hash = Self.hash(name, salt)
        }

        /// Reads the field; nil when it is not `|1|`, 20 bytes of salt, `|` and 20 bytes of hash in base64.
        init?(_ field: some StringProtocol) {
            guard field.hasPrefix(Self.prefix) else { return nil }
            let parts = field.dropFirst(Self.prefix.count).split(separator: "|", omittingEmptySubsequences: false)
            guard parts.count == 2, let salt = Base64.decode(parts[0].utf8), let hash = Base64.decode(parts[1].utf8),
                salt.count == Self.size, hash.count == Self.size
            else { return nil }
            self.salt = salt
            self.hash = hash
        }

        var field: String { Self.prefix + Base64.encode(salt) + "|" + Base64.encode(hash) }

        func covers(_ name: String) -> Bool { Self.hash(name.asciiLowercased, salt) == hash }

        private static func hash(_ name: String, _ salt: [UInt8]) -> [UInt8] {
            Array(
                HMAC<Insecure.SHA1>.authenticationCode(for: Array(name.utf8), using: SymmetricKey(data: salt)))
        }
    }

    /// A line that could not be used.
    public struct Warning: Equatable, Sendable, CustomStringConvertible {
        public let file: String
        /// Its number in the file, from 1.
        public let line: Int
        /// What is wrong with it.
        public let fault: KeyError

        public var description: String { "\(file):\(line): \(fault)" }
    }
}

extension KnownHosts.Entry {
    /// Reads one line; nil for one that is empty or a comment.
    init?(file: String, line: Int, text: some StringProtocol) throws(KeyError) {
        var rest = ByteOrderMark.skipped(in: Substring(text).utf8)
        var hosts = nextWord(&rest)
        guard let first = hosts.first, first != UInt8(ascii: "#") else { return nil }
        marker = nil
        if first == UInt8(ascii: "@") {
            let word = String(decoding: hosts, as: UTF8.self)
            guard let known = KnownHosts.Marker(rawValue: word) else {
                throw .unsupported(what: "known hosts marker", name: PeerText(word))
            }
            marker = known
            hosts = nextWord(&rest)
        }
        let type = nextWord(&rest)
        let base64 = nextWord(&rest)
        guard !hosts.isEmpty, !type.isEmpty, !base64.isEmpty else {
            throw .malformed(what: "known hosts line", reason: "hosts, key type and key wanted")
        }
        self.file = file
        self.line = line
        self.hosts = String(decoding: hosts, as: UTF8.self)
        if hosts.first == UInt8(ascii: "|") {
            guard let hashed = KnownHosts.HashedHost(self.hosts) else {
                throw .malformed(what: "known hosts line", reason: "a hashed host that is not |1|salt|hash")
            }
            hostMatch = .hashed(hashed)
        } else {
            hostMatch = .patterns(HostPatternList(commaSeparated: self.hosts))
        }
        key = try PublicKey(typeName: type, base64: base64)
    }
}
