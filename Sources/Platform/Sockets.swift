// Socket options and kinds that systems have under different names or types, or some of them only.

extension SystemCall {
    // Glibc has an enumeration of them.
    #if canImport(Glibc)
        package static let streamSocket = Int32(SOCK_STREAM.rawValue)
        package static let datagramSocket = Int32(SOCK_DGRAM.rawValue)
    #else
        package static let streamSocket = SOCK_STREAM
        package static let datagramSocket = SOCK_DGRAM
    #endif

    /// Flags of send(2) for a socket whose other end may be closed: no signal. ``suppressSignal(of:)`` must have been
    /// called for it.
    #if canImport(Darwin)
        package static let sendFlags: Int32 = 0
    #else
        package static let sendFlags = Int32(MSG_NOSIGNAL)
    #endif

    /// Keeps a socket from raising SIGPIPE, where that is not a flag of each call.
    package static func suppressSignal(of socket: Int32) {
        #if canImport(Darwin)
            var yes: Int32 = 1
            setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &yes, socklen_t(MemoryLayout.size(ofValue: yes)))
        #endif
    }

    /// The TCP option that has what came acknowledged at once; nil where there is none.
    #if os(Linux)
        package static let acknowledgeNow: Int32? = TCP_QUICKACK
    #else
        package static let acknowledgeNow: Int32? = nil
    #endif

    /// The TCP port of a service that the system knows by this name (`/etc/services`), or nil.
    package static func port(ofService name: String) -> Int? {
        var hints = addrinfo()
        hints.ai_family = AF_INET
        hints.ai_socktype = streamSocket
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(nil, name, &hints, &list) == 0, let list else { return nil }
        defer { freeaddrinfo(list) }
        guard let address = list.pointee.ai_addr else { return nil }
        let port = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            UInt16(bigEndian: $0.pointee.sin_port)
        }
        return port > 0 ? Int(port) : nil
    }

    /// The TCP options that say after how many seconds of silence a peer is asked whether it is there, how many seconds
    /// there are between two questions, and how many may go unanswered.
    #if os(Linux)
        package static let keepAliveOptions = [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT]
    #else
        package static let keepAliveOptions = [TCP_KEEPALIVE, TCP_KEEPINTVL, TCP_KEEPCNT]
    #endif

    // Under a name that a method of the caller's own does not hide.
    package static func send(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        systemSend(socket, bytes.baseAddress, bytes.count)
    }
}

private func systemSend(_ socket: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    send(socket, bytes, count, SystemCall.sendFlags)
}
