import NIOPosix
import Platform
import SSHConfig
import Synchronization

/// Asks at the terminal that controls this process, whatever its standard streams are, or through the program that
/// `SSH_ASKPASS` names; tells on standard error.
public struct TerminalInterface: UserInterface {
    public init() {}

    public func ask(_ question: String) async -> String? {
        await onThread { Self.ask(question, echo: true, $0) }.map { String(decoding: $0, as: UTF8.self) }
    }

    public func askSecret(_ prompt: String) async -> [UInt8]? { await onThread { Self.ask(prompt, echo: false, $0) } }

    /// Only the program that `SSH_ASKPASS` names is asked: a terminal's line might be typed in advance.
    public func confirm(_ question: String) async -> Bool {
        let answer = await onThread { given in
            AskPass(environment: LocalAccount.environment)?.ask(
                question, hint: "confirm", cancellation: given.program)
        }
        guard let answer else { return false }
        return answer.isEmpty || String(decoding: answer, as: UTF8.self).lowercased() == "yes"
    }

    private static func ask(_ prompt: String, echo: Bool, _ given: GivenUp) -> [UInt8]? {
        let program = AskPass(environment: LocalAccount.environment)
        if let program, program.isPreferred { return program.ask(prompt, cancellation: given.program) }
        guard let terminal = Terminal.open() else { return program?.ask(prompt, cancellation: given.program) }
        return terminal.read(prompt: "\r" + prompt, echo: echo, given)
    }

    /// Whether a question was given up: nobody waits for its answer any more.
    fileprivate final class GivenUp: Sendable {
        let program = ChildProcess.Cancellation()
        private let isSet = Atomic(false)

        var isGivenUp: Bool { isSet.load(ordering: .relaxed) }

        /// Waits, for a second at most where nobody gives it up.
        func wait(upTo tenths: Int) {
            for _ in 0..<tenths where !isGivenUp { usleep(100_000) }
        }

        func set() {
            isSet.store(true, ordering: .relaxed)
            program.cancel()
        }
    }

    public func tell(_ text: String) { StandardError.write(text + "\n") }

    /// Typing takes its time: it must not hold up a thread that others need.
    private func onThread(_ body: @escaping @Sendable (GivenUp) -> [UInt8]?) async -> [UInt8]? {
        let given = GivenUp()
        // Not left before the terminal is itself again.
        return await withTaskCancellationHandler {
            (try? await NIOThreadPool.singleton.runIfActive { body(given) }) ?? nil
        } onCancel: {
            given.set()
        }
    }
}

/// Writes whole texts to standard error.
package enum StandardError {
    package static func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { SystemCall.write(2, $0) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// The controlling terminal, while a question is put to it.
private struct Terminal: ~Copyable {
    private let descriptor: CInt

    private init(descriptor: CInt) { self.descriptor = descriptor }

    static func open() -> Terminal? {
        guard let descriptor = try? SystemCall.open(at: AT_FDCWD, Array("/dev/tty".utf8), O_RDWR) else { return nil }
        return Terminal(descriptor: descriptor)
    }

    deinit { close(descriptor) }

    private func write(_ text: String) {
        _ = Array(text.utf8).withUnsafeBytes { SystemCall.write(descriptor, $0) }
    }

    /// Reads one line. The line is edited here and signals are raised here, so that the terminal is itself again
    /// before an interrupt ends the process.
    func read(prompt: String, echo: Bool, _ given: TerminalInterface.GivenUp) -> [UInt8]? {
        var saved = termios()
        let isTerminal = tcgetattr(descriptor, &saved) == 0
        if isTerminal {
            var changed = saved
            changed.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            tcsetattr(descriptor, TCSAFLUSH, &changed)
        }
        defer { if isTerminal { tcsetattr(descriptor, TCSAFLUSH, &saved) } }
        write(prompt)
        var line: [UInt8] = []
        line.reserveCapacity(1024)
        while true {
            guard let byte = nextByte(given) else { return line.isEmpty || given.isGivenUp ? nil : line }
            switch byte {
            case 0x0a, 0x0d:
                write("\n")
                return line
            case 0x03:
                write("\n")
                if isTerminal { tcsetattr(descriptor, TCSAFLUSH, &saved) }
                // To the process, not to this thread, where signals are blocked; it may take a moment to arrive.
                kill(getpid(), SIGINT)
                given.wait(upTo: 10)
                return nil
            case 0x04 where line.isEmpty:
                write("\n")
                return nil
            case 0x08, 0x7f:
                if line.popLast() != nil, echo { write("\u{8} \u{8}") }
            case 0x15:
                if echo { for _ in line { write("\u{8} \u{8}") } }
                line.removeAll(keepingCapacity: true)
            case 0..<0x20:
                break
            default:
                guard line.count < 1024 else { break }
                line.append(byte)
                if echo { write(String(decoding: [byte], as: UTF8.self)) }
            }
        }
    }

    /// How often it is looked whether the question was given up, in milliseconds.
    private static let glance: CInt = 100

    private func nextByte(_ given: TerminalInterface.GivenUp) -> UInt8? {
        var byte: UInt8 = 0
        while !given.isGivenUp {
            var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&state, 1, Self.glance)
            if ready == 0 || ready < 0 && errno == EINTR { continue }
            let count = withUnsafeMutableBytes(of: &byte) { SystemCall.read(descriptor, $0) }
            if count == 1 { return byte }
            if count < 0 && errno == EINTR { continue }
            return nil
        }
        return nil
    }
}
