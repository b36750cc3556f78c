import FileServer
import Files
import Logging
import Platform
import SSHKeys
import SSHServer

/// All that a server is made of: found, read and opened while there is one thread alone, after which the process gives up
/// the rest of its rights.
struct Preparation {
    let options: DaemonOptions
    let listeners: [ListenAddress]
    let configuration: ServerConfiguration
    let policy: FilePolicy.Options
    let service: FileService

    init(_ options: DaemonOptions, logger: Logger) throws(StartFailure) {
        self.options = options
        // The ports first: who cannot have them leaves nothing behind, no host key either.
        do { listeners = try ListenAddress.listen(on: Self.addresses(options)) } catch {
            throw StartFailure("\(error)")
        }
        configuration = try Self.configuration(options)
        policy = try Self.policy(options, logger)
        service = try Self.fileService(options, logger)
    }

    private static func addresses(_ options: DaemonOptions) -> [ListenAddress] {
        let sockets = ServiceManager.listeningSockets()
        if !sockets.isEmpty { return sockets.map { .socket($0) } }
        let listen = options.listen.isEmpty ? Self.everywhere() : options.listen
        return listen.map { .address($0.address, port: $0.port ?? options.port) }
    }

    /// All addresses, of IPv6 only where the machine has it.
    private static func everywhere() -> [DaemonOptions.Listen] {
        let probe = socket(AF_INET6, SystemCall.streamSocket, 0)
        if probe >= 0 { close(probe) }
        return (probe >= 0 ? [.init(address: "::", port: nil)] : []) + [.init(address: "0.0.0.0", port: nil)]
    }

    private static func fileService(_ options: DaemonOptions, _ logger: Logger) throws(StartFailure) -> FileService {
        let (isReadOnly, mask) = (options.isReadOnly, options.creationMask ?? 0)
        let root = options.root ?? "."
        func directory(_ path: String) throws(StartFailure) -> DirectoryRoot {
            do {
                return try DirectoryRoot(path: Array(path.utf8), isReadOnly: isReadOnly, creationMask: mask)
            } catch {
                throw StartFailure("\(path): \(error)")
            }
        }
        let whole = try directory(root)
        guard let template = options.userRoot else {
            return FileService(whole, isReadOnly: isReadOnly, logger: logger)
        }
        guard template.contains("%u") else { throw StartFailure("--user-root \(template): there is no %u in it") }
        return FileService(logger: logger) { login in
            // A user's name has been checked: it is one component, and not `.` or `..`.
            let path = template.replacing("%u", with: login.user)
            do {
                return try .init(files: whole.directory(Array(path.utf8)), isReadOnly: isReadOnly)
            } catch {
                throw FileService.NoShare("there is no directory for \(login.user)")
            }
        }
    }

    private static func policy(_ options: DaemonOptions, _ logger: Logger) throws(StartFailure) -> FilePolicy.Options {
        let account = Account.current
        var policy = FilePolicy.Options(servingUser: account.name, home: account.home)
        if let file = options.authorizedKeys { policy.authorizedKeys = [file] }
        policy.passwordFile = options.passwordFile
        policy.trustedUserAuthorities = options.trustedAuthorities.map { [$0] } ?? []
        policy.revokedKeys = options.revokedKeys.map { [$0] } ?? []
        policy.anyUser = options.allowsAnyUser
        if let methods = options.methods { policy.steps = try steps(methods, options) }
        do { try policy.check() } catch { throw StartFailure("\(error)") }
        let hasOtherWay = options.passwordFile != nil || options.trustedAuthorities != nil
        if !hasOtherWay, let file = policy.authorizedKeys.first, !file.contains("%u"), !SmallFile.exists(file) {
            throw StartFailure(
                """
                nobody could log in: there is no file \(file)
                Make a key with `ssh-keygen -t ed25519` where you copy from, and put its public half (~/.ssh/id_ed25519.pub
                there) into that file, or into another one given with --authorized-keys. For passwords, see
                --hash-password and --password-file.
                """)
        }
        for file in [options.passwordFile, options.trustedAuthorities, options.revokedKeys].compactMap(\.self) {
            _ = try SmallFile.read(file)
        }
        if let file = options.passwordFile, let fault = SmallFile.exposure(file) {
            logger.warning("\(file): \(fault)")
        }
        return policy
    }

    /// The ways in: alternatives apart by spaces, the methods of each by commas.
    private static func steps(_ text: String, _ options: DaemonOptions) throws(StartFailure) -> [[LoginMethod]] {
        var ways: [[LoginMethod]] = []
        for way in text.split(separator: " ") {
            var methods: [LoginMethod] = []
            for name in way.split(separator: ",") {
                guard let method = LoginMethod(rawValue: String(name)) else {
                    throw StartFailure("--methods \(text): unknown method \(name)")
                }
                guard method == .publicKey || options.passwordFile != nil else {
                    throw StartFailure("--methods \(text): \(name) needs a --password-file")
                }
                methods.append(method)
            }
            guard !methods.isEmpty else { throw StartFailure("--methods \(text): no method is named") }
            ways.append(methods)
        }
        guard !ways.isEmpty else { throw StartFailure("--methods \(text): no method is named") }
        return ways
    }

    /// How the server presents itself; where no host key is named, one is made and kept.
    static func configuration(_ options: DaemonOptions) throws(StartFailure) -> ServerConfiguration {
        let keys = try HostKeys.load(options.hostKeys)
        var configuration = ServerConfiguration(hostKeys: keys)
        configuration.hostCertificates = try HostKeys.certificates(options.hostCertificates, of: keys)
        configuration.limits = options.limits
        configuration.congestionControl = options.congestionControl
        configuration.rekeyBytes = options.rekeyBytes
        configuration.keyExchanges = options.keyExchanges
        configuration.ciphers = options.ciphers
        configuration.macs = options.macs
        if let banner = options.banner {
            configuration.banner = String(decoding: try SmallFile.read(banner), as: UTF8.self)
        }
        return configuration
    }
}
