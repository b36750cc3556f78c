import NIOCore
import Platform
import SSHNIO

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
        guard !isChecked || FileTrust.isTrusted(content, user: getuid()) else { throw .permissions }
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
        var child = ChildProcess.Command(shell, ["-c", command])
        child.output = .null
        let status: ChildProcess.Status
        do throws(ChildProcess.Failure) {
            status = try ChildProcess(child).wait()
        } catch {
            throw ConfigurationCommandFailure(reason: "\(shell): \(error)")
        }
        guard case .exited(let code) = status else {
            throw ConfigurationCommandFailure(reason: "command '\(command)' exited abnormally")
        }
        return code == 0
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
        hints.ai_socktype = SystemCall.streamSocket
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
