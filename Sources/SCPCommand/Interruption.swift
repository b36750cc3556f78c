import Files
import Platform

/// What ^C, SIGTERM and SIGHUP do to a command: its copies are cancelled, so that they leave what can be resumed from and the
/// terminal as it was, and then the signal ends the process.
enum Interruption {
    /// How long the copies may take for that.
    private static let timeLimit = Duration.milliseconds(900)

    /// Runs a command to its end, on a thread that may wait for the disk.
    ///
    /// - Returns: the exit status.
    static func run(_ command: CopyCommand) async -> CInt {
        // The far end of another scp ends by a signal at once: it reads from pipes, and asks nobody anything.
        guard command.isInterruptible else { return await status(of: command) }
        let signals = Signals()
        let numbers = signals.numbers
        let running = Task { await status(of: command) }
        // Until the end they must not end the process by themselves.
        defer { withExtendedLifetime(signals) {} }
        return await withTaskGroup(of: Int32?.self) { group in
            group.addTask {
                for await number in numbers {
                    running.cancel()
                    // Cut short by the end of the copies.
                    guard (try? await Task.sleep(for: timeLimit)) != nil else { return number }
                    end(command, by: number)
                }
                return nil
            }
            let status = await running.value
            group.cancelAll()
            guard let number = await group.next() ?? nil else { return status }
            if status == 0 { SystemCall.end(by: number) }
            end(command, by: number)
        }
    }

    private static func status(of command: CopyCommand) async -> CInt {
        (try? await DiskExecutor.run { await command.run() }) ?? 1
    }

    private static func end(_ command: CopyCommand, by number: Int32) -> Never {
        command.tellOfInterruption()
        SystemCall.end(by: number)
    }
}
