import FileServer
import FileTransfer

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

@main
struct SCPDMain {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.contains("--sftp"), arguments.allSatisfy({ ["--sftp", "--read-only"].contains($0) }) else {
            say("usage: scpd --sftp [--read-only]")
            exit(2)
        }
        await serveStandardStreams(isReadOnly: arguments.contains("--read-only"))
    }

    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    /// Serves all files of the machine to a client at the standard input and output, as `sftp -D` wants it.
    private static func serveStandardStreams(isReadOnly: Bool) async {
        signal(SIGPIPE, SIG_IGN)
        var buffer = [CChar](repeating: 0, count: 4096)
        let isKnown = getcwd(&buffer, buffer.count) != nil
        let home = isKnown ? buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) } : [UInt8(ascii: "/")]
        do {
            let root = try DirectoryRoot(path: [UInt8(ascii: "/")], isReadOnly: isReadOnly)
            let server = SFTPServer(files: root, home: home, options: .init(isReadOnly: isReadOnly))
            try await DiskExecutor.run {
                try await server.serve(DescriptorStream(input: 0, output: 1, closesOutput: false))
            }
        } catch {
            say("scpd: \(error)")
            exit(1)
        }
    }
}
