import NIOCore
import NIOPosix
import Platform
import SSHKeys
import SSHNIO
import SSHWire
import Synchronization

/// An authentication agent, reached through its socket (`SSH_AUTH_SOCK`, `IdentityAgent`).
///
/// An agent may ask its owner before it answers, so requests are made on a thread that may wait.
package final class AgentClient: Sendable {
    /// Why an agent was of no use.
    package enum Fault: Error, CustomStringConvertible {
        case unreachable(String)
        case gone
        /// It has not answered in time what needs nobody's consent.
        case silent(seconds: Int)
        case answerTooLong(Int)
        case refused
        /// The signature is of another kind than was asked for, as an old agent's of RSA keys.
        case wrongAlgorithm(asked: String, given: String)
        case malformed(KeyError)

        package var description: String {
            switch self {
            case .unreachable(let reason): reason
            case .silent(let seconds): "the agent has not answered for \(seconds) s"
            case .gone: "the agent closed the connection"
            case .answerTooLong(let size): "the agent answers with \(size) bytes"
            case .refused: "the agent refused"
            case .wrongAlgorithm(let asked, let given): "the agent signed with \(given), not with \(asked)"
            case .malformed(let error): "\(error)"
            }
        }
    }

    /// The longest answer that is read, in bytes, as OpenSSH's agent sends at most.
    private static let longestAnswer = 256 * 1024

    private let descriptor: CInt
    /// Seconds for what needs nobody's consent.
    private let limit: Int
    /// Held for a request and its answer.
    private let turn = Mutex(())

    /// Connects to the agent at a path.
    ///
    /// - Parameter limit: seconds it has to answer what needs nobody's consent; a signature may have to wait for a person.
    /// - Throws: ``Fault/unreachable(_:)``.
    package init(path: String, limit: Int = 60) throws(Fault) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .unreachable("\(path): \(SystemError.text(ENAMETOOLONG))")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, SystemCall.streamSocket, 0)
        guard descriptor >= 0 else { throw .unreachable(SystemError.text(errno)) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        SystemCall.suppressSignal(of: descriptor)
        // It counts for the connection too: an agent that is stopped lets some wait in its queue, and the rest outside.
        Self.limit(SO_SNDTIMEO, on: descriptor, seconds: limit)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else {
            let number = errno
            close(descriptor)
            throw .unreachable("\(path): \(SystemError.text(number))")
        }
        self.descriptor = descriptor
        self.limit = limit
    }

    /// Bounds what waits on a socket; 0 for no bound.
    private static func limit(_ direction: CInt, on descriptor: CInt, seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, direction, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Connects to the agent at a path on a thread that may wait.
    ///
    /// - Throws: ``Fault/unreachable(_:)``; `CancellationError`.
    static func connected(to path: String, limit: Int = 60) async throws -> AgentClient {
        try await BlockingCall.run { try AgentClient(path: path, limit: limit) }
    }

    deinit { close(descriptor) }

    /// The keys the agent holds.
    ///
    /// - Throws: ``Fault``.
    package func identities() async throws -> [AgentIdentity] {
        guard case .identities(let list) = try await ask(.identities, isLimited: true) else { throw Fault.refused }
        return list
    }

    /// A signature blob over `data`.
    ///
    /// - Throws: ``Fault``; `.refused` when the agent or its owner does not want to.
    package func sign(_ data: ByteBuffer, key: ByteBuffer, algorithm: String) async throws -> ByteBuffer {
        let request = AgentRequest.sign(key: key, data: data, flags: AgentRequest.flags(for: algorithm))
        guard case .signature(let signature) = try await ask(request) else { throw Fault.refused }
        var reader = signature
        guard let given = try? reader.readSSHText("algorithm") else {
            throw Fault.malformed(.malformed(what: "agent's signature", reason: "it names no algorithm"))
        }
        guard given == algorithm else {
            throw Fault.wrongAlgorithm(asked: algorithm, given: Printable.text(given.utf8))
        }
        return signature
    }

    /// Tells the agent which connection its signatures are for, so that it can hold keys to their destinations.
    ///
    /// - Returns: whether the agent took note; not every agent knows of it.
    /// - Throws: ``Fault`` other than `.refused`.
    package func bind(_ binding: AgentBinding, isForwarding: Bool = false) async throws -> Bool {
        if case .success = try await ask(binding.request(isForwarding: isForwarding), isLimited: true) {
            true
        } else {
            false
        }
    }

    /// Gives the agent a key to keep.
    ///
    /// - Throws: ``Fault``.
    package func add(_ key: PrivateKey, lifetime: UInt32? = nil, confirm: Bool = false) async throws {
        guard case .success = try await ask(.add(key, lifetime: lifetime, confirm: confirm)) else {
            throw Fault.refused
        }
    }

    private func ask(_ request: AgentRequest, isLimited: Bool = false) async throws -> AgentAnswer {
        let message = try request.encoded()
        return try await BlockingCall.run { [self] in
            try turn.withLock { _ in
                Self.limit(SO_RCVTIMEO, on: descriptor, seconds: isLimited ? limit : 0)
                return try exchange(message)
            }
        } onCancel: {
            // Whoever is cancelled needs no answer any more, and the thread that waits for it is to end.
            shutdown(descriptor, CInt(SHUT_RDWR))
        }
    }

    /// Why a call on the socket did not do what it should.
    private var fault: Fault { errno == EAGAIN || errno == EWOULDBLOCK ? .silent(seconds: limit) : .gone }

    private func exchange(_ request: ByteBuffer) throws(Fault) -> AgentAnswer {
        var rest = request
        while rest.readableBytes > 0 {
            let count = rest.withUnsafeReadableBytes { SystemCall.send(descriptor, $0) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw count < 0 ? fault : .gone }
            rest.moveReaderIndex(forwardBy: count)
        }
        var head = try receive(4)
        let length = Int(head.readInteger(as: UInt32.self) ?? 0)
        guard length > 0, length <= Self.longestAnswer else { throw .answerTooLong(length) }
        let body = try receive(length)
        do throws(KeyError) { return try AgentAnswer(body: body) } catch { throw .malformed(error) }
    }

    private func receive(_ count: Int) throws(Fault) -> ByteBuffer {
        var bytes = [UInt8](repeating: 0, count: count)
        var received = 0
        while received < count {
            let more = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress?.advanced(by: received), count - received, 0)
            }
            if more < 0 && errno == EINTR { continue }
            guard more > 0 else { throw more < 0 ? fault : .gone }
            received += more
        }
        return ByteBuffer(bytes: bytes)
    }
}
