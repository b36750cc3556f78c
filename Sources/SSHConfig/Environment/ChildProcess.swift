import Platform
import SSHNIO
import Synchronization

/// A program that this process has started.
package struct ChildProcess: Sendable {
    package let processID: pid_t

    /// What the child finds in one of its standard descriptors.
    package enum Stream {
        /// What this process has there.
        case inherited
        /// `/dev/null`.
        case null
        /// A descriptor of this process, which stays the caller's to close. It may stand for several streams.
        case descriptor(CInt)
    }

    /// What to start, and how.
    package struct Command {
        package let program: String
        /// Without the program's own name, which goes before them.
        package let arguments: [[UInt8]]
        /// Whether a program without a slash is looked for along `PATH`.
        package var isSearched = false
        /// Variables that differ from this process's; nil for one that the child is not to have.
        package var environment: [String: String?] = [:]
        package var input = Stream.null
        package var output = Stream.inherited
        package var errors = Stream.inherited

        package init(_ program: String, _ arguments: [String]) {
            self.init(program, bytes: arguments.map { Array($0.utf8) })
        }

        /// A command with arguments that need not be UTF-8.
        package init(_ program: String, bytes arguments: [[UInt8]]) {
            self.program = program
            self.arguments = arguments
        }
    }

    /// How a child has ended.
    package enum Status: Equatable {
        case exited(CInt)
        case signalled(CInt)

        package var isSuccess: Bool { self == .exited(0) }
        /// One number for both, as shells have it: a signal's has 128 added.
        package var shellCode: CInt {
            switch self {
            case .exited(let code): code
            case .signalled(let number): 128 + number
            }
        }
    }

    /// The system did not start the program, or does not know the child.
    package struct Failure: Error, CustomStringConvertible {
        package let number: CInt
        package var description: String { SystemError.text(number) }
    }

    /// Starts a program. It gets the standard descriptors as the command has them and none that are marked to be closed
    /// by exec; no signal is held back from it, and SIGPIPE and SIGCHLD do what they usually do, whatever this process
    /// made of them.
    package init(_ command: Command) throws(Failure) {
        var (actions, attributes) = (SystemCall.newFileActions(), SystemCall.newSpawnAttributes())
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        for (number, stream) in [command.input, command.output, command.errors].enumerated() {
            let target = CInt(number)
            switch stream {
            case .null: posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0)
            case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, target)
            case .inherited: SystemCall.inherit(target, &actions)
            }
        }
        var (usual, none) = (sigset_t(), sigset_t())
        sigemptyset(&usual)
        for signal in [SIGPIPE, SIGCHLD] { sigaddset(&usual, signal) }
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &usual)
        posix_spawnattr_setsigmask(&attributes, &none)
        let flags = CInt(POSIX_SPAWN_SETSIGDEF) | CInt(POSIX_SPAWN_SETSIGMASK) | SystemCall.spawnFlags
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var words = [strdup(command.program)]
        words += command.arguments.map { strdup($0.map { CChar(bitPattern: $0) } + [0]) } + [nil]
        defer { for word in words { free(word) } }
        var variables = Self.variables(command.environment) + [nil]
        defer { for variable in variables { free(variable) } }
        let spawn = command.isSearched ? posix_spawnp : posix_spawn
        var child = pid_t()
        let number = Self.spawning.withLock { _ in
            spawn(&child, command.program, &actions, &attributes, &words, &variables)
        }
        guard number == 0 else { throw Failure(number: number) }
        processID = child
    }

    /// Waits for the end of the child; to be called once. Blocks.
    package func wait() throws(Failure) -> Status {
        var status: CInt = 0
        while waitpid(processID, &status, 0) < 0 {
            guard errno == EINTR else { throw Failure(number: errno) }
        }
        let signal = status & 0x7f
        return signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
    }

    /// Runs a program to its end for what it writes to its standard output. Blocks.
    ///
    /// - Parameters:
    ///   - limit: after how many bytes nothing more is read, in bytes; a program that writes on gets SIGPIPE.
    ///   - cancellation: ends the program.
    package static func output(
        of command: Command, limit: Int, cancellation: Cancellation? = nil
    ) throws(Failure) -> (bytes: [UInt8], status: Status) {
        let ends = try pipe()
        var command = command
        command.output = .descriptor(ends.writing)
        let child: ChildProcess
        do throws(Failure) {
            child = try ChildProcess(command)
        } catch {
            close(ends.reading)
            close(ends.writing)
            throw error
        }
        close(ends.writing)
        cancellation?.started(child)
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count < limit {
            let count = read(ends.reading, &block, min(block.count, limit - bytes.count))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += block[..<count]
        }
        close(ends.reading)
        child.waitUnreaped()
        cancellation?.ended()
        return (bytes, try child.wait())
    }

    /// Waits until the child has ended, and leaves its number taken until ``wait()``. Blocks.
    private func waitUnreaped() {
        var info = siginfo_t()
        while waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    }

    /// Ends a program that another thread waits for.
    package final class Cancellation: Sendable {
        private struct State {
            var child: ChildProcess?
            var isCancelled = false
        }
        private let state = Mutex(State())

        package init() {}

        /// Sends SIGTERM to the program, or to one that is started later.
        package func cancel() {
            state.withLock { state in
                state.isCancelled = true
                if let child = state.child { kill(child.processID, SIGTERM) }
            }
        }

        fileprivate func started(_ child: ChildProcess) {
            state.withLock { state in
                state.child = child
                if state.isCancelled { kill(child.processID, SIGTERM) }
            }
        }

        /// The child's number may soon be another process's.
        fileprivate func ended() { state.withLock { $0.child = nil } }
    }

    /// A pipe whose ends exec closes, so that a child gets only the end that is named in its command. No end is a
    /// standard descriptor, not even where this process was started without one.
    package static func pipe() throws(Failure) -> (reading: CInt, writing: CInt) {
        try spawning.withLock { (_) throws(Failure) in
            var made: [CInt] = [-1, -1]
            guard systemPipe(&made) == 0 else { throw Failure(number: errno) }
            defer { for end in made { close(end) } }
            let reading = fcntl(made[0], F_DUPFD_CLOEXEC, 3)
            guard reading >= 0 else { throw Failure(number: errno) }
            let writing = fcntl(made[1], F_DUPFD_CLOEXEC, 3)
            guard writing >= 0 else {
                defer { close(reading) }
                throw Failure(number: errno)
            }
            return (reading, writing)
        }
    }

    /// Held while a pipe is made and while a child is started: a pipe's first descriptors are not marked to be closed by
    /// exec, and a child that caught one would keep the pipe open.
    private static let spawning = Mutex(())

    /// This process's variables, byte for byte, with the changes; each to be freed.
    private static func variables(_ changes: [String: String?]) -> [UnsafeMutablePointer<CChar>?] {
        var entries: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let entry = next.pointee {
            let name = String(cString: entry).prefix { $0 != "=" }
            if !changes.keys.contains(String(name)) { entries.append(strdup(entry)) }
            next += 1
        }
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            if let value { entries.append(strdup("\(name)=\(value)")) }
        }
        return entries
    }
}

/// pipe(2), whose name means another function inside the type.
private func systemPipe(_ ends: inout [CInt]) -> CInt { pipe(&ends) }
