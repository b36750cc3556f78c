import Dispatch
import Platform
import SSHClient

/// The command scp.
package enum SCPMain {
    /// Not async: the copy gives up its rights before there is a second thread.
    package static func main() {
        // A reader that goes away, or a file that may not grow, is an error to report and not an end without a word.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        ProcessMemory.keepFreedBlocks()
        do throws(CopyOptions.Fault) {
            let options = try CopyOptions(arguments())
            if let kind = options.completion {
                Task {
                    await Completion(kind: kind, word: options.serverPaths.first ?? []).answer(options)
                    exit(0)
                }
                dispatchMain()
            }
            // A program that makes the connections is given the same options, and warns by itself.
            if options.connectionProgram == nil {
                for warning in options.warnings { StandardError.write(warning + "\n") }
            }
            let report = try options.openReport()
            let hosts = ResolvedHosts(options)
            if let said = hosts.confine(), options.verbosity > 0 { StandardError.write("debug1: \(said)\n") }
            Task { exit(await Interruption.run(CopyCommand(options, hosts, report))) }
            dispatchMain()
        } catch {
            switch error {
            case .usage: StandardError.write(CopyOptions.usage + "\n")
            case .message(let text), .fatal(let text): CommandObserver.tell(text)
            case .answer(let text):
                print(text)
                exit(fflush(nil) == 0 ? 0 : 1)
            }
            exit(ExitStatus.after(error, byProtocol: .sftpIfThere).rawValue)
        }
    }

    /// The arguments as bytes: paths need not be UTF-8, and Swift's own view of them mends what is not.
    private static func arguments() -> [[UInt8]] {
        let count = Int(CommandLine.argc)
        guard count > 1 else { return [] }
        return (1..<count).compactMap { index in
            CommandLine.unsafeArgv[index].map { argument in
                Array(UnsafeBufferPointer(start: argument, count: strlen(argument))).map { UInt8(bitPattern: $0) }
            }
        }
    }
}
