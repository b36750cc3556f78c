import FileServer
import Files
import Logging
import Platform
import SSHKeys
import SSHServer

/// The server that the command line asks for, from start to stop.
struct Daemon {
    let options: DaemonOptions
    let logger: Logger

    /// Serves until a signal to stop arrives.
    func run(_ signals: StopSignals) async throws {
        let configuration = try serverConfiguration()
        let policy = try loginPolicy()
        let service = try fileService()
        let server: SSHServer
        do {
            server = try await SSHServer.start(
                on: addresses(), configuration: configuration, policy: policy, handler: service, logger: logger)
        } catch let error as ServerError {
            throw StartFailure("\(error)")
        }
        for key in configuration.hostKeys {
            logger.info("host key", metadata: ["key": "\(key.publicKey.type.name) \(key.publicKey.fingerprint())"])
        }
        for (address, port) in server.addresses {
            print("scpd: listening on \(address) port \(port)")
        }
        fflush(nil)
        ServiceManager.notify("READY=1")
        await stop(server, signals)
        logger.notice("stopped")
    }

    /// Waits for a signal and stops; a second signal ends what the first one left going on.
    private func stop(_ server: SSHServer, _ signals: StopSignals) async {
        let numbers = signals.numbers
        guard let first = await numbers.first(where: { _ in true }) else { return }
        logger.notice("stopping", metadata: ["signal": "\(first)", "connections": "\(server.connectionCount)"])
        ServiceManager.notify("STOPPING=1")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await server.stop(patience: .seconds(options.stopSeconds)) }
            group.addTask {
                for await number in numbers {
                    logger.notice("ending at once", metadata: ["signal": "\(number)"])
                    return await server.stop(patience: .zero)
                }
            }
            // The second signal's stop is no earlier than the last connection's end.
            await group.next()
            group.cancelAll()
        }
    }

    private func addresses() -> [ListenAddress] {
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

    private func fileService() throws(StartFailure) -> FileService {
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

    private func loginPolicy() throws(StartFailure) -> FilePolicy {
        let account = Account.current
        var policy = FilePolicy.Options(servingUser: account.name, home: account.home)
        if let file = options.authorizedKeys { policy.authorizedKeys = [file] }
        policy.passwordFile = options.passwordFile
        policy.trustedUserAuthorities = options.trustedAuthorities.map { [$0] } ?? []
        policy.revokedKeys = options.revokedKeys.map { [$0] } ?? []
        policy.anyUser = options.allowsAnyUser
        if let methods = options.methods { policy.steps = try steps(methods) }
        let made: FilePolicy
        do { made = try FilePolicy(policy, logger: logger) } catch { throw StartFailure("\(error)") }
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
        return made
    }

    /// The ways in: alternatives apart by spaces, the methods of each by commas.
    private func steps(_ text: String) throws(StartFailure) -> [[LoginMethod]] {
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

    private func serverConfiguration() throws(StartFailure) -> ServerConfiguration {
        let keys = try HostKeys.load(options.hostKeys)
        var configuration = ServerConfiguration(hostKeys: keys)
        configuration.hostCertificates = try HostKeys.certificates(options.hostCertificates, of: keys)
        configuration.limits = options.limits
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
