import NIOCore
import SSHTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The process, the files and the network of this machine.
package struct SystemEnvironment: ConfigurationEnvironment {
    package let account = LocalAccount.current
    package var userID: UInt32 { getuid() }

    package init() {}

    package var hostName: String {
        var name = [CChar](repeating: 0, count: 1025)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return Self.text(name)
    }

    package func variable(_ name: String) -> String? { LocalAccount.environment(name) }

    package func home(of user: String) -> String? {
        if user.isEmpty { return account.home }
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var strings = [CChar](repeating: 0, count: 16 * 1024)
        guard getpwnam_r(user, &entry, &strings, strings.count, &found) == 0, found != nil else { return nil }
        return entry.pw_dir.map { String(cString: $0) }
    }

    package func read(_ path: String, isChecked: Bool) throws(ConfigurationFileFailure) -> [UInt8] {
        let content: TextFile.Content
        do throws(TextFile.Failure) {
            content = try TextFile.read(path)
        } catch {
            // A directory has no lines.
            if error.number == EISDIR { return [] }
            throw error.isMissing ? .missing : .other(reason: SystemError.text(error.number))
        }
        let isForeign = content.owner != 0 && content.owner != getuid()
        if isChecked, isForeign || content.mode & 0o022 != 0 { throw .permissions }
        return content.bytes
    }

    package func files(matching pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, GLOB_TILDE, nil, &found) == 0, let paths = found.gl_pathv else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { index in paths[index].map { String(cString: $0) } }
    }

    // MARK: Commands

    package func succeeds(_ command: String) throws(ConfigurationCommandFailure) -> Bool {
        let shell = variable("SHELL") ?? "/bin/sh"
        guard access(shell, X_OK) == 0 else {
            throw ConfigurationCommandFailure(
                reason: "Shell \"\(shell)\" is not executable: \(SystemError.text(errno))")
        }
        let status = try run(shell, ["-c", command])
        guard status & 0x7f == 0 else {
            throw ConfigurationCommandFailure(reason: "command '\(command)' exited abnormally")
        }
        return (status >> 8) & 0xff == 0
    }

    /// Runs a program that reads nothing and whose output nobody sees.
    private func run(_ program: String, _ arguments: [String]) throws(ConfigurationCommandFailure) -> CInt {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // What this program ignores, its children need not.
        var restored = sigset_t()
        sigemptyset(&restored)
        sigaddset(&restored, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &restored)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var child = pid_t()
        let failure = posix_spawn(&child, program, &actions, &attributes, &words, environ)
        guard failure == 0 else {
            throw ConfigurationCommandFailure(reason: "\(program): \(SystemError.text(failure))")
        }
        var status: CInt = 0
        while waitpid(child, &status, 0) < 0 {
            guard errno == EINTR else {
                throw ConfigurationCommandFailure(reason: "\(program): \(SystemError.text(errno))")
            }
        }
        return status
    }

    // MARK: Network

    package func localAddresses() -> [String] { InterfaceAddress.all().compactMap(\.address.ipAddress) }

    package func numericAddress(_ host: String, family: AddressFamily) -> String? {
        Self.lookUp(host, family, AI_NUMERICHOST) { list in
            guard list.pointee.ai_next == nil, let address = list.pointee.ai_addr else { return nil }
            return Self.numeric(address)
        }
    }

    package func canonicalName(of host: String, family: AddressFamily) -> String? {
        Self.lookUp(host, family, AI_CANONNAME) { list in
            list.pointee.ai_canonname.map { String(cString: $0) } ?? ""
        }
    }

    private static func lookUp(
        _ host: String, _ family: AddressFamily, _ flags: CInt, _ body: (UnsafeMutablePointer<addrinfo>) -> String?
    ) -> String? {
        var hints = addrinfo()
        hints.ai_family = family.number
        #if canImport(Glibc)
            hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        hints.ai_flags = flags
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0, let list else { return nil }
        defer { freeaddrinfo(list) }
        return body(list)
    }

    private static func numeric(_ address: UnsafeMutablePointer<sockaddr>) -> String? {
        let length: Int
        switch CInt(address.pointee.sa_family) {
        case AF_INET: length = MemoryLayout<sockaddr_in>.size
        case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        var name = [CChar](repeating: 0, count: 1025)
        guard
            getnameinfo(address, socklen_t(length), &name, socklen_t(name.count - 1), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        return text(name)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension AddressFamily {
    /// The system's number for it.
    var number: CInt {
        switch self {
        case .any: AF_UNSPEC
        case .inet: AF_INET
        case .inet6: AF_INET6
        }
    }
}
