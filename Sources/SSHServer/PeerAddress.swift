import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

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
        // Without the name of a link that an address may end with.
        let plain = text.split(separator: "%").first.map(String.init) ?? text
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, plain, &bytes) == 1 {
            network = Array(bytes.prefix(4))
        } else if inet_pton(AF_INET6, plain, &bytes) == 1 {
            // An IPv4 address that came to an IPv6 socket.
            let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
            network = Array(bytes.starts(with: mapped) ? bytes.suffix(4) : bytes.prefix(8))
        } else {
            network = []
        }
    }
}
