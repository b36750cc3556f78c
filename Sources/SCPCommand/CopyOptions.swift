import FileTransfer
import SSHClient
import SSHConfig

/// What a command line of scp(1) asks for.
struct CopyOptions {
    var recursive = false
    var preserve = false
    var quiet = false
    var verbosity = 0
    /// What is spoken with a server.
    var transferProtocol = TransferProtocol.sftpIfThere
    /// From one remote host to another without this machine between them (`-R`).
    var copiesDirectly = false
    /// Takes whatever names the source sends (`-T`).
    var trustsNames = false
    /// Runs as the remote end: sends (`-f`) or takes (`-t`).
    var serverRole: ServerRole?
    var targetMustBeDirectory = false
    var sources: [Location] = []
    var target = Location.local([])
    /// Paths as typed, for the server roles.
    var serverPaths: [[UInt8]] = []
    /// Shows the options that a host leads to, in place of a copy (`-G`).
    var showsConfiguration = false
    var configurationFiles = ClientConfiguration.Files.usual
    /// The program that makes the connections (`-S`); nil for our own.
    var connectionProgram: String?
    /// The SFTP server that stands for every host (`-D`), started here.
    var sftpServer: String?
    /// What a connection program is given of these options, in the order typed.
    var programArguments: [String] = []
    /// What the streams of all connections carry together, in Kbit/s (`-l`).
    private(set) var bandwidth: Int?
    /// How much is asked of an SFTP server at a time (`-X`).
    private(set) var tuning = SFTPTuning()
    /// Letters that outweigh every `-o`; the last of each counts.
    private var letters: [String: String] = [:]
    /// `-o` settings in the order typed, `-i`, `-B` and `-J` among them.
    private var settings: [Setting] = []
    private(set) var port: Int?
    /// What the options that are this command's alone say.
    private(set) var long = LongOptions()

    /// One of the settings in the order typed.
    private enum Setting {
        /// `-o`: a name and a value, to be parsed.
        case text(String)
        case value(name: String, String)
    }

    enum TransferProtocol {
        /// SFTP; the SCP protocol with a server that plainly has no SFTP.
        case sftpIfThere
        /// `-s`
        case sftp
        /// `-O`
        case scp
    }

    enum ServerRole {
        case source
        case sink
    }

    static let usage = """
        usage: scp [-346ABCOpqRrsTv] [-c cipher] [-D sftp_server_path] [-F ssh_config] [-i identity_file]
                   [-J destination] [-l limit] [-o ssh_option] [-P port] [-S program] [-X sftp_option]
                   [--resume] [--retries number] [--verify] source ... target
               scp [options] -G [user@]host
        """

    /// Why a command line makes no sense.
    enum Fault: Error {
        /// Nothing worth more words than how to call the command.
        case usage
        case message(String)
    }

    /// - Parameter arguments: what follows the command's name.
    /// - Throws: ``Fault``.
    init(_ arguments: [[UInt8]]) throws(Fault) {
        let parsed: CommandArguments
        do {
            parsed = try CommandArguments(
                arguments, flags: "346ABCGOTRdfpqrstv", valued: "DFJPSXcilo", long: LongOptions.names)
        } catch {
            switch error {
            case .unknown(let letter): throw .message("unknown option -- \(letter)\n\(Self.usage)")
            case .valueMissing(let letter): throw .message("option requires an argument -- \(letter)\n\(Self.usage)")
            case .longValueMissing(let name): throw .message("option requires an argument -- \(name)\n\(Self.usage)")
            case .longValueUnwanted(let name): throw .message("option takes no argument -- \(name)\n\(Self.usage)")
            }
        }
        showsConfiguration = parsed.options.contains { $0.letter == "G" }
        for option in parsed.options {
            try apply(option)
            programArguments += Self.programArguments(for: option)
        }
        for option in parsed.longOptions { try long.apply(option) }
        if showsConfiguration {
            guard parsed.operands.count == 1, let host = parsed.operands.first else { throw .usage }
            target = .remote(Self.host(host))
            return
        }
        if serverRole != nil {
            serverPaths = parsed.operands
            guard !serverPaths.isEmpty else { throw .usage }
            return
        }
        guard parsed.operands.count >= 2, let last = parsed.operands.last else { throw .usage }
        sources = parsed.operands.dropLast().map { Location($0) }
        target = Location(last)
        if sources.count > 1 { targetMustBeDirectory = true }
    }

    private mutating func apply(_ option: CommandArguments.Option) throws(Fault) {
        switch option.letter {
        case "r": recursive = true
        case "p": preserve = true
        case "q":
            quiet = true
            letters["LogLevel"] = "QUIET"
        case "v":
            verbosity = min(3, verbosity + 1)
            letters["LogLevel"] = "DEBUG\(verbosity)"
        case "T": trustsNames = true
        case "d": targetMustBeDirectory = true
        case "f": serverRole = .source
        case "t": serverRole = .sink
        case "4": letters["AddressFamily"] = "inet"
        case "6": letters["AddressFamily"] = "inet6"
        case "A": letters["ForwardAgent"] = "yes"
        case "B": settings.append(.value(name: "BatchMode", "yes"))
        case "C": letters["Compression"] = "yes"
        case "c": letters["Ciphers"] = option.value
        case "F": configurationFiles = option.value.lowercased() == "none" ? .none : .only(option.value)
        case "i": settings.append(.value(name: "IdentityFile", option.value))
        case "J": settings.append(.value(name: "ProxyJump", option.value))
        case "o": settings.append(.text(option.value))
        case "P": port = try Self.port(option.value)
        case "O": transferProtocol = .scp
        case "s": transferProtocol = .sftp
        case "S": connectionProgram = option.value
        case "D": sftpServer = option.value
        case "3": copiesDirectly = false
        case "R": copiesDirectly = true
        case "G": break
        case "l":
            guard let limit = Self.number(option.value), (1...100 * 1024 * 1024).contains(limit) else {
                throw .message("bad bandwidth limit \"\(option.value)\"\n\(Self.usage)")
            }
            bandwidth = limit
        case "X": try tune(option.value)
        default:
            throw .message("unknown option -- \(option.letter)\n\(Self.usage)")
        }
    }

    /// `nrequests=` or `buffer=`, within the bounds of OpenSSH.
    private mutating func tune(_ text: String) throws(Fault) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw .message("Invalid -X option \"\(text)\"") }
        switch parts[0] {
        case "buffer":
            guard let size = Self.scaled(parts[1]), (1...256 * 1024).contains(size) else {
                throw .message("Invalid buffer size \"\(parts[1])\"")
            }
            tuning.bufferSize = size
        case "nrequests":
            guard let count = Self.number(parts[1]), (1...256 * 1024).contains(count) else {
                throw .message("Invalid number of requests \"\(parts[1])\"")
            }
            tuning.requests = count
        default: throw .message("Invalid -X option \"\(text)\"")
        }
    }

    /// A decimal number without anything around it.
    static func number(_ text: String) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    /// A number, a fraction perhaps, that K, M or G may follow, as scan_scaled(3) reads it.
    private static func scaled(_ text: String) -> Int? {
        let units: [Character: Int] = ["b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        var digits = text[...]
        var unit = 1
        if let last = digits.last.flatMap({ units[Character($0.lowercased())] }) {
            unit = last
            digits = digits.dropLast()
        }
        let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, !parts[0].isEmpty, let whole = number(parts[0]), whole <= 1 << 30 else { return nil }
        guard parts.count == 2 else { return whole * unit }
        guard (1...9).contains(parts[1].count), let fraction = number(parts[1]) else { return nil }
        let divisor = (0..<parts[1].count).reduce(1) { product, _ in product * 10 }
        return whole * unit + fraction * unit / divisor
    }

    private static func port(_ text: String) throws(Fault) -> Int {
        guard let port = Int(text), (1...65535).contains(port) else { throw .message("bad port \"\(text)\"") }
        return port
    }

    /// The operand of `-G`: a location, or `[user@]host` as ssh takes it.
    private static func host(_ operand: [UInt8]) -> Location.Remote {
        if case .remote(let remote) = Location(operand) { return remote }
        let at = operand.lastIndex(of: UInt8(ascii: "@"))
        return Location.Remote(
            user: at.map { String(decoding: operand[..<$0], as: UTF8.self) },
            host: String(decoding: operand[(at.map { $0 + 1 } ?? 0)...], as: UTF8.self), path: [])
    }
}

// MARK: Options of a connection

extension CopyOptions {
    /// The settings of the command line, in the order in which they count.
    ///
    /// - Throws: `ConfigurationError.option`.
    private func configuration() throws(ConfigurationError) -> ClientConfiguration {
        var configuration = ClientConfiguration(files: configurationFiles)
        for (name, value) in letters.sorted(by: { $0.key < $1.key }) { try configuration.set(name, to: value) }
        // What a copy has no use for, as scp(1) tells ssh.
        for (name, value) in [
            ("PermitLocalCommand", "no"), ("ClearAllForwardings", "yes"), ("RemoteCommand", "none"),
            ("RequestTTY", "no"), ("ControlMaster", "no"),
        ] { try configuration.set(name, to: value) }
        for setting in settings {
            switch setting {
            case .text(let text): try configuration.set(text)
            case .value(let name, let value): try configuration.set(name, to: value)
            }
        }
        // A copy lets nobody use the agent unless its own command line says so.
        try configuration.set("ForwardAgent", to: "no")
        return configuration
    }

    /// The options of a connection to one of the hosts named, and how they came about.
    ///
    /// - Parameter request: what the connection is for.
    /// - Throws: `ConfigurationError`.
    func resolve(
        _ remote: Location.Remote, request: ClientConfiguration.Request = .shell
    ) throws(ConfigurationError) -> ResolvedConfiguration {
        try configuration().resolve(
            remote.host, user: remote.user, port: remote.port ?? port, request: request)
    }

    /// The options of a connection to one of the hosts named.
    ///
    /// - Throws: `ConfigurationError`.
    func client(for remote: Location.Remote) throws(ConfigurationError) -> ClientOptions {
        try resolve(remote).options
    }
}
