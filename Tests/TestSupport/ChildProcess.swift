import Platform
import Synchronization

/// How a child process ended.
package enum ExitStatus: Equatable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    package var description: String {
        switch self {
        case .exited(let code): "exit status \(code)"
        case .signalled(let signal): "signal \(signal)"
        }
    }
}

/// A child process in a session of its own. It never outlives its last reference, nor the test process.
package final class ChildProcess: Sendable {
    package let pid: pid_t
    private let status = Mutex<ExitStatus?>(nil)

    /// Starts a program with `/dev/null` as its standard input, output and error output but for those given here.
    package convenience init(
        _ program: String, _ arguments: [String], environment: [String: String?] = [:], directory: String? = nil,
        input: Int32? = nil, output: Int32? = nil, errors: Int32? = nil
    ) throws {
        func descriptor(_ given: Int32?, _ target: Int32) -> ChildDescriptor {
            given.map { .duplicate($0, as: target) } ?? .open("/dev/null", as: target)
        }
        try self.init(
            program, arguments, environment: environment, directory: directory,
            descriptors: [descriptor(input, 0), descriptor(output, 1), descriptor(errors, 2)])
    }

    init(
        _ program: String, _ arguments: [String], environment: [String: String?], directory: String?,
        descriptors: [ChildDescriptor]
    ) throws {
        pid = try spawn(
            program, arguments, environment: mergedEnvironment(environment), directory: directory,
            descriptors: descriptors)
        Warden.shared.watch(pid: pid)
    }

    deinit { end() }

    /// How it ended, or nil while it runs.
    package func poll() -> ExitStatus? {
        status.withLock { status in
            if let status { return status }
            var info = siginfo_t()
            // Looked at before it is reaped: until then no other process can have its number.
            guard waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0, info.si_signo != 0 else {
                return nil
            }
            Warden.shared.forget(pid: pid)
            var word: Int32 = 0
            while waitpid(pid, &word, 0) < 0 && errno == EINTR {}
            let signal = word & 0x7f
            status = signal == 0 ? .exited((word >> 8) & 0xff) : .signalled(signal)
            return status
        }
    }

    /// Blocks until it has ended; nil if it had not after `timeout`.
    package func wait(timeout: Duration = patience) -> ExitStatus? {
        let deadline = ContinuousClock.now + timeout
        var pause: UInt32 = 200
        while true {
            let isLate = ContinuousClock.now >= deadline
            if let status = poll() { return status }
            if isLate { return nil }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
    }

    /// Sends a signal, unless it has ended.
    package func signal(_ number: Int32) {
        status.withLock { status in
            if status == nil { kill(pid, number) }
        }
    }

    /// Ends it and what it started: SIGTERM, then SIGKILL to what is still there after five seconds.
    @discardableResult
    package func end() -> ExitStatus? {
        if let status = poll() { return status }
        let others = descendants(of: pid)
        for other in others { kill(other, SIGTERM) }
        signal(SIGTERM)
        if wait(timeout: .seconds(5)) == nil {
            for other in descendants(of: pid) { kill(other, SIGKILL) }
            signal(SIGKILL)
        }
        return wait()
    }
}

/// The processes that descend from `pid`, children before parents. Linux only: elsewhere none are found.
private func descendants(of pid: pid_t) -> [pid_t] {
    guard let list = try? readText("/proc/\(pid)/task/\(pid)/children") else { return [] }
    return list.split(separator: " ").compactMap { pid_t($0) }.flatMap { descendants(of: $0) + [$0] }
}
