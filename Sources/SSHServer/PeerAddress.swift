import NIOCore
import Platform

/// Where a connection comes from.
struct PeerAddress: Sendable {
    /// The address in numbers; `UNKNOWN` for a socket that has none.
    let text: String
    let port: Int
    /// What answers for it as one: an IPv4 address, or the first half of an IPv6 address, which is one customer's.
    let network: [UInt8]

    init(_ address: SocketAddress?) {
        self.init(address?.ipAddress ?? "UNKNOWN", port: address?.port ?? 0)
    }

    /// - Parameter text: an address in numbers. An IPv4 address that came to an IPv6 socket, as one of systemd's takes it,
    ///   counts as what it is.
    init(_ address: String, port: Int) {
        self.port = port
        // Without the name of a link that an address may end with.
        let plain = address.split(separator: "%").first.map(String.init) ?? address
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, plain, &bytes) == 1 {
            (text, network) = (address, Array(bytes.prefix(4)))
        } else if inet_pton(AF_INET6, plain, &bytes) == 1 {
            let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
            if bytes.starts(with: mapped) {
                network = Array(bytes.suffix(4))
                text = network.map { "\($0)" }.joined(separator: ".")
            } else {
                (text, network) = (address, Array(bytes.prefix(8)))
            }
        } else {
            (text, network) = (address, [])
        }
    }
}
