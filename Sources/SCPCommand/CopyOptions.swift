import CommandOptions
import CopyEngine
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
    /// What a shell asks for, in place of a copy (`--complete`).
    var completion: Completion.Kind?
    var configurationFiles = ClientConfiguration.Files.usual
    /// The program that makes the connections (`-S`); nil for our own.
    var connectionProgram: String?
    /// The SFTP server that stands for every host (`-D`), started here.
    var sftpServer: String?
    /// What a connection program is given of these options, in the order typed.
    private(set) var programArguments: [String] = []
    /// What an scp on another machine is given of them.
    private(set) var remoteArguments: [String] = []
    /// What the streams of all connections carry together, in bytes a second (`-l`, `--bwlimit`).
    var bandwidth: Int?
    /// How much is asked of an SFTP server at a time (`-X`).
    var tuning = SFTPTuning()
    /// Letters that outweigh every `-o`; the last of each counts.
    var letters: [String: String] = [:]
    /// `-o` settings in the order typed, `-i`, `-B` and `-J` among them.
    var settings: [Setting] = []
    var port: Int?
    /// What is to be told before anything is done.
    private(set) var warnings: [String] = []
    /// What the options that are this command's alone say.
    var long = LongOptions()

    /// One of the settings in the order typed.
    enum Setting {
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

    static var usage: String {
        table.usage("scp", ["source", "...", "target"]) + "\n       scp [options] -G [user@]host"
    }

    /// Why a command line makes no sense.
    enum Fault: Error {
        /// Nothing worth more words than how to call the command.
        case usage
        case message(String)
        /// A value that ssh would end for as well.
        case fatal(String)
        /// Nothing is wrong: this was asked for, on standard output.
        case answer(String)

        init(_ fault: OptionFault) {
            switch fault.kind {
            case .usage: self = .message("\(fault.text)\n\(CopyOptions.usage)")
            case .meaning: self = .message(fault.text)
            case .value: self = .fatal(fault.text)
            case .answer: self = .answer(fault.text)
            }
        }
    }

    /// - Parameter arguments: what follows the command's name.
    /// - Throws: ``Fault``.
    init(_ arguments: [[UInt8]]) throws(Fault) {
        let parsed: CommandArguments<CopyOptions>
        do throws(OptionFault) {
            parsed = try CommandArguments(arguments, Self.table)
            for given in parsed.given {
                try given.apply(to: &self)
                programArguments += given.option.onwardArguments(given.value)
            }
        } catch {
            throw Fault(error)
        }
        if let contradiction = long.contradiction { throw .message(contradiction) }
        let names = parsed.given.map { $0.option.names[0] }
        remoteArguments = Self.table.options.filter { $0.isForRemote && names.contains($0.names[0]) }
            .map { $0.names[0].description }.sorted(by: >)  // -v -r -p, as OpenSSH writes them
        if completion != nil {
            serverPaths = parsed.operands
            return
        }
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

    /// A key file that is not there is left out, so that the usual ones are tried.
    mutating func addIdentity(_ path: String) {
        if let warning = ClientConfiguration.warning(ofIdentity: path) {
            warnings.append(warning)
        } else {
            settings.append(.value(name: "IdentityFile", path))
        }
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

extension CopyOptions {
    /// A copy with all that was wished of it.
    func request(from source: CopySource, to target: CopyTarget) -> CopyRequest {
        var request = CopyRequest(from: source, to: target)
        request.recursive = recursive
        request.preserve = preserve
        request.targetMustBeDirectory = targetMustBeDirectory
        request.trustsNames = trustsNames
        request.isVerbose = verbosity > 0
        request.tuning = tuning
        (request.resume, request.verify) = (long.resume, long.verify)
        (request.filter, request.update) = (long.filter, long.update)
        request.connections = long.connections
        request.writing = long.writing
        request.isDryRun = long.isDryRun
        return request
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
        var options = try resolve(remote).options
        options.congestionControl = long.congestionControl
        return options
    }
}
