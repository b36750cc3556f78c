import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@main
enum SCPDMain {
    static func main() async {
        // A client that goes away, or a file that may not grow, is an error to report and not an end without a word.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        do {
            let options = try DaemonOptions(Array(CommandLine.arguments.dropFirst()))
            switch options.task {
            case .help: print(DaemonOptions.usage)
            case .version: print("scpd (swift-scp) 0.1")
            case .hashPassword: try PasswordHashing.run()
            case .sftp: exit(await StandardSFTP.run(options))
            case .serve: try await serve(options)
            }
            exit(0)
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
        var lines = LogLines()
        lines.logLevel = options.isVerbose ? .debug : .info
        let handler = lines
        let logger = Logger(label: "scpd") { _ in handler }
        try await Daemon(options: options, logger: logger).run(signals)
    }

    static func tell(_ text: String) {
        let line = Array("scpd: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
