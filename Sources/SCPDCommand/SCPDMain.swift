import CommandOptions
import Logging
import Platform

@main
enum SCPDMain {
    static func main() async {
        // A client that goes away, or a file that may not grow, is an error to report and not an end without a word.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        ProcessMemory.keepFreedBlocks()
        do {
            let options = try DaemonOptions(Array(CommandLine.arguments.dropFirst()))
            switch options.task {
            case .hashPassword(let user): try PasswordHashing.run(user: user)
            case .sftp: try await StandardSFTP.run(options)
            case .serve: try await serve(options)
            }
            exit(0)
        } catch let fault as OptionFault where fault.kind == .answer {
            print(fault.text)
            exit(fflush(nil) == 0 ? 0 : 1)
        } catch let fault as OptionFault {
            tell("\(fault.text)\nscpd --help lists the options")
            exit(2)
        } catch {
            tell("\(error)")
            exit(1)
        }
    }

    private static func serve(_ options: DaemonOptions) async throws {
        let signals = StopSignals()
        OpenFilesLimit.raise()
        var lines = LogLines()
        lines.logLevel = options.isVerbose ? .debug : .info
        let handler = lines
        let logger = Logger(label: "scpd") { _ in handler }
        try await Daemon(options: options, logger: logger).run(signals)
    }

    static func tell(_ text: String) { write("scpd: \(text)\n") }

    /// Writes to standard error.
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = systemWrite(STDERR_FILENO, bytes, bytes.count)
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: [UInt8], _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
