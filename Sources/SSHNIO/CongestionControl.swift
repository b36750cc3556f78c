import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How the system decides how much of a TCP connection's data may be under way: its default for all connections, or
/// something else for one of ours, such as `bbr` on a link that loses packets for other reasons than congestion.
package struct CongestionControl: Sendable, Equatable {
    /// TCP_CA_NAME_MAX of Linux, less the zero byte.
    private static let longestName = 15

    /// The system's name for it.
    package let name: String

    /// - Returns: nil for what cannot be a name of one.
    package init?(_ name: String) {
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
            }
        }
        guard isName, (1...Self.longestName).contains(name.utf8.count) else { return nil }
        self.name = name
    }

    /// Sets it for a channel that is connected: what a route's `congctl` says (ip-route(8)) is set with the connection, and
    /// would replace it.
    ///
    /// - Returns: why the system does not allow it; nil where it does.
    package func set(on channel: any Channel) async -> String? {
        #if os(Linux)
            guard let socket = channel as? any SocketOptionProvider else { return "the connection is not a socket" }
            var value: (UInt64, UInt64) = (0, 0)
            withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: name.utf8) }
            do {
                try await socket.unsafeSetSocketOption(
                    level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_CONGESTION), value: value
                ).get()
                return nil
            } catch let error as IOError {
                switch error.errnoCode {
                case ENOENT: return "the system has none of that name"
                case EPERM: return "the system allows only root that one"
                default: return SystemError.text(error.errnoCode)
                }
            } catch {
                return "\(error)"
            }
        #else
            return "this system does not allow one to be chosen"
        #endif
    }
}
