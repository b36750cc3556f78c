import FileServer
import Files
import Platform

/// One SFTP session on standard input and output, for a program that has made the connection: `sftp -D`, or an SSH daemon.
enum StandardSFTP {
    /// Serves the whole machine, relative paths from the working directory; with `--root`, that directory alone.
    ///
    /// - Returns: what serves it, once all is open and there is one thread still.
    static func prepare(_ options: DaemonOptions) throws -> @Sendable () async throws -> Void {
        let root: DirectoryRoot
        do {
            root = try DirectoryRoot(
                path: Array((options.root ?? "/").utf8), isReadOnly: options.isReadOnly,
                creationMask: options.creationMask ?? 0)
        } catch {
            throw StartFailure("\(options.root ?? "/"): \(error)")
        }
        // Before there is a second thread.
        if options.isConfined { _ = Preparation.confinement(serving: options, root: "/").apply() }
        let home = options.root == nil ? workingDirectory() : [UInt8(ascii: "/")]
        let server = SFTPServer(files: root, home: home, options: .init(isReadOnly: options.isReadOnly))
        return {
            try await DiskExecutor.run {
                try await server.serve(
                    DescriptorStream(input: STDIN_FILENO, output: STDOUT_FILENO, closesOutput: false))
            }
        }
    }

    private static func workingDirectory() -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard getcwd(&buffer, buffer.count) != nil else { return [UInt8(ascii: "/")] }
        return buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    }
}
