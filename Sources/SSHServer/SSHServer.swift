import Logging
import Metrics
import NIOCore
import NIOPosix
import SSHNIO
import SSHProtocol
import SSHWire
import Synchronization

/// Turns a connection away with a word.
private final class Rejection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        // Before the identification a server may say what it likes (RFC 4253 section 4.2).
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "Not allowed at this time\r\n")))
            .whenComplete { _ in channel.close(promise: nil) }
    }
}

/// An SSH server that lets users in and hands their sessions to a handler. It runs no program and no shell, and forwards
/// nothing.
///
/// ```swift
/// let server = try await SSHServer.start(
///     on: [.address("127.0.0.1", port: 0)], configuration: .init(hostKeys: [try .generate(.ed25519)]),
///     policy: policy, handler: handler)
/// print(server.port)
/// await server.stop()
/// ```
public final class SSHServer: Sendable {
    private struct State {
        var listeners: [any Channel] = []
        var connections: [UInt64: ServedConnection] = [:]
        var nextNumber: UInt64 = 0
        var isStopping = false
        /// Sessions that did not heed their end are waited for no longer.
        var isOver = false
        /// Who waits for the last connection to end.
        var emptyWaiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let admission: Mutex<Admission>
    /// For connections that come from now on.
    private let setup: Mutex<(server: ServerConfiguration, connection: ConnectionConfiguration)>
    private let policy: any LoginPolicy
    private let handler: any SessionHandler
    private let log: ServerLog
    private let observer: (any ConnectionObserver)?

    private init(
        _ configuration: ServerConfiguration, policy: any LoginPolicy, handler: any SessionHandler, log: ServerLog,
        observer: (any ConnectionObserver)?
    ) throws(ServerError) {
        setup = Mutex((configuration, try configuration.connection()))
        admission = Mutex(Admission(limits: configuration.limits))
        self.policy = policy
        self.handler = handler
        self.log = log
        self.observer = observer
    }

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - addresses: where; with port 0 on several, all get the same one.
    ///   - logger: receives a line for each log-in and each refusal.
    ///   - metrics: receives the counters; without it the backend that the program has set up by now.
    /// - Throws: ``ServerError``.
    public static func start(
        on addresses: [ListenAddress], configuration: ServerConfiguration, policy: any LoginPolicy,
        handler: any SessionHandler, logger: Logger? = nil, metrics: any MetricsFactory = MetricsSystem.factory,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> SSHServer {
        try await start(
            on: addresses, configuration: configuration, policy: policy, handler: handler, logger: logger,
            metrics: metrics, group: group, observer: nil)
    }

    package static func start(
        on addresses: [ListenAddress], configuration: ServerConfiguration, policy: any LoginPolicy,
        handler: any SessionHandler, logger: Logger?, metrics: any MetricsFactory, group: any EventLoopGroup,
        observer: (any ConnectionObserver)?
    ) async throws -> SSHServer {
        let server = try SSHServer(
            configuration, policy: policy, handler: handler, log: ServerLog(logger, metrics: metrics),
            observer: observer)
        do {
            for place in try ListenAddress.listen(on: addresses) {
                guard case .socket(let descriptor) = place else { continue }
                let listener = try await server.bootstrap(group).withBoundSocket(descriptor).get()
                server.state.withLock { $0.listeners.append(listener) }
            }
            await server.setCongestionControl(
                configuration.congestionControl, of: server.state.withLock { $0.listeners })
        } catch {
            await server.stop(patience: .zero)
            throw error
        }
        return server
    }

    /// Connections have that of the socket that they came to.
    private func setCongestionControl(_ name: String?, of listeners: [any Channel]) async {
        guard let name else { return }
        var failure: String? = "that is no name of one"
        if let control = CongestionControl(name) {
            failure = nil
            for listener in listeners { failure = await control.set(on: listener) ?? failure }
        }
        if let failure { log.congestionControl(name, isNotUsed: failure) }
    }

    /// What is listened on, in the order asked for.
    public var addresses: [(address: String, port: Int)] {
        state.withLock { $0.listeners.map { ($0.localAddress?.ipAddress ?? "", $0.localAddress?.port ?? 0) } }
    }

    /// The port of the first address.
    public var port: Int { addresses.first?.port ?? 0 }

    /// How many connections there are.
    public var connectionCount: Int { state.withLock { $0.connections.count } }

    /// Presents itself by another configuration to whoever connects from now on. The bounds on the number of connections stay
    /// as they are.
    ///
    /// - Throws: ``ServerError`` where it makes no sense; all stays as it is then.
    public func replace(_ configuration: ServerConfiguration) throws(ServerError) {
        let connection = try configuration.connection()
        setup.withLock { $0 = (configuration, connection) }
    }

    // MARK: Connections

    private func bootstrap(_ group: any EventLoopGroup) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: ListenAddress.backlog)
            .serverChannelInitializer { [log] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptPause { [eventLoop = channel.eventLoop] in log.accepting(failedFor: $0, on: eventLoop) })
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .childChannelOption(.recvAllocator, value: BurstAllocator())
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { [self] channel in channel.eventLoop.makeCompletedFuture { try take(channel) } }
    }

    /// On the event loop of a new connection: starts the protocol, or turns it away.
    private func take(_ channel: any Channel) throws {
        let address = PeerAddress(channel.remoteAddress)
        let refusal = admission.withLock {
            $0.admit(address, now: Self.now, random: Int.random(in: 0..<100))
        }
        if let refusal {
            log.refused(address, refusal, on: channel.eventLoop)
            return try channel.pipeline.syncOperations.addHandler(Rejection())
        }
        let (configuration, connectionConfiguration) = setup.withLock { $0 }
        let transport = try Transport.start(
            on: channel, role: .server, configuration: connectionConfiguration, observer: observer)
        let connection = ServedConnection(
            transport: transport, address: address, configuration: configuration, policy: policy, handler: handler,
            log: log)
        let number = state.withLock { state -> UInt64? in
            guard !state.isStopping else { return nil }
            state.nextNumber += 1
            state.connections[state.nextNumber] = connection
            return state.nextNumber
        }
        Task {
            guard let number else {
                await transport.close(.byApplication, "the server is stopping")
                return admission.withLock { $0.ended(loggedIn: false) }
            }
            await run(connection, number)
        }
    }

    private func run(_ connection: ServedConnection, _ number: UInt64) async {
        do throws(LoginFailure) {
            try await connection.logIn()
            admission.withLock { $0.loggedIn() }
            await connection.serve { [self] in state.withLock { $0.isStopping } }
            admission.withLock { $0.ended(loggedIn: true) }
        } catch {
            admission.withLock { admission in
                admission.ended(loggedIn: false)
                if let offence = error.offence { admission.punish(connection.address, offence, now: Self.now) }
            }
        }
        let waiters = state.withLock { state in
            state.connections[number] = nil
            guard state.connections.isEmpty else { return [CheckedContinuation<Void, Never>]() }
            defer { state.emptyWaiters = [] }
            return state.emptyWaiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Seconds of a clock that only goes forward.
    private static var now: Double { Double(NIODeadline.now().uptimeNanoseconds) / 1e9 }

    // MARK: The end

    /// The seconds that sessions may take to end once they are told to.
    private static let farewell = 5

    /// Takes no more connections, lets the sessions under way end, and ends those that have not after `patience`. One that
    /// does not heed that is left to itself a few seconds later.
    public func stop(patience: Duration = .seconds(30)) async {
        let (listeners, connections) = state.withLock { state in
            state.isStopping = true
            defer { state.listeners = [] }
            return (state.listeners, Array(state.connections.values))
        }
        for listener in listeners { try? await listener.close() }
        for connection in connections { connection.endIfIdle() }
        let impatience = Task { [self] in
            try await Task.sleep(for: patience)
            for connection in state.withLock({ Array($0.connections.values) }) { connection.end() }
            // One by one: a process that was not let run for a while has missed one of them, and not all.
            for _ in 0..<Self.farewell { try await Task.sleep(for: .seconds(1)) }
            leaveRest()
        }
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                let isEmpty = state.connections.isEmpty || state.isOver
                if !isEmpty { state.emptyWaiters.append(continuation) }
                return isEmpty
            }
            if isEmpty { continuation.resume() }
        }
        impatience.cancel()
        log.tellRepeated()
    }

    /// Waits for no connection any longer.
    private func leaveRest() {
        let waiters = state.withLock { state in
            state.isOver = true
            defer { state.emptyWaiters = [] }
            return state.emptyWaiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
