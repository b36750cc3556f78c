import NIOCore
import Platform
import SSHNIO
import Synchronization

/// A Unix domain socket that messages with a length in front are exchanged on, and descriptors are passed through. Its
/// functions block the calling thread.
struct ControlSocket: ~Copyable {
    enum Failure: Error, CustomStringConvertible {
        /// The path is longer than an address may be; in bytes.
        case pathTooLong(limit: Int)
        case system(String, CInt)
        /// The other end has closed it.
        case ended
        /// A message's length makes no sense; in bytes.
        case messageLength(UInt32)

        var description: String {
            switch self {
            case .pathTooLong(let limit): "the path is longer than \(limit) bytes"
            case .system(let operation, let number): "\(operation): \(SystemError.text(number))"
            case .ended: "closed by the other end"
            case .messageLength(let length): "a message of \(length) bytes"
            }
        }
    }

    private static let mostMessage: UInt32 = 256 << 10

    private let descriptor: CInt

    /// Connects to whoever listens at a path.
    ///
    /// - Parameter timeLimit: seconds that an answer may take; nil for ever.
    /// - Throws: ``Failure``.
    init(path: String, timeLimit: Int?) throws(Failure) {
        let limit = SystemCall.longestSocketPath
        guard path.utf8.count <= limit else { throw .pathTooLong(limit: limit) }
        do throws(SystemCall.Failure) {
            descriptor = try SystemCall.connect(toSocketAt: path, sendLimit: timeLimit ?? 0)
        } catch {
            throw .system("connect", error.number)
        }
        if let timeLimit { SystemCall.limit(SO_RCVTIMEO, of: descriptor, seconds: timeLimit) }
    }

    deinit { close(descriptor) }

    /// Lets answers take as long as they do.
    func waitForEver() { SystemCall.limit(SO_RCVTIMEO, of: descriptor, seconds: 0) }

    /// Has ``Cancellation/cancel()`` end both directions.
    func arm(_ cancellation: Cancellation) { cancellation.arm(dup(descriptor)) }

    /// Ends the waiting of a thread for a message.
    final class Cancellation: Sendable {
        private struct State {
            var descriptor: CInt = -1
            var isCancelled = false
        }
        private let state = Mutex(State())

        deinit { state.withLock { if $0.descriptor >= 0 { close($0.descriptor) } } }

        fileprivate func arm(_ descriptor: CInt) {
            let isCancelled = state.withLock { state in
                state.descriptor = descriptor
                return state.isCancelled
            }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            if isCancelled { cancel() }
        }

        func cancel() {
            state.withLock { state in
                state.isCancelled = true
                if state.descriptor >= 0 { shutdown(state.descriptor, CInt(SHUT_RDWR)) }
            }
        }
    }

    /// Ends both directions, so that whoever waits for a message waits no longer.
    func shutDown() { shutdown(descriptor, CInt(SHUT_RDWR)) }

    func send(_ message: ByteBuffer) throws(Failure) {
        var framed = ByteBuffer(integer: UInt32(message.readableBytes))
        framed.writeImmutableBuffer(message)
        while framed.readableBytes > 0 {
            let count = framed.withUnsafeReadableBytes { SystemCall.send(descriptor, $0) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system("send", errno) }
            framed.moveReaderIndex(forwardBy: count)
        }
    }

    /// The next message, without its length.
    func receive() throws(Failure) -> ByteBuffer {
        var header = try receive(4)
        guard let length = header.readInteger(as: UInt32.self), length <= Self.mostMessage else {
            throw .messageLength(header.getInteger(at: 0) ?? 0)
        }
        return try receive(Int(length))
    }

    private func receive(_ count: Int) throws(Failure) -> ByteBuffer {
        var buffer = ByteBuffer()
        while buffer.readableBytes < count {
            let missing = count - buffer.readableBytes
            let got = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: missing) { space in
                max(0, retrying { recv(descriptor, space.baseAddress, missing, 0) })
            }
            if got == 0 { throw errno == 0 ? .ended : .system("receive", errno) }
        }
        return buffer
    }

    /// Gives a descriptor to the other end, which gets one of its own for the same file; one byte goes with it.
    func pass(_ passed: CInt) throws(Failure) {
        // Room for a header and one descriptor: 20 bytes on a 64-bit Linux, 16 on Darwin, rounded up.
        var control = [UInt64](repeating: 0, count: 3)
        var byte: UInt8 = 0
        let headerSize = MemoryLayout<cmsghdr>.size
        let sent = control.withUnsafeMutableBytes { control in
            var header = cmsghdr()
            header.cmsg_len = numericCast(headerSize + MemoryLayout<CInt>.size)
            header.cmsg_level = SOL_SOCKET
            header.cmsg_type = CInt(SCM_RIGHTS)
            control.storeBytes(of: header, as: cmsghdr.self)
            control.storeBytes(of: passed, toByteOffset: headerSize, as: CInt.self)
            let alignment = MemoryLayout<cmsghdr>.alignment
            let space = headerSize + (MemoryLayout<CInt>.size + alignment - 1) / alignment * alignment
            return withUnsafeMutablePointer(to: &byte) { byte in
                var part = iovec(iov_base: UnsafeMutableRawPointer(byte), iov_len: 1)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = numericCast(space)
                    return retrying { sendmsg(descriptor, &message, 0) }
                }
            }
        }
        guard sent == 1 else { throw .system("sendmsg", errno) }
    }
}

/// A system call that signals interrupt; `errno` is 0 unless it fails.
private func retrying(_ call: () -> Int) -> Int {
    while true {
        errno = 0
        let result = call()
        if result < 0, errno == EINTR { continue }
        return result
    }
}
