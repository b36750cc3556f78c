import NIOCore
import NIOPosix
import SSHKeys
import SSHProtocol
import SSHWire

/// A server on loopback that lets everybody in and sends back what a channel brings it.
final class EchoServer: Sendable {
    /// What a channel's `exec` command makes of it.
    enum Command: String {
        /// Sends every byte back; EOF for EOF, then exit status 3.
        case echo
        /// Reads nothing and answers nothing.
        case hang
        /// Closes the socket.
        case drop
        /// Writes to its standard error and ends by a signal.
        case fail
    }

    private let channel: any NIOCore.Channel
    var port: Int { channel.localAddress?.port ?? 0 }

    private init(_ channel: any NIOCore.Channel) { self.channel = channel }

    /// - Parameter speaks: false for a server that accepts and is silent.
    static func start(speaks: Bool = true) async throws -> EchoServer {
        let key = try PrivateKey.generate(.ed25519)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard speaks else { return }
                    var configuration = ConnectionConfiguration()
                    configuration.hostKeys = [key]
                    try channel.pipeline.syncOperations.addHandler(EchoHandler(configuration))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return EchoServer(channel)
    }

    func stop() async { try? await channel.close() }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var connection: Connection
    private var commands: [ChannelID: EchoServer.Command] = [:]

    init(_ configuration: ConnectionConfiguration) {
        connection = Connection(role: .server, configuration: configuration)
    }

    func channelActive(context: ChannelHandlerContext) { step(context) { try $0.start() } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        step(context) { try $0.receive(bytes) }
    }

    private func step(_ context: ChannelHandlerContext, _ body: (inout Connection) throws -> Void) {
        do {
            try body(&connection)
            while let event = connection.nextEvent() { try act(context, event) }
        } catch {
            context.close(promise: nil)
        }
        while let output = try? connection.takeOutput(limit: 1 << 20) {
            context.write(wrapOutboundOut(output), promise: nil)
        }
        context.flush()
    }

    private func act(_ context: ChannelHandlerContext, _ event: ConnectionEvent) throws {
        switch event {
        case .authenticationRequested: try connection.acceptAuthentication()
        case .channelOffered(let id, .session): try connection.acceptChannel(id)
        case .channelRequest(let id, .exec(let text), _):
            let command = EchoServer.Command(rawValue: String(buffer: text))
            commands[id] = command
            try connection.replyToRequest(id, success: command != nil)
            if command == .drop { context.close(promise: nil) }
            if command == .fail {
                try connection.request(
                    id, .exitSignal(name: "KILL", coreDumped: false, message: ByteBuffer()), wantReply: false)
                connection.close(id)
            }
        case .channelRequest(let id, _, wantReply: true):
            try connection.replyToRequest(id, success: false)
        case .channelReadable(let id) where commands[id] != .hang:
            guard let bytes = connection.takeReceived(id) else { return }
            try connection.consumed(id, bytes.readableBytes, at: .now)
            try connection.write(id, bytes)
        case .channelEOF(let id) where commands[id] == .echo:
            try connection.request(id, .exitStatus(3), wantReply: false)
            connection.finishWriting(id)
            connection.close(id)
        case .channelClosed(let id): connection.release(id)
        default: break
        }
    }
}
