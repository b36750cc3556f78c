import SSHKeys

/// Sets options by their names in ssh_config(5), as `-o` does. The first value of a name is the one that counts.
public struct OptionKeywords: Sendable {
    public private(set) var options: ClientOptions
    private var seen: Set<String> = []

    public init(_ options: ClientOptions) { self.options = options }

    /// Takes `Name=value`, `Name = value` or `Name value`.
    ///
    /// - Throws: `ClientError.badOption` for a name that does not exist or a value that makes no sense.
    public mutating func set(_ text: String) throws(ClientError) {
        let name = text.prefix { $0 != "=" && $0 != " " && $0 != "\t" }
        var value = text.dropFirst(name.count).drop { $0 == " " || $0 == "\t" }
        if value.first == "=" { value = value.dropFirst() }
        value = value.drop { $0 == " " || $0 == "\t" }
        while value.last == " " || value.last == "\t" { value = value.dropLast() }
        if value.count >= 2, value.first == "\"", value.last == "\"" { value = value.dropFirst().dropLast() }
        guard !value.isEmpty else { throw .badOption(name: String(name), reason: "missing argument") }
        try set(String(name), to: String(value))
    }

    /// Sets one option.
    ///
    /// - Throws: `ClientError.badOption`.
    public mutating func set(_ name: String, to value: String) throws(ClientError) {
        let key = name.lowercased()
        guard let keyword = Self.table[key] else { throw .badOption(name: name, reason: "bad configuration option") }
        let isFirst = seen.insert(key).inserted
        guard isFirst || keyword.accumulates else { return }
        do throws(OptionFault) {
            try keyword.apply(&options, value)
        } catch {
            throw .badOption(name: name, reason: error.reason)
        }
    }

    struct OptionFault: Error { let reason: String }

    private struct Keyword: Sendable {
        var accumulates = false
        let apply: @Sendable (inout ClientOptions, String) throws(OptionFault) -> Void
    }

    private static let table: [String: Keyword] = [
        "addressfamily": Keyword { (options, value) throws(OptionFault) in
            guard let family = AddressFamily(rawValue: value.lowercased()) else { throw unsupported(value) }
            options.addressFamily = family
        },
        "batchmode": flag(\.batchMode),
        "bindaddress": Keyword { (options, value) throws(OptionFault) in options.bindAddress = value },
        "casignaturealgorithms": Keyword { (options, value) throws(OptionFault) in
            options.caSignatureAlgorithms = value
        },
        "certificatefile": Keyword(accumulates: true) { (options, value) throws(OptionFault) in
            options.certificateFiles += paths(value, options)
        },
        "checkhostip": flag(\.checkHostIP),
        "ciphers": Keyword { (options, value) throws(OptionFault) in options.ciphers = value },
        "compression": flag(\.compression),
        "connectionattempts": number(\.connectionAttempts, 1...),
        "connecttimeout": Keyword { (options, value) throws(OptionFault) in
            if value.lowercased() == "none" { return options.connectTimeout = nil }
            let limit = try seconds(value)
            options.connectTimeout = limit > 0 ? limit : nil
        },
        "fingerprinthash": Keyword { (options, value) throws(OptionFault) in
            guard let hash = FingerprintHash(rawValue: value.lowercased()) else { throw unsupported(value) }
            options.fingerprintHash = hash
        },
        "globalknownhostsfile": Keyword { (options, value) throws(OptionFault) in
            options.globalKnownHostsFiles = paths(value, options)
        },
        "hashknownhosts": flag(\.hashKnownHosts),
        "hostkeyalgorithms": Keyword { (options, value) throws(OptionFault) in options.hostKeyAlgorithms = value },
        "hostkeyalias": Keyword { (options, value) throws(OptionFault) in options.hostKeyAlias = value },
        "hostname": Keyword { (options, value) throws(OptionFault) in options.host = value },
        "identitiesonly": flag(\.identitiesOnly),
        "identityagent": Keyword { (options, value) throws(OptionFault) in setAgent(&options, value) },
        "identityfile": Keyword(accumulates: true) { (options, value) throws(OptionFault) in
            options.identityFiles = (options.identityFiles ?? []) + paths(value, options)
        },
        "kbdinteractiveauthentication": flag(\.keyboardInteractiveAuthentication),
        "kexalgorithms": Keyword { (options, value) throws(OptionFault) in options.keyExchanges = value },
        "knownhostscommand": Keyword { (options, value) throws(OptionFault) in
            options.knownHostsCommand = value.lowercased() == "none" ? nil : value
        },
        "loglevel": Keyword { (options, value) throws(OptionFault) in
            let levels = ["DEBUG": 1, "DEBUG1": 1, "DEBUG2": 2, "DEBUG3": 3]
            let quiet = ["QUIET", "FATAL", "ERROR", "INFO", "VERBOSE"]
            guard let level = levels[value.uppercased()] ?? (quiet.contains(value.uppercased()) ? 0 : nil) else {
                throw unsupported(value)
            }
            options.verbosity = max(options.verbosity, level)
        },
        "macs": Keyword { (options, value) throws(OptionFault) in options.macs = value },
        "nohostauthenticationforlocalhost": flag(\.noHostAuthenticationForLocalhost),
        "numberofpasswordprompts": number(\.numberOfPasswordPrompts, 0...),
        "passwordauthentication": flag(\.passwordAuthentication),
        "port": number(\.port, 1...65535),
        "preferredauthentications": Keyword { (options, value) throws(OptionFault) in
            options.preferredAuthentications = value.split(separator: ",").map(String.init)
        },
        "pubkeyacceptedalgorithms": Keyword { (options, value) throws(OptionFault) in
            options.publicKeyAlgorithms = value
        },
        "pubkeyauthentication": flag(\.publicKeyAuthentication),
        "rekeylimit": Keyword { (options, value) throws(OptionFault) in try setRekeyLimit(&options, value) },
        "requiredrsasize": number(\.requiredRSASize, 0...),
        "revokedhostkeys": Keyword { (options, value) throws(OptionFault) in
            options.revokedHostKeysFiles = paths(value, options)
        },
        "serveralivecountmax": number(\.serverAliveCountMax, 1...),
        "serveraliveinterval": Keyword { (options, value) throws(OptionFault) in
            options.serverAliveInterval = try seconds(value)
        },
        "stricthostkeychecking": Keyword { (options, value) throws(OptionFault) in
            let values: [String: HostKeyChecking] = [
                "yes": .yes, "true": .yes, "no": .no, "false": .no, "off": .no, "ask": .ask, "accept-new": .acceptNew,
            ]
            guard let checking = values[value.lowercased()] else { throw unsupported(value) }
            options.strictHostKeyChecking = checking
        },
        "tcpkeepalive": flag(\.tcpKeepAlive),
        "updatehostkeys": Keyword { (options, value) throws(OptionFault) in
            let values: [String: UpdateHostKeys] = [
                "yes": .yes, "true": .yes, "no": .no, "false": .no, "ask": .ask,
            ]
            guard let update = values[value.lowercased()] else { throw unsupported(value) }
            options.updateHostKeys = update
        },
        "user": Keyword { (options, value) throws(OptionFault) in options.user = value },
        "userknownhostsfile": Keyword { (options, value) throws(OptionFault) in
            options.userKnownHostsFiles = paths(value, options)
        },
        "verifyhostkeydns": Keyword { (options, value) throws(OptionFault) in
            guard let isOn = ["yes": true, "true": true, "ask": true, "no": false, "false": false][value.lowercased()]
            else { throw unsupported(value) }
            options.verifyHostKeyDNS = isOn
        },
        "visualhostkey": flag(\.visualHostKey),
    ]

    // MARK: Kinds of values

    private static func unsupported(_ value: String) -> OptionFault {
        OptionFault(reason: "unsupported option \"\(value)\"")
    }

    private static func flag(_ path: any WritableKeyPath<ClientOptions, Bool> & Sendable) -> Keyword {
        Keyword { (options, value) throws(OptionFault) in
            switch value.lowercased() {
            case "yes", "true": options[keyPath: path] = true
            case "no", "false": options[keyPath: path] = false
            default: throw unsupported(value)
            }
        }
    }

    private static func number(
        _ path: any WritableKeyPath<ClientOptions, Int> & Sendable, _ range: some RangeExpression<Int> & Sendable
    ) -> Keyword {
        Keyword { (options, value) throws(OptionFault) in
            guard let number = Int(value), range.contains(number) else {
                throw OptionFault(reason: "bad number \"\(value)\"")
            }
            options[keyPath: path] = number
        }
    }

    /// sshd_config(5), TIME FORMATS: `90`, `1m30s`, `2h`.
    static func seconds(_ value: String) throws(OptionFault) -> Int {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800]
        var total = 0
        var rest = value.lowercased()[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.popFirst().map { units[$0] } ?? 1
            guard let number = Int(digits), let unit, number < 1 << 31, total < 1 << 31 else {
                throw OptionFault(reason: "bad time \"\(value)\"")
            }
            total += number * unit
        }
        guard total < 1 << 31 else { throw OptionFault(reason: "bad time \"\(value)\"") }
        return total
    }

    /// A size such as `1G`, then optionally a time (`RekeyLimit`); `default` and `none` leave either as it is.
    private static func setRekeyLimit(_ options: inout ClientOptions, _ value: String) throws(OptionFault) {
        let words = value.split(whereSeparator: { $0 == " " || $0 == "\t" })
        if let size = words.first, size.lowercased() != "default", size.lowercased() != "none" {
            let units: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
            let unit = size.last.flatMap { units[Character($0.lowercased())] }
            guard let number = UInt64(unit == nil ? size : size.dropLast()), number > 0, number < 1 << 32 else {
                throw OptionFault(reason: "bad size \"\(size)\"")
            }
            options.rekeyBytes = number * (unit ?? 1)
        }
        if words.count > 1, words[1].lowercased() != "none" {
            options.rekeySeconds = Int64(try seconds(String(words[1])))
        }
    }

    /// A socket's path, a variable that holds one (`$NAME`), `SSH_AUTH_SOCK` for the usual one, or `none`.
    private static func setAgent(_ options: inout ClientOptions, _ value: String) {
        if value.hasPrefix("$") {
            let name = value.dropFirst().filter { $0 != "{" && $0 != "}" }
            options.agentSocket = LocalAccount.environment(String(name))
        } else if value != "SSH_AUTH_SOCK" {
            options.agentSocket = paths(value, options).first
        }
    }

    /// File names with `~` for the home directory; `none` names no file.
    private static func paths(_ value: String, _ options: ClientOptions) -> [String] {
        if value.lowercased() == "none" { return [] }
        return value.split(whereSeparator: { $0 == " " || $0 == "\t" }).map { path in
            path == "~" || path.hasPrefix("~/") ? options.home + path.dropFirst() : String(path)
        }
    }
}
