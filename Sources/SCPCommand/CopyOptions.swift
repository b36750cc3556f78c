import FileTransfer
import SSHClient

/// What a command line of scp(1) asks for.
struct CopyOptions {
    var recursive = false
    var preserve = false
    var quiet = false
    var verbosity = 0
    /// What is spoken with a server.
    var transferProtocol = TransferProtocol.sftpIfThere
    /// Takes whatever names the source sends (`-T`).
    var trustsNames = false
    /// Runs as the remote end: sends (`-f`) or takes (`-t`).
    var serverRole: ServerRole?
    var targetMustBeDirectory = false
    var sources: [Location] = []
    var target = Location.local([])
    /// Paths as typed, for the server roles.
    var serverPaths: [[UInt8]] = []
    /// `-o` settings in the order typed, `-4`, `-6`, `-i`, `-P` among them.
    var settings: [(name: String, value: String)] = []

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
        usage: scp [-46BCOpqrTv] [-c cipher] [-i identity_file] [-o ssh_option] [-P port] source ... target
        """

    /// Why a command line makes no sense.
    enum Fault: Error {
        /// Nothing worth more words than how to call the command.
        case usage
        case message(String)
    }

    /// Letters of scp(1) whose work is not there yet; a script that needs them is told so.
    private static let absent: [Character: String] = [
        "A": "agent forwarding", "D": "SFTP over a local server", "F": "configuration files",
        "J": "jump hosts", "l": "bandwidth limits", "R": "direct copies between remote hosts",
        "S": "another connection program", "X": "SFTP options",
    ]

    /// - Parameter arguments: what follows the command's name.
    /// - Throws: ``Fault``.
    init(_ arguments: [[UInt8]]) throws(Fault) {
        let parsed: CommandArguments
        do {
            parsed = try CommandArguments(arguments, flags: "346ABCOTRdfpqrstv", valued: "DFJPSXcilo")
        } catch {
            switch error {
            case .unknown(let letter): throw .message("unknown option -- \(letter)\n\(Self.usage)")
            case .valueMissing(let letter): throw .message("option requires an argument -- \(letter)\n\(Self.usage)")
            }
        }
        for option in parsed.options { try apply(option) }
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
        case "q": quiet = true
        case "v": verbosity = min(3, verbosity + 1)
        case "T": trustsNames = true
        case "d": targetMustBeDirectory = true
        case "f": serverRole = .source
        case "t": serverRole = .sink
        case "4": settings.append(("AddressFamily", "inet"))
        case "6": settings.append(("AddressFamily", "inet6"))
        case "B": settings.append(("BatchMode", "yes"))
        case "P": settings.append(("Port", option.value))
        case "i": settings.append(("IdentityFile", option.value))
        case "c": settings.append(("Ciphers", option.value))
        case "o": settings.append((option.value, ""))
        case "O": transferProtocol = .scp
        case "s": transferProtocol = .sftp
        case "3": break  // through this machine: the only way there is yet
        case "F" where option.value == "none": break  // no configuration file is read
        case "C": settings.append(("Compression", "yes"))
        default:
            let what = Self.absent[option.letter] ?? "this option"
            throw .message("-\(option.letter) is not supported yet: \(what)")
        }
    }

    /// The options of a connection to one of the hosts named.
    ///
    /// - Throws: `ClientError.badOption`.
    func client(for remote: Location.Remote) throws(ClientError) -> ClientOptions {
        var keywords = OptionKeywords(ClientOptions(host: remote.host))
        if let user = remote.user { try keywords.set("User", to: user) }
        for setting in settings {
            if setting.value.isEmpty {
                try keywords.set(setting.name)
            } else {
                try keywords.set(setting.name, to: setting.value)
            }
        }
        var options = keywords.options
        options.verbosity = max(options.verbosity, verbosity)
        return options
    }
}
