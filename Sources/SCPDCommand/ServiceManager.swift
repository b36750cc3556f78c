import Platform

/// What systemd and its like hand to a service and want to hear from it (sd_listen_fds(3), sd_notify(3)).
enum ServiceManager {
    /// The first descriptor that is passed.
    private static let firstDescriptor: Int32 = 3

    /// The listening sockets that were made for this process, if any. To be asked once: it leaves nothing behind for
    /// another process to take for its own.
    static func listeningSockets() -> [Int32] {
        let (process, count) = (value("LISTEN_PID"), value("LISTEN_FDS"))
        defer {
            unsetenv("LISTEN_PID")
            unsetenv("LISTEN_FDS")
            unsetenv("LISTEN_FDNAMES")
        }
        let sockets = descriptors(process: process, count: count)
        for socket in sockets { _ = fcntl(socket, F_SETFD, FD_CLOEXEC) }
        return sockets
    }

    /// The descriptors that `LISTEN_PID` and `LISTEN_FDS` mean for this process.
    static func descriptors(process: String?, count: String?) -> [Int32] {
        guard process.flatMap({ Int32($0) }) == getpid(), let count = count.flatMap({ Int32($0) }),
            (1...1024).contains(count)
        else { return [] }
        return (0..<count).map { firstDescriptor + $0 }
    }

    /// Tells a state such as `READY=1`, where somebody wants to know.
    static func notify(_ state: String, socket: String? = value("NOTIFY_SOCKET")) {
        guard let path = socket, let first = path.utf8.first, path.utf8.count > 1 else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        // A name of Linux's that is no file.
        if first == UInt8(ascii: "@") { bytes[0] = 0 }
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = MemoryLayout.offset(of: \sockaddr_un.sun_path).map { socklen_t($0 + bytes.count) }
        let descriptor = datagramSocket()
        guard let length, descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(state.utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                sendto(descriptor, message, message.count, 0, pointer, length)
            }
        }
    }

    private static func datagramSocket() -> Int32 {
        socket(AF_UNIX, SystemCall.datagramSocket, 0)
    }

    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
