import SSHKeys

/// The keywords of ssh_config(5) that mean something for a copy, and what they set. Those that are only accepted are
/// in `AcceptedKeywords.swift`.
enum OptionKeywords {
    typealias OptionFault = Keyword.Fault

    /// The keyword of a name in lower case; nil for one that does not exist.
    static func keyword(_ name: String) -> Keyword? { table[name] ?? accepted[name] }

    /// The one name of a keyword that has several, in lower case.
    static func name(_ spelling: String) -> String {
        let name = spelling.lowercased()
        return aliases[name] ?? name
    }

    /// Former names.
    private static let aliases = [
        "challengeresponseauthentication": "kbdinteractiveauthentication",
        "dsaauthentication": "pubkeyauthentication",
        "hostbasedkeytypes": "hostbasedacceptedalgorithms",
        "identityfile2": "identityfile",
        "keepalive": "tcpkeepalive",
        "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
        "skeyauthentication": "kbdinteractiveauthentication",
        "smartcarddevice": "pkcs11provider",
        "tisauthentication": "kbdinteractiveauthentication",
    ]

    static let table: [String: Keyword] = [
        "addkeystoagent": Keyword(words: 1...2) { (options, words) throws(OptionFault) in
            let text = words.joined(separator: " ")
            guard let choice = AddKeysToAgent(text, seconds: { try? Keyword.seconds($0) }) else {
                throw Keyword.unsupported(text)
            }
            options.addKeysToAgent = choice
        },
        "addressfamily": .choice(\.addressFamily, ["any": .any, "inet": .inet, "inet6": .inet6]),
        "batchmode": .flag(\.batchMode),
        "bindaddress": .text(\.bindAddress),
        "bindinterface": .text(\.bindInterface),
        "canonicaldomains": Keyword(words: 1...64) { (options, words) throws(OptionFault) in
            options.canonicalization.domains = try Keyword.list(words).map { (word) throws(OptionFault) in
                try Canonicalization.domain(word)
            }
        },
        "canonicalizefallbacklocal": .flag(\.canonicalization.fallsBackLocally),
        "canonicalizehostname": .choice(
            \.canonicalization.mode, ["yes": .yes, "true": .yes, "no": .no, "false": .no, "always": .always]),
        "canonicalizemaxdots": .number(\.canonicalization.maximumDots, 0...),
        "canonicalizepermittedcnames": Keyword(words: 1...64) { (options, words) throws(OptionFault) in
            options.canonicalization.permittedAliases = try Keyword.list(words).map { (word) throws(OptionFault) in
                try Canonicalization.AliasRule(word)
            }
        },
        "casignaturealgorithms": .algorithms(\.caSignatureAlgorithms, .signature),
        "certificatefile": Keyword(accumulates: true, expansion: .path) { (options, value) throws(OptionFault) in
            if !options.certificateFiles.contains(value) { options.certificateFiles.append(value) }
        },
        "checkhostip": .flag(\.checkHostIP),
        "ciphers": .algorithms(\.ciphers, .cipher),
        "compression": .flag(\.compression),
        "connectionattempts": .number(\.connectionAttempts, 1...),
        "connecttimeout": Keyword { (options, value) throws(OptionFault) in
            if value == "none" { return options.connectTimeout = nil }
            let limit = try Keyword.seconds(value)
            options.connectTimeout = limit > 0 ? limit : nil
        },
        "controlmaster": .choice(
            \.controlMaster,
            ["yes": .yes, "true": .yes, "no": .no, "false": .no, "ask": .ask, "auto": .auto, "autoask": .autoAsk]),
        "controlpath": Keyword(expansion: .path) { (options, value) throws(OptionFault) in
            options.controlPath = value.lowercased() == "none" ? nil : value
        },
        "controlpersist": Keyword { (options, value) throws(OptionFault) in
            switch value {
            case "yes", "true": options.controlPersist = 0
            case "no", "false": options.controlPersist = nil
            default: options.controlPersist = try Keyword.seconds(value)
            }
        },
        "fingerprinthash": .choice(\.fingerprintHash, ["sha256": .sha256, "md5": .md5]),
        "forwardagent": Keyword(expansion: .agent) { (options, value) throws(OptionFault) in
            switch value.lowercased() {
            case "yes", "true": options.forwardAgent = .yes
            case "no", "false", "none": options.forwardAgent = .no
            default: options.forwardAgent = value == "SSH_AUTH_SOCK" ? .yes : .socket(value)
            }
        },
        "globalknownhostsfile": .files(\.globalKnownHostsFiles, expansion: .tilde),
        "hashknownhosts": .flag(\.hashKnownHosts),
        "hostkeyalgorithms": .algorithms(\.hostKeyAlgorithms, .anySignature),
        "hostkeyalias": Keyword { (options, value) throws(OptionFault) in options.hostKeyAlias = value.lowercased() },
        "hostname": Keyword(expansion: .hostName) { (options, value) throws(OptionFault) in options.host = value },
        "identitiesonly": .flag(\.identitiesOnly),
        "identityagent": Keyword(expansion: .agent) { (options, value) throws(OptionFault) in
            switch value {
            case "none": options.agentSocket = nil
            case "SSH_AUTH_SOCK": break
            default: options.agentSocket = value
            }
        },
        "identityfile": Keyword(accumulates: true, expansion: .path) { (options, value) throws(OptionFault) in
            var files = options.identityFiles ?? []
            if value.lowercased() != "none", !files.contains(value) { files.append(value) }
            options.identityFiles = files
        },
        "ipqos": Keyword(words: 1...2) { (options, words) throws(OptionFault) in
            let text = words.joined(separator: " ")
            guard let service = ServiceClass(text) else { throw OptionFault(reason: "bad value \"\(text)\"") }
            options.ipQoS = service
        },
        "kbdinteractiveauthentication": .flag(\.keyboardInteractiveAuthentication),
        "kexalgorithms": .algorithms(\.keyExchanges, .keyExchange),
        // Its tokens wait for each run of it.
        "knownhostscommand": .command { (options, value) throws(OptionFault) in
            options.knownHostsCommand = value.lowercased() == "none" ? nil : value
        },
        "loglevel": Keyword { (options, value) throws(OptionFault) in
            guard let level = LogLevel(name: value) else { throw Keyword.unsupported(value) }
            options.logLevel = level
        },
        "macs": .algorithms(\.macs, .mac),
        "nohostauthenticationforlocalhost": .flag(\.noHostAuthenticationForLocalhost),
        "numberofpasswordprompts": .number(\.numberOfPasswordPrompts, 0...),
        "passwordauthentication": .flag(\.passwordAuthentication),
        "port": .number(\.port, 1...65535),
        "preferredauthentications": Keyword { (options, value) throws(OptionFault) in
            options.preferredAuthentications = value.split(separator: ",").map(String.init)
        },
        "proxycommand": .command(expansion: .proxyCommand) { (options, value) throws(OptionFault) in
            options.proxyCommand = value.lowercased() == "none" ? nil : value
        },
        // Its tokens wait until it is taken apart: in a URI, % is an escape.
        "proxyjump": .command { (options, value) throws(OptionFault) in
            options.proxyJump = try JumpHost.list(value)
        },
        "proxyusefdpass": .flag(\.proxyUseFdpass),
        "pubkeyacceptedalgorithms": .algorithms(\.publicKeyAlgorithms, .anySignature),
        "pubkeyauthentication": .choice(
            \.publicKeyAuthentication,
            ["yes": true, "true": true, "unbound": true, "host-bound": true, "no": false, "false": false]),
        "rekeylimit": Keyword(words: 1...2) { (options, words) throws(OptionFault) in
            try setRekeyLimit(&options, words)
        },
        "requiredrsasize": .number(\.requiredRSASize, 0...),
        "revokedhostkeys": .files(\.revokedHostKeysFiles, expansion: .path),
        "sendenv": Keyword(words: 1...1024, accumulates: true) { (options, words) throws(OptionFault) in
            try setSentVariables(&options, words)
        },
        "serveralivecountmax": .number(\.serverAliveCountMax, 0...),
        "serveraliveinterval": Keyword { (options, value) throws(OptionFault) in
            options.serverAliveInterval = value == "none" ? 0 : try Keyword.seconds(value)
        },
        "setenv": Keyword(words: 1...1024, expansion: .text) { (options, words) throws(OptionFault) in
            options.setEnvironment = try variables(words)
        },
        "stricthostkeychecking": .choice(
            \.strictHostKeyChecking,
            ["yes": .yes, "true": .yes, "no": .no, "false": .no, "off": .no, "ask": .ask, "accept-new": .acceptNew]),
        "tcpkeepalive": .flag(\.tcpKeepAlive),
        "updatehostkeys": .choice(
            \.updateHostKeys, ["yes": .yes, "true": .yes, "no": .no, "false": .no, "ask": .ask]),
        "user": Keyword(expansion: .user) { (options, value) throws(OptionFault) in options.user = value },
        "userknownhostsfile": .files(\.userKnownHostsFiles, expansion: .path),
        "verifyhostkeydns": .choice(
            \.verifyHostKeyDNS, ["yes": true, "true": true, "ask": true, "no": false, "false": false]),
        "visualhostkey": .flag(\.visualHostKey),
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
