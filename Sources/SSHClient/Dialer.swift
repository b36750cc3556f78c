import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Platform
import SSHConfig
import SSHNIO
import SSHProtocol
import SSHWire

/// Makes what a server is spoken to on: a TCP connection, a proxy command, or a connection to another server.
struct Dialer {
    let options: ClientOptions
    let interface: any UserInterface
    let log: ClientLog
    let group: any EventLoopGroup
    /// The servers that are to be reached through this one.
    var trail: [Stop] = []

    /// Takes the way that the options name.
    ///
    /// - Throws: `ClientError`; with jump hosts, what `SSHClient.connect` throws for them.
    func connect(_ configuration: ConnectionConfiguration) async throws -> Route {
        if !options.proxyJump.isEmpty { return try await connect(through: options.proxyJump, configuration) }
        if let command = options.proxyCommand {
            await setCongestionControl(of: nil)
            return try await connect(throughCommand: command, configuration)
        }
        return try await connectDirectly(configuration)
    }

    /// Tries every address of the host in turn, as often as `ConnectionAttempts` says.
    ///
    /// - Throws: `ClientError.unresolvable` or `.unreachable`; `CancellationError`.
    private func connectDirectly(_ configuration: ConnectionConfiguration) async throws -> Route {
        let addresses = try await AddressResolver.look(
            up: options.host, port: options.port, family: options.addressFamily)
        var reason = ""
        for attempt in 1...max(1, options.connectionAttempts) {
            if attempt > 1 { try await Task.sleep(for: .seconds(1)) }
            for address in addresses {
                let numeric = address.ipAddress ?? options.host
                log.note(1, "Connecting to \(options.host) [\(numeric)] port \(options.port).")
                do {
                    let transport = try await connect(to: address, configuration)
                    log.note(1, "Connection established.")
                    return Route(transport: transport, address: numeric)
                } catch {
                    try Task.checkCancellation()
                    reason = Self.reason(error)
                    log.note(1, "connect to address \(numeric) port \(options.port): \(reason)")
                }
            }
        }
        throw ClientError.unreachable(host: options.host, port: options.port, reason: reason)
    }

    private func connect(
        to address: SocketAddress, _ configuration: ConnectionConfiguration
    ) async throws -> Transport {
        var bootstrap = ClientBootstrap(group: group)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: options.tcpKeepAlive ? 1 : 0)
            .channelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 256 << 10))
            .channelOption(.maxMessagesPerRead, value: 4)
            // The system's own time limit, unless the user has a shorter one.
            .connectTimeout(.seconds(Int64(options.connectTimeout ?? 135)))
        if options.tcpKeepAlive {
            for (option, value) in Self.keepAliveTimes { bootstrap = bootstrap.channelOption(option, value: value) }
        }
        if let local = options.bindAddress {
            let family: AddressFamily = if case .v6 = address { .inet6 } else { .inet }
            if let local = try await AddressResolver.look(up: local, port: 0, family: family).first {
                bootstrap = bootstrap.bind(to: local)
            }
        }
        if options.bindAddress == nil, let interface = options.bindInterface {
            guard let local = InterfaceAddress.local(of: interface, for: address) else {
                throw ClientError.badOption(name: "BindInterface", reason: "\(interface) has no suitable address")
            }
            bootstrap = bootstrap.bind(to: local)
        }
        if let service = options.ipQoS.bulk, service > 0 {
            bootstrap = bootstrap.channelOption(Self.serviceOption(for: address), value: numericCast(service))
        }
        let observer = log.observer
        let attempt = ConnectionAttempt()
        let (transport, channel) = try await withTaskCancellationHandler { [bootstrap] in
            try await bootstrap.connect(to: address) { channel in
                attempt.began(channel)
                return channel.eventLoop.makeCompletedFuture {
                    let transport = try Transport.start(
                        on: channel, role: .client, configuration: configuration, observer: observer)
                    return (transport, channel)
                }
            }
        } onCancel: {
            attempt.cancel()
        }
        await setCongestionControl(of: channel)
        return transport
    }

    /// Gives the connection the congestion control that the options name, or says why it has the system's.
    private func setCongestionControl(of channel: (any NIOCore.Channel)?) async {
        guard let name = options.congestionControl else { return }
        let failure: String? =
            if let channel, let control = CongestionControl(name) {
                await control.set(on: channel)
            } else {
                channel == nil ? "a proxy makes the connection" : "that is no name of one"
            }
        if let failure {
            interface.tell("Congestion control \(Printable.text(name.utf8)) is not used: \(failure)", at: .info)
        } else {
            log.note(1, "Congestion control of the connection: \(name).")
        }
    }

    /// After a minute of silence the system asks a host four times, a quarter of a minute apart, whether it is there; by
    /// itself it would wait for two hours.
    private static let keepAliveTimes: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] =
        zip(SystemCall.keepAliveOptions, [60, 15, 4]).map { name, value in
            (.init(level: .tcp, name: .init(rawValue: name)), value)
        }

    /// The option that sets the type of service of what is sent to an address.
    static func serviceOption(for address: SocketAddress) -> ChannelOptions.Types.SocketOption {
        if case .v6 = address { return .init(level: .ipv6, name: .init(rawValue: IPV6_TCLASS)) }
        return .init(level: .ip, name: .init(rawValue: IP_TOS))
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError: SystemError.text(error.errnoCode)
        case ChannelError.connectTimeout: "Connection timed out"
        default: "\(error)"
        }
    }
}

/// A socket that is being connected, to be given up when nobody waits for it any more.
private final class ConnectionAttempt: Sendable {
    private struct State {
        var channel: (any Channel)?
        var isCancelled = false
    }
    private let state = NIOLockedValueBox(State())

    func began(_ channel: any Channel) {
        let isCancelled = state.withLockedValue { state in
            state.channel = channel
            return state.isCancelled
        }
        if isCancelled { channel.close(promise: nil) }
    }

    func cancel() {
        let channel = state.withLockedValue { state in
            state.isCancelled = true
            return state.channel
        }
        channel?.close(promise: nil)
    }
}
