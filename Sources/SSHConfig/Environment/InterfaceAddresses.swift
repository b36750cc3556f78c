import NIOCore
import Platform

/// An IP address of one of this machine's network interfaces that are up.
package struct InterfaceAddress: Sendable {
    package let interface: String
    package let address: SocketAddress
    /// Whether it leads nowhere beyond this machine or this link.
    let isConfined: Bool

    /// All there are, in the system's order.
    package static func all() -> [InterfaceAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var addresses: [InterfaceAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard entry.ifa_flags & UInt32(IFF_UP) != 0, let name = entry.ifa_name, let address = entry.ifa_addr,
                let socketAddress = read(address)
            else { continue }
            let isLoopback = entry.ifa_flags & UInt32(IFF_LOOPBACK) != 0
            addresses.append(
                InterfaceAddress(
                    interface: String(cString: name), address: socketAddress,
                    isConfined: isLoopback || socketAddress.ipAddress?.hasPrefix("fe80:") ?? false))
        }
        return addresses
    }

    /// The address to connect from when a connection to `peer` is to leave by an interface (`BindInterface`): the first
    /// of its family, those that lead further before all others.
    package static func local(of interface: String, for peer: SocketAddress) -> SocketAddress? {
        let candidates = all().filter { $0.interface == interface && $0.address.protocol == peer.protocol }
        return (candidates.first { !$0.isConfined } ?? candidates.first)?.address
    }

    private static func read(_ address: UnsafeMutablePointer<sockaddr>) -> SocketAddress? {
        switch CInt(address.pointee.sa_family) {
        case AF_INET:
            let address = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee }
            return SocketAddress(address, host: "")
        case AF_INET6:
            let address = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee }
            return SocketAddress(address, host: "")
        default:
            return nil
        }
    }
}
