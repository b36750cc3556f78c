import Platform
import Synchronization

/// A program on a terminal of its own, as a person would run it: it sees prompts answered, and its output is collected.
///
/// ```swift
/// let terminal = try Terminal("ssh", [...])
/// try await terminal.wait(for: "password: ")
/// try terminal.send("secret\n")
/// let status = try await terminal.finish()
/// ```
package final class Terminal: Sendable {
    private let master: Int32
    private let process: ChildProcess
    private let collected = Mutex(Collected())

    private struct Collected {
        var bytes: [UInt8] = []
        var ended = false
        /// How much of the output `wait(for:)` has seen.
        var seen = 0
    }

    /// Starts a program on a new terminal of the given size, which becomes its controlling terminal.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String?] = [:], columns: Int = 80,
        rows: Int = 24
    ) throws {
        let path = program.contains("/") ? program : try requireProgram(program)
        let slave: String
        (master, slave) = try makeTerminal()
        do {
            try Self.setSize(master, columns: columns, rows: rows)
            process = try ChildProcess(
                path, arguments, environment: environment, directory: nil,
                descriptors: [.open(slave, as: 0), .duplicate(0, as: 1), .duplicate(0, as: 2)])
        } catch {
            close(master)
            throw error
        }
        detachThread { [self] in collect() }
    }

    deinit { close(master) }

    /// All that has appeared on the terminal: newlines are `\r\n`, and what was typed is there where it was echoed.
    package var transcript: String { collected.withLock { String(decoding: $0.bytes, as: UTF8.self) } }

    /// Types text; a line ends with `\n`, and `\u{3}` is ^C.
    package func send(_ text: String) throws { try writeAll(master, Array(text.utf8)[...]) }

    /// Gives the terminal another size, which the program may notice by SIGWINCH.
    package func resize(columns: Int, rows: Int) throws { try Self.setSize(master, columns: columns, rows: rows) }

    /// Waits until `text` appears after what earlier calls have waited for.
    ///
    /// - Throws: `TestSupportError` with the transcript, if the program ends or time runs out first.
    package func wait(for text: String) async throws {
        let wanted = Array(text.utf8)
        let deadline = ContinuousClock.now + patience
        while true {
            let isLate = ContinuousClock.now >= deadline
            let (found, ended) = collected.withLock { state in
                guard let end = state.bytes[state.seen...].endOfFirst(wanted) else { return (false, state.ended) }
                state.seen = end
                return (true, state.ended)
            }
            if found { return }
            if ended || isLate {
                let reason = ended ? "the program ended" : "\(patience) passed"
                throw TestSupportError("waiting for \"\(text)\": \(reason); the terminal shows:\n\(transcript)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits for the program's end.
    ///
    /// - Throws: `TestSupportError` with the transcript if it does not end; it is killed then.
    package func finish() async throws -> ExitStatus {
        let process = process
        let status = try await onThread { process.wait() }
        guard let status else {
            process.end()
            throw TestSupportError("not finished after \(patience); the terminal shows:\n\(transcript)")
        }
        // What it wrote last may still be on its way.
        try await eventually("the end of what was written on the terminal") { collected.withLock { $0.ended } }
        return status
    }

    /// Ends the program.
    package func end() { process.end() }

    private static func setSize(_ descriptor: Int32, columns: Int, rows: Int) throws {
        var size = winsize()
        size.ws_col = UInt16(clamping: columns)
        size.ws_row = UInt16(clamping: rows)
        guard ioctl(descriptor, UInt(TIOCSWINSZ), &size) == 0 else { throw SystemError("TIOCSWINSZ") }
    }

    private func collect() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            // Asked before the reading: what it wrote before its end is then there to be read.
            let hasEnded = process.poll() != nil
            let count = read(master, &chunk, chunk.count)
            if count > 0 {
                let bytes = chunk[..<count]
                collected.withLock { $0.bytes += bytes }
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EIO, !hasEnded {
                // Linux: nobody has the terminal open, as before the child has opened it.
                usleep(2000)
            } else {
                collected.withLock { $0.ended = true }
                return
            }
        }
    }
}

extension ArraySlice<UInt8> {
    /// The index after the first occurrence of `pattern`.
    fileprivate func endOfFirst(_ pattern: [UInt8]) -> Int? {
        guard !pattern.isEmpty, count >= pattern.count else { return pattern.isEmpty ? startIndex : nil }
        return (startIndex...(endIndex - pattern.count))
            .first { self[$0..<($0 + pattern.count)].elementsEqual(pattern) }
            .map { $0 + pattern.count }
    }
}

/// A new terminal: the descriptor that stands for the person at it, and the path by which a program opens it.
private func makeTerminal() throws -> (master: Int32, slave: String) {
    let master = openUninherited { open("/dev/ptmx", O_RDWR | O_NOCTTY) }
    guard master >= 0 else { throw SystemError("open /dev/ptmx") }
    #if os(Linux)
        // What unlockpt and ptsname of the C library do; Swift's view of it lacks them.
        let setLock: UInt = 0x4004_5431
        let getNumber: UInt = 0x8004_5430
        var locked: Int32 = 0
        var number: Int32 = 0
        if ioctl(master, setLock, &locked) == 0, ioctl(master, getNumber, &number) == 0 {
            return (master, "/dev/pts/\(number)")
        }
    #else
        if grantpt(master) == 0, unlockpt(master) == 0, let name = ptsname(master) {
            return (master, String(cString: name))
        }
    #endif
    let code = errno
    close(master)
    throw SystemError("unlocking a terminal", code: code)
}
