import NIOConcurrencyHelpers
import NIOCore
import Platform
import SSHConfig
import SSHNIO
import SSHWire

func closeDescriptor(_ descriptor: CInt) { close(descriptor) }

/// A program that runs here and is spoken to on its standard input and output, such as the one of `scp -S`.
package final class ProgramStream: ByteStream {
    private let pipes: PipeStream
    private let child: ChildProcess
    private let ending = NIOLockedValueBox<Task<ChildProcess.Status, Never>?>(nil)

    private init(pipes: PipeStream, child: ChildProcess) {
        self.pipes = pipes
        self.child = child
    }

    /// Starts a program; a name without a slash is looked for along `PATH`.
    ///
    /// - Throws: `ClientError.program`.
    package static func start(_ program: String, _ arguments: [[UInt8]]) async throws -> ProgramStream {
        var command = ChildProcess.Command(program, bytes: arguments)
        command.isSearched = true
        let (child, input, output) = try ChildProcess.connected(command)
        do {
            let pipes = try await PipeStream.open(input: input, output: output, on: SSHClient.group)
            return ProgramStream(pipes: pipes, child: child)
        } catch {
            _ = await child.end(timeLimit: .zero, signal: SIGTERM)
            throw ClientError.program(program, reason: "\(error)")
        }
    }

    package func read() async throws -> ByteBuffer? { try await pipes.read() }
    package func write(_ bytes: ByteBuffer) async throws { try await pipes.write(bytes) }
    package func finishWriting() async throws { try await pipes.finishWriting() }

    /// Takes its pipes from the program and waits for its end, which a signal hastens after a while.
    ///
    /// - Returns: whether it ended with status 0.
    package func end() async -> Bool {
        let task = ending.withLockedValue { ending in
            if let ending { return ending }
            let started = Task { [pipes, child] in
                try? await pipes.finishWriting()
                let status = await child.end(timeLimit: .seconds(10), signal: SIGTERM)
                await pipes.close()
                return status
            }
            ending = started
            return started
        }
        return (try? await task.valueUnlessCancelled())?.isSuccess ?? false
    }
}

extension ChildProcess {
    /// Starts a program with pipes to its standard input and from its standard output.
    ///
    /// - Returns: the child, where to read what it says and where to write what it is to hear.
    /// - Throws: `ClientError.program`.
    static func connected(
        _ command: Command
    ) throws(ClientError) -> (child: ChildProcess, reading: CInt, writing: CInt) {
        var command = command
        do {
            let input = try pipe()
            defer { close(input.reading) }
            do {
                let output = try pipe()
                defer { close(output.writing) }
                command.input = .descriptor(input.reading)
                command.output = .descriptor(output.writing)
                do {
                    return (try ChildProcess(command), output.reading, input.writing)
                } catch {
                    close(output.reading)
                    throw error
                }
            } catch {
                close(input.writing)
                throw error
            }
        } catch {
            throw .program(command.program, reason: "\(error)")
        }
    }

    /// Waits for the end of the child. One that takes longer than `timeLimit` gets a signal, and at last SIGKILL.
    func end(timeLimit: Duration, signal: CInt) async -> Status {
        let begin = ContinuousClock.now
        var pause = Duration.milliseconds(1)
        var signals: [(after: Duration, CInt)] = [(timeLimit, signal), (timeLimit + .seconds(5), SIGKILL)]
        while true {
            var status: CInt = 0
            let result = waitpid(processID, &status, WNOHANG)
            if result == processID {
                return status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f)
            }
            // Somebody else has seen its end.
            if result < 0, errno != EINTR { return .exited(255) }
            if let next = signals.first, ContinuousClock.now - begin >= next.after {
                kill(processID, next.1)
                signals.removeFirst()
            }
            // A cancelled task does not sleep.
            if (try? await Task.sleep(for: pause)) == nil { usleep(1000) }
            pause = min(pause * 2, .milliseconds(20))
        }
    }
}
