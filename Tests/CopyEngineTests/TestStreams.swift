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
struct ChildProcess {
    let stream: PipeStream
    private let identifier: pid_t

    // A descriptor that another child inherits would keep this one's input open.
    private static let spawning = SpawnLock()

    init(_ arguments: [[UInt8]]) throws {
        signal(SIGPIPE, SIG_IGN)
        var (toChild, fromChild): ([Int32], [Int32]) = ([0, 0], [0, 0])
        var child: pid_t = 0
        let result = Self.spawning.run { () -> Int32 in
            guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else { return errno }
            for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            var actions = SystemCall.newFileActions()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
            posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
            let strings = arguments.map { strdup(String(decoding: $0, as: UTF8.self)) }
            defer { for string in strings { free(string) } }
            guard let program = strings[0] else { return ENOMEM }
            return posix_spawn(&child, program, &actions, nil, strings + [nil], environ)
        }
        guard result == 0 else { throw SystemError("posix_spawn \(BytePath(arguments[0]))") }
        close(toChild[0])
        close(fromChild[1])
        identifier = child
        stream = PipeStream(input: fromChild[0], output: toChild[1])
    }

    init(_ arguments: [String]) throws { try self.init(arguments.map { Array($0.utf8) }) }

    /// Takes the program both its pipes and waits for its end, while nobody reads or writes.
    func cutOff() async {
        stream.closeOutput()
        stream.closeInput()
        try? await onThread { [identifier] in
            var status: Int32 = 0
            while waitpid(identifier, &status, 0) == -1, errno == EINTR {}
        }
    }

    /// Ends the program's input and waits for its end; the exit status, or -1 after a signal.
    func wait() -> Int {
        stream.closeOutput()
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) == -1, errno == EINTR {}
        stream.closeInput()
        return status & 0x7f == 0 ? Int(status >> 8 & 0xff) : -1
    }
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
                repeat { count = systemRead(descriptor, &bytes, bytes.count) } while count < 0 && errno == EINTR
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
                    let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
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
        if isLast { systemClose(descriptor) }
    }
}

// Their names mean other functions inside the type.
private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, bytes, count)
}
private func systemClose(_ descriptor: Int32) { close(descriptor) }
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

private final class SpawnLock: @unchecked Sendable {
    private var mutex = pthread_mutex_t()
    init() { pthread_mutex_init(&mutex, nil) }
    func run<T>(_ body: () -> T) -> T {
        pthread_mutex_lock(&mutex)
        defer { pthread_mutex_unlock(&mutex) }
        return body()
    }
}

/// Keeps what a transfer tells.
final class Recorder: CopyObserver, @unchecked Sendable {
    private let lock = SpawnLock()
    private var _warnings: [String] = []
    private var _finished: [String: Bool] = [:]
    private var _bytes = 0
    private var _traces: [String] = []
    private var _notes: [String] = []
    let wantsTrace: Bool

    init(wantsTrace: Bool = false) { self.wantsTrace = wantsTrace }

    var warnings: [String] { lock.run { _warnings } }
    var finished: [String: Bool] { lock.run { _finished } }
    var bytes: Int { lock.run { _bytes } }
    var notes: [String] { lock.run { _notes } }
    let wantsNotes = true
    var traces: [String] { lock.run { _traces } }

    func receive(_ event: CopyEvent) {
        lock.run {
            switch event {
            case .problem(let error): _warnings.append("\(error)")
            case .trace(let text): _traces.append(text)
            case .note(let note): _notes.append("\(note)")
            case .bytes(let count, _): _bytes += count
            case .finished(let file, let isComplete):
                _finished[String(decoding: file.path.lastComponent, as: UTF8.self)] = isComplete
            case .interrupted(let file): _finished[String(decoding: file.path.lastComponent, as: UTF8.self)] = false
            case .started, .verified, .connections: break
            }
        }
    }
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
