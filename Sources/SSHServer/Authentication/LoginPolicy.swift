import SSHKeys

/// Who asks to be let in, and from where.
public struct LoginAttempt: Hashable, Sendable {
    /// The name the client gave: never empty, `.` or `..`, without `/` and control characters, at most 255 bytes.
    public let user: String
    /// The client's address in numbers.
    public let address: String
    public let port: Int

    public init(user: String, address: String, port: Int) {
        self.user = user
        self.address = address
        self.port = port
    }
}

/// The ways of being let in that this server knows, by their names in the protocol.
public enum LoginMethod: String, Hashable, Sendable, CaseIterable {
    /// RFC 4252 section 7.
    case publicKey = "publickey"
    /// RFC 4252 section 8.
    case password
    /// RFC 4256.
    case keyboardInteractive = "keyboard-interactive"
}

/// A key that a client shows, to ask whether it would do or with the proof that it holds it.
public struct OfferedKey: Sendable {
    public let key: PublicKey
    /// What the key is shown in. Its authority's signature is verified once the policy has named that authority's
    /// certificates welcome, as the client's own is; all else of it is the policy's to check.
    public let certificate: Certificate?
    /// Whether the client's signature with it, and the certificate's authority's, have been verified. A key is judged first
    /// without that, as signatures are verified only for keys that would be let in, and the same way again with it.
    public let isProved: Bool

    public init(key: PublicKey, certificate: Certificate? = nil, isProved: Bool) {
        self.key = key
        self.certificate = certificate
        self.isProved = isProved
    }
}

/// What the owner of a FIDO security key must have done for its signature to count.
public enum OwnerPresence: Int, Comparable, Sendable {
    case notNeeded
    /// Touched it.
    case touched
    /// Given a PIN or a fingerprint, too. A key outside of a security key cannot show that, and is refused.
    case verified

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A policy's word on a key.
public enum KeyVerdict: Equatable, Sendable {
    case accepted(LoginPermissions = LoginPermissions(), presence: OwnerPresence = .touched)
    /// The reason is for the log; the client is not told.
    case refused(String)
}

/// A policy's word on a password, or on the answers of a client.
public enum PasswordVerdict: Equatable, Sendable {
    case accepted(LoginPermissions = LoginPermissions())
    /// The reason is for the log; the client is not told.
    case refused(String)
    /// The password is right, and a new one must be set before it lets anybody in; the prompt is shown to the user.
    case mustBeChanged(prompt: String)
}

/// Decides who is let in. A program with a user base of its own implements what it wants of this; all that it leaves
/// out refuses.
///
/// ```swift
/// struct Accounts: LoginPolicy {
///     let database: Database
///     func check(password: LoginSecret, of attempt: LoginAttempt) async -> PasswordVerdict {
///         await database.verify(attempt.user, password.bytes) ? .accepted() : .refused("wrong password")
///     }
///     func steps(for attempt: LoginAttempt) async -> [[LoginMethod]] { [[.password], [.keyboardInteractive]] }
/// }
/// ```
///
/// One policy serves all connections at once. It should take as long for a user it knows as for one it does not.
public protocol LoginPolicy: Sendable {
    /// The ways of being let in, any of them enough; each is a list of methods that are all needed, in that order. It
    /// should be the same for users that exist and for others. By default any single method.
    func steps(for attempt: LoginAttempt) async -> [[LoginMethod]]

    /// Judges a key, offered or proved. By default it is refused.
    func check(key: OfferedKey, of attempt: LoginAttempt) async -> KeyVerdict

    /// Judges a password. By default it is refused.
    func check(password: LoginSecret, of attempt: LoginAttempt) async -> PasswordVerdict

    /// Sets a new password in place of the old one, which is yet to be checked. By default that is refused.
    func change(
        password: LoginSecret, to new: LoginSecret, of attempt: LoginAttempt
    ) async -> PasswordVerdict

    /// Begins a conversation of questions and answers. By default it asks for the password and, where that must be
    /// changed, for a new one, and has ``check(password:of:)`` and ``change(password:to:of:)`` judge them.
    func keyboardInteractive(for attempt: LoginAttempt) async -> any LoginQuestions
}

extension LoginPolicy {
    public func steps(for attempt: LoginAttempt) async -> [[LoginMethod]] { LoginMethod.allCases.map { [$0] } }

    public func check(key: OfferedKey, of attempt: LoginAttempt) async -> KeyVerdict { .refused("no keys are known") }

    public func check(password: LoginSecret, of attempt: LoginAttempt) async -> PasswordVerdict {
        .refused("no passwords are known")
    }

    public func change(
        password: LoginSecret, to new: LoginSecret, of attempt: LoginAttempt
    ) async -> PasswordVerdict { .refused("passwords are not changed here") }

    public func keyboardInteractive(for attempt: LoginAttempt) async -> any LoginQuestions {
        PasswordQuestions(policy: self, attempt: attempt)
    }
}

/// A conversation of questions and answers (RFC 4256) with one client.
public protocol LoginQuestions: Sendable {
    /// Goes on with the answers to the last questions, as many as there were prompts; with none at the beginning.
    mutating func next(answers: [LoginSecret]) async -> LoginQuestionStep
}

/// How a conversation goes on.
public enum LoginQuestionStep: Sendable {
    case ask(title: String = "", instruction: String = "", prompts: [LoginPrompt])
    case accepted(LoginPermissions = LoginPermissions())
    /// The reason is for the log; the client is not told.
    case refused(String)
}

/// A question to the user.
public struct LoginPrompt: Hashable, Sendable {
    public let text: String
    /// Whether the answer may be shown as it is typed.
    public let echoes: Bool

    public init(_ text: String, echoes: Bool = false) {
        self.text = text
        self.echoes = echoes
    }
}

/// Asks for the password, and for a new one where that is wanted.
struct PasswordQuestions: LoginQuestions {
    let policy: any LoginPolicy
    let attempt: LoginAttempt
    private var hasAsked = false
    /// The password that is to be replaced.
    private var old: LoginSecret?

    init(policy: any LoginPolicy, attempt: LoginAttempt) {
        self.policy = policy
        self.attempt = attempt
    }

    mutating func next(answers: [LoginSecret]) async -> LoginQuestionStep {
        guard hasAsked else {
            hasAsked = true
            return .ask(prompts: [LoginPrompt("Password: ")])
        }
        if let old {
            guard answers.count == 2, answers[0].equals(answers[1]) else {
                return .refused("the new password was given in two ways")
            }
            return step(await policy.change(password: old, to: answers[0], of: attempt), again: old)
        }
        guard let password = answers.first, answers.count == 1 else { return .refused("no password was given") }
        return step(await policy.check(password: password, of: attempt), again: password)
    }

    private mutating func step(_ verdict: PasswordVerdict, again password: LoginSecret) -> LoginQuestionStep {
        switch verdict {
        case .accepted(let permissions): return .accepted(permissions)
        case .refused(let reason): return .refused(reason)
        case .mustBeChanged(let prompt):
            old = password
            return .ask(
                instruction: prompt, prompts: [LoginPrompt("New password: "), LoginPrompt("New password again: ")])
        }
    }
}
