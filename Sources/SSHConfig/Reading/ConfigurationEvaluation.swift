import SSHKeys
import SSHWire

/// Reads configuration files for one host: which blocks apply, what they include, what they set.
struct ConfigurationEvaluation<Environment: ConfigurationEnvironment> {
    /// Whose file it is. A user's may name files below the home directory, and is obeyed only if nobody else can write
    /// to it.
    enum Owner {
        case user
        case system

        /// Where included files are that are named without a directory.
        var directory: String { self == .user ? "~/.ssh" : "/etc/ssh" }
    }

    /// A file as it is being read.
    private struct Frame {
        let path: String
        let owner: Owner
        /// How many files include it.
        let depth: Int
        /// Whether the lines now read apply to the host.
        var isActive: Bool
        /// Whether no block of it can apply, since the line that includes it does not.
        let isParsedOnly: Bool
        var faults: [String] = []

        mutating func fault(_ line: ConfigurationLine, _ reason: String) {
            faults.append("\(path) line \(line.number): \(reason)")
        }
    }

    static var deepest: Int { 16 }

    let environment: Environment
    /// The host as typed.
    let originalHost: String
    let request: ClientConfiguration.Request
    var settings: Settings
    /// The name that `Host` lines are compared with: as typed, and in the final pass the canonical one.
    var host: String
    var isFinal = false
    /// Whether a `Match final` asks for a second pass.
    private(set) var wantsFinal = false
    /// What is worth telling with `-v`.
    private(set) var notes: [String] = []

    init(
        environment: Environment, host: String, request: ClientConfiguration.Request, settings: Settings
    ) {
        self.environment = environment
        self.host = host
        originalHost = host
        self.request = request
        self.settings = settings
    }

    // MARK: Files

    /// Reads a file and those it includes.
    ///
    /// - Parameters:
    ///   - isChecked: whether a file that others can write to is refused.
    /// - Returns: why it cannot be read; nil if it was.
    /// - Throws: `ConfigurationError`.
    @discardableResult
    mutating func read(
        _ path: String, owner: Owner, isChecked: Bool
    ) throws(ConfigurationError) -> ConfigurationFileFailure? {
        try read(Frame(path: path, owner: owner, depth: 0, isActive: true, isParsedOnly: false), isChecked: isChecked)
    }

    private mutating func read(
        _ opened: Frame, isChecked: Bool
    ) throws(ConfigurationError) -> ConfigurationFileFailure? {
        var frame = opened
        let bytes: [UInt8]
        do throws(ConfigurationFileFailure) {
            bytes = try environment.read(frame.path, isChecked: isChecked)
        } catch {
            if error == .permissions { throw .permissions(path: frame.path) }
            return error
        }
        notes.append("Reading configuration data \(frame.path)")
        guard !PrivateKey.isIn(bytes) else {
            throw .unreadable(path: frame.path, reason: "it holds a private key, not a configuration")
        }
        for line in ConfigurationFile(path: frame.path, bytes: bytes).lines { try process(line, &frame) }
        guard frame.faults.isEmpty else { throw .file(path: frame.path, faults: frame.faults) }
        return nil
    }

    private mutating func process(_ line: ConfigurationLine, _ frame: inout Frame) throws(ConfigurationError) {
        switch line.keyword {
        case "host": processHost(line, &frame)
        case "match": try processMatch(line, &frame)
        case "include": try processInclude(line, &frame)
        case "refuseconnection" where frame.isActive:
            throw .refused(path: frame.path, line: line.number, reason: line.arguments?.first ?? line.rest)
        default:
            do throws(Keyword.Fault) {
                try settings.take(line, isActive: frame.isActive)
            } catch {
                frame.fault(line, error.reason)
            }
        }
    }

    // MARK: Blocks

    private func processHost(_ line: ConfigurationLine, _ frame: inout Frame) {
        frame.isActive = false
        guard let patterns = line.arguments else { return frame.fault(line, "invalid quotes") }
        guard !patterns.isEmpty else { return frame.fault(line, "no argument after keyword \"host\"") }
        guard !patterns.contains("") else { return frame.fault(line, "keyword host empty argument") }
        guard !frame.isParsedOnly else { return }
        for pattern in patterns {
            let isNegated = pattern.hasPrefix("!")
            guard Wildcard.covers(host, pattern: isNegated ? String(pattern.dropFirst()) : pattern) else { continue }
            frame.isActive = !isNegated
            if isNegated { return }
        }
    }

    private mutating func processMatch(_ line: ConfigurationLine, _ frame: inout Frame) throws(ConfigurationError) {
        guard let words = line.arguments else { return frame.fault(line, "invalid quotes") }
        let (environment, path) = (environment, frame.path)
        let tokens = tokensSoFar
        var criteria = MatchCriteria(
            subject: subject,
            exec: { (command) throws(ConfigurationError) in
                do {
                    return try environment.succeeds(Expansion.matchExec.expand(command, tokens, environment))
                } catch let fault as Expansion.Fault {
                    throw .exec(path: path, line: line.number, reason: fault.reason)
                } catch let failure as ConfigurationCommandFailure {
                    throw .exec(path: path, line: line.number, reason: failure.reason)
                } catch {
                    throw .exec(path: path, line: line.number, reason: "\(error)")
                }
            }, localAddresses: { environment.localAddresses() })
        var isMet = false
        do {
            isMet = try criteria.isMet(by: words)
        } catch let fault as MatchCriteria.Fault {
            frame.fault(line, "Bad Match condition: \(fault.reason)")
        } catch let error as ConfigurationError {
            throw error
        } catch {
            frame.fault(line, "Bad Match condition: \(error)")
        }
        if criteria.wantsFinal { wantsFinal = true }
        frame.isActive = isMet && !frame.isParsedOnly
    }

    private mutating func processInclude(_ line: ConfigurationLine, _ frame: inout Frame) throws(ConfigurationError) {
        guard let words = line.arguments else { return frame.fault(line, "invalid quotes") }
        guard !words.isEmpty else { return frame.fault(line, "no argument after keyword \"include\"") }
        for word in words {
            guard !word.isEmpty else { return frame.fault(line, "keyword include empty argument") }
            var pattern: String
            do throws(Expansion.Fault) {
                pattern = try Expansion.text.expand(word, tokensSoFar, environment)
            } catch {
                frame.fault(line, "Unable to expand user config file '\(word)': \(error.reason)")
                continue
            }
            if frame.owner == .system, pattern.hasPrefix("~") {
                return frame.fault(line, "bad include path \(pattern)")
            }
            if !pattern.hasPrefix("/"), !pattern.hasPrefix("~") { pattern = "\(frame.owner.directory)/\(pattern)" }
            if pattern == "~" || pattern.hasPrefix("~/") { pattern = environment.account.home + pattern.dropFirst() }
            for path in environment.files(matching: pattern) { try include(path, line, &frame) }
        }
    }

    private mutating func include(
        _ path: String, _ line: ConfigurationLine, _ frame: inout Frame
    ) throws(ConfigurationError) {
        guard frame.depth < Self.deepest else { throw .recursion(path: frame.path, line: line.number) }
        let inner = Frame(
            path: path, owner: frame.owner, depth: frame.depth + 1, isActive: frame.isActive,
            isParsedOnly: !frame.isActive)
        if case .other(let reason) = try read(inner, isChecked: true) {
            frame.fault(line, "Can't open user config file \(path): \(reason)")
        }
    }

    // MARK: What is known so far

    private var subject: MatchCriteria.Subject {
        MatchCriteria.Subject(
            host: hostSoFar, originalHost: originalHost, user: settings.value("user") ?? environment.account.name,
            localUser: environment.account.name, tag: settings.value("tag") ?? "", command: request.text,
            sessionType: request.sessionType, isFinal: isFinal)
    }

    private var hostSoFar: String {
        guard !isFinal, let name = settings.value("hostname") else { return host }
        let host = host
        let expanded = try? Expansion.hostName.expand(
            name, token: { $0 == UInt8(ascii: "h") ? host : nil }, variable: { _ in nil }, home: { _ in nil })
        return expanded ?? name
    }

    private var tokensSoFar: ConnectionTokens {
        let host = hostSoFar
        return ConnectionTokens(
            originalHost: originalHost, host: host, port: settings.value("port").flatMap { Int($0) } ?? 22,
            user: settings.value("user") ?? environment.account.name, keyAlias: settings.value("hostkeyalias") ?? host,
            jumpHost: settings.lastJump, localUser: environment.account.name, home: environment.account.home,
            userID: environment.userID, localHost: environment.hostName)
    }
}

extension Settings {
    /// Sets what a line says, or only checks it.
    ///
    /// - Throws: `Keyword.Fault` for an unknown keyword or a value that makes no sense.
    mutating func take(_ line: ConfigurationLine, isActive: Bool, isLiteral: Bool = false) throws(Keyword.Fault) {
        let name = KeywordTable.name(line.keyword)
        guard let keyword = KeywordTable.keyword(name) else {
            if let ignored = value("ignoreunknown"), Wildcard.covers(line.keyword, list: ignored.asciiLowercased) {
                return
            }
            let isName = Printable.isName(line.spelling) || KeywordTable.isMisspelled(line.spelling)
            let shown = isName ? line.spelling : Printable.name(line.spelling)
            throw Keyword.Fault(reason: "Bad configuration option: \(shown)")
        }
        let arguments = try keyword.arguments(of: line)
        // Lines that do not apply are checked all the same.
        var nowhere = ClientOptions(host: "", account: LocalAccount(name: "", home: "")) { _ in nil }
        do throws(Keyword.Fault) {
            try keyword.apply(&nowhere, arguments)
        } catch {
            throw Keyword.Fault(reason: "\(line.spelling): \(error.reason)")
        }
        if isActive {
            add(
                Setting(name: name, arguments: arguments, isLiteral: isLiteral), accumulates: keyword.accumulates)
        }
    }

    /// The jump host nearest to the server; empty where there is none.
    var lastJump: String {
        value("proxyjump").flatMap { try? JumpHost.list($0) }?.last?.host ?? ""
    }
}
