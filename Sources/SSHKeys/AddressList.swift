import Platform

/// An IP address as its 4 or 16 bytes.
///
/// An IPv4 address that came in IPv6's clothes (`::ffff:192.0.2.1`) is the IPv4 address: a socket for both families
/// tells of all its peers that way.
package struct NetworkAddress: Hashable, Sendable {
    package let bytes: [UInt8]

    /// Reads an address written as numbers, whose scope (`%eth0`) does not count; nil for what is none.
    package init?(_ text: some StringProtocol) {
        let text = String(text.prefix { $0 != "%" })
        guard !text.utf8.contains(0) else { return nil }
        for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: size)
            guard inet_pton(family, text, &bytes) == 1 else { continue }
            let isMapped = bytes.starts(with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff])
            self.bytes = isMapped ? Array(bytes.suffix(4)) : bytes
            return
        }
        return nil
    }

    /// Whether the first `bits` bits are those of `other`, an address of the same family.
    func shares(_ bits: Int, with other: NetworkAddress) -> Bool {
        guard bytes.count == other.bytes.count else { return false }
        let whole = bits / 8
        guard bytes.prefix(whole) == other.bytes.prefix(whole) else { return false }
        let rest = bits % 8
        guard rest > 0, whole < bytes.count else { return true }
        return (bytes[whole] ^ other.bytes[whole]) >> UInt8(8 - rest) == 0
    }

    /// Whether no bit behind the first `bits` is set.
    func hasOnlyZeros(behind bits: Int) -> Bool {
        (bits..<bytes.count * 8).allSatisfy { bytes[$0 / 8] >> UInt8(7 - $0 % 8) & 1 == 0 }
    }
}

/// Addresses with commas between them, as in `from=` of authorized keys (ssh_config(5), PATTERNS) and `source-address` of
/// certificates (OpenSSH's PROTOCOL.certkeys, Critical options).
package struct AddressList: Hashable, Sendable {
    private enum Pattern: Hashable {
        /// An address and how many of its bits count.
        case network(NetworkAddress, bits: Int)
        /// A pattern over the address as text. It may be meant for a name; names are not looked up, so it fits none.
        case text(HostPattern)

        func covers(_ address: NetworkAddress, text: String) -> Bool {
            switch self {
            case .network(let network, let bits): address.shares(bits, with: network)
            case .text(let pattern): pattern.covers(text)
            }
        }
    }
    private struct Item: Hashable {
        let pattern: Pattern
        var isNegated = false
    }
    private let items: [Item]

    /// Reads addresses, networks (`192.0.2.0/24`) and patterns, `!` in front of those that are to be shut out; nil where
    /// one of them is no such thing, as then nobody knows whom the list was to let in.
    package init?(patterns text: some StringProtocol) {
        var items: [Item] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let isNegated = part.utf8.first == UInt8(ascii: "!")
            let name = isNegated ? String(part.dropFirst()) : String(part)
            guard !name.isEmpty else { return nil }
            if let network = Self.network(name) {
                items.append(Item(pattern: network, isNegated: isNegated))
            } else if name.utf8.contains(UInt8(ascii: "/")) {
                return nil
            } else {
                items.append(Item(pattern: .text(HostPattern(name)), isNegated: isNegated))
            }
        }
        self.items = items
    }

    /// Reads addresses and networks alone, as certificates have them; nil where one of them is anything else.
    package init?(networks text: some StringProtocol) {
        var items: [Item] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let network = Self.network(String(part)) else { return nil }
            items.append(Item(pattern: network))
        }
        self.items = items
    }

    /// An address, or a network whose host bits are zero.
    private static func network(_ text: String) -> Pattern? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = NetworkAddress(first) else { return nil }
        let most = address.bytes.count * 8
        guard parts.count == 2 else { return .network(address, bits: most) }
        guard let bits = decimal(parts[1].utf8), bits <= most, address.hasOnlyZeros(behind: bits) else { return nil }
        return .network(address, bits: bits)
    }

    private static func decimal(_ digits: Substring.UTF8View) -> Int? {
        guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// Whether the list lets a peer of this address in: something in it covers the address, and nothing negated does.
    package func admits(_ address: String) -> Bool {
        guard let parsed = NetworkAddress(address) else { return false }
        let text = String(address.prefix { $0 != "%" })
        // What a pattern of text sees of an IPv4 address in IPv6's clothes is the IPv4 address.
        let shown = parsed.bytes.count == 4 ? parsed.bytes.map { "\($0)" }.joined(separator: ".") : text
        var isAdmitted = false
        for item in items where item.pattern.covers(parsed, text: shown) {
            if item.isNegated { return false }
            isAdmitted = true
        }
        return isAdmitted
    }
}
