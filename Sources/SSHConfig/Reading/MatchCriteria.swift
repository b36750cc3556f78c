import SSHKeys

/// The criteria of a `Match` line, compared with a connection.
struct MatchCriteria {
    /// What the criteria are compared with.
    struct Subject {
        /// After `HostName`, where it is set already.
        var host: String
        var originalHost: String
        var user: String
        var localUser: String
        var tag: String
        /// The command or subsystem that is asked for.
        var command: String
        var sessionType: String
        /// Whether the files are read for the second time.
        var isFinal: Bool
    }

    /// The release of OpenSSH whose keywords and meanings are followed here.
    static let version = "OpenSSH_10.5p1"

    /// Why a line makes no sense.
    struct Fault: Error { let reason: String }

    let subject: Subject
    /// Runs a command and says whether it succeeded; its tokens are still to be replaced.
    let exec: (String) throws(ConfigurationError) -> Bool
    let localAddresses: () -> [String]

    /// Whether any `final` was asked for, met or not.
    private(set) var wantsFinal = false

    init(
        subject: Subject, exec: @escaping (String) throws(ConfigurationError) -> Bool,
        localAddresses: @escaping () -> [String]
    ) {
        self.subject = subject
        self.exec = exec
        self.localAddresses = localAddresses
    }

    /// Whether every criterion is met.
    ///
    /// - Throws: ``Fault``, and what `exec` throws.
    mutating func isMet(by words: [String]) throws -> Bool {
        guard !words.isEmpty else { throw Fault(reason: "one or more attributes required for Match") }
        var isMet = true
        var count = 0
        var rest = words[...]
        while let word = rest.first {
            rest = rest.dropFirst()
            let isNegated = word.hasPrefix("!")
            var name = (isNegated ? word.dropFirst() : word[...]).lowercased()
            if name == "all" {
                guard count <= 1, rest.isEmpty else {
                    throw Fault(reason: "'\(word)' cannot be combined with other Match attributes")
                }
                return isMet && !isNegated
            }
            count += 1
            if name == "final" || name == "canonical" {
                if name == "final", !isNegated { wantsFinal = true }
                if subject.isFinal == isNegated { isMet = false }
                continue
            }
            let argument: String
            if let equals = word.firstIndex(of: "=") {
                argument = String(word[word.index(after: equals)...])
                name = String(name.prefix { $0 != "=" })
            } else if let next = rest.first {
                argument = next
                rest = rest.dropFirst()
            } else {
                throw Fault(reason: "missing argument for Match '\(word)'")
            }
            // A command is not run for a line that another criterion has already ruled out.
            if name == "exec", !isMet { continue }
            if try matches(name, argument) == isNegated { isMet = false }
        }
        return isMet
    }

    private func matches(_ name: String, _ argument: String) throws -> Bool {
        if argument.isEmpty, name != "tagged", name != "command" {
            throw Fault(reason: "missing Match criteria for \(name)")
        }
        switch name {
        case "host": return Wildcard.covers(subject.host.asciiLowercased, list: argument.asciiLowercased)
        case "originalhost":
            return Wildcard.covers(subject.originalHost.asciiLowercased, list: argument.asciiLowercased)
        case "user": return Wildcard.covers(subject.user, list: argument)
        case "localuser": return Wildcard.covers(subject.localUser, list: argument)
        case "version": return Wildcard.covers(Self.version, list: argument)
        case "tagged": return covers(subject.tag, argument)
        case "command": return covers(subject.command, argument)
        case "sessiontype": return Wildcard.covers(subject.sessionType, list: argument)
        case "exec": return try exec(argument)
        case "localnetwork": return try isLocal(argument)
        default: throw Fault(reason: "unsupported Match attribute \(name)")
        }
    }

    /// Nothing is matched by an empty argument alone.
    private func covers(_ text: String, _ argument: String) -> Bool {
        text.isEmpty ? argument.isEmpty : Wildcard.covers(text, list: argument)
    }

    private func isLocal(_ list: String) throws -> Bool {
        let networks = try list.split(separator: ",").map { word in
            guard let network = AddressRange(word) else { throw Fault(reason: "invalid network \"\(word)\"") }
            return network
        }
        return localAddresses().contains { address in networks.contains { $0.contains(address) } }
    }
}

/// Addresses that begin alike (`192.0.2.0/24`, `2001:db8::/32`), or a single one.
struct AddressRange: Sendable, Equatable {
    private let bytes: [UInt8]
    private let length: Int

    /// - Returns: nil for what is no address, a length that is too long, or bits beyond the length.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = NumericAddress.bytes(String(first)) else { return nil }
        self.bytes = bytes
        if parts.count == 2 {
            guard let length = Int(parts[1]), (0...bytes.count * 8).contains(length) else { return nil }
            self.length = length
        } else {
            length = bytes.count * 8
        }
        guard (length..<bytes.count * 8).allSatisfy({ !bit($0, of: bytes) }) else { return nil }
    }

    func contains(_ address: String) -> Bool {
        guard let other = NumericAddress.bytes(address), other.count == bytes.count else { return false }
        return (0..<length).allSatisfy { bit($0, of: other) == bit($0, of: bytes) }
    }

    private func bit(_ index: Int, of bytes: [UInt8]) -> Bool { bytes[index / 8] & (0x80 >> (index % 8)) != 0 }
}
