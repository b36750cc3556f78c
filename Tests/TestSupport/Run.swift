import Platform
import Synchronization

/// What a program that has ended left behind.
package struct Finished: Sendable, CustomStringConvertible {
    package let command: String
    package let status: ExitStatus
    package let output: [UInt8]
    package let errors: [UInt8]

    package var succeeded: Bool { status == .exited(0) }
    package var outputText: String { String(decoding: output, as: UTF8.self) }
    package var errorText: String { String(decoding: errors, as: UTF8.self) }

    package var description: String {
        "\(command): \(status)\n--- standard output\n\(outputText)--- standard error\n\(errorText)---"
    }

    /// Itself, if the program exited with 0; else throws all it said.
    @discardableResult
    package func success() throws -> Finished {
        guard succeeded else { throw TestSupportError(description) }
        return self
    }
}

/// Runs a program to its end.
///
/// Its pipes are served together, so none can fill up and block it. At the timeout, and when the task is cancelled, it is
/// killed with all it started. A descendant that keeps the pipes open does not hold up the result.
///
/// - Parameters:
///   - program: a path, or a name to be found in `PATH`.
///   - environment: what to change in the environment of the tests; nil takes a variable out.
/// - Throws: `SystemError` if it cannot be started, `TestSupportError` at the timeout.
package func run(
    _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:], directory: String? = nil,
    input: [UInt8] = [], timeout: Duration = patience
) async throws -> Finished {
    let path = program.contains("/") ? program : try requireProgram(program)
    let cancelled = Flag()
    return try await withTaskCancellationHandler {
        try await onThread {
            try serve(
                path, arguments, environment: environment, directory: directory, input: input, timeout: timeout,
                cancelled: cancelled)
        }
    } onCancel: {
        cancelled.raise()
    }
}

private final class Flag: Sendable {
    private let value = Atomic(false)
    var isRaised: Bool { value.load(ordering: .relaxed) }
    func raise() { value.store(true, ordering: .relaxed) }
}

/// The three pipes of a child, seen from here.
private struct Pipes: ~Copyable {
    var input: Int32
    var output: Int32
    var errors: Int32
    var childInput: Int32
    var childOutput: Int32
    var childErrors: Int32

    init() throws {
        var all: [[Int32]] = []
        for _ in 0..<3 {
            var ends: [Int32] = [-1, -1]
            guard makePipe(&ends) else {
                let code = errno
                for descriptor in all.joined() { close(descriptor) }
                throw SystemError("pipe", code: code)
            }
            all.append(ends)
        }
        (childInput, input) = (all[0][0], all[0][1])
        (output, childOutput) = (all[1][0], all[1][1])
        (errors, childErrors) = (all[2][0], all[2][1])
        for descriptor in [input, output, errors] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        // A child that reads no input must not end the tests by SIGPIPE.
        signal(SIGPIPE, SIG_IGN)
    }

    mutating func closeChildEnds() {
        for descriptor in [childInput, childOutput, childErrors] where descriptor >= 0 { close(descriptor) }
        (childInput, childOutput, childErrors) = (-1, -1, -1)
    }

    mutating func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    deinit {
        for descriptor in [input, output, errors, childInput, childOutput, childErrors] where descriptor >= 0 {
            close(descriptor)
        }
    }
}

private func serve(
    _ path: String, _ arguments: [String], environment: [String: String?], directory: String?, input: [UInt8],
    timeout: Duration, cancelled: Flag
) throws -> Finished {
    var pipes = try Pipes()
    let child = try ChildProcess(
        path, arguments, environment: environment, directory: directory,
        input: pipes.childInput, output: pipes.childOutput, errors: pipes.childErrors)
    pipes.closeChildEnds()

    let deadline = ContinuousClock.now + timeout
    let command = ([path] + arguments).joined(separator: " ")
    var rest = input[...]
    var output: [UInt8] = []
    var errors: [UInt8] = []
    if rest.isEmpty { pipes.closeInput() }

    while true {
        // Asked before the last reading: what it wrote before its end is then in the pipes.
        let status = child.poll()
        let outputEnded = drain(pipes.output, into: &output)
        let errorsEnded = drain(pipes.errors, into: &errors)
        if let status {
            return Finished(command: command, status: status, output: output, errors: errors)
        }
        if ContinuousClock.now >= deadline || cancelled.isRaised {
            child.end()
            _ = drain(pipes.output, into: &output)
            _ = drain(pipes.errors, into: &errors)
            let reason = cancelled.isRaised ? "cancelled" : "not finished after \(timeout)"
            throw TestSupportError(
                "\(command): \(reason)\n\(String(decoding: output, as: UTF8.self))"
                    + String(decoding: errors, as: UTF8.self))
        }
        feed(&pipes, &rest)
        var wanted = [
            pollfd(fd: pipes.input, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: outputEnded ? -1 : pipes.output, events: Int16(POLLIN), revents: 0),
            pollfd(fd: errorsEnded ? -1 : pipes.errors, events: Int16(POLLIN), revents: 0),
        ]
        // Its end shows as both pipes closing; one that closed them early is asked again shortly.
        poll(&wanted, 3, outputEnded && errorsEnded ? 1 : 50)
    }
}

/// Takes what a pipe holds now; true when its writers are gone.
private func drain(_ descriptor: Int32, into buffer: inout [UInt8]) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count == 0 { return true }
        if count < 0 {
            if errno == EINTR { continue }
            return errno != EAGAIN
        }
        buffer += chunk[..<count]
    }
}

private func feed(_ pipes: inout Pipes, _ rest: inout ArraySlice<UInt8>) {
    while pipes.input >= 0, !rest.isEmpty {
        let descriptor = pipes.input
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if count < 0, errno == EINTR {
            continue
        } else if count < 0, errno == EAGAIN {
            return
        } else {
            rest = []
        }
    }
    if rest.isEmpty { pipes.closeInput() }
}
