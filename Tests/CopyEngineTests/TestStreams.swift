import CopyEngine
import Files
import NIOCore
import Platform
import SSHWire
import Synchronization
import TestSupport

/// OpenSSH's SFTP server.
let sftpServer =
    (["/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server"] as [String]).first { access($0, X_OK) == 0 }
    ?? "sftp-server"

/// A program whose standard input and output are a stream.
struct PipedProgram {
    let stream: PipeStream
    private let process: ChildProcess

    /// - Parameter command: a path and arguments.
    init(_ command: [String]) throws {
        var (toChild, fromChild): ([Int32], [Int32]) = ([], [])
        guard makePipe(&toChild) else { throw SystemError("pipe") }
        defer { close(toChild[0]) }
        let output = toChild[1]
        guard makePipe(&fromChild) else {
            let failure = SystemError("pipe")
            close(output)
            throw failure
        }
        defer { close(fromChild[1]) }
        stream = PipeStream(input: fromChild[0], output: output)
        // A program that reads no more must not end the tests by SIGPIPE.
        signal(SIGPIPE, SIG_IGN)
        do {
            process = try ChildProcess(
                command[0], Array(command.dropFirst()), input: toChild[0], output: fromChild[1])
        } catch {
            stream.closeOutput()
            stream.closeInput()
            throw error
        }
    }

    /// Takes the program both its pipes and waits for its end, while nobody reads or writes.
    func cutOff() async {
        stream.closeOutput()
        stream.closeInput()
        _ = try? await onThread { [process] in process.wait() }
    }

    /// Ends the program's input and waits for its end.
    func wait() -> TestSupport.ExitStatus? {
        stream.closeOutput()
        defer { stream.closeInput() }
        return process.wait()
    }
}

/// The stream of a program that lives as long as this.
struct ProgramStream: ByteStream {
    private let program: PipedProgram

    /// - Parameter command: a path and arguments.
    init(_ command: [String]) throws { program = try PipedProgram(command) }

    func read() async throws -> ByteBuffer? { try await program.stream.read() }
    func write(_ bytes: ByteBuffer) async throws { try await program.stream.write(bytes) }
    func finishWriting() async throws { try await program.stream.finishWriting() }
}

/// The pipes of a program. It waits on threads of its own, so that nobody who shares a thread with the caller waits too.
final class PipeStream: ByteStream {
    private let input: SharedDescriptor
    private let output: SharedDescriptor

    init(input: Int32, output: Int32) {
        self.input = SharedDescriptor(input)
        self.output = SharedDescriptor(output)
    }

    func read() async throws -> ByteBuffer? {
        try await onThread { [input] in
            try input.use { descriptor in
                var bytes = [UInt8](repeating: 0, count: 64 * 1024)
                var count = -1
                repeat {
                    count = bytes.withUnsafeMutableBytes { SystemCall.read(descriptor, $0) }
                } while count < 0 && errno == EINTR
                guard count >= 0 else { throw SystemError("read") }
                return count == 0 ? nil : ByteBuffer(bytes: bytes[..<count])
            }
        }
    }

    func write(_ bytes: ByteBuffer) async throws {
        try await onThread { [output] in
            try output.use { descriptor in
                var rest = Array(bytes.readableBytesView)[...]
                while !rest.isEmpty {
                    let count = rest.withUnsafeBytes { SystemCall.write(descriptor, $0) }
                    if count < 0 && errno == EINTR { continue }
                    guard count >= 0 else { throw SystemError("write") }
                    rest = rest.dropFirst(count)
                }
            }
        }
    }

    func finishWriting() async throws { closeOutput() }
    func closeOutput() { output.close() }
    func closeInput() { input.close() }
}

/// A descriptor that is closed once nobody uses it any more: its number would be another file's while somebody still does.
final class SharedDescriptor: Sendable {
    private let descriptor: Int32
    private let state = Mutex((users: 0, isClosed: false))

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// - Throws: `SystemError` once it is closed.
    func use<R>(_ body: (Int32) throws -> R) throws -> R {
        try state.withLock { state in
            guard !state.isClosed else { throw SystemError("use of a closed pipe", code: EBADF) }
            state.users += 1
        }
        defer { leave { $0.users -= 1 } }
        return try body(descriptor)
    }

    func close() { leave { $0.isClosed = true } }

    private func leave(_ change: (inout (users: Int, isClosed: Bool)) -> Void) {
        let isLast = state.withLock { state in
            let wasOpen = !state.isClosed || state.users > 0
            change(&state)
            return wasOpen && state.isClosed && state.users == 0
        }
        if isLast { _ = SystemCall.close(descriptor) }
    }
}

/// Keeps what a transfer tells.
final class Recorder: CopyObserver {
    private struct Told {
        var warnings: [String] = []
        var finished: [String: Bool] = [:]
        var bytes = 0
        var traces: [String] = []
        var notes: [String] = []
        var planned: Set<String> = []
    }

    private let told = Mutex(Told())
    let wantsTrace: Bool
    let wantsNotes = true

    init(wantsTrace: Bool = false) { self.wantsTrace = wantsTrace }

    var warnings: [String] { told.withLock { $0.warnings } }
    var finished: [String: Bool] { told.withLock { $0.finished } }
    var bytes: Int { told.withLock { $0.bytes } }
    var notes: [String] { told.withLock { $0.notes } }
    var planned: Set<String> { told.withLock { $0.planned } }
    var traces: [String] { told.withLock { $0.traces } }

    func receive(_ event: CopyEvent) {
        told.withLock { told in
            switch event {
            case .problem(let error): told.warnings.append("\(error)")
            case .trace(let text): told.traces.append(text)
            case .note(let note): told.notes.append("\(note)")
            case .bytes(let count, _): told.bytes += count
            case .finished(let file, let isComplete): told.finished[Self.name(file)] = isComplete
            case .interrupted(let file): told.finished[Self.name(file)] = false
            case .planned(let file): told.planned.insert(String(decoding: file.path.bytes, as: UTF8.self))
            case .started, .verified, .connections: break
            }
        }
    }

    private static func name(_ file: CopyFile) -> String { String(decoding: file.path.lastComponent, as: UTF8.self) }
}

/// Uploads through memory into a download.
func copyThroughSCP(
    _ sources: [BytePath], to target: BytePath, recursive: Bool = true, preserve: Bool = true,
    cutsRandomly: Bool = false, budget: Int = .max, recorder: Recorder = Recorder(), sender: Recorder = Recorder(),
    targetMustBeDirectory: Bool = false
) async throws -> (sent: CopySummary, received: CopySummary) {
    let (near, far) = MemoryStream.pair(cutsRandomly: cutsRandomly, budget: budget)
    let upload = SCPUpload(stream: near, options: .init(recursive: recursive, preserve: preserve), observer: sender)
    let download = SCPDownload(
        stream: far,
        options: .init(
            recursive: recursive, preserve: preserve, targetMustBeDirectory: targetMustBeDirectory), observer: recorder)
    async let sent = Result { try await upload.run(sources) }
    let received = await Result { try await download.run(into: target) }
    try await far.finishWriting()
    let result = await sent
    return (try result.get(), try received.get())
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
