import NIOPosix
import SSHCrypto
import SSHKeys
import SSHTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The program that knows hosts too (ssh_config(5), KnownHostsCommand). It is started directly, without a shell.
struct KnownHostsCommand: Sendable {
    /// The program and its arguments, as the user wrote them.
    let template: String
    let options: ClientOptions

    /// What the program is asked for; its `%I`.
    enum Reason: String, Sendable {
        /// Which keys are known, before the server has shown one.
        case order = "ORDER"
        case hostname = "HOSTNAME"
        case address = "ADDRESS"

        /// What stands for a file's name in messages about the program's lines.
        var fileName: String { "\(KnownHostsCommand.label)-\(rawValue)" }
    }

    static let label = "KnownHostsCommand"

    /// Runs the program.
    ///
    /// - Parameters:
    ///   - name: the name or address that is looked up.
    ///   - key: what the server has shown; nil before it has.
    /// - Returns: lines of the form of a known hosts file.
    /// - Throws: `ClientError.badOption` for a command line that makes no sense, `.hostKeyRejected` when the program
    ///   cannot be started or fails.
    func run(
        _ reason: Reason, name: String, key: PublicKey?, certificate: Certificate?
    ) async throws(ClientError) -> String {
        guard let words = Self.words(template) else { throw bad("invalid quotes") }
        guard let program = words.first else { throw bad("no program") }
        guard program.hasPrefix("/") else { throw bad("the path \(program) is not absolute") }
        var arguments: [String] = []
        for word in words.dropFirst() {
            arguments.append(try expand(word) { self.token($0, reason, name, key, certificate) })
        }
        let command = ProgramOutput(program: program, arguments: arguments)
        do {
            let output = try await NIOThreadPool.singleton.runIfActive { try command.collect() }
            return String(decoding: output, as: UTF8.self)
        } catch {
            throw .hostKeyRejected(reason: "\(reason.fileName) \(program): \(error)")
        }
    }

    private func bad(_ reason: String) -> ClientError { .badOption(name: Self.label, reason: reason) }

    /// Splits at blanks; quotes of either kind keep blanks, and a backslash keeps a quote, a backslash or a blank.
    ///
    /// - Returns: nil for a quote without its end.
    static func words(_ text: String) -> [String]? {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var rest = Array(text)[...]
        while let character = rest.first {
            rest = rest.dropFirst()
            if character == "\\", let next = rest.first, "\"'\\".contains(next) || (next == " " && quote == nil) {
                word = (word ?? "") + String(next)
                rest = rest.dropFirst()
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if quote == nil, character == " " || character == "\t" {
                if let whole = word { words.append(whole) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let whole = word { words.append(whole) }
        return quote == nil ? words : nil
    }

    /// Puts in the values of `%x` and `${NAME}`.
    private func expand(_ word: String, _ token: (Character) -> String?) throws(ClientError) -> String {
        var result = ""
        var rest = Array(word)[...]
        while let character = rest.first {
            rest = rest.dropFirst()
            if character == "%" {
                guard let name = rest.first, let value = token(name) else {
                    throw bad("unknown token %\(rest.first.map(String.init) ?? "")")
                }
                rest = rest.dropFirst()
                result += value
            } else if character == "$", rest.first == "{", let end = rest.firstIndex(of: "}") {
                let name = String(rest[..<end].dropFirst())
                guard let value = LocalAccount.environment(name) else { throw bad("no variable ${\(name)}") }
                rest = rest[end...].dropFirst()
                result += value
            } else {
                result.append(character)
            }
        }
        return result
    }

    /// The value of a token (ssh_config(5), TOKENS); nil for one that there is not.
    private func token(
        _ token: Character, _ reason: Reason, _ name: String, _ key: PublicKey?, _ certificate: Certificate?
    ) -> String? {
        switch token {
        case "%": "%"
        case "C": connectionHash
        case "d": options.home
        case "f": key?.fingerprint(options.fingerprintHash) ?? "NONE"
        case "H": name
        case "h": options.host
        case "I": reason.rawValue
        case "i": String(getuid())
        case "j": options.proxyJump.last?.host ?? ""
        case "K": key.map { certificate?.base64 ?? $0.base64 } ?? "NONE"
        case "k": options.hostKeyAlias ?? options.originalHost
        case "L": String(localHost.prefix { $0 != "." })
        case "l": localHost
        case "n": options.originalHost
        case "p": String(options.port)
        case "r": options.user
        case "t": key.map { certificate?.typeName ?? $0.type.name } ?? "NONE"
        case "u": LocalAccount.current.name
        default: nil
        }
    }

    private var localHost: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// SHA-1, in hexadecimal, of `%l%h%p%r%j`.
    private var connectionHash: String {
        let jump = options.proxyJump.last?.host ?? ""
        return HashAlgorithm.sha1.digest(
            Array("\(localHost)\(options.host)\(options.port)\(options.user)\(jump)".utf8)
        )
        .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// A program that is run for what it writes to its standard output.
struct ProgramOutput: Sendable {
    let program: String
    let arguments: [String]

    enum Failure: Error, CustomStringConvertible {
        case cannotStart(CInt)
        case failed(status: CInt)
        case tooLong

        var description: String {
            switch self {
            case .cannotStart(let number): SystemError.text(number)
            case .failed(let status): "it failed (status \(status))"
            case .tooLong: "it wrote more than \(mostOutput >> 20) MiB"
            }
        }
    }

    /// The most that is read of its output, in bytes.
    private static let mostOutput = 64 << 20

    /// Runs it to its end, without input; what it says on standard error goes where ours goes. Blocks.
    ///
    /// - Throws: ``Failure``.
    func collect() throws(Failure) -> [UInt8] {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .cannotStart(errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let started = start(output: ends[1])
        close(ends[1])
        defer { close(ends[0]) }
        guard case .success(let child) = started else {
            if case .failure(let failure) = started { throw failure }
            return []
        }
        let output = read(ends[0])
        var status: CInt = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard output.count <= Self.mostOutput else { throw .tooLong }
        guard status == 0 else { throw .failed(status: status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f) }
        return output
    }

    private func read(_ descriptor: CInt) -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count <= Self.mostOutput {
            let count = TextFile.read(descriptor, &block)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += block[..<count]
        }
        return bytes
    }

    private func start(output: CInt) -> Result<pid_t, Failure> {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        // A copy may run with SIGPIPE ignored; a program expects the defaults.
        var (all, none) = (sigset_t(), sigset_t())
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        var flags = CInt(POSIX_SPAWN_SETSIGDEF) | CInt(POSIX_SPAWN_SETSIGMASK)
        #if canImport(Darwin)
            flags |= CInt(POSIX_SPAWN_CLOEXEC_DEFAULT)
            posix_spawn_file_actions_addinherit_np(&actions, 2)
        #endif
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for pointer in argv { free(pointer) } }
        var child = pid_t()
        let number = posix_spawn(&child, program, &actions, &attributes, &argv, environ)
        return number == 0 ? .success(child) : .failure(.cannotStart(number))
    }
}
