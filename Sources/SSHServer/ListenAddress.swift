import NIOCore
import NIOPosix
import Platform
import SSHNIO

/// Where a server waits for connections.
public enum ListenAddress: Equatable, Sendable {
    /// A numeric address or a name, and a port; 0 for any free one.
    case address(String, port: Int)
    /// A listening socket made by somebody else, such as systemd.
    case socket(Int32)
}

extension ListenAddress {
    /// How many ports are tried that the system says are free.
    static let attempts = 8

    /// Binds all addresses. Those with port 0 get the same one: where that is taken on one of them, another is tried, a
    /// few times.
    ///
    /// - Throws: ``ServerError/cannotListen(address:port:reason:)``; what was bound is closed again.
    static func bindAll(
        _ addresses: [ListenAddress], _ bind: (ListenAddress) async throws -> any Channel
    ) async throws(ServerError) -> [any Channel] {
        var attempt = 1
        while true {
            var bound: [any Channel] = []
            var port = 0
            for address in addresses {
                let (place, isChosen) = address.with(port: port)
                do {
                    let channel = try await bind(place)
                    bound.append(channel)
                    if case .address(_, port: 0) = address { port = channel.localAddress?.port ?? port }
                } catch {
                    for channel in bound { try? await channel.close() }
                    bound = []
                    let isTaken = (error as? IOError)?.errnoCode == EADDRINUSE
                    guard isChosen, isTaken, attempt < attempts else { throw place.failure(error) }
                    break
                }
            }
            if bound.count == addresses.count { return bound }
            attempt += 1
        }
    }

    /// The address with a port that was found free, unless it has one or none was found yet.
    private func with(port: Int) -> (ListenAddress, isChosen: Bool) {
        guard case .address(let host, port: 0) = self, port != 0 else { return (self, false) }
        return (.address(host, port: port), true)
    }

    func bind(_ bootstrap: ServerBootstrap) async throws -> any Channel {
        switch self {
        case .socket(let descriptor): return try await bootstrap.withBoundSocket(descriptor).get()
        case .address(let host, let port):
            let address = try SocketAddress.makeAddressResolvingHost(host, port: port)
            var bootstrap = bootstrap
            // `::` and `0.0.0.0` are two addresses here, as they are to sshd.
            if case .v6 = address {
                bootstrap = bootstrap.serverChannelOption(Self.onlyIPv6, value: 1)
            }
            return try await bootstrap.bind(to: address).get()
        }
    }

    private func failure(_ error: any Error) -> ServerError {
        switch self {
        case .socket(let descriptor):
            .cannotListen(address: "descriptor \(descriptor)", port: 0, reason: Self.reason(error))
        case .address(let host, let port): .cannotListen(address: host, port: port, reason: Self.reason(error))
        }
    }

    private static let onlyIPv6 = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError: SystemError.text(error.errnoCode)
        default: "\(error)"
        }
    }
}
