extension KeywordTable {
    /// What orders a file, and what is read as it is.
    static let structure: [Row] = [
        Row("Match", nil), Row("Include", nil), Row("RefuseConnection", anyWord),
        Row("ClearAllForwardings", word(flag)),
    ]

    /// What changes nothing here. Values are looked at as far as it is simple, so that a slip is found here as it is by ssh.
    static let ignored: [Row] =
        rows(forwarding, reason: "a copy forwards nothing")
        + rows(session, reason: "a copy has no terminal and no shell")
        + login + rows(formerly, reason: "OpenSSH has given it up")
        + rows(vendors, reason: "only some vendors' ssh has it")

    private static func rows(_ keywords: KeyValuePairs<String, Keyword>, reason: String) -> [Row] {
        keywords.map { Row($0.key, effect: .passedOver(reason), $0.value) }
    }

    private static func rows(_ names: [String], reason: String) -> [Row] {
        names.map { Row($0, effect: .passedOver(reason), .ignored) }
    }

    private static let forwarding: KeyValuePairs<String, Keyword> = [
        "DynamicForward": anyWord, "ExitOnForwardFailure": word(flag), "ForwardX11": word(flag),
        "ForwardX11Timeout": time, "ForwardX11Trusted": word(flag), "GatewayPorts": word(flag),
        "LocalForward": words, "PermitRemoteOpen": words, "RemoteForward": words, "StreamLocalBindMask": anyWord,
        "StreamLocalBindUnlink": word(flag), "Tunnel": word(flag + ["point-to-point", "ethernet"]),
        "TunnelDevice": anyWord, "XAuthLocation": anyWord,
    ]

    private static let session: KeyValuePairs<String, Keyword> = [
        "ChannelTimeout": words, "EnableEscapeCommandline": word(flag), "EscapeChar": anyWord,
        "ForkAfterAuthentication": word(flag), "LocalCommand": command, "LogVerbose": words,
        "ObscureKeystrokeTiming": words, "PermitLocalCommand": word(flag), "RemoteCommand": command,
        "RequestTTY": word(flag + ["force", "auto"]), "SessionType": word(["none", "subsystem", "default"]),
        "StdinNull": word(flag), "SyslogFacility": anyWord,
    ]

    private static let login: [Row] = [
        Row("EnableSSHKeysign", effect: .passedOver(hosts), word(flag)),
        Row("GSSAPIAuthentication", effect: .missedAtLogin(tickets), word(flag)),
        Row("GSSAPIDelegateCredentials", effect: .passedOver(tickets), word(flag)),
        Row("HostbasedAcceptedAlgorithms", effect: .passedOver(hosts), anyWord),
        Row("HostbasedAuthentication", effect: .missedAtLogin(hosts), word(flag)),
        Row(
            "PKCS11Provider",
            effect: .missedAtLogin("keys of tokens are used through an agent (ssh-add -s)"), anyWord),
        Row(
            "SecurityKeyProvider",
            effect: .missedAtLogin("keys of FIDO authenticators are used through an agent (ssh-add)"), anyWord),
    ]

    private static let tickets = "there is no login by Kerberos here"
    private static let hosts = "there is no login by the key of this host"

    private static let formerly = [
        "AFSTokenPassing", "Cipher", "CompressionLevel", "FallBackToRsh", "GlobalKnownHostsFile2",
        "KerberosAuthentication", "KerberosTGTPassing", "Protocol", "RhostsAuthentication", "RhostsRSAAuthentication",
        "RSAAuthentication", "UsePrivilegedPort", "UserKnownHostsFile2", "UseRoaming", "UseRsh",
    ]

    /// What Debian, Red Hat and Apple have added to their ssh.
    private static let vendors = [
        "GSSAPIClientIdentity", "GSSAPIKexAlgorithms", "GSSAPIKeyExchange", "GSSAPIRenewalForcesRekey",
        "GSSAPIServerIdentity", "GSSAPITrustDNS", "ProtocolKeepAlives", "SetupTimeOut", "UseKeychain",
    ]

    // MARK: Values

    private static let flag = ["yes", "no", "true", "false"]

    static let anyWord = Keyword { (_, _) throws(Keyword.Fault) in }
    private static let words = Keyword(words: 1...1024) { (_, _) throws(Keyword.Fault) in }
    private static let command = Keyword.command { (_, _) throws(Keyword.Fault) in }
    private static let time = Keyword { (_, value) throws(Keyword.Fault) in
        if value != "none" { _ = try Keyword.seconds(value) }
    }

    private static func word(_ words: [String]) -> Keyword {
        Keyword { (_, value) throws(Keyword.Fault) in
            guard words.contains(value.lowercased()) else { throw Keyword.unsupported(value) }
        }
    }
}
