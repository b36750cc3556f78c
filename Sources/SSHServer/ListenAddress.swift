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
    /// Listens on addresses already, as a program does that gives up the right to before it starts a server: clients wait until
    /// then. Those with port 0 get the same one.
    ///
    /// It starts no thread, and blocks on the resolution of names.
    ///
    /// - Returns: the sockets, for ``SSHServer/start(on:configuration:policy:handler:logger:metrics:group:)``.
    /// - Throws: ``ServerError/cannotListen(address:port:reason:)``; nothing is listened on then.
    public static func listen(on addresses: [ListenAddress]) throws(ServerError) -> [ListenAddress] {
        try bindAll(
            addresses, bind: { (address) throws(ListenFailure) in try address.listen() }, port: Self.port,
            close: { _ = closeSocket($0) }
        ).map { .socket($0) }
    }

    /// How many ports are tried that the system says are free.
    static let attempts = 8

    /// Binds all addresses. Those with port 0 get the same one: where that is taken on one of them, another is tried, a
    /// few times.
    ///
    /// - Throws: ``ServerError/cannotListen(address:port:reason:)``; what was bound is closed again.
    static func bindAll<Socket>(
        _ addresses: [ListenAddress], bind: (ListenAddress) throws(ListenFailure) -> Socket, port: (Socket) -> Int?,
        close: (Socket) -> Void
    ) throws(ServerError) -> [Socket] {
        var attempt = 1
        while true {
            var bound: [Socket] = []
            var free = 0
            for address in addresses {
                let (place, isChosen) = address.with(port: free)
                do throws(ListenFailure) {
                    let socket = try bind(place)
                    bound.append(socket)
                    if case .address(_, port: 0) = address { free = port(socket) ?? free }
                } catch {
                    for socket in bound { close(socket) }
                    bound = []
                    guard isChosen, error.number == EADDRINUSE, attempt < attempts else { throw place.failure(error) }
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

    /// A socket that listens, and is its caller's to close.
    func listen() throws(ListenFailure) -> Int32 {
        switch self {
        case .socket(let descriptor): return descriptor
        case .address(let host, let port):
            let address: SocketAddress
            do { address = try SocketAddress.makeAddressResolvingHost(host, port: port) } catch {
                throw ListenFailure(number: 0, reason: "\(error)")
            }
            let descriptor = makeSocket(address.protocol.rawValue)
            guard descriptor >= 0 else { throw .last() }
            do throws(ListenFailure) {
                try Self.listen(descriptor, on: address)
                return descriptor
            } catch {
                _ = closeSocket(descriptor)
                throw error
            }
        }
    }

    /// Clients that may wait to be accepted.
    static let backlog: Int32 = 1024

    private static func listen(_ descriptor: Int32, on address: SocketAddress) throws(ListenFailure) {
        func set(_ level: Int32, _ name: Int32) throws(ListenFailure) {
            var on: Int32 = 1
            guard setsockopt(descriptor, level, name, &on, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
                throw .last()
            }
        }
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { throw .last() }
        try set(SOL_SOCKET, SO_REUSEADDR)
        // `::` and `0.0.0.0` are two addresses here, as they are to sshd.
        if case .v6 = address { try set(Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
        guard address.withSockAddr({ bindSocket(descriptor, $0, socklen_t($1)) }) == 0 else { throw .last() }
        guard listenOnSocket(descriptor, backlog) == 0 else { throw .last() }
    }

    private static func port(_ descriptor: Int32) -> Int? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.baseAddress.map { getsockname(descriptor, $0.assumingMemoryBound(to: sockaddr.self), &size) } ?? -1
        }
        guard result == 0 else { return nil }
        // The port stands at the same place for both families, most significant byte first.
        return withUnsafeBytes(of: storage) { Int($0[2]) << 8 | Int($0[3]) }
    }

    private func failure(_ error: ListenFailure) -> ServerError {
        switch self {
        case .socket(let descriptor):
            .cannotListen(address: "descriptor \(descriptor)", port: 0, reason: error.reason)
        case .address(let host, let port): .cannotListen(address: host, port: port, reason: error.reason)
        }
    }
}

/// What a call on the way to a listening socket met.
struct ListenFailure: Error {
    let number: Int32
    let reason: String

    init(number: Int32, reason: String? = nil) {
        self.number = number
        self.reason = reason ?? SystemError.text(number)
    }

    static func last() -> ListenFailure { ListenFailure(number: errno) }
}

// By other names, as members of the type above have theirs.
private func makeSocket(_ family: Int32) -> Int32 { socket(family, SystemCall.streamSocket, 0) }
private func closeSocket(_ descriptor: Int32) -> Int32 { close(descriptor) }
private func listenOnSocket(_ descriptor: Int32, _ backlog: Int32) -> Int32 { listen(descriptor, backlog) }
private func bindSocket(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> Int32 {
    bind(descriptor, address, size)
}
