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
        do throws(SystemCall.Failure) {
            descriptor = try SystemCall.connect(toSocketAt: path, sendLimit: limit)
        } catch {
            throw .unreachable("\(path): \(SystemError.text(error.number))")
        }
        self.limit = limit
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
                SystemCall.limit(SO_RCVTIMEO, of: descriptor, seconds: isLimited ? limit : 0)
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
