import SSHKeys

/// The options for a host, and what they came from.
public struct ResolvedConfiguration: Sendable {
    public internal(set) var options: ClientOptions
    /// As set, tokens and all.
    let raw: Settings
    /// With tokens replaced.
    let expanded: Settings
    /// The steps of reading the files, which `-v` tells.
    public let notes: [String]

    init(options: ClientOptions, raw: Settings, expanded: Settings, notes: [String]) {
        self.options = options
        self.raw = raw
        self.expanded = expanded
        self.notes = notes
    }

    /// The values of the keywords that are obeyed here, one line each in the form and the order of `ssh -G`.
    public var lines: [String] { Self.dump.flatMap { row in row.values(self).map { "\(row.name) \($0)" } } }

    /// A line of the list, or several, or none.
    private struct Row: Sendable {
        let name: String
        let values: @Sendable (ResolvedConfiguration) -> [String]

        init(_ name: String, _ values: @escaping @Sendable (ResolvedConfiguration) -> [String]) {
            self.name = name
            self.values = values
        }

        init(_ name: String, _ flag: any KeyPath<ClientOptions, Bool> & Sendable) {
            self.init(name) { [$0.options[keyPath: flag] ? "yes" : "no"] }
        }

        init(_ name: String, _ number: any KeyPath<ClientOptions, Int> & Sendable) {
            self.init(name) { [String($0.options[keyPath: number])] }
        }

        init(_ name: String, _ text: any KeyPath<ClientOptions, String?> & Sendable) {
            self.init(name) { [$0.options[keyPath: text]].compactMap { $0 } }
        }

        init(_ name: String, _ list: any KeyPath<ClientOptions, [String]> & Sendable) {
            self.init(name) { resolved in
                let list = resolved.options[keyPath: list]
                return [list.isEmpty ? "none" : list.joined(separator: " ")]
            }
        }

        /// A setting as it was made.
        static func raw(_ name: String) -> Row { Row(name) { [$0.raw.value(name)].compactMap { $0 } } }

        /// A list of algorithms as it comes out.
        static func algorithms(
            _ name: String, _ kind: AlgorithmKind, _ text: any KeyPath<ClientOptions, String?> & Sendable
        ) -> Row {
            Row(name) { resolved in
                let list = try? kind.list(resolved.options[keyPath: text], option: name)
                return [(list ?? []).joined(separator: ",")]
            }
        }
    }

    private static let dump: [Row] = [
        Row("host") { [$0.options.originalHost] },
        Row("user") { [$0.options.user] },
        Row("hostname") { [$0.options.host] },
        Row("port", \.port),
        Row("addressfamily") { [$0.options.addressFamily.rawValue] },
        Row("batchmode", \.batchMode),
        Row("canonicalizefallbacklocal", \.canonicalization.fallsBackLocally),
        Row("canonicalizehostname") { resolved in
            switch resolved.options.canonicalization.mode {
            case .no: ["false"]
            case .yes: ["true"]
            case .always: ["always"]
            }
        },
        Row("checkhostip", \.checkHostIP),
        Row("compression", \.compression),
        Row("controlmaster") { resolved in
            switch resolved.options.controlMaster {
            case .no: ["false"]
            case .yes: ["true"]
            case .ask: ["ask"]
            case .auto: ["auto"]
            case .autoAsk: ["autoask"]
            }
        },
        Row("fingerprinthash") { [$0.options.fingerprintHash.rawValue.uppercased()] },
        Row("hashknownhosts", \.hashKnownHosts),
        Row("identitiesonly", \.identitiesOnly),
        Row("kbdinteractiveauthentication", \.keyboardInteractiveAuthentication),
        Row("nohostauthenticationforlocalhost", \.noHostAuthenticationForLocalhost),
        Row("passwordauthentication", \.passwordAuthentication),
        Row("pubkeyauthentication") { resolved in
            switch resolved.raw.value("pubkeyauthentication")?.lowercased() {
            case "unbound": ["unbound"]
            case "host-bound": ["host-bound"]
            default: [resolved.options.publicKeyAuthentication ? "true" : "false"]
            }
        },
        Row("stricthostkeychecking") { resolved in
            switch resolved.options.strictHostKeyChecking {
            case .yes: ["true"]
            case .no: ["false"]
            case .ask: ["ask"]
            case .acceptNew: ["accept-new"]
            }
        },
        Row("tcpkeepalive", \.tcpKeepAlive),
        Row("verifyhostkeydns") { resolved in
            let isAsking = resolved.raw.value("verifyhostkeydns")?.lowercased() == "ask"
            return [isAsking ? "ask" : resolved.options.verifyHostKeyDNS ? "true" : "false"]
        },
        Row("visualhostkey", \.visualHostKey),
        Row("updatehostkeys") { resolved in
            switch resolved.options.updateHostKeys {
            case .yes: ["true"]
            case .no: ["false"]
            case .ask: ["ask"]
            case nil: [resolved.options.learnsHostKeys ? "true" : "false"]
            }
        },
        Row("canonicalizemaxdots", \.canonicalization.maximumDots),
        Row("connectionattempts", \.connectionAttempts),
        Row("numberofpasswordprompts", \.numberOfPasswordPrompts),
        Row("serveralivecountmax", \.serverAliveCountMax),
        Row("serveraliveinterval", \.serverAliveInterval),
        Row("requiredrsasize", \.requiredRSASize),
        Row("bindaddress", \.bindAddress),
        Row("bindinterface", \.bindInterface),
        .algorithms("ciphers", .cipher, \.ciphers),
        Row("controlpath", \.controlPath),
        .algorithms("hostkeyalgorithms", .anySignature, \.hostKeyAlgorithms),
        Row("hostkeyalias", \.hostKeyAlias),
        Row("identityagent") { resolved in
            // What is looked up in the environment is shown by its name.
            guard let raw = resolved.raw.value("identityagent") else { return [] }
            let isName = raw.hasPrefix("$") && !raw.hasPrefix("${")
            return [isName ? raw : resolved.expanded.value("identityagent") ?? raw]
        },
        .raw("ignoreunknown"),
        .algorithms("kexalgorithms", .keyExchange, \.keyExchanges),
        .algorithms("casignaturealgorithms", .signature, \.caSignatureAlgorithms),
        Row("loglevel") { [$0.options.logLevel.name] },
        .algorithms("macs", .mac, \.macs),
        .raw("preferredauthentications"),
        .algorithms("pubkeyacceptedalgorithms", .anySignature, \.publicKeyAlgorithms),
        Row("knownhostscommand", \.knownHostsCommand),
        .raw("tag"),
        Row("identityfile") { resolved in
            let files = resolved.raw.values("identityfile").compactMap(\.first)
            return files.isEmpty ? resolved.options.identities.map { resolved.underTilde($0) } : unique(files)
        },
        Row("canonicaldomains", \.canonicalization.domains),
        Row("certificatefile") { unique($0.raw.values("certificatefile").compactMap(\.first)) },
        Row("globalknownhostsfile") { resolved in
            [(resolved.raw["globalknownhostsfile"] ?? resolved.options.globalKnownHostsFiles).joined(separator: " ")]
        },
        Row("userknownhostsfile", \.userKnownHostsFiles),
        Row("revokedhostkeys", \.revokedHostKeysFiles),
        Row("sendenv") { $0.options.sendEnvironment },
        Row("setenv") { $0.options.setEnvironment.map { "\($0.name)=\($0.value)" } },
        Row("addkeystoagent") { resolved in
            switch resolved.options.addKeysToAgent {
            case .no: ["false"]
            case .ask: ["ask"]
            case .yes(let lifetime?): [String(lifetime)]
            case .yes: ["true"]
            case .confirm(let lifetime?): ["confirm \(lifetime)"]
            case .confirm: ["confirm"]
            }
        },
        Row("forwardagent") { resolved in
            switch resolved.options.forwardAgent {
            case .no: ["no"]
            case .yes: ["yes"]
            case .socket(let path): [path]
            }
        },
        Row("connecttimeout") { [$0.options.connectTimeout.map { String($0) } ?? "none"] },
        Row("canonicalizePermittedcnames") { resolved in
            let rules = resolved.options.canonicalization.permittedAliases
            return [rules.isEmpty ? "none" : rules.map { "\($0.sources):\($0.targets)" }.joined(separator: " ")]
        },
        Row("controlpersist") { resolved in
            switch resolved.options.controlPersist {
            case nil: ["no"]
            case 0: ["yes"]
            case let seconds?: [String(seconds)]
            }
        },
        Row("ipqos") { resolved in
            let service = resolved.options.ipQoS
            return ["\(ServiceClass.text(service.interactive)) \(ServiceClass.text(service.bulk))"]
        },
        Row("rekeylimit") { ["\($0.options.rekeyBytes ?? 0) \($0.options.rekeySeconds ?? 0)"] },
        Row("proxycommand") { resolved in
            resolved.options.proxyJump.isEmpty && resolved.options.proxyCommand != nil
                ? [resolved.raw.value("proxycommand") ?? ""] : []
        },
        Row("proxyjump") { resolved in
            guard let raw = resolved.raw.value("proxyjump"), let jumps = try? JumpHost.list(raw), !jumps.isEmpty else {
                return []
            }
            return [jumps.map(\.text).joined(separator: ",")]
        },
    ]

    /// A file's path, with a tilde for the home directory.
    private func underTilde(_ path: String) -> String {
        path.hasPrefix(options.home + "/") ? "~" + path.dropFirst(options.home.count) : path
    }

    private static func unique(_ words: [String]) -> [String] {
        words.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
