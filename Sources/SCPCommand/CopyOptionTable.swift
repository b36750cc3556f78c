import CommandOptions
import CopyEngine
import Files
import RemoteHosts
import SSHConfig
import SSHNIO
import SSHWire

extension CopyOptions {
    /// The options of scp, one row each.
    static let table = OptionTable<CopyOptions>([
        .init("Copying", copying), .init("Choosing files", choosing), .init("Connecting", connecting),
        .init("Servers and protocols", serving), .init("Information", information),
        .init("For the other end of a copy", roles),
    ])

    private static let copying: [CommandOption<CopyOptions>] = [
        .init(
            "r", help: "copy directories with all that is in them; symbolic links are followed",
            synonyms: ["recursive"], isForRemote: true
        ) { (options, _) in options.recursive = true },
        .init(
            "p", help: "keep modes and times of modification and access", synonyms: ["preserve", "times", "perms"],
            isForRemote: true
        ) { (options, _) in options.preserve = true },
        .init(
            "l", value: .init("limit"), help: "transfer at most so many Kbit a second, all files together",
            synonyms: ["limit"]
        ) { (options, value) throws(OptionFault) in
            guard let limit = number(value), (1...100 * 1024 * 1024).contains(limit) else {
                throw OptionFault("bad bandwidth limit \"\(value)\"")
            }
            // Units of 1,024 bits.
            options.bandwidth = limit * 128
        },
        .init(
            "bwlimit", value: .init("RATE"), help: "the same in bytes a second; 500K, 1.5M, 1G are understood",
            synonyms: ["limit-rate", "rate"]
        ) { (options, value) throws(OptionFault) in
            guard let rate = scaled(value), rate > 0 else {
                throw OptionFault("a rate such as 65536, 500K, 1.5M or 1G is wanted", .meaning)
            }
            options.bandwidth = rate
        },
        .init(
            "T", help: "take the names that a server sends, whatever was asked for",
            manual: """
                Takes whatever names a server sends.
                Without it, a name that does not match what was asked for ends the copy: a server could otherwise write
                files that nobody wanted.
                It is of use where the server's shell expands patterns in ways that are not known here.
                """
        ) { (options, _) in options.trustsNames = true },
        .init(
            "resume", help: "after an interrupted copy: copy what is missing, compare the rest", synonyms: ["continue"]
        ) { (options, _) in options.long.resume = true },
        .init(
            "atomic", help: "give a file its name when it is whole, so that nobody sees half of it",
            manual: """
                Writes a file under a name of its own beside the one it is to have, and renames it when it is whole.
                What was there before stays until then, and is replaced as a whole: a link by a file, and its mode by
                that of the source.
                What a copy that was ended has left is used by
                .Fl Fl resume .
                """, synonyms: ["safe", "temp"]
        ) { (options, _) in options.long.writing.isAtomic = true },
        .init("fsync", help: "have every file on the target's disk before it is done", synonyms: ["sync-files"]) {
            (options, _) in options.long.writing.synchronizes = true
        },
        .init("verify", help: "compare SHA-256 hashes at both ends once a file is copied", synonyms: ["checksum"]) {
            (options, _) in options.long.verify = true
        },
        .init(
            "retries", value: .init("NUMBER"),
            help: "how often in a row a lost connection is made again to no avail "
                + "(\(RetryPolicy.usual.retries))",
            synonyms: ["retry"]
        ) { (options, value) throws(OptionFault) in
            guard let count = number(value), (0...1_000_000).contains(count) else {
                throw OptionFault("a number from 0 to 1000000 is wanted")
            }
            options.long.retries = count
        },
    ]

    private static let connecting: [CommandOption<CopyOptions>] = [
        .init(
            "P", value: .init("port"), help: "connect to this port; 22 where nothing else is configured",
            synonyms: ["port"]
        ) { (options, value) throws(OptionFault) in
            guard let port = ServicePort.find(value) else {
                throw OptionFault("bad port \"\(value)\"", .value)
            }
            options.port = port
        },
        .init(
            "i", value: .init("identity_file", .file),
            help: "log in with the private key in this file; may be repeated", synonyms: ["identity", "key"],
            onward: .same
        ) { (options, value) in options.addIdentity(value) },
        .init(
            "o", value: .init("ssh_option", .setting), help: "set an option of ssh_config, Name=value; may be repeated",
            onward: .same
        ) { (options, value) in
            // ssh takes an empty one, and does nothing.
            if !value.allSatisfy(\.isWhitespace) { options.settings.append(.text(value)) }
        },
        .init(
            "F", value: .init("ssh_config", .file), help: "read this configuration and no other; none for none at all",
            synonyms: ["config"], onward: .same
        ) { (options, value) in
            options.configurationFiles = value.lowercased() == "none" ? .none : .only(value)
        },
        .init(
            "J", value: .init("destination", .host), help: "go through this host, or these, with commas between",
            synonyms: ["jump", "proxy-jump"], onward: .same
        ) { (options, value) in options.settings.append(.value(name: "ProxyJump", value)) },
        .init("4", help: "use IPv4 addresses only", synonyms: ["ipv4", "inet4-only"], onward: .same) {
            (options, _) in options.letters["AddressFamily"] = "inet"
        },
        .init("6", help: "use IPv6 addresses only", synonyms: ["ipv6", "inet6-only"], onward: .same) {
            (options, _) in options.letters["AddressFamily"] = "inet6"
        },
        .init("A", help: "let the server use the agent (ssh-agent) during the copy", onward: .same) {
            (options, _) in options.letters["ForwardAgent"] = "yes"
        },
        .init(
            "B", help: "ask nothing: fail where a question would come up", synonyms: ["batch"],
            onward: .instead(["-oBatchMode=yes"])
        ) { (options, _) in options.settings.append(.value(name: "BatchMode", "yes")) },
        .init("C", help: "compress what goes over the connection", synonyms: ["compress"], onward: .same) {
            (options, _) in options.letters["Compression"] = "yes"
        },
        .init(
            "c", value: .init("cipher", .list(AlgorithmQuery.names("cipher") ?? [])),
            help: "encrypt with this cipher, or the first of these that the server has", synonyms: ["cipher"],
            onward: .same
        ) { (options, value) in options.letters["Ciphers"] = value },
        .init(
            "connections", value: .init("N", .words(["auto", "1", "2", "4", "8"])),
            help: "use so many connections to a server; auto: as many as help",
            manual: """
                Uses N connections, up to 64, to each server that is spoken to by SFTP, if there is work for them.
                With auto, the default, there is one, and up to 4 where the server is 5 ms away or more, some seconds of work
                are left and each doubling makes the copy faster.
                Nobody is asked for a password or a passphrase for a further connection; a server that refuses it is
                copied from with those there are. 1 turns them off.
                """
        ) { (options, value) throws(OptionFault) in
            if value == "auto" { return options.long.connections = .auto }
            guard let count = Int(value), (1...64).contains(count) else {
                throw OptionFault("auto or 1 to 64 is wanted")
            }
            options.long.connections = .exactly(count)
        },
        .init(
            "congestion", value: .init("NAME"),
            help: "control congestion in this way where the system allows it, such as bbr",
            manual: """
                Has the system control congestion on the connections to servers by the method NAME, such as bbr, which loss
                slows down less than cubic, instead of its usual one.
                Linux lists what there is in /proc/sys/net/ipv4/tcp_available_congestion_control.
                Uploads gain; what a server sends is under its own system's control.
                Where it cannot be set a line says so, and the copy goes on without.
                """
        ) { (options, value) throws(OptionFault) in
            guard CongestionControl(value) != nil else { throw OptionFault("a name such as bbr is wanted") }
            options.long.congestionControl = value
        },
        .init(
            "S", value: .init("program", .program), help: "have this program make the connections, as ssh does",
            synonyms: ["rsh"]
        ) { (options, value) in options.connectionProgram = value },
        .init("2", help: "of no effect: protocol 2 is the only one", isHidden: true) { (_, _) in },
        .init("1", help: "protocol 1, which is no more", isHidden: true) { (_, _) throws(OptionFault) in
            throw OptionFault("SSH protocol v.1 is no longer supported", .value)
        },
    ]

    private static let serving: [CommandOption<CopyOptions>] = [
        .init("3", help: "between two servers: copy through this machine, which is the default") {
            (options, _) in options.copiesDirectly = false
        },
        .init("R", help: "between two servers: have the first one copy to the second") {
            (options, _) in options.copiesDirectly = true
        },
        .init("O", help: "copy by the SCP protocol in place of SFTP") { (options, _) in options.transferProtocol = .scp
        },
        .init("s", help: "copy by SFTP, and not by the SCP protocol where there is no SFTP") {
            (options, _) in options.transferProtocol = .sftp
        },
        .init(
            "D", value: .init("sftp_server_path", .program), help: "start this SFTP server here in place of connecting"
        ) { (options, value) in options.sftpServer = value },
        .init(
            "X", value: .init("sftp_option", .words(["nrequests=", "buffer="])),
            help: "nrequests=N: ask for so much at a time; buffer=BYTES: in pieces of this size"
        ) { (options, value) throws(OptionFault) in try options.tune(value) },
    ]

    private static let information: [CommandOption<CopyOptions>] = [
        .init(
            "json", help: "tell what happens on standard output, a line of JSON each, for programs",
            manual: """
                Writes what happens to standard output, one JSON object on a line each: start, progress, retry, verified,
                finished, error with a code that stays the same, and a summary at the end.
                docs/events.md has an example of each, docs/events.schema.json their shape.
                What a person is told still goes to standard error.
                """
        ) { (options, _) in options.long.json = true },
        .init(
            "stats", help: "tell at the end what was copied, skipped and left out, and how fast",
            manual: """
                Tells at the end, in one line on standard error, how many files and bytes were copied and how fast, how many files
                were skipped, left out and verified, and what went wrong.
                """,
            synonyms: ["statistics", "summary"]
        ) { (options, _) in options.long.showsStatistics = true },
        .init("log", value: .init("FILE", .file), help: "add a line for each thing that happens to FILE") {
            (options, value) in options.long.log = BytePath(value)
        },
        .init(
            "v", help: "tell the steps; -vv more of them, -vvv every packet", synonyms: ["verbose", "debug"],
            onward: .same, isForRemote: true
        ) { (options, _) in
            options.verbosity = min(3, options.verbosity + 1)
            options.letters["LogLevel"] = "DEBUG\(options.verbosity)"
        },
        .init(
            "q", help: "show neither progress nor warnings", synonyms: ["quiet", "silent", "no-progress"],
            onward: .same
        ) { (options, _) in
            options.quiet = true
            options.letters["LogLevel"] = "QUIET"
        },
        .init("G", help: "show the configuration that a host leads to, and copy nothing") {
            (options, _) in options.showsConfiguration = true
        },
        .init(
            "Q", value: .init("query", .words(AlgorithmQuery.queries)),
            help: "list what there is of cipher, kex, mac, key, key-sig and others; help lists the queries",
            synonyms: ["query"]
        ) { (_, value) throws(OptionFault) in
            guard let names = AlgorithmQuery.names(value) else {
                throw OptionFault("Unsupported query \(Printable.name(value))", .value)
            }
            throw OptionFault(names.joined(separator: "\n"), .answer)
        },
        .init("V", "version", help: "show the version") { (_, _) throws(OptionFault) in
            throw OptionFault("scp (swift-scp) \(ProductVersion.text)", .answer)
        },
        .init("help", help: "show this") { (_, _) throws(OptionFault) in throw OptionFault(helpText, .answer) },
    ]

    private static let roles: [CommandOption<CopyOptions>] = [
        .init("d", help: "the target must be a directory", isHidden: true) {
            (options, _) in options.targetMustBeDirectory = true
        },
        .init("f", help: "send files on standard output", isHidden: true) {
            (options, _) in options.serverRole = .source
        },
        .init("complete", value: .init("KIND"), help: "candidates for a shell's completion", isHidden: true) {
            (options, value) throws(OptionFault) in
            guard let kind = Completion.Kind(rawValue: value) else { throw OptionFault("hosts or paths is wanted") }
            options.completion = kind
        },
        .init("t", help: "take files from standard input", isHidden: true) { (options, _) in options.serverRole = .sink
        },
    ]

    static var helpText: String {
        """
        \(usage)

        Copies files between this machine and others over SSH. A source or the target
        is a path, [user@]host:path or scp://[user@]host[:port]/path.

        \(table.help)

        The manual has more: man scp, https://github.com/swift-scp/swift-scp
        """
    }
}

// MARK: Values

extension CopyOptions {
    /// `nrequests=` or `buffer=`, within the bounds of OpenSSH.
    fileprivate mutating func tune(_ text: String) throws(OptionFault) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw OptionFault("Invalid -X option \"\(text)\"", .value) }
        switch parts[0] {
        case "buffer":
            guard let size = Self.scaled(parts[1]), (1...256 * 1024).contains(size) else {
                throw OptionFault("Invalid buffer size \"\(parts[1])\"", .value)
            }
            tuning.bufferSize = size
        case "nrequests":
            guard let count = Self.number(parts[1]), (1...256 * 1024).contains(count) else {
                throw OptionFault("Invalid number of requests \"\(parts[1])\"", .value)
            }
            tuning.requests = count
        default: throw OptionFault("Invalid -X option \"\(text)\"", .value)
        }
    }

    /// A decimal number without anything around it.
    static func number(_ text: String) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }
}
