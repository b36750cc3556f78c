import FileServer
import Logging
import SSHKeys
import SSHServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

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
        for (address, port) in server.addresses {
            print("scpd: listening on \(address) port \(port)")
        }
        fflush(nil)
        for key in configuration.hostKeys {
            logger.info("host key", metadata: ["key": "\(key.publicKey.type.name) \(key.publicKey.fingerprint())"])
        }
        ServiceManager.notify("READY=1")
        for await number in signals.numbers {
            logger.notice("stopping", metadata: ["signal": "\(number)", "connections": "\(server.connectionCount)"])
            break
        }
        ServiceManager.notify("STOPPING=1")
        await server.stop(patience: .seconds(options.stopSeconds))
        logger.notice("stopped")
    }

    private func addresses() -> [ListenAddress] {
        let sockets = ServiceManager.listeningSockets()
        if !sockets.isEmpty { return sockets.map { .socket($0) } }
        let listen = options.listen.isEmpty ? Self.everywhere() : options.listen
        return listen.map { .address($0.address, port: $0.port ?? options.port) }
    }

    /// All addresses, of IPv6 only where the machine has it.
    private static func everywhere() -> [DaemonOptions.Listen] {
        let probe = socket(AF_INET6, streamType, 0)
        if probe >= 0 { close(probe) }
        return (probe >= 0 ? [.init(address: "::", port: nil)] : []) + [.init(address: "0.0.0.0", port: nil)]
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

#if canImport(Glibc)
    private let streamType = Int32(SOCK_STREAM.rawValue)
#else
    private let streamType = SOCK_STREAM
#endif
