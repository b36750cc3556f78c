import NIOCore

/// Where a connection comes from.
struct PeerAddress: Sendable {
    /// The address in numbers; `UNKNOWN` for a socket that has none.
    let text: String
    let port: Int
    /// What answers for it as one: an IPv4 address, or the first half of an IPv6 address, which is one customer's.
    let network: [UInt8]

    init(_ address: SocketAddress?) {
        text = address?.ipAddress ?? "UNKNOWN"
        port = address?.port ?? 0
        switch address {
        case .v4(let address):
            network = withUnsafeBytes(of: address.address.sin_addr) { Array($0) }
        case .v6(let address):
            let bytes = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
            // An IPv4 address that came to an IPv6 socket.
            let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
            network = Array(bytes.starts(with: mapped) ? bytes.suffix(4) : bytes.prefix(8))
        default:
            network = []
        }
    }
}
