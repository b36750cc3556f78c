import NIOCore
import NIOPosix
import SSHKeys
import SSHProtocol
import SSHWire

@testable import SSHNIO

/// A client and a server of this package over loopback, both driven by the test.
struct PeerPair {
    let client: Transport
    let server: Transport
    var clientEvents: ConnectionEvents.Iterator
    var serverEvents: ConnectionEvents.Iterator
    private let listener: any NIOCore.Channel

    /// Goes as far as keys in use.
    static func keyed() async throws -> PeerPair {
        let key = try PrivateKey.generate(.ed25519)
        let (accepted, continuation) = AsyncStream.makeStream(of: Transport.self)
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    var configuration = ConnectionConfiguration()
                    configuration.hostKeys = [key]
                    continuation.yield(
                        try Transport.start(on: channel, role: .server, configuration: configuration))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try await ClientBootstrap(group: group)
            .connect(host: "127.0.0.1", port: listener.localAddress?.port ?? 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Transport.start(on: channel, role: .client, configuration: ConnectionConfiguration())
                }
            }
        for await server in accepted {
            var pair = PeerPair(
                client: client, server: server, clientEvents: client.events.makeAsyncIterator(),
                serverEvents: server.events.makeAsyncIterator(), listener: listener)
            while let event = await pair.clientEvents.next() {
                if case .hostKey = event { try await client.step { try $0.acceptHostKey() } }
                if case .ready = event { break }
            }
            return pair
        }
        throw TransportError.closedByPeer
    }

    /// Lets the client in.
    mutating func logIn() async throws {
        try await client.step { try $0.authenticate(user: "me", .none) }
        while let event = await serverEvents.next() {
            guard case .authenticationRequested = event else { continue }
            try await server.step { try $0.acceptAuthentication() }
            break
        }
        while let event = await clientEvents.next() { if case .authenticated = event { return } }
        throw client.failure ?? .closedByPeer
    }

    func stop() async {
        await client.close()
        await server.close()
        try? await listener.close()
    }
}

extension Transport {
    /// Runs a step of the connection.
    func step(_ body: @escaping @Sendable (inout Connection) throws -> Void) async throws {
        try await perform { (connection) throws(ConnectionError) in
            do { try body(&connection) } catch let error as ConnectionError { throw error } catch {
                throw .violation("\(error)")
            }
        }
    }

    /// Waits for what ends the connection, without reading its events.
    func end() async throws -> TransportError {
        while true {
            if let failure { return failure }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
