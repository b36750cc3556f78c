import NIOCore
import NIOPosix
import SSHTransport

/// Where a server waits for connections.
public enum ListenAddress: Equatable, Sendable {
    /// A numeric address or a name, and a port; 0 for any free one.
    case address(String, port: Int)
    /// A listening socket made by somebody else, such as systemd.
    case socket(Int32)
}

extension ListenAddress {
    /// - Throws: ``ServerError/cannotListen(address:port:reason:)``.
    func bind(_ bootstrap: ServerBootstrap) async throws(ServerError) -> any Channel {
        switch self {
        case .socket(let descriptor):
            do { return try await bootstrap.withBoundSocket(descriptor).get() } catch {
                throw .cannotListen(address: "descriptor \(descriptor)", port: 0, reason: Self.reason(error))
            }
        case .address(let host, let port):
            do {
                let address = try SocketAddress.makeAddressResolvingHost(host, port: port)
                var bootstrap = bootstrap
                // `::` and `0.0.0.0` are two addresses here, as they are to sshd.
                if case .v6 = address {
                    bootstrap = bootstrap.serverChannelOption(Self.onlyIPv6, value: 1)
                }
                return try await bootstrap.bind(to: address).get()
            } catch {
                throw .cannotListen(address: host, port: port, reason: Self.reason(error))
            }
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
