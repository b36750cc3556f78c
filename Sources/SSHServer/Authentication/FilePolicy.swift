import Logging
import NIOPosix
import Platform
import SSHKeys
import SSHWire

/// Lets users in by files: authorized keys, passwords, authorities and revoked keys. They are read again when they
/// change; one that others could write to is not believed.
///
/// The server runs as one user of the system, so any name that is let in reaches the same files. A key of a file that is
/// for all users lets in the serving user's name alone, unless ``Options/anyUser`` is set; a file with `%u` in its path is
/// the users' own.
public final class FilePolicy: LoginPolicy {
    public struct Options: Sendable {
        /// Files of authorized keys; `%u` stands for the user's name, `%%` for `%`. All that exist count.
        public var authorizedKeys: [String]
        /// Users and the hashes of their passwords, see ``PasswordFile``; nil where no passwords are taken.
        public var passwordFile: String?
        /// Keys of authorities, one a line, whose certificates let in the users they name.
        public var trustedUserAuthorities: [String] = []
        /// Lists of revoked keys. While one of them cannot be read, no key is let in.
        public var revokedKeys: [String] = []
        /// The name of the user who serves.
        public var servingUser: String
        /// Lets a key in under any name.
        public var anyUser = false
        /// Refuses files, and directories above them, that others could change.
        public var isStrict = true
        /// The ways in, each a list of methods that are all needed, in order; nil for any single one there is a file for.
        public var steps: [[LoginMethod]]?

        /// Options for the usual file of authorized keys in a home directory.
        public init(servingUser: String, home: String) {
            self.servingUser = servingUser
            authorizedKeys = ["\(home)/.ssh/authorized_keys"]
        }

        /// - Throws: ``FilePolicyError`` for a path that is no template.
        public func check() throws(FilePolicyError) {
            for template in authorizedKeys where PathTemplate.path(template, user: "u") == nil {
                throw .badTemplate(template)
            }
        }
    }

    private let options: Options
    private let logger: Logger
    private let now: @Sendable () -> UInt64
    private let hasher = PasswordHasher()
    private let keyFiles: PolicyFileCache<AuthorizedKeys>
    private let passwordFiles: PolicyFileCache<PasswordFile>
    private let authorityFiles: PolicyFileCache<[PublicKey]>
    private let revocationFiles: PolicyFileCache<RevokedKeys>
    /// Takes the work of a password while its file cannot be read.
    private let dummy = ScryptHash(dummy: .usual)

    /// - Parameters:
    ///   - logger: told of files and lines that are not believed.
    ///   - now: the clock, in seconds since 1970.
    /// - Throws: ``FilePolicyError`` for a path that is no template.
    public init(
        _ options: Options, logger: Logger, now: @escaping @Sendable () -> UInt64 = { UInt64(max(0, time(nil))) }
    ) throws(FilePolicyError) {
        try options.check()
        self.options = options
        self.logger = logger
        self.now = now
        keyFiles = PolicyFileCache(isStrict: options.isStrict) { path, content in
            let keys = AuthorizedKeys(content)
            for fault in keys.faults { logger.warning("\(Printable.text(path.utf8)): \(fault)") }
            return keys
        }
        passwordFiles = PolicyFileCache(isStrict: options.isStrict) { path, content in
            let file = PasswordFile(content)
            for fault in file.faults { logger.warning("\(Printable.text(path.utf8)): \(fault)") }
            return file
        }
        authorityFiles = PolicyFileCache(isStrict: options.isStrict) { path, content in
            Self.authorities(AuthorizedKeys(content), path: path, logger: logger)
        }
        revocationFiles = PolicyFileCache(isStrict: options.isStrict) { _, content in try RevokedKeys(content) }
    }

    /// The keys of a file of authorities, which knows no options: a line that has some would mean more than is kept to.
    private static func authorities(_ keys: AuthorizedKeys, path: String, logger: Logger) -> [PublicKey] {
        for fault in keys.faults { logger.warning("\(Printable.text(path.utf8)): \(fault)") }
        return keys.entries.compactMap { entry in
            var options = entry.options
            options.isCertificateAuthority = false
            if options == AuthorizedKeyOptions() { return entry.key }
            logger.warning("\(Printable.text(path.utf8)): line \(entry.line): options have no place here")
            return nil
        }
    }

    /// Reads every file again when it is next needed, changed or not.
    public func forgetFiles() {
        keyFiles.forget()
        passwordFiles.forget()
        authorityFiles.forget()
        revocationFiles.forget()
    }

    public func steps(for attempt: LoginAttempt) async -> [[LoginMethod]] {
        if let steps = options.steps { return steps }
        let hasKeys = !options.authorizedKeys.isEmpty || !options.trustedUserAuthorities.isEmpty
        return (hasKeys ? [[.publicKey]] : [])
            + (options.passwordFile == nil ? [] : [[.password], [.keyboardInteractive]])
    }

    // MARK: Keys

    public func check(key: OfferedKey, of attempt: LoginAttempt) async -> KeyVerdict {
        guard UserName.isSound(attempt.user) else { return .refused("not a user's name") }
        do {
            return try await NIOThreadPool.singleton.runIfActive { self.verdict(on: key, of: attempt) }
        } catch {
            return .refused("the files cannot be read: \(error)")
        }
    }

    /// Reads what files there are and judges by them. It blocks on the disk.
    private func verdict(on key: OfferedKey, of attempt: LoginAttempt) -> KeyVerdict {
        var rules = KeyRules(now: now())
        for path in options.revokedKeys {
            do {
                rules.revoked.append(try revocationFiles.value(of: path))
            } catch {
                logger.error("revoked keys: \(Printable.text("\(error)".utf8))")
                return .refused("the revoked keys are not known")
            }
        }
        let isServing = options.anyUser || attempt.user.utf8.elementsEqual(options.servingUser.utf8)
        var hasOwnFile = false
        var isLetIn = isServing
        for template in options.authorizedKeys {
            let isOwn = PathTemplate.namesUser(template)
            guard isOwn || isServing, let path = PathTemplate.path(template, user: attempt.user),
                let keys = value(keyFiles, path)
            else { continue }
            if isOwn { hasOwnFile = true }
            rules.entries += keys.entries
        }
        isLetIn = isLetIn || hasOwnFile || listsPassword(of: attempt.user)
        guard isLetIn else { return .refused("no such user") }
        for path in options.trustedUserAuthorities { rules.authorities += value(authorityFiles, path) ?? [] }
        return rules.verdict(on: key, of: attempt)
    }

    private func listsPassword(of user: String) -> Bool {
        guard let path = options.passwordFile else { return false }
        return value(passwordFiles, path)?.lists(user) ?? false
    }

    /// A file's value; nil, with a word in the log, where it is not believed. A missing file is nothing to tell of.
    private func value<Value>(_ cache: PolicyFileCache<Value>, _ path: String) -> Value? {
        do {
            return try cache.value(of: path)
        } catch {
            if (error as? PolicyFileError)?.isMissing ?? false {
                logger.debug("\(error)")
            } else {
                logger.warning("\(error)")
            }
            return nil
        }
    }

    // MARK: Passwords

    public func check(password: LoginSecret, of attempt: LoginAttempt) async -> PasswordVerdict {
        guard let path = options.passwordFile else { return .refused("no passwords are known") }
        do {
            let file = try await NIOThreadPool.singleton.runIfActive { self.value(self.passwordFiles, path) }
            let known = UserName.isSound(attempt.user) ? file?.users[Array(attempt.user.utf8)] : nil
            // The same work for a user that does not exist, so that the time does not tell.
            let isRight = try await hasher.verify(password, against: known ?? file?.dummy ?? dummy)
            if file == nil { return .refused("the file of passwords cannot be read") }
            if known == nil { return .refused("no such user") }
            return isRight ? .accepted() : .refused("wrong password")
        } catch {
            return .refused(Printable.text("\(error)".utf8))
        }
    }
}

/// Why a policy cannot be made of its options.
public enum FilePolicyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Something other than `u` or `%` stands behind a `%`.
    case badTemplate(String)

    public var description: String {
        switch self {
        case .badTemplate(let text): "\(Printable.quoted(text.utf8)): only %u and %% are known"
        }
    }
}

/// Paths with `%u` for the user's name and `%%` for `%`.
enum PathTemplate {
    static func namesUser(_ template: String) -> Bool { expand(template, user: "u")?.namesUser ?? false }

    /// The path for a user; nil where the template, or the name, is none that may stand in a path.
    static func path(_ template: String, user: String) -> String? {
        guard UserName.isSound(user) else { return nil }
        return expand(template, user: user)?.path
    }

    private static func expand(_ template: String, user: String) -> (path: String, namesUser: Bool)? {
        var (path, namesUser) = ("", false)
        var rest = template[...]
        while let character = rest.popFirst() {
            guard character == "%" else {
                path.append(character)
                continue
            }
            switch rest.popFirst() {
            case "u":
                path += user
                namesUser = true
            case "%": path.append("%")
            default: return nil
            }
        }
        return (path, namesUser)
    }
}
