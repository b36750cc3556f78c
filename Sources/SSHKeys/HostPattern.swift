/// A pattern over host names, users or addresses (ssh_config(5), PATTERNS): `*` stands for any characters, `?` for one,
/// and `!` in front negates. ASCII letters match in either case.
package struct HostPattern: Hashable, Sendable {
    /// The pattern in lower case, without the `!`.
    package let text: String
    package let isNegated: Bool

    package init(_ pattern: some StringProtocol) {
        isNegated = pattern.utf8.first == UInt8(ascii: "!")
        text = (isNegated ? String(pattern.dropFirst()) : String(pattern)).asciiLowercased
    }

    /// Whether the pattern, its negation apart, covers the whole of `name`.
    package func covers(_ name: String) -> Bool {
        Self.covers(pattern: Array(text.utf8), name: Array(name.asciiLowercased.utf8))
    }

    /// Whether a pattern of `*`, `?` and other bytes covers the whole of a name, byte by byte.
    ///
    /// Goes back to the last `*` alone, so that the time is at most the product of the lengths.
    package static func covers(pattern: [UInt8], name: [UInt8]) -> Bool {
        var (inPattern, inName) = (0, 0)
        var retry: (pattern: Int, name: Int)?
        while inName < name.count {
            if inPattern < pattern.count, pattern[inPattern] == UInt8(ascii: "*") {
                inPattern += 1
                retry = (inPattern, inName)
            } else if inPattern < pattern.count,
                pattern[inPattern] == UInt8(ascii: "?") || pattern[inPattern] == name[inName]
            {
                inPattern += 1
                inName += 1
            } else if let last = retry {
                inPattern = last.pattern
                inName = last.name + 1
                retry = (inPattern, inName)
            } else {
                return false
            }
        }
        return pattern[inPattern...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

/// A list of patterns, of which a negated one that covers a name outweighs all others.
package struct HostPatternList: Hashable, Sendable {
    package enum Match: Sendable {
        /// A pattern covers the name, and no negated one does.
        case matched
        /// A negated pattern covers the name.
        case negated
        case none
    }

    package let patterns: [HostPattern]

    package init(_ patterns: [HostPattern]) { self.patterns = patterns }

    /// Patterns with commas between them, as in known hosts and `from=`.
    package init(commaSeparated text: some StringProtocol) {
        patterns = text.split(separator: ",").map { HostPattern($0) }
    }

    package func match(_ name: String) -> Match {
        var found = Match.none
        for pattern in patterns where pattern.covers(name) {
            if pattern.isNegated { return .negated }
            found = .matched
        }
        return found
    }
}

extension String {
    /// The text with A to Z in lower case, and everything else as it is.
    package var asciiLowercased: String {
        String(decoding: utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
