import NIOCore
import NIOPosix
import SSHKeys
import SSHNIO
import SSHProtocol
import SSHWire

/// One client before it is let in: what it has tried, and what is still to be done.
struct LoginDoor {
    /// What comes of a request.
    private enum Verdict {
        case accepted(LoginPermissions)
        case refused(String)
        /// The client has an answer that neither lets it in nor counts as a failure.
        case answered
    }

    private let conversation: LoginConversation
    private let transport: Transport
    /// Who asks; nil before the first request.
    private var attempt: LoginAttempt?
    private var hasSoundName = false
    private var steps = LoginSteps([])
    private var permissions = LoginPermissions()
    /// The keys that steps were done with: none is good for two.
    private var usedKeys: Set<PublicKey> = []
    private var keyTexts: [String] = []
    private var failures = 0
    private var requests = 0
    /// The conversation of questions and answers under way, and how many answers it waits for.
    private var questions: (any LoginQuestions)?
    private var awaitedAnswers = 0

    // The request under way.
    private var started = ContinuousClock.now
    private var method = ""
    private var key: String?

    init(conversation: LoginConversation, transport: Transport) {
        self.conversation = conversation
        self.transport = transport
    }

    private var options: LoginConversation.Options { conversation.options }
    private var policy: any LoginPolicy { conversation.policy }

    // MARK: Requests

    /// Judges a request and answers it; returns the log-in that it completed.
    mutating func judge(_ request: AuthenticationAttempt) async throws -> Login? {
        begin(request.proof)
        let attempt = try await admit(request)
        if questions != nil {
            questions = nil
            try await count(failure: "the questions were left unanswered")
        }
        if case .none = request.proof, requests == 1 {
            try await reject()
            return nil
        }
        return try await conclude(try await consider(request.proof, attempt), attempt)
    }

    /// Judges answers; returns the log-in that they completed.
    mutating func judge(_ answers: [ByteBuffer]) async throws -> Login? {
        started = .now
        requests += 1
        guard let attempt, let open = questions else { return nil }
        guard requests <= options.maxRequests else { throw try await end(.tooManyRequests(requests)) }
        questions = nil
        guard answers.count == awaitedAnswers else {
            return try await conclude(
                .refused("\(answers.count) answers to \(awaitedAnswers) questions"), attempt)
        }
        return try await conclude(try await proceed(open, answers.map { LoginSecret(taking: $0) }), attempt)
    }

    private mutating func begin(_ proof: AuthenticationAttempt.Proof) {
        started = .now
        requests += 1
        key = nil
        method =
            switch proof {
            case .none: "none"
            case .publicKeyOffered, .publicKey, .unusableKey: LoginMethod.publicKey.rawValue
            case .password: LoginMethod.password.rawValue
            case .keyboardInteractive: LoginMethod.keyboardInteractive.rawValue
            case .other(let name): Printable.text(name.utf8.prefix(64))
            }
    }

    /// Learns who asks from the first request, and keeps the later ones to it.
    private mutating func admit(_ request: AuthenticationAttempt) async throws -> LoginAttempt {
        guard requests <= options.maxRequests else { throw try await end(.tooManyRequests(requests)) }
        if let attempt {
            guard attempt.user.utf8.elementsEqual(request.user.utf8) else { throw try await end(.userChanged) }
            return attempt
        }
        let attempt = LoginAttempt(user: request.user, address: conversation.address, port: conversation.port)
        self.attempt = attempt
        hasSoundName = UserName.isSound(request.user)
        steps = LoginSteps(
            hasSoundName ? await policy.steps(for: attempt) : LoginMethod.allCases.map { [$0] })
        if let banner = options.banner {
            try await transport.perform { (connection) throws(ConnectionError) in try connection.sendBanner(banner) }
        }
        return attempt
    }

    private mutating func consider(
        _ proof: AuthenticationAttempt.Proof, _ attempt: LoginAttempt
    ) async throws -> Verdict {
        // Whatever becomes of the request, the log names the key.
        if case .publicKeyOffered(let shown) = proof { key = OfferedKey(shown, isProved: false).text }
        if case .publicKey(let signed) = proof { key = OfferedKey(signed.shown, isProved: true).text }
        guard let wanted = LoginMethod(rawValue: method), steps.next.contains(wanted) else {
            return .refused("not a method that may be used now")
        }
        guard hasSoundName else { return .refused("not a user's name") }
        switch proof {
        case .publicKeyOffered(let shown): return try await consider(shown, signed: nil, attempt)
        case .publicKey(let signed): return try await consider(signed.shown, signed: signed, attempt)
        case .unusableKey(let reason): return .refused("\(reason)")
        case .password(let password, let new):
            let secret = LoginSecret(taking: password)
            guard let new else { return try await take(await policy.check(password: secret, of: attempt)) }
            return try await take(await policy.change(password: secret, to: LoginSecret(taking: new), of: attempt))
        case .keyboardInteractive:
            return try await proceed(await policy.keyboardInteractive(for: attempt), [])
        case .none, .other: return .refused("not a method that is known")
        }
    }

    // MARK: Keys

    /// Judges a key by the policy, and verifies what is signed of it only if it would be let in: a stranger cannot have us
    /// compute for a key of his own.
    private mutating func consider(
        _ shown: ShownKey, signed: SignedKey?, _ attempt: LoginAttempt
    ) async throws -> Verdict {
        guard options.signatureAlgorithms.contains(shown.signatureAlgorithm) else {
            return .refused("signatures by \(shown.algorithm) are not taken")
        }
        guard !usedKeys.contains(shown.key) else { return .refused("the key has done an earlier step") }
        switch await policy.check(key: OfferedKey(shown, isProved: false), of: attempt) {
        case .refused(let reason): return .refused(reason)
        case .accepted(_, let presence):
            if presence == .verified, !shown.key.type.isSecurityKey {
                return .refused("its owner is to be verified, which only a security key can do")
            }
        }
        let proved: ShownKey?
        do throws(KeyError) {
            proved = try await Self.verify(shown, signed)
        } catch {
            return .refused("\(error)")
        }
        guard let proved else {
            try await transport.perform { (connection) throws(ConnectionError) in try connection.acknowledge(shown) }
            return .answered
        }
        switch await policy.check(key: OfferedKey(proved, isProved: true), of: attempt) {
        case .refused(let reason): return .refused(reason)
        case .accepted(let permissions, let presence):
            if proved.key.type.isSecurityKey, let fault = Self.fault(proved.securityKey, presence) {
                return .refused(fault)
            }
            usedKeys.insert(proved.key)
            return .accepted(permissions)
        }
    }

    /// Verifies the certificate's signature, and the client's if there is one, on a thread that may take its time.
    ///
    /// - Returns: the key as it is proved; nil where the client signed nothing.
    private static func verify(_ shown: ShownKey, _ signed: SignedKey?) async throws(KeyError) -> ShownKey? {
        let result: Result<ShownKey?, KeyError>? = try? await NIOThreadPool.singleton.runIfActive {
            Result { () throws(KeyError) in
                try shown.certificate?.verifySignature()
                return try signed?.verified()
            }
        }
        // The threads of the process are there as long as it is.
        guard let result else { throw .badSignature(algorithm: shown.algorithm) }
        return try result.get()
    }

    /// What a security key's owner has not done.
    private static func fault(_ flags: SecurityKeyFlags?, _ presence: OwnerPresence) -> String? {
        if presence >= .touched, !(flags?.userWasPresent ?? false) { return "the security key was not touched" }
        if presence >= .verified, !(flags?.userWasVerified ?? false) {
            return "the security key did not verify its owner"
        }
        return nil
    }

    // MARK: Passwords and questions

    private func take(_ verdict: PasswordVerdict) async throws -> Verdict {
        switch verdict {
        case .accepted(let permissions): return .accepted(permissions)
        case .refused(let reason): return .refused(reason)
        case .mustBeChanged(let prompt):
            try await transport.perform { (connection) throws(ConnectionError) in
                try connection.requestPasswordChange(prompt: prompt)
            }
            return .answered
        }
    }

    private mutating func proceed(
        _ open: any LoginQuestions, _ answers: [LoginSecret]
    ) async throws -> Verdict {
        var open = open
        switch await open.next(answers: answers) {
        case .accepted(let permissions): return .accepted(permissions)
        case .refused(let reason): return .refused(reason)
        case .ask(let title, let instruction, let prompts):
            var request = UserAuthInfoRequest()
            request.title = ByteBuffer(string: title)
            request.instruction = ByteBuffer(string: instruction)
            request.prompts = prompts.map { .init(text: ByteBuffer(string: $0.text), echo: $0.echoes) }
            questions = open
            awaitedAnswers = prompts.count
            try await transport.perform { [request] (connection) throws(ConnectionError) in
                try connection.requestInformation(request)
            }
            return .answered
        }
    }

    // MARK: Answers

    private mutating func conclude(_ verdict: Verdict, _ attempt: LoginAttempt) async throws -> Login? {
        switch verdict {
        case .answered:
            return nil
        case .refused(let reason):
            try await count(failure: reason)
            try await pause(attempt)
            try await reject()
            return nil
        case .accepted(let granted):
            guard let both = permissions.joined(with: granted), let done = LoginMethod(rawValue: method) else {
                return try await conclude(.refused("two steps force two different commands"), attempt)
            }
            permissions = both
            if let key { keyTexts.append(key) }
            guard steps.complete(done) else {
                tell(.stepDone)
                try await reject(partialSuccess: true)
                return nil
            }
            try await transport.perform { (connection) throws(ConnectionError) in
                try connection.acceptAuthentication()
            }
            tell(.accepted)
            return Login(
                user: attempt.user, address: attempt.address, port: attempt.port,
                method: steps.done.map(\.rawValue).joined(separator: ","),
                key: keyTexts.isEmpty ? nil : keyTexts.joined(separator: "; "), permissions: permissions)
        }
    }

    /// Counts a failure; the last one ends the connection.
    private mutating func count(failure reason: String) async throws {
        failures += 1
        tell(.failed(reason: Printable.text(reason.utf8.prefix(512))))
        guard failures < options.maxAttempts else {
            if let attempt { try await pause(attempt) }
            throw try await end(.tooManyFailures(failures))
        }
    }

    /// Waits until a failure may be told.
    private func pause(_ attempt: LoginAttempt) async throws {
        var wait = options.failureTime
        let passed = ContinuousClock.now - started
        while wait > .zero, wait < passed { wait *= 2 }
        wait += options.penalty(attempt, failures)
        if wait > .zero { try await Task.sleep(until: started + wait, clock: .continuous) }
    }

    private func reject(partialSuccess: Bool = false) async throws {
        let methods = steps.next.map(\.rawValue)
        try await transport.perform { (connection) throws(ConnectionError) in
            try connection.rejectAuthentication(methods: methods, partialSuccess: partialSuccess)
        }
    }

    /// Sends the client away; returns what is to be thrown.
    private func end(_ error: LoginError) async throws -> LoginError {
        tell(.disconnected(reason: "\(error)"))
        await transport.close(.protocolError, "\(error)")
        return error
    }

    private func tell(_ outcome: LoginEvent.Outcome) {
        conversation.report(
            LoginEvent(
                user: Printable.text((attempt?.user ?? "").utf8.prefix(256)), address: conversation.address,
                port: conversation.port, method: method, key: key, outcome: outcome, failures: failures))
    }
}

extension OfferedKey {
    init(_ shown: ShownKey, isProved: Bool) {
        self.init(key: shown.key, certificate: shown.certificate, isProved: isProved)
    }
}
