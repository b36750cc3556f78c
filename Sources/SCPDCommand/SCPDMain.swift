import CommandOptions
import Dispatch
import Logging
import Platform

/// The command scpd.
package enum SCPDMain {
    /// Not async: what is prepared here is prepared before there is a second thread.
    package static func main() {
        // A client that goes away, or a file that may not grow, is an error to report and not an end without a word.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        ProcessMemory.keepFreedBlocks()
        ending {
            let options = try DaemonOptions(Array(CommandLine.arguments.dropFirst()))
            switch options.task {
            case .hashPassword(let user):
                try PasswordHashing.run(user: user)
                exit(0)
            case .sftp: run(try StandardSFTP.prepare(options))
            case .serve: run(try serving(options))
            }
        }
    }

    private static func serving(_ options: DaemonOptions) throws -> @Sendable () async throws -> Void {
        OpenFilesLimit.raise()
        var lines = LogLines()
        lines.logLevel = options.isVerbose ? .debug : .info
        let handler = lines
        let logger = Logger(label: "scpd") { _ in handler }
        let preparation = try Preparation(options, logger: logger)
        logger.debug("\(preparation.confine())")
        return { try await Daemon(preparation, logger: logger).run() }
    }

    /// Runs what takes threads, and ends with it.
    private static func run(_ body: @escaping @Sendable () async throws -> Void) -> Never {
        Task {
            do {
                try await body()
                exit(0)
            } catch {
                ending { throw error }
            }
        }
        dispatchMain()
    }

    /// Runs a body that does not return; what it throws ends the process with words and a status.
    private static func ending(_ body: () throws -> Void) {
        do {
            try body()
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
