import NIOCore
import Platform
import SSHConfig
import SSHNIO

/// Turns host names into socket addresses with the system's resolver.
enum AddressResolver {
    /// The addresses of a host, found out on a thread that may wait.
    ///
    /// - Throws: `ClientError.unresolvable`; `CancellationError`.
    static func look(up host: String, port: Int, family: AddressFamily) async throws -> [SocketAddress] {
        try await BlockingCall.run { try resolve(host, port: port, family: family) }
    }

    /// The addresses of a host, in the system's order of preference.
    ///
    /// Numeric addresses, with a scope id where they have one, stand for themselves.
    /// - Throws: `ClientError.unresolvable`.
    static func resolve(_ host: String, port: Int, family: AddressFamily) throws(ClientError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family =
            switch family {
            case .any: AF_UNSPEC
            case .inet: AF_INET
            case .inet6: AF_INET6
            }
        hints.ai_socktype = SystemCall.streamSocket
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            throw .unresolvable(
                host: host, reason: gai_strerror(status).map { String(cString: $0) } ?? "error \(status)")
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let address = entry.ai_addr else { continue }
            switch entry.ai_family {
            case AF_INET:
                let address = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee }
                addresses.append(SocketAddress(address, host: host))
            case AF_INET6:
                let address = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee }
                addresses.append(SocketAddress(address, host: host))
            default:
                continue
            }
        }
        guard !addresses.isEmpty else { throw .unresolvable(host: host, reason: "no usable address") }
        return addresses
    }
}
