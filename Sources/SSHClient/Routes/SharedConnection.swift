import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SSHConfig
import SSHNIO
import SSHWire

/// A connection that somebody's ssh(1) keeps for others to share (ssh_config(5), ControlPath), spoken to by OpenSSH's
/// multiplexing protocol (its file PROTOCOL.mux) as a "passenger": each session hands its descriptors over.
package struct SharedConnection: Sendable {
    /// Why a session was not opened.
    package enum Refusal: Error, Sendable, CustomStringConvertible {
        /// The other end wants no session, or its server does not.
        case refused(String)
        /// It does not speak the protocol as it should, or not any more.
        case broken(String)

        package var description: String {
            switch self {
            case .refused(let text), .broken(let text): text
            }
        }
    }

    private enum Number {
        static let hello: UInt32 = 0x0000_0001
        static let newSession: UInt32 = 0x1000_0002
        static let aliveCheck: UInt32 = 0x1000_0004
        static let denied: UInt32 = 0x8000_0002
        static let failure: UInt32 = 0x8000_0003
        static let exit: UInt32 = 0x8000_0004
        static let alive: UInt32 = 0x8000_0005
        static let opened: UInt32 = 0x8000_0006
    }

    private static let version: UInt32 = 4

    private let path: String
    private let options: ClientOptions

    /// Finds the shared connection that the options name.
    ///
    /// - Returns: nil where there is none that answers; `log` is told why.
    package static func find(_ options: ClientOptions, log: ClientLog) async -> SharedConnection? {
        guard let path = options.controlPath else { return nil }
        let shared = SharedConnection(path: path, options: options)
        do {
            let master = try await shared.onThread { try shared.check($0) }
            log.note(1, "Sharing the connection of process \(master) at \(path).")
            return shared
        } catch {
            log.note(1, "Control socket \(path): \(error)")
            return nil
        }
    }

    private func onThread<Value: Sendable>(
        _ body: @escaping @Sendable (ControlSocket.Cancellation) throws -> Value
    ) async throws -> Value {
        let cancellation = ControlSocket.Cancellation()
        do {
            return try await BlockingCall.run {
                try body(cancellation)
            } onCancel: {
                cancellation.cancel()
            }
        } catch let error as ControlSocket.Failure {
            throw Refusal.broken("\(error)")
        } catch let error as WireError {
            throw Refusal.broken("a malformed message: \(error)")
        }
    }

    /// Connects and exchanges greetings.
    private func connect(_ cancellation: ControlSocket.Cancellation) throws -> ControlSocket {
        let socket = try ControlSocket(path: path, timeLimit: options.connectTimeout ?? 30)
        socket.arm(cancellation)
        var hello = ByteBuffer(integer: Number.hello)
        hello.writeInteger(Self.version)
        try socket.send(hello)
        var answer = try socket.receive()
        guard try answer.readUInt32("type") == Number.hello else { throw Refusal.broken("no greeting") }
        let version = try answer.readUInt32("protocol version")
        guard version == Self.version else { throw Refusal.broken("version \(version) of the protocol") }
        return socket
    }

    /// - Returns: the number of the process that keeps the connection.
    private func check(_ cancellation: ControlSocket.Cancellation) throws -> UInt32 {
        let socket = try connect(cancellation)
        var request = ByteBuffer(integer: Number.aliveCheck)
        request.writeInteger(UInt32(0))
        try socket.send(request)
        var answer = try socket.receive()
        guard try answer.readUInt32("type") == Number.alive else { throw Refusal.broken("no sign of life") }
        _ = try answer.readUInt32("client request id")
        return try answer.readUInt32("server pid")
    }

    /// Runs a command, or starts a subsystem, on the server.
    ///
    /// - Parameter errorOutput: receives what the command writes to its standard error.
    /// - Throws: ``Refusal``; `TransportError`.
    package func open(
        _ command: [UInt8], isSubsystem: Bool, errorOutput: @escaping @Sendable (ByteBuffer) -> Void
    ) async throws -> SharedSession {
        let pipes = try SessionPipes()
        defer { for descriptor in pipes.theirs { closeDescriptor(descriptor) } }
        let request = request(command, isSubsystem: isSubsystem)
        let control: SharedSession.Control
        do {
            control = try await onThread { cancellation in
                let socket = try connect(cancellation)
                try socket.send(request)
                for descriptor in pipes.theirs { try socket.pass(descriptor) }
                // The person there may be asked, and takes the time it takes.
                socket.waitForEver()
                return SharedSession.Control(try Self.opened(socket.receive(), on: socket))
            }
        } catch {
            for descriptor in pipes.ours { closeDescriptor(descriptor) }
            throw error
        }
        return try await SharedSession(control: control, pipes, errorOutput: errorOutput)
    }

    private func request(_ command: [UInt8], isSubsystem: Bool) -> ByteBuffer {
        var request = ByteBuffer(integer: Number.newSession)
        request.writeInteger(UInt32(0))
        request.writeSSHString("")
        let forwardsAgent = options.forwardAgent != .no
        // OpenSSH writes these as four bytes each: terminal, X11, agent, subsystem.
        for flag in [false, false, forwardsAgent, isSubsystem] { request.writeInteger(UInt32(flag ? 1 : 0)) }
        request.writeInteger(UInt32.max)
        request.writeSSHString("")
        request.writeSSHString(command)
        for (name, value) in options.sentVariables() { request.writeSSHString("\(name)=\(value)") }
        return request
    }

    private static func opened(_ message: ByteBuffer, on socket: consuming ControlSocket) throws -> ControlSocket {
        var message = message
        let type = try message.readUInt32("type")
        _ = try message.readUInt32("client request id")
        switch type {
        case Number.opened: return socket
        case Number.denied, Number.failure:
            throw Refusal.refused(Printable.text(try message.readSSHString("reason").readableBytesView))
        default: throw Refusal.broken("message \(type) is no answer to a request for a session")
        }
    }

    /// What the other end says when a session is over; nil for what it says in between.
    static func exitStatus(_ message: ByteBuffer) throws -> UInt32? {
        var message = message
        guard try message.readUInt32("type") == Number.exit else { return nil }
        _ = try message.readUInt32("session id")
        return try message.readUInt32("exit value")
    }
}

/// The three pipes of a session.
struct SessionPipes {
    typealias Pipe = (reading: CInt, writing: CInt)

    let input: Pipe
    let output: Pipe
    let errors: Pipe

    /// - Throws: `SharedConnection.Refusal`.
    init() throws(SharedConnection.Refusal) {
        var made: [Pipe] = []
        func next() throws(SharedConnection.Refusal) -> Pipe {
            do {
                made.append(try ChildProcess.pipe())
                return made[made.count - 1]
            } catch {
                for pipe in made {
                    closeDescriptor(pipe.reading)
                    closeDescriptor(pipe.writing)
                }
                throw .broken("\(error)")
            }
        }
        input = try next()
        output = try next()
        errors = try next()
    }

    /// The ends that are passed on, in the order of the standard descriptors.
    var theirs: [CInt] { [input.reading, output.writing, errors.writing] }
    var ours: [CInt] { [input.writing, output.reading, errors.reading] }
}

/// A command, or a subsystem, that runs over somebody else's connection.
package final class SharedSession: ByteStream {
    /// The socket by which the other end tells how the session ended.
    final class Control: Sendable {
        private let socket: ControlSocket

        init(_ socket: consuming ControlSocket) { self.socket = socket }

        /// Waits until the session is over. Blocks.
        func wait() throws -> UInt32 {
            while true {
                if let status = try SharedConnection.exitStatus(socket.receive()) { return status }
            }
        }

        func shutDown() { socket.shutDown() }
    }

    private let control: Control
    private let stream: PipeStream
    private let errors: Task<Void, Never>

    init(
        control: Control, _ pipes: SessionPipes, errorOutput: @escaping @Sendable (ByteBuffer) -> Void
    ) async throws {
        self.control = control
        let told: IncomingPipe
        do {
            told = try await IncomingPipe.open(pipes.errors.reading, on: SSHClient.group)
        } catch {
            closeDescriptor(pipes.input.writing)
            closeDescriptor(pipes.output.reading)
            throw error
        }
        errors = Task {
            while let bytes = try? await told.read() { errorOutput(bytes) }
        }
        stream = try await PipeStream.open(
            input: pipes.output.reading, output: pipes.input.writing, on: SSHClient.group)
    }

    package func read() async throws -> ByteBuffer? { try await stream.read() }
    package func write(_ bytes: ByteBuffer) async throws { try await stream.write(bytes) }
    package func finishWriting() async throws { try await stream.finishWriting() }

    /// Waits until the session is over.
    ///
    /// - Returns: the exit status; nil where there is none.
    package func waitForEnd() async -> UInt32? {
        let control = control
        let status = try? await BlockingCall.run {
            try control.wait()
        } onCancel: {
            control.shutDown()
        }
        try? await errors.valueUnlessCancelled()
        return status
    }

    /// Gives the session up, if it is not over.
    package func close() {
        control.shutDown()
        Task { [stream] in await stream.close() }
    }
}
