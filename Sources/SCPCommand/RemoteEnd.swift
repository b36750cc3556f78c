import FileServer
import Files
import NIOCore
import SSHClient
import SSHWire

/// The remote end of somebody else's copy, `scp -t` and `scp -f`, over standard input and output.
///
/// What goes wrong is told to the other end in the protocol, which shows it to its user.
struct RemoteEnd {
    private let options: CopyOptions
    private let stream = DescriptorStream(input: 0, output: 1, closesOutput: false)

    init(_ options: CopyOptions) { self.options = options }

    /// - Returns: whether all was copied.
    func run(_ role: CopyOptions.ServerRole) async -> Bool {
        let isComplete = try? await DiskExecutor.run {
            switch role {
            case .source: try await send()
            case .sink: try await receive()
            }
        }
        return isComplete ?? false
    }

    private var trace: (@Sendable (String) -> Void)? {
        guard options.verbosity >= 3 else { return nil }
        return { text in StandardError.write("debug3: \(text)\n") }
    }

    private func send() async throws -> Bool {
        var walkOptions = LocalWalk.Options(recursive: options.recursive)
        // A client may take the entries of a directory without a name for one file after another.
        walkOptions.unnamed = .refused
        let walk = LocalWalk(sources: options.serverPaths.map { BytePath($0) }, options: walkOptions)
        return try await SCPServerSource.run(walk, stream: stream, preserve: options.preserve, trace: trace)
    }

    private func receive() async throws -> Bool {
        guard options.serverPaths.count == 1, let path = options.serverPaths.first else {
            try await stream.write(ByteBuffer(string: "\u{1}scp: ambiguous target\n"))
            return false
        }
        return try await SCPServerSink.run(stream: stream, recursive: options.recursive, trace: trace) {
            () throws(FileError) in
            try LocalTreeWriter(
                target: BytePath(path),
                options: .init(preserve: options.preserve, targetMustBeDirectory: options.targetMustBeDirectory))
        }
    }
}
