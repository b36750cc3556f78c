import SSHKeys

/// How a short host name becomes a full one (`CanonicalizeHostname` and the keywords beside it).
struct Canonicalization: Sendable, Equatable {
    enum Mode: Sendable {
        case no
        /// For hosts that are connected to without a proxy.
        case yes
        case always
    }

    /// Which alias may be followed to which name (`CanonicalizePermittedCNAMEs`).
    struct AliasRule: Sendable, Equatable {
        let sources: String
        let targets: String

        /// Takes `sources:targets`, or `*` for every alias.
        init(_ text: String) throws(Keyword.Fault) {
            if text == "*" {
                (sources, targets) = ("*", "*")
                return
            }
            let parts = text.lowercased().split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[1].isEmpty else {
                throw Keyword.Fault(reason: "invalid permitted CNAME \"\(text)\"")
            }
            (sources, targets) = (String(parts[0]), String(parts[1]))
        }
    }

    var mode = Mode.no
    var domains: [String] = []
    var maximumDots = 1
    var fallsBackLocally = true
    var permittedAliases: [AliasRule] = []

    /// A domain in lower case, without the dot at its end.
    ///
    /// - Throws: `Keyword.Fault` for one with characters that no domain has.
    static func domain(_ text: String) throws(Keyword.Fault) -> String {
        let bytes = Array(text.asciiLowercased.utf8)
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
        }
        let dot = UInt8(ascii: ".")
        guard let first = bytes.first else { throw Keyword.Fault(reason: "empty domain name") }
        guard isLetterOrDigit(first), bytes.allSatisfy({ isLetterOrDigit($0) || $0 == dot || $0 == UInt8(ascii: "-") })
        else { throw Keyword.Fault(reason: "domain name \"\(text)\" contains invalid characters") }
        guard !zip(bytes, bytes.dropFirst()).contains(where: { $0 == dot && $1 == dot }) else {
            throw Keyword.Fault(reason: "domain name \"\(text)\" contains consecutive separators")
        }
        return String(decoding: bytes.last == dot ? bytes.dropLast() : bytes, as: UTF8.self)
    }

    /// The name a host is connected to and matched by.
    ///
    /// - Parameter isDirect: whether this machine, and not a proxy, looks the name up.
    /// - Throws: `ConfigurationError.unresolvable`.
    func canonicalName(
        of host: String, isDirect: Bool, family: AddressFamily, environment: some ConfigurationEnvironment
    ) throws(ConfigurationError) -> String {
        let looksNumeric = Self.looksNumeric(host)
        if let address = environment.numericAddress(host, family: family) { return address }
        let host = looksNumeric ? host : host.asciiLowercased
        guard mode != .no, !looksNumeric, isDirect || mode == .always else { return host }
        if let found = try search(host, family, environment) { return found }
        guard !permittedAliases.isEmpty else { return host }
        // The system's own search rules may still lead to an alias.
        guard let alias = environment.canonicalName(of: host, family: family) else {
            if isDirect { throw .unresolvable(host: host) }
            return host
        }
        return follow(alias, from: host)
    }

    /// Tries the domains in turn; nil where none has the host and the plain name may stay.
    private func search(
        _ host: String, _ family: AddressFamily, _ environment: some ConfigurationEnvironment
    ) throws(ConfigurationError) -> String? {
        let candidates: [String]
        if host.hasSuffix(".") {
            candidates = [host]
        } else {
            guard host.utf8.count(where: { $0 == UInt8(ascii: ".") }) <= maximumDots else { return nil }
            candidates = domains.map { "\(host).\($0)." }
        }
        for candidate in candidates {
            if let alias = environment.canonicalName(of: candidate, family: family) {
                return follow(alias, from: String(candidate.dropLast()))
            }
        }
        guard fallsBackLocally else { throw .unresolvable(host: host) }
        return nil
    }

    /// The alias's target, if a rule permits it.
    private func follow(_ alias: String, from host: String) -> String {
        guard !alias.isEmpty, alias != host, (try? Self.domain(alias)) != nil else { return host }
        let isPermitted = permittedAliases.contains {
            Wildcard.covers(host, list: $0.sources) && Wildcard.covers(alias, list: $0.targets)
        }
        return isPermitted ? alias.asciiLowercased : host
    }

    /// Whether a name can only be an address.
    private static func looksNumeric(_ host: String) -> Bool {
        host.utf8.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: ":") }
            || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
    }
}
