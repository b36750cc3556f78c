// Sockets that have a path of the file system.

extension SystemCall {
    /// As many bytes as the path of a socket may have.
    package static let longestSocketPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// Connects to whoever listens at a path.
    ///
    /// - Parameter sendLimit: seconds that a call may take to send, or to connect, as whoever is stopped lets some wait in
    ///   its queue and the rest outside; 0 for no limit.
    package static func connect(toSocketAt path: String, sendLimit: Int) throws(Failure) -> Int32 {
        guard path.utf8.count <= longestSocketPath else { throw Failure(number: ENAMETOOLONG) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = socket(AF_UNIX, streamSocket, 0)
        guard descriptor >= 0 else { throw Failure(number: errno) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        suppressSignal(of: descriptor)
        limit(SO_SNDTIMEO, of: descriptor, seconds: sendLimit)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                systemConnect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else {
            let number = errno
            _ = close(descriptor)
            throw Failure(number: number)
        }
        return descriptor
    }

    /// Bounds what a call on a socket waits, SO_SNDTIMEO or SO_RCVTIMEO; 0 seconds for no bound.
    package static func limit(_ direction: Int32, of socket: Int32, seconds: Int) {
        var time = timeval()
        time.tv_sec = numericCast(seconds)
        setsockopt(socket, SOL_SOCKET, direction, &time, socklen_t(MemoryLayout<timeval>.size))
    }
}

private func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    connect(descriptor, address, length)
}
