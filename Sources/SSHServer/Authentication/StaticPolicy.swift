import SSHKeys

/// A fixed set of users, for test suites and programs with a few accounts of their own.
///
/// ```swift
/// let policy = StaticPolicy(users: ["me": .password("x"), "robot": .keys([key])])
/// ```
public struct StaticPolicy: LoginPolicy {
    /// How a user is let in.
    public struct User: Sendable {
        let password: LoginSecret?
        let keys: [PublicKey]
        /// Both are needed, the key first.
        let needsBoth: Bool

        public static func password(_ text: String) -> User {
            User(password: LoginSecret(text), keys: [], needsBoth: false)
        }

        public static func keys(_ keys: [PublicKey]) -> User { User(password: nil, keys: keys, needsBoth: false) }

        /// One of the keys or the password, whichever the client has.
        public static func either(keys: [PublicKey], password: String) -> User {
            User(password: LoginSecret(password), keys: keys, needsBoth: false)
        }

        /// One of the keys, and then the password.
        public static func both(keys: [PublicKey], password: String) -> User {
            User(password: LoginSecret(password), keys: keys, needsBoth: true)
        }
    }

    let users: [String: User]

    public init(users: [String: User]) { self.users = users }

    public func steps(for attempt: LoginAttempt) async -> [[LoginMethod]] {
        guard let user = users[attempt.user] else { return LoginMethod.allCases.map { [$0] } }
        if user.needsBoth { return [[.publicKey, .password], [.publicKey, .keyboardInteractive]] }
        return (user.keys.isEmpty ? [] : [[.publicKey]])
            + (user.password == nil ? [] : [[.password], [.keyboardInteractive]])
    }

    public func check(key: OfferedKey, of attempt: LoginAttempt) async -> KeyVerdict {
        guard let user = users[attempt.user] else { return .refused("no such user") }
        guard key.certificate == nil, user.keys.contains(key.key) else { return .refused("not a key of the user's") }
        return .accepted()
    }

    public func check(password: LoginSecret, of attempt: LoginAttempt) async -> PasswordVerdict {
        guard let user = users[attempt.user] else { return .refused("no such user") }
        guard let known = user.password, known.equals(password) else { return .refused("wrong password") }
        return .accepted()
    }
}
