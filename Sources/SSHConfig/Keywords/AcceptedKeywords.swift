/// Keywords that change nothing here: what they speak of is no part of a copy, or not built. Their values are looked at
/// as far as it is simple, so that a slip is found here as it is by ssh.
extension OptionKeywords {
    static let accepted: [String: Keyword] = {
        var table: [String: Keyword] = [:]
        for name in flags { table[name] = word(["yes", "no", "true", "false"]) }
        for (name, words) in choices { table[name] = word(words) }
        for name in times { table[name] = time }
        for name in texts { table[name] = Keyword { (_, _) throws(Keyword.Fault) in } }
        for name in lists { table[name] = Keyword(words: 1...1024) { (_, _) throws(Keyword.Fault) in } }
        for name in commands { table[name] = .command { (_, _) throws(Keyword.Fault) in } }
        for name in deprecated + unsupported + vendors { table[name] = .ignored }
        return table
    }()

    private static let flags = [
        "clearallforwardings", "enableescapecommandline", "enablesshkeysign", "exitonforwardfailure",
        "forkafterauthentication", "forwardx11", "forwardx11trusted", "gatewayports", "gssapiauthentication",
        "gssapidelegatecredentials", "hostbasedauthentication",
        "permitlocalcommand", "stdinnull", "streamlocalbindunlink",
    ]

    private static let choices: [String: [String]] = [
        "requesttty": ["yes", "no", "true", "false", "force", "auto"],
        "sessiontype": ["none", "subsystem", "default"],
        "tunnel": ["yes", "no", "true", "false", "point-to-point", "ethernet"],
        "warnweakcrypto": ["yes", "no", "true", "false", "no-pq-kex"],
    ]

    private static let times = ["forwardx11timeout"]

    private static let texts = [
        "escapechar", "ignoreunknown", "kbdinteractivedevices", "pkcs11provider",
        "refuseconnection", "securitykeyprovider", "streamlocalbindmask", "syslogfacility", "tag", "tunneldevice",
        "xauthlocation", "hostbasedacceptedalgorithms", "dynamicforward",
    ]

    private static let lists = [
        "channeltimeout", "localforward", "logverbose", "obscurekeystroketiming",
        "permitremoteopen", "remoteforward",
    ]

    private static let commands = ["localcommand", "remotecommand", "versionaddendum"]

    private static let deprecated = [
        "cipher", "fallbacktorsh", "globalknownhostsfile2", "protocol", "rhostsauthentication", "useprivilegedport",
        "userknownhostsfile2", "useroaming", "usersh",
    ]

    private static let unsupported = [
        "afstokenpassing", "compressionlevel", "kerberosauthentication", "kerberostgtpassing",
        "rhostsrsaauthentication", "rsaauthentication",
    ]

    /// What Debian, Red Hat and Apple have added to their ssh.
    private static let vendors = [
        "gssapiclientidentity", "gssapikexalgorithms", "gssapikeyexchange", "gssapirenewalforcesrekey",
        "gssapiserveridentity", "gssapitrustdns", "protocolkeepalives", "setuptimeout", "usekeychain",
    ]

    private static func word(_ words: [String]) -> Keyword {
        Keyword { (_, value) throws(Keyword.Fault) in
            guard words.contains(value.lowercased()) else { throw Keyword.unsupported(value) }
        }
    }

    private static let time = Keyword { (_, value) throws(Keyword.Fault) in
        if value != "none" { _ = try Keyword.seconds(value) }
    }
}
