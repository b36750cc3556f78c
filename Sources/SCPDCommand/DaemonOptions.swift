import CommandOptions
import SSHCrypto
import SSHNIO
import SSHServer
import SSHWire

/// What the command line of scpd asks for.
struct DaemonOptions {
    enum Task: Equatable { case serve, sftp, hashPassword(user: String) }

    /// An address to listen on, its port given with it or by `--port`.
    struct Listen: Equatable {
        var address: String
        var port: Int?
    }

    var task = Task.serve
    var listen: [Listen] = []
    var port = 2222
    /// The directory to be served; nil for the working directory, or for all files with `--sftp`.
    var root: String?
    var userRoot: String?
    var hostKeys: [String] = []
    var hostCertificates: [String] = []
    var authorizedKeys: String?
    var trustedAuthorities: String?
    var revokedKeys: String?
    var passwordFile: String?
    var methods: String?
    var allowsAnyUser = false
    var isReadOnly = false
    var creationMask: UInt16?
    var banner: String?
    var limits = ServerLimits()
    var rekeyBytes: UInt64?
    /// The congestion control of the connections; nil for the system's choice.
    var congestionControl: String?
    var keyExchanges: [String]?
    var ciphers: [String]?
    var macs: [String]?
    var stopSeconds = 30
    var isVerbose = false
    /// Whether the process gives up what it does not need.
    var isConfined = true

    init(_ arguments: [String]) throws(OptionFault) {
        let parsed = try CommandArguments(arguments.map { Array($0.utf8) }, Self.table)
        if let operand = parsed.operands.first {
            throw OptionFault("unexpected argument \(String(decoding: operand, as: UTF8.self))")
        }
        for given in parsed.given { try given.apply(to: &self) }
    }

    static var usage: String {
        """
        usage: scpd [option]...

        Serves files over SSH to scp and sftp clients, and nothing else. Without an
        option it listens on port 2222 of all addresses, lets the user who started it
        in with the keys of ~/.ssh/authorized_keys, and serves the working directory.

        \(table.help)

        The manual has more: man scpd
        """
    }

    static let table = OptionTable<DaemonOptions>([
        .init("What is served", serving), .init("Who is let in", lettingIn), .init("Limits", bounding),
        .init("Other", other),
    ])

    private static let serving: [CommandOption<DaemonOptions>] = [
        .init(
            "listen", value: .init("ADDRESS"),
            help: "listen here: 192.0.2.1, ::1, 192.0.2.1:2022, [::1]:2022; may be repeated"
        ) {
            (options, value) throws(OptionFault) in options.listen.append(try Listen(value))
        },
        .init("port", value: .init("PORT"), help: "the port of addresses given without one (2222); 0 for any free one")
        {
            (options, value) throws(OptionFault) in options.port = try number(value, 0...65535)
        },
        .init(
            "root", value: .init("DIR", .directory),
            help: "serve this directory (the working directory); `/` for the whole machine"
        ) {
            (options, value) throws(OptionFault) in options.root = value
        },
        .init(
            "user-root", value: .init("PATH"),
            help: "serve each user a directory of his own: %u is the user's name, "
                + "relative to --root"
        ) {
            (options, value) throws(OptionFault) in options.userRoot = value
        },
        .init("read-only", help: "let nobody change anything") {
            (options, _) throws(OptionFault) in options.isReadOnly = true
        },
        .init(
            "umask", value: .init("MODE"), help: "permission bits that new files do not get, in octal (the process's)"
        ) {
            (options, value) throws(OptionFault) in
            guard let mask = UInt16(value, radix: 8), mask <= 0o777 else { throw OptionFault("not an octal mode") }
            options.creationMask = mask
        },
    ]

    private static let lettingIn: [CommandOption<DaemonOptions>] = [
        .init(
            "host-key", value: .init("FILE", .file),
            help: "a private key of this server; may be repeated. Without one a key is "
                + "made on first start, and kept"
        ) {
            (options, value) throws(OptionFault) in options.hostKeys.append(value)
        },
        .init("host-certificate", value: .init("FILE", .file), help: "a certificate of a host key; may be repeated") {
            (options, value) throws(OptionFault) in options.hostCertificates.append(value)
        },
        .init(
            "authorized-keys", value: .init("FILE", .file),
            help: "the keys of those who are let in (~/.ssh/authorized_keys); %u is the "
                + "user's name"
        ) {
            (options, value) throws(OptionFault) in options.authorizedKeys = value
        },
        .init("trusted-user-ca-keys", value: .init("FILE", .file), help: "authorities whose certificates let users in")
        {
            (options, value) throws(OptionFault) in options.trustedAuthorities = value
        },
        .init(
            "revoked-keys", value: .init("FILE", .file),
            help: "keys and certificates that let nobody in: a list or a KRL"
        ) {
            (options, value) throws(OptionFault) in options.revokedKeys = value
        },
        .init(
            "password-file", value: .init("FILE", .file),
            help: "users and the hashes of their passwords, see --hash-password"
        ) {
            (options, value) throws(OptionFault) in options.passwordFile = value
        },
        .init(
            "methods", value: .init("LIST"),
            help: "what a user has to pass, such as publickey,password; alternatives "
                + "with spaces between"
        ) {
            (options, value) throws(OptionFault) in options.methods = value
        },
        .init("any-user", help: "take any user name together with a key of --authorized-keys") {
            (options, _) throws(OptionFault) in options.allowsAnyUser = true
        },
        .init("banner", value: .init("FILE", .file), help: "a text shown before log-in") {
            (options, value) throws(OptionFault) in options.banner = value
        },
    ]

    private static let bounding: [CommandOption<DaemonOptions>] = [
        .init("max-connections", value: .init("NUMBER"), help: "connections at a time (1000)") {
            (options, value) throws(OptionFault) in options.limits.connections = try number(value, 1...1_000_000)
        },
        .init(
            "max-startups", value: .init("BEGIN:PERCENT:FULL"),
            help: "connections before log-in: from BEGIN on PERCENT of new ones are "
                + "refused, all at FULL (10:30:100)"
        ) {
            (options, value) throws(OptionFault) in options.limits.startups = try startups(value)
        },
        .init("login-grace", value: .init("SECONDS"), help: "how long logging in may take (120)") {
            (options, value) throws(OptionFault) in options.limits.loginGrace = try number(value, 1...86400)
        },
        .init("max-auth-tries", value: .init("NUMBER"), help: "failed attempts on a connection (6)") {
            (options, value) throws(OptionFault) in options.limits.authenticationAttempts = try number(value, 1...1000)
        },
        .init("max-sessions", value: .init("NUMBER"), help: "channels of a connection at a time (16)") {
            (options, value) throws(OptionFault) in options.limits.sessionsPerConnection = try number(value, 1...10_000)
        },
        .init("idle-timeout", value: .init("SECONDS"), help: "end connections that carry nothing for so long (never)") {
            (options, value) throws(OptionFault) in options.limits.idleSeconds = try number(value, 1...31_536_000)
        },
        .init("keepalive", value: .init("SECONDS"), help: "ask a silent client whether it is there; 0 for never (60)") {
            (options, value) throws(OptionFault) in options.limits.keepAliveInterval = try number(value, 0...86400)
        },
        .init(
            "congestion", value: .init("NAME"),
            help: "control congestion in this way where the system allows it, such as bbr"
        ) {
            (options, value) throws(OptionFault) in
            guard CongestionControl(value) != nil else { throw OptionFault("a name such as bbr is wanted") }
            options.congestionControl = value
        },
        .init("no-penalties", help: "do not refuse addresses for a while after failed log-ins") {
            (options, _) throws(OptionFault) in options.limits.penalizesFailures = false
        },
        .init("stop-timeout", value: .init("SECONDS"), help: "how long transfers may go on after SIGTERM (30)") {
            (options, value) throws(OptionFault) in options.stopSeconds = try number(value, 0...86400)
        },
        .init(
            "rekey-limit", value: .init("BYTES"),
            help: "new keys after so many bytes, with K, M or G (the cipher's own limit)"
        ) {
            (options, value) throws(OptionFault) in options.rekeyBytes = try size(value)
        },
        .init(
            "kex-algorithms", value: .init("LIST", .list(KeyExchangeAlgorithm.all.map(\.name))),
            help: "key exchange methods, best first"
        ) {
            (options, value) throws(OptionFault) in options.keyExchanges = list(value)
        },
        .init("ciphers", value: .init("LIST", .list(CipherAlgorithm.all.map(\.name))), help: "ciphers, best first") {
            (options, value) throws(OptionFault) in options.ciphers = list(value)
        },
        .init(
            "macs", value: .init("LIST", .list(MACAlgorithm.all.map(\.name))),
            help: "message authentication codes, best first"
        ) {
            (options, value) throws(OptionFault) in options.macs = list(value)
        },
    ]

    private static let other: [CommandOption<DaemonOptions>] = [
        .init("no-confinement", help: "keep rights that serving does not need (Linux: Landlock)") {
            (options, _) throws(OptionFault) in options.isConfined = false
        },
        .init("verbose", help: "log the steps of each connection too") {
            (options, _) throws(OptionFault) in options.isVerbose = true
        },
        .init(
            "sftp", help: "serve one SFTP session on standard input and output, as sftp-server does"
        ) {
            (options, _) throws(OptionFault) in options.task = .sftp
        },
        .init(
            "hash-password", value: .init("USER"), help: "read a password and print the user's line for --password-file"
        ) {
            (options, value) throws(OptionFault) in options.task = .hashPassword(user: value)
        },
        .init("version", help: "show the version") { (_, _) throws(OptionFault) in
            throw OptionFault("scpd (swift-scp) \(ProductVersion.text)", .answer)
        },
        .init("help", help: "show this") { (_, _) throws(OptionFault) in throw OptionFault(usage, .answer) },
    ]

    // MARK: Values

    private static func number(_ text: String, _ range: ClosedRange<Int>) throws(OptionFault) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw OptionFault("a number from \(range.lowerBound) to \(range.upperBound) is wanted")
        }
        return number
    }

    private static func startups(_ text: String) throws(OptionFault) -> ServerLimits.Startups {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        if parts.count == 1, parts[0] > 0 { return .init(begin: parts[0], percent: 100, full: parts[0]) }
        guard parts.count == 3, parts[0] > 0, (0...100).contains(parts[1]), parts[2] >= parts[0] else {
            throw OptionFault("a number, or begin:percent:full, is wanted")
        }
        return .init(begin: parts[0], percent: parts[1], full: parts[2])
    }

    private static func size(_ text: String) throws(OptionFault) -> UInt64 {
        let shift = ["K": 10, "M": 20, "G": 30][text.suffix(1).uppercased()]
        guard let number = UInt64(shift == nil ? text[...] : text.dropLast()), number > 0, number <= 1 << 30 else {
            throw OptionFault("a number of bytes is wanted")
        }
        let bytes = number << UInt64(shift ?? 0)
        guard bytes >= 16 else { throw OptionFault("at least 16 bytes are wanted") }
        return bytes
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
}

extension DaemonOptions.Listen {
    init(_ text: String) throws(OptionFault) {
        let fault = OptionFault("an address is wanted, or [address]:port")
        func port(_ text: Substring) throws(OptionFault) -> Int {
            guard let number = Int(text), (0...65535).contains(number) else { throw fault }
            return number
        }
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw fault }
            address = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw fault }
            self.port = rest.isEmpty ? nil : try port(rest.dropFirst())
        } else if let colon = text.firstIndex(of: ":"), text.lastIndex(of: ":") == colon {
            address = String(text[..<colon])
            self.port = try port(text[text.index(after: colon)...])
        } else {
            address = text
            self.port = nil
        }
        guard !address.isEmpty else { throw fault }
    }
}
