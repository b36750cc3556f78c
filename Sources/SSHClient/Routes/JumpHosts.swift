import SSHConfig
import SSHNIO
import SSHProtocol
import SSHWire

extension Dialer {
    /// Speaks with the server through a connection to another one (ssh_config(5), ProxyJump), by a `direct-tcpip` channel.
    ///
    /// The last of `jumps` leads to the server and is reached through those before it; its own `ProxyJump` counts where
    /// there are none. Nothing of the command line's applies to it but how much is told, and how congestion is
    /// controlled on the one connection that is TCP's.
    ///
    /// - Throws: what `SSHClient.connect` throws; `ConfigurationError`; `ClientError.jumpLoop`, `.unreachableThrough`.
    func connect(through jumps: [JumpHost], _ configuration: ConnectionConfiguration) async throws -> Route {
        guard let last = jumps.last else { throw ClientError.badOption(name: "ProxyJump", reason: "no host") }
        var hop = try options.hopConfiguration.options(for: last.host, user: last.user, port: last.port)
        if jumps.count > 1 {
            hop.proxyJump = jumps.dropLast()
            hop.proxyCommand = nil
        }
        if options.logLevel > hop.logLevel { hop.logLevel = options.logLevel }
        hop.congestionControl = options.congestionControl
        let visited = trail + [Stop(options)]
        guard !visited.contains(Stop(hop)) else { throw ClientError.jumpLoop(host: hop.originalHost) }
        log.note(1, "Connecting to \(options.host) port \(options.port) through jump host \(last.text).")
        let client = try await SSHClient.connect(
            hop, .init(interface: interface, log: log, trail: visited, group: group))
        do {
            // What ssh(1) -W gives as the originator: there is none.
            let origin = ("127.0.0.1", UInt32(65535))
            let tunnel = try await client.transport.openChannel(
                .directTCPIP(
                    host: options.host, port: UInt32(clamping: options.port), originHost: origin.0,
                    originPort: origin.1))
            let observer = log.observer
            let transport = try await TunnelChannel.open(through: tunnel, on: client.transport.eventLoop) { channel in
                try Transport.start(on: channel, role: .client, configuration: configuration, observer: observer)
            }
            return Route(transport: transport) { await client.close() }
        } catch {
            await client.close()
            var reason = "\(error)"
            if case TransportError.channelRefused(let code, let text) = error {
                reason = text.isEmpty ? "refused (\(code.rawValue))" : "\(text)"
            }
            throw ClientError.unreachableThrough(
                jump: hop.originalHost, host: options.host, port: options.port, reason: reason)
        }
    }

    /// A server on the way, to find loops by.
    struct Stop: Sendable, Equatable {
        private let host: String
        private let port: Int
        private let user: String

        init(_ options: ClientOptions) { (host, port, user) = (options.originalHost, options.port, options.user) }
    }
}
