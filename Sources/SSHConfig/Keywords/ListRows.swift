import SSHKeys

extension KeywordTable {
    /// What has many values, or values of its own kind.
    static let lists: [Row] = [
        Row(
            "IdentityFile",
            Keyword(accumulates: true, expansion: .path) { (options, value) throws(OptionFault) in
                var files = options.identityFiles ?? []
                if value.lowercased() != "none", !files.contains(value) { files.append(value) }
                options.identityFiles = files
            },
            shown: Shown { resolved in
                let files = resolved.raw.values("identityfile").compactMap(\.first)
                return files.isEmpty
                    ? resolved.options.identities.map { resolved.underTilde($0) } : ResolvedConfiguration.unique(files)
            }),
        Row(
            "CanonicalDomains",
            Keyword(words: 1...64) { (options, words) throws(OptionFault) in
                options.canonicalization.domains = try Keyword.list(words).map { (word) throws(OptionFault) in
                    try Canonicalization.domain(word)
                }
            }, shown: Shown(\.canonicalization.domains)),
        Row(
            "CertificateFile",
            Keyword(accumulates: true, expansion: .path) { (options, value) throws(OptionFault) in
                if !options.certificateFiles.contains(value) { options.certificateFiles.append(value) }
            }, shown: Shown { ResolvedConfiguration.unique($0.raw.values("certificatefile").compactMap(\.first)) }),
        Row(
            "GlobalKnownHostsFile", .files(\.globalKnownHostsFiles, expansion: .tilde),
            shown: Shown { resolved in
                [
                    (resolved.raw["globalknownhostsfile"] ?? resolved.options.globalKnownHostsFiles).joined(
                        separator: " ")
                ]
            }),
        Row("UserKnownHostsFile", .files(\.userKnownHostsFiles, expansion: .path), shown: Shown(\.userKnownHostsFiles)),
        Row("RevokedHostKeys", .files(\.revokedHostKeysFiles, expansion: .path), shown: Shown(\.revokedHostKeysFiles)),
        Row(
            "SendEnv",
            Keyword(words: 1...1024, accumulates: true) { (options, words) throws(OptionFault) in
                try setSentVariables(&options, words)
            }, shown: Shown { $0.options.sendEnvironment }),
        Row(
            "SetEnv",
            Keyword(words: 1...1024, expansion: .text) { (options, words) throws(OptionFault) in
                options.setEnvironment = try variables(words)
            }, shown: Shown { $0.options.setEnvironment.map { "\($0.name)=\($0.value)" } }),
        Row(
            "AddKeysToAgent",
            Keyword(words: 1...2) { (options, words) throws(OptionFault) in
                let text = words.joined(separator: " ")
                guard let choice = AddKeysToAgent(text, seconds: { try? Keyword.seconds($0) }) else {
                    throw Keyword.unsupported(text)
                }
                options.addKeysToAgent = choice
            },
            shown: Shown { resolved in
                switch resolved.options.addKeysToAgent {
                case .no: ["false"]
                case .ask: ["ask"]
                case .yes(let lifetime?): [String(lifetime)]
                case .yes: ["true"]
                case .confirm(let lifetime?): ["confirm \(lifetime)"]
                case .confirm: ["confirm"]
                }
            }),
        Row(
            "ForwardAgent",
            Keyword(expansion: .agent) { (options, value) throws(OptionFault) in
                switch value.lowercased() {
                case "yes", "true": options.forwardAgent = .yes
                case "no", "false", "none": options.forwardAgent = .no
                default: options.forwardAgent = value == "SSH_AUTH_SOCK" ? .yes : .socket(value)
                }
            },
            shown: Shown { resolved in
                switch resolved.options.forwardAgent {
                case .no: ["no"]
                case .yes: ["yes"]
                case .socket(let path): [path]
                }
            }),
        Row(
            "ConnectTimeout",
            Keyword { (options, value) throws(OptionFault) in
                if value == "none" { return options.connectTimeout = nil }
                let limit = try Keyword.seconds(value)
                options.connectTimeout = limit > 0 ? limit : nil
            }, shown: Shown { [$0.options.connectTimeout.map { String($0) } ?? "none"] }),
        Row(
            "CanonicalizePermittedCNAMEs",
            Keyword(words: 1...64) { (options, words) throws(OptionFault) in
                options.canonicalization.permittedAliases = try Keyword.list(words).map { (word) throws(OptionFault) in
                    try Canonicalization.AliasRule(word)
                }
            }, label: "canonicalizePermittedcnames",
            shown: Shown { resolved in
                let rules = resolved.options.canonicalization.permittedAliases
                return [rules.isEmpty ? "none" : rules.map { "\($0.sources):\($0.targets)" }.joined(separator: " ")]
            }),
        Row(
            "ControlPersist", effect: .passedOver("scp is never a master; `-G` shows it"),
            Keyword { (options, value) throws(OptionFault) in
                switch value {
                case "yes", "true": options.controlPersist = 0
                case "no", "false": options.controlPersist = nil
                default: options.controlPersist = try Keyword.seconds(value)
                }
            },
            shown: Shown { resolved in
                switch resolved.options.controlPersist {
                case nil: ["no"]
                case 0: ["yes"]
                case let seconds?: [String(seconds)]
                }
            }),
        Row(
            "IPQoS",
            Keyword(words: 1...2) { (options, words) throws(OptionFault) in
                let text = words.joined(separator: " ")
                guard let service = ServiceClass(text) else { throw OptionFault(reason: "bad value \"\(text)\"") }
                options.ipQoS = service
            },
            shown: Shown { resolved in
                let service = resolved.options.ipQoS
                return ["\(ServiceClass.text(service.interactive)) \(ServiceClass.text(service.bulk))"]
            }),
        Row(
            "RekeyLimit",
            Keyword(words: 1...2) { (options, words) throws(OptionFault) in
                try setRekeyLimit(&options, words)
            }, shown: Shown { ["\($0.options.rekeyBytes ?? 0) \($0.options.rekeySeconds ?? 0)"] }),
        Row(
            "ProxyCommand",
            .command(expansion: .proxyCommand) { (options, value) throws(OptionFault) in
                options.proxyCommand = value.lowercased() == "none" ? nil : value
            },
            shown: Shown { resolved in
                resolved.options.proxyJump.isEmpty && resolved.options.proxyCommand != nil
                    ? [resolved.raw.value("proxycommand") ?? ""] : []
            }),
        // Its tokens wait until it is taken apart: in a URI, % is an escape.
        Row(
            "ProxyJump",
            .command { (options, value) throws(OptionFault) in
                options.proxyJump = try JumpHost.list(value)
            },
            shown: Shown { resolved in
                guard let raw = resolved.raw.value("proxyjump"), let jumps = try? JumpHost.list(raw), !jumps.isEmpty
                else {
                    return []
                }
                return [jumps.map(\.text).joined(separator: ",")]
            }),
        Row(
            "ProxyUseFdpass",
            effect: .refused("a proxy that hands over a connected socket; `yes` ends the copy before it begins"),
            .flag(\.proxyUseFdpass)),
    ]

    // MARK: Values of their own kind

    /// A size such as `1G`, then optionally a time (`RekeyLimit`); `default` and `none` leave either as it is.
    private static func setRekeyLimit(_ options: inout ClientOptions, _ words: [String]) throws(OptionFault) {
        if let size = words.first, size != "default" {
            let units: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
            let unit = size.last.flatMap { units[Character($0.lowercased())] }
            guard let number = UInt64(unit == nil ? size[...] : size.dropLast()), number < 1 << 32 else {
                throw OptionFault(reason: "bad size \"\(size)\"")
            }
            let bytes = number * (unit ?? 1)
            guard bytes == 0 || bytes >= 16 else { throw OptionFault(reason: "too small a size \"\(size)\"") }
            options.rekeyBytes = bytes > 0 ? bytes : nil
        }
        if words.count > 1, words[1] != "none" {
            let seconds = try Keyword.seconds(words[1])
            options.rekeySeconds = seconds > 0 ? Int64(seconds) : nil
        }
    }

    /// Patterns of names to send; one after `-` takes away the names it covers (`SendEnv`).
    private static func setSentVariables(_ options: inout ClientOptions, _ words: [String]) throws(OptionFault) {
        for word in words {
            guard !word.contains("=") else { throw OptionFault(reason: "invalid environment name \"\(word)\"") }
            if word.hasPrefix("-") {
                let pattern = String(word.dropFirst())
                options.sendEnvironment.removeAll { Wildcard.covers($0, pattern: pattern) }
            } else {
                options.sendEnvironment.append(word)
            }
        }
    }

    /// `NAME=value` words; the first value of a name counts (`SetEnv`).
    private static func variables(_ words: [String]) throws(OptionFault) -> [(name: String, value: String)] {
        var variables: [(name: String, value: String)] = []
        for word in words {
            guard let equals = word.firstIndex(of: "=") else {
                throw OptionFault(reason: "\"\(word)\" is not NAME=value")
            }
            let name = String(word[..<equals])
            guard !variables.contains(where: { $0.name == name }) else { continue }
            variables.append((name, String(word[word.index(after: equals)...])))
        }
        return variables
    }
}
