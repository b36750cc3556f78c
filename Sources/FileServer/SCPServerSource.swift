import Files
import NIOCore
import SCP
import SSHWire

/// The server's end of an SCP download, `scp -f`: sends what a walk meets.
///
/// What goes wrong is told to the client in the protocol. Each answer is waited for before the next record is sent, as
/// some clients take all they read at a time for one record (the module scp for Paramiko).
package struct SCPServerSource<Walk: SCPSourceWalk> {
    private let stream: any ByteStream
    private let preserve: Bool
    private let log: SCPFileLog?
    private var source = SCPSource()
    private var pool = BlockPool()
    /// What is to be sent next: records, and data of the file at hand.
    private var block = ByteBuffer()
    /// The file that is being sent, until the client has answered for it.
    private var current: SCPFileTransfer?
    private var isComplete = true
    private var turn = Turn()

    /// Sends all that the walk meets, and the end of data behind it.
    ///
    /// - Parameters:
    ///   - preserve: sends the times of files and directories, in whole seconds as OpenSSH does. Modes are always sent.
    ///   - trace: is given a line for each record; printable.
    /// - Returns: whether all was sent and kept.
    /// - Throws: `SCPError` or the stream's error if the session ended before its time; `CancellationError`.
    package static func run(
        _ walk: Walk, stream: any ByteStream, preserve: Bool, trace: (@Sendable (String) -> Void)? = nil
    ) async throws -> Bool {
        var session = Self(stream: stream, preserve: preserve, log: nil)
        if let trace { session.source.trace = { trace("\($0 == .sent ? "send" : "received") \($1)") } }
        return try await session.run(walk)
    }

    static func run(_ walk: Walk, stream: any ByteStream, preserve: Bool, log: SCPFileLog) async throws -> Bool {
        var session = Self(stream: stream, preserve: preserve, log: log)
        do {
            return try await session.run(walk)
        } catch {
            session.close(.interrupted)
            throw error
        }
    }

    private init(stream: any ByteStream, preserve: Bool, log: SCPFileLog?) {
        self.stream = stream
        self.preserve = preserve
        self.log = log
        block = pool.take()
    }

    private mutating func run(_ walk: Walk) async throws -> Bool {
        _ = try await awaitAnswer { $0 == .ready }
        while let item = walk.next() {
            try Task.checkCancellation()
            try await turn.pass()
            switch item {
            case .failure(let error): try report("\(error)")
            case .passedBy: break
            case .leaveDirectory:
                try source.endDirectory(into: &block)
                try await settle()
            case .enterDirectory(let name, let path, let status):
                if try await !announce(.directory, name, path, status) { walk.skipDirectory() }
            case .file(let name, let file):
                guard try await announce(.file(size: file.status.size), name, file.path, file.status) else { continue }
                try await send(file)
                try await settle()
            }
            if block.readableBytes >= BlockPool.blockSize { try await flush() }
        }
        try await settle()
        try await stream.finishWriting()
        return isComplete
    }

    // MARK: Records

    /// Waits for all answers.
    private mutating func settle() async throws {
        try await flush()
        while source.isWaiting { try await receive() }
    }

    /// Asks the sink whether it takes an entry.
    private mutating func announce(
        _ kind: SCPEntry.Kind, _ name: [UInt8], _ path: BytePath, _ status: FileStatus
    ) async throws -> Bool {
        var entry: SCPEntry
        do {
            // Without the sticky bit, as OpenSSH's source.
            entry = SCPEntry(
                kind: kind, name: try SCPName(name), mode: status.mode & 0o6777,
                times: preserve ? Self.times(status) : nil)
        } catch {
            try report("\(path): \(error)")
            return false
        }
        if let times = entry.times {
            try source.sendTimes(times, of: entry, into: &block)
            try await settle()
            entry.times = nil
        }
        try source.begin(entry, into: &block)
        try await flush()
        return try await awaitAnswer { event in
            switch event {
            case .accepted: true
            case .refused: false
            default: nil
            }
        }
    }

    private static func times(_ status: FileStatus) -> SCPTimes {
        SCPTimes(
            modified: SCPTime(seconds: max(0, status.modified.seconds)),
            accessed: SCPTime(seconds: max(0, status.accessed.seconds)))
    }

    /// Tells the client of an entry that is not sent at all.
    private mutating func report(_ text: String) throws {
        isComplete = false
        try source.warn(Array("scp: \(text)".utf8), into: &block)
    }

    // MARK: Contents

    /// Sends a file's contents. The sink is owed the announced number of bytes, whatever becomes of the file: zeros
    /// stand for what cannot be read, and a message instead of the closing zero byte says so.
    private mutating func send(_ file: Walk.File) async throws {
        let size = file.status.size
        let transfer = SCPFileTransfer(path: file.path)
        current = transfer
        log?.opened(transfer)
        var offset: Int64 = 0
        var failure: FileError?
        while offset < size {
            try await turn.pass()
            let room = max(0, BlockPool.blockSize - block.readableBytes)
            let wanted = Int(min(Int64(room), size - offset))
            var count = 0
            if failure == nil { (count, failure) = read(file, wanted, at: offset) }
            if failure != nil, count == 0 {
                block.writeRepeatingByte(0, count: wanted)
                count = wanted
            }
            try source.countData(count)
            offset += Int64(count)
            if block.readableBytes >= BlockPool.blockSize { try await flush() }
        }
        // More bytes than were announced cannot be sent, but must not be lost silently.
        if failure == nil { failure = file.growth() }
        try source.endFile(failure: failure.map { Array("scp: \($0)".utf8) }, into: &block)
        if let failure { finish(.failed("\(failure)")) }
    }

    /// Adds bytes of a file to the block; fewer than were wanted come with the reason.
    private mutating func read(_ file: Walk.File, _ wanted: Int, at offset: Int64) -> (count: Int, FileError?) {
        do throws(FileError) {
            let count = try file.read(into: &block, count: wanted, at: offset)
            current?.bytes += UInt64(count)
            guard count < wanted else { return (count, nil) }
            let cause = FileError.Cause.shrank(bytes: offset + Int64(count), of: file.status.size)
            return (count, FileError(path: file.path, operation: .read, cause: cause))
        } catch {
            return (0, error)
        }
    }

    /// Hands the block to the stream, which takes it at once unless its buffer is full.
    private mutating func flush() async throws {
        guard block.readableBytes > 0 else { return }
        let full = block
        block = ByteBuffer()
        pool.remember(full)
        try await stream.write(full)
        block = pool.take()
    }

    // MARK: Answers

    /// Reads answers until one of them is the one waited for.
    private mutating func awaitAnswer(_ match: (SCPSource.Event) -> Bool?) async throws -> Bool {
        while true {
            while let event = try source.next() {
                handle(event)
                if let result = match(event) { return result }
            }
            try await receiveBytes()
        }
    }

    private mutating func receive() async throws {
        while let event = try source.next() { handle(event) }
        if source.isWaiting { try await receiveBytes() }
    }

    private mutating func receiveBytes() async throws {
        guard let bytes = try await stream.read() else {
            try source.receiveEnd()
            throw SCPError.endedBeforeAnswer(to: "the last record")
        }
        source.receive(bytes)
    }

    private mutating func handle(_ event: SCPSource.Event) {
        switch event {
        case .ready, .accepted: break
        case .refused, .warning: isComplete = false
        case .finished: finish(.complete)
        case .failed(_, let reason): finish(.failed(peerMessage(reason)))
        }
    }

    private mutating func finish(_ outcome: ServedTransfer.Outcome) {
        if outcome != .complete { isComplete = false }
        close(outcome)
    }

    private mutating func close(_ outcome: ServedTransfer.Outcome) {
        if let current { log?.closed(current, outcome) }
        current = nil
    }
}
