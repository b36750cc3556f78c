import Platform

/// One of this machine's own addresses.
package enum Loopback: String, CaseIterable, Sendable, CustomStringConvertible {
    case ipv4 = "127.0.0.1"
    case ipv6 = "::1"

    package var description: String { rawValue }

    /// The address as a URL and `scp`'s arguments have it: an IPv6 address in brackets.
    package var bracketed: String { self == .ipv6 ? "[::1]" : rawValue }

    /// Those that this machine has; a container may lack IPv6.
    package static let available: [Loopback] = allCases.filter { address in
        guard let descriptor = try? address.listeningSocket(port: 0) else { return false }
        close(descriptor)
        return true
    }

    /// A port that nobody listens on now. Another process may take it at any time: start the listener, and try again with
    /// another port if it cannot have this one.
    package func freePort() throws -> Int {
        let descriptor = try listeningSocket(port: 0)
        defer { close(descriptor) }
        return try localPort(descriptor)
    }

    /// A socket that listens; port 0 takes a free one.
    func listeningSocket(port: Int) throws -> Int32 {
        let descriptor = try boundSocket(port: port, isShared: true)
        guard listen(descriptor, 64) == 0 else {
            let code = errno
            close(descriptor)
            throw SystemError("listening on \(self) port \(port)", code: code)
        }
        return descriptor
    }

    /// A socket with a port, on which it does not listen; port 0 takes a free one.
    ///
    /// - Parameter isShared: lets it have a port on which connections of the past are not over yet.
    fileprivate func boundSocket(port: Int, isShared: Bool) throws -> Int32 {
        try withAddress(port: port) { family, address, length in
            let descriptor = try makeSocket(family)
            var yes: Int32 = isShared ? 1 : 0
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
            guard bind(descriptor, address, length) == 0 else {
                let code = errno
                close(descriptor)
                throw SystemError("taking \(self) port \(port)", code: code)
            }
            return descriptor
        }
    }

    /// A socket connected to a port.
    func connectedSocket(port: Int) throws -> Int32 {
        try withAddress(port: port) { family, address, length in
            let descriptor = try makeSocket(family)
            guard connect(descriptor, address, length) == 0 else {
                let code = errno
                close(descriptor)
                throw SystemError("connecting to \(self) port \(port)", code: code)
            }
            return descriptor
        }
    }

    private func makeSocket(_ family: Int32) throws -> Int32 {
        let descriptor = openUninherited { socket(family, SystemCall.streamSocket, 0) }
        guard descriptor >= 0 else { throw SystemError("socket") }
        return descriptor
    }

    private func withAddress<Result>(
        port: Int, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) throws -> Result {
        guard let port = UInt16(exactly: port) else { throw TestSupportError("\(port) is no port") }
        func call<Address>(_ family: Int32, _ address: Address) throws -> Result {
            try withUnsafePointer(to: address) { pointer in
                try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    try body(family, $0, socklen_t(MemoryLayout<Address>.size))
                }
            }
        }
        switch self {
        case .ipv4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, rawValue, &address.sin_addr)
            return try call(AF_INET, address)
        case .ipv6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, rawValue, &address.sin6_addr)
            return try call(AF_INET6, address)
        }
    }
}

/// A port that refuses connections as long as this lives: it is taken, so that no other process gets it, and nobody
/// listens on it.
package final class RefusingPort: Sendable {
    package let number: Int
    private let descriptor: Int32

    package init(_ address: Loopback = .ipv4) throws {
        descriptor = try address.boundSocket(port: 0, isShared: false)
        number = try localPort(descriptor)
    }

    deinit { close(descriptor) }
}

/// The port a socket is bound to.
func localPort(_ descriptor: Int32) throws -> Int {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard result == 0 else { throw SystemError("getsockname") }
    // The port lies at the same place for both families.
    return withUnsafeBytes(of: &storage) { bytes in Int(bytes[2]) << 8 | Int(bytes[3]) }
}
