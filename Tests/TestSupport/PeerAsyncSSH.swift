import Platform

/// What an AsyncSSH server asks of a client before it lets it in; all steps have to succeed, in their order, and each but
/// the last is answered as a partial success.
package enum AuthenticationStep: Sendable {
    /// One of the client keys of `TestKeys`.
    case publicKey
    case password(String)
    /// The old password is right and has to be changed to this new one.
    case passwordChange(old: String, new: String)
    /// Keyboard-interactive: rounds of questions.
    case questions([QuestionRound])
}

/// One round of keyboard-interactive questions (RFC 4256 section 3.2), which may have none.
package struct QuestionRound: Sendable {
    package struct Question: Sendable {
        package var prompt: String
        package var echo: Bool
        package var answer: String
        package init(_ prompt: String, echo: Bool = false, answer: String) {
            self.prompt = prompt
            self.echo = echo
            self.answer = answer
        }
    }
    package var title: String
    package var instruction: String
    package var questions: [Question]

    package init(title: String = "", instruction: String = "", _ questions: [Question]) {
        self.title = title
        self.instruction = instruction
        self.questions = questions
    }
}

/// Which algorithms an AsyncSSH server has; nil for its own choice.
package struct AsyncSSHAlgorithms: Sendable {
    package var keyExchanges: [String]?
    package var ciphers: [String]?
    package var macs: [String]?
    package var compression: [String]?
    /// What it accepts of a client's keys.
    package var signatures: [String]?

    package init(
        keyExchanges: [String]? = nil, ciphers: [String]? = nil, macs: [String]? = nil, compression: [String]? = nil,
        signatures: [String]? = nil
    ) {
        self.keyExchanges = keyExchanges
        self.ciphers = ciphers
        self.macs = macs
        self.compression = compression
        self.signatures = signatures
    }
}

extension Peer {
    /// Starts a server made with AsyncSSH, the library for Python: it runs commands, `scp -t` and `-f` among them, as the
    /// current user, has an SFTP subsystem, and forwards agents. Any user name will do.
    ///
    /// - Parameters:
    ///   - steps: what a client has to do to be let in.
    ///   - rekeyBytes: new keys after so much data, asked for by the server; nil for its own choice.
    ///   - version: what it says it is; nil for the truth.
    package static func asyncSSH(
        _ address: Loopback = .ipv4, hostKeys: [TestKeyType] = TestKeyType.allCases,
        steps: [AuthenticationStep] = [.publicKey],
        algorithms: AsyncSSHAlgorithms = AsyncSSHAlgorithms(), banner: String = "", rekeyBytes: Int? = nil,
        version: String? = nil
    ) async throws -> Peer {
        let python = try requirePython(with: "asyncssh")
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory("scp-test-asyncssh")
        let script = directory.file("server.py")
        try writeFile(script, text: asyncSSHServer)
        return try await start(address: address, keys: keys, hostKeys: hostKeys, directory: directory) { port in
            let settings: JSON = .object([
                "address": .string("\(address)"),
                "port": .number(port),
                "host_keys": .array(hostKeys.map { .string(keys.hostKey($0)) }),
                "authorized_keys": .string(keys.authorizedKeys),
                "steps": .array(steps.map(\.json)),
                "banner": .string(banner),
                "kex_algs": JSON(algorithms.keyExchanges),
                "encryption_algs": JSON(algorithms.ciphers),
                "mac_algs": JSON(algorithms.macs),
                "compression_algs": JSON(algorithms.compression),
                "signature_algs": JSON(algorithms.signatures),
                "rekey_bytes": rekeyBytes.map(JSON.number) ?? .null,
                "server_version": version.map(JSON.string) ?? .null,
            ])
            try writeFile(directory.file("settings.json"), text: settings.text)
            return ServerCommand(
                program: python, arguments: ["-W", "ignore", script, directory.file("settings.json")],
                readyMark: "asyncssh is listening")
        }
    }
}

extension AuthenticationStep {
    fileprivate var json: JSON {
        switch self {
        case .publicKey:
            .object(["method": .string("publickey")])
        case .password(let password):
            .object(["method": .string("password"), "password": .string(password)])
        case .passwordChange(let old, let new):
            .object(["method": .string("password"), "password": .string(old), "new": .string(new)])
        case .questions(let rounds):
            .object(["method": .string("keyboard-interactive"), "rounds": .array(rounds.map(\.json))])
        }
    }
}

extension QuestionRound {
    fileprivate var json: JSON {
        .object([
            "title": .string(title), "instruction": .string(instruction),
            "questions": .array(
                questions.map { .array([.string($0.prompt), .bool($0.echo), .string($0.answer)]) }),
        ])
    }
}

/// As much of JSON as settings of a server need.
enum JSON: Sendable {
    case null
    case bool(Bool)
    case number(Int)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(_ names: [String]?) { self = names.map { .array($0.map(JSON.string)) } ?? .null }

    var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let value): String(value)
        case .string(let value): "\"" + value.unicodeScalars.map(Self.escape).joined() + "\""
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let values):
            "{" + values.map { "\(JSON.string($0).text):\($1.text)" }.joined(separator: ",") + "}"
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        guard scalar.value < 0x20 || scalar == "\"" || scalar == "\\" else { return String(scalar) }
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
