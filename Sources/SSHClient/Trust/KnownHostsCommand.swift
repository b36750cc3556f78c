import NIOPosix
import Platform
import SSHConfig
import SSHCrypto
import SSHKeys
import SSHNIO

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
    /// The most that is read of the program's output, in bytes.
    private static let mostOutput = 64 << 20

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
        let command = ChildProcess.Command(program, arguments)
        let result: (bytes: [UInt8], status: ChildProcess.Status)
        do {
            let cancellation = ChildProcess.Cancellation()
            result = try await BlockingCall.run {
                try ChildProcess.output(of: command, limit: Self.mostOutput + 1, cancellation: cancellation)
            } onCancel: {
                cancellation.cancel()
            }
        } catch {
            throw failed(reason, program, "\(error)")
        }
        guard result.bytes.count <= Self.mostOutput else {
            throw failed(reason, program, "it wrote more than \(Self.mostOutput >> 20) MiB")
        }
        guard result.status.isSuccess else {
            throw failed(reason, program, "it failed (status \(result.status.shellCode))")
        }
        return String(decoding: result.bytes, as: UTF8.self)
    }

    private func failed(_ reason: Reason, _ program: String, _ why: String) -> ClientError {
        .hostKeyRejected(.unacceptable, reason: "\(reason.fileName) \(program): \(why)")
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
