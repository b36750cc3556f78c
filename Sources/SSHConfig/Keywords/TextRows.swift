import SSHKeys

extension KeywordTable {
    /// Numbers, names and lists of algorithms.
    static let texts: [Row] = [
        Row(
            "CanonicalizeMaxDots", .number(\.canonicalization.maximumDots, 0...),
            shown: Shown(\.canonicalization.maximumDots)),
        Row("ConnectionAttempts", .number(\.connectionAttempts, 1...), shown: Shown(\.connectionAttempts)),
        Row(
            "NumberOfPasswordPrompts", .number(\.numberOfPasswordPrompts, 0...), shown: Shown(\.numberOfPasswordPrompts)
        ),
        Row("ServerAliveCountMax", .number(\.serverAliveCountMax, 0...), shown: Shown(\.serverAliveCountMax)),
        Row(
            "ServerAliveInterval",
            Keyword { (options, value) throws(OptionFault) in
                options.serverAliveInterval = value == "none" ? 0 : try Keyword.seconds(value)
            }, shown: Shown(\.serverAliveInterval)),
        Row("RequiredRSASize", .number(\.requiredRSASize, 0...), shown: Shown(\.requiredRSASize)),
        Row("BindAddress", .text(\.bindAddress), shown: Shown(\.bindAddress)),
        Row("BindInterface", .text(\.bindInterface), shown: Shown(\.bindInterface)),
        Row("Ciphers", .algorithms(\.ciphers, .cipher), shown: .algorithms(.cipher, \.ciphers)),
        Row(
            "ControlPath",
            Keyword(expansion: .path) { (options, value) throws(OptionFault) in
                options.controlPath = value.lowercased() == "none" ? nil : value
            }, shown: Shown(\.controlPath)),
        Row(
            "HostKeyAlgorithms", .algorithms(\.hostKeyAlgorithms, .anySignature),
            shown: .algorithms(.anySignature, \.hostKeyAlgorithms)),
        Row(
            "HostKeyAlias",
            Keyword { (options, value) throws(OptionFault) in options.hostKeyAlias = value.lowercased() },
            shown: Shown(\.hostKeyAlias)),
        Row(
            "IdentityAgent",
            Keyword(expansion: .agent) { (options, value) throws(OptionFault) in
                switch value {
                case "none": options.agentSocket = nil
                case "SSH_AUTH_SOCK": break
                default: options.agentSocket = value
                }
            },
            shown: Shown { resolved in
                // What is looked up in the environment is shown by its name.
                guard let raw = resolved.raw.value("identityagent") else { return [] }
                let isName = raw.hasPrefix("$") && !raw.hasPrefix("${")
                return [isName ? raw : resolved.expanded.value("identityagent") ?? raw]
            }),
        Row("IgnoreUnknown", anyWord, shown: .raw("ignoreunknown")),
        Row("KbdInteractiveDevices", .text(\.keyboardInteractiveDevices), shown: Shown(\.keyboardInteractiveDevices)),
        Row(
            "KexAlgorithms", .algorithms(\.keyExchanges, .keyExchange), shown: .algorithms(.keyExchange, \.keyExchanges)
        ),
        Row(
            "CASignatureAlgorithms", .algorithms(\.caSignatureAlgorithms, .signature),
            shown: .algorithms(.signature, \.caSignatureAlgorithms)),
        Row(
            "LogLevel",
            Keyword { (options, value) throws(OptionFault) in
                guard let level = LogLevel(name: value) else { throw Keyword.unsupported(value) }
                options.logLevel = level
            }, shown: Shown { [$0.options.logLevel.name] }),
        Row("MACs", .algorithms(\.macs, .mac), shown: .algorithms(.mac, \.macs)),
        Row(
            "PreferredAuthentications",
            Keyword { (options, value) throws(OptionFault) in
                options.preferredAuthentications = value.split(separator: ",").map(String.init)
            }, shown: .raw("preferredauthentications")),
        Row(
            "PubkeyAcceptedAlgorithms", .algorithms(\.publicKeyAlgorithms, .anySignature),
            shown: .algorithms(.anySignature, \.publicKeyAlgorithms)),
        // Its tokens wait for each run of it.
        Row(
            "KnownHostsCommand",
            .command { (options, value) throws(OptionFault) in
                options.knownHostsCommand = value.lowercased() == "none" ? nil : value
            }, shown: Shown(\.knownHostsCommand)),
        Row("Tag", anyWord, shown: .raw("tag")),
        Row(
            "VersionAddendum",
            .command { (options, value) throws(OptionFault) in
                options.versionAddendum = try versionAddendum(value)
            }, shown: Shown(\.versionAddendum)),
    ]

    /// What follows our name in the identification (RFC 4253 section 4.2), whose line has 255 bytes at most.
    private static func versionAddendum(_ value: String) throws(OptionFault) -> String? {
        guard value.utf8.count <= 128, value.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw OptionFault(reason: "more than 128 characters, or others than those of ASCII")
        }
        return value.lowercased() == "none" ? nil : value
    }
}
