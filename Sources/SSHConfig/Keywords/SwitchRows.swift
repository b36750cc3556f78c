import SSHKeys

extension KeywordTable {
    /// The host, and what is switched or chosen from a few words.
    static let switches: [Row] = [
        Row("Host", nil, shown: Shown { [$0.options.originalHost] }),
        Row(
            "User", Keyword(expansion: .user) { (options, value) throws(OptionFault) in options.user = value },
            shown: Shown { [$0.options.user] }),
        Row(
            "HostName", Keyword(expansion: .hostName) { (options, value) throws(OptionFault) in options.host = value },
            shown: Shown { [$0.options.host] }),
        Row(
            "Port", Keyword { (options, value) throws(OptionFault) in options.port = try ServicePort.number(value) },
            shown: Shown(\.port)),
        Row(
            "AddressFamily", .choice(\.addressFamily, ["any": .any, "inet": .inet, "inet6": .inet6]),
            shown: Shown { [$0.options.addressFamily.rawValue] }),
        Row("BatchMode", .flag(\.batchMode), shown: Shown(\.batchMode)),
        Row(
            "CanonicalizeFallbackLocal", .flag(\.canonicalization.fallsBackLocally),
            shown: Shown(\.canonicalization.fallsBackLocally)),
        Row(
            "CanonicalizeHostname",
            .choice(
                \.canonicalization.mode, ["yes": .yes, "true": .yes, "no": .no, "false": .no, "always": .always]),
            shown: Shown { resolved in
                switch resolved.options.canonicalization.mode {
                case .no: ["false"]
                case .yes: ["true"]
                case .always: ["always"]
                }
            }),
        Row("CheckHostIP", .flag(\.checkHostIP), shown: Shown(\.checkHostIP)),
        Row("Compression", .flag(\.compression), shown: Shown(\.compression)),
        Row(
            "ControlMaster", effect: .passedOver("scp is never a master; `-G` shows it"),
            .choice(
                \.controlMaster,
                ["yes": .yes, "true": .yes, "no": .no, "false": .no, "ask": .ask, "auto": .auto, "autoask": .autoAsk]),
            shown: Shown { resolved in
                switch resolved.options.controlMaster {
                case .no: ["false"]
                case .yes: ["true"]
                case .ask: ["ask"]
                case .auto: ["auto"]
                case .autoAsk: ["autoask"]
                }
            }),
        Row(
            "FingerprintHash", .choice(\.fingerprintHash, ["sha256": .sha256, "md5": .md5]),
            shown: Shown { [$0.options.fingerprintHash.rawValue.uppercased()] }),
        Row("HashKnownHosts", .flag(\.hashKnownHosts), shown: Shown(\.hashKnownHosts)),
        Row("IdentitiesOnly", .flag(\.identitiesOnly), shown: Shown(\.identitiesOnly)),
        Row(
            "KbdInteractiveAuthentication", .flag(\.keyboardInteractiveAuthentication),
            shown: Shown(\.keyboardInteractiveAuthentication)),
        Row(
            "NoHostAuthenticationForLocalhost", .flag(\.noHostAuthenticationForLocalhost),
            shown: Shown(\.noHostAuthenticationForLocalhost)),
        Row("PasswordAuthentication", .flag(\.passwordAuthentication), shown: Shown(\.passwordAuthentication)),
        Row(
            "PubkeyAuthentication",
            .choice(
                \.publicKeyAuthentication,
                ["yes": true, "true": true, "unbound": true, "host-bound": true, "no": false, "false": false]),
            shown: Shown { resolved in
                switch resolved.raw.value("pubkeyauthentication")?.lowercased() {
                case "unbound": ["unbound"]
                case "host-bound": ["host-bound"]
                default: [resolved.options.publicKeyAuthentication ? "true" : "false"]
                }
            }),
        Row(
            "StrictHostKeyChecking",
            .choice(
                \.strictHostKeyChecking,
                ["yes": .yes, "true": .yes, "no": .no, "false": .no, "off": .no, "ask": .ask, "accept-new": .acceptNew]),
            shown: Shown { resolved in
                switch resolved.options.strictHostKeyChecking {
                case .yes: ["true"]
                case .no: ["false"]
                case .ask: ["ask"]
                case .acceptNew: ["accept-new"]
                }
            }),
        Row("TCPKeepAlive", .flag(\.tcpKeepAlive), shown: Shown(\.tcpKeepAlive)),
        Row(
            "VerifyHostKeyDNS",
            effect: .passedOver(
                "nothing is looked up in DNS; with yes or ask, `UpdateHostKeys` is off by default, as in ssh"),
            .choice(
                \.verifyHostKeyDNS, ["yes": true, "true": true, "ask": true, "no": false, "false": false]),
            shown: Shown { resolved in
                let isAsking = resolved.raw.value("verifyhostkeydns")?.lowercased() == "ask"
                return [isAsking ? "ask" : resolved.options.verifyHostKeyDNS ? "true" : "false"]
            }),
        Row("VisualHostKey", .flag(\.visualHostKey), shown: Shown(\.visualHostKey)),
        Row(
            "UpdateHostKeys",
            .choice(
                \.updateHostKeys, ["yes": .yes, "true": .yes, "no": .no, "false": .no, "ask": .ask]),
            shown: Shown { resolved in
                switch resolved.options.updateHostKeys {
                case .yes: ["true"]
                case .no: ["false"]
                case .ask: ["ask"]
                case nil: [resolved.options.learnsHostKeys ? "true" : "false"]
                }
            }),
        Row(
            "WarnWeakCrypto",
            .choice(
                \.warnsOfWeakCrypto, ["yes": true, "true": true, "no": false, "false": false, "no-pq-kex": false]),
            shown: Shown { [$0.options.warnsOfWeakCrypto ? "true" : "false"] }),
    ]
}
