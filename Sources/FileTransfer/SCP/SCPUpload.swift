import Files
import NIOCore
import SCP
import SSHWire

/// Sends local files and directory trees to an SCP sink: the client of an upload.
///
/// ```swift
/// let upload = SCPUpload(stream: channel, options: .init(recursive: true), observer: observer)
/// let summary = try await upload.run(["photos"])
/// ```
///
/// Files are read in blocks of 256 KiB, ahead of the network as far as the stream's buffer reaches; small files leave
/// in one piece with the records of the next. Symbolic links are followed.
public struct SCPUpload: Sendable {
    public struct Options: Sendable {
        /// Sends directories (`-r`).
        public var recursive: Bool
        /// Sends the times of files and directories (`-p`), in whole seconds as OpenSSH does. Modes are always sent.
        public var preserve: Bool

        public init(recursive: Bool = false, preserve: Bool = false) {
            self.recursive = recursive
            self.preserve = preserve
        }
    }

    private let stream: any ByteStream
    private let options: Options
    private let observer: any TransferObserver

    public init(
        stream: any ByteStream, options: Options = Options(), observer: any TransferObserver = SilentObserver()
    ) {
        self.stream = stream
        self.options = options
        self.observer = observer
    }

    /// Sends the sources one after another, and the end of data behind the last.
    ///
    /// - Parameter sources: of a directory without a name of its own (`.`, `..`, the root) the entries are sent, so the
    ///   sink must have been told that its target is a directory (`-d`).
    /// - Returns: what was sent. What could not be is counted in ``TransferSummary/errors`` and was a warning.
    /// - Throws: ``SCPError`` or the stream's error if the session ended before its time.
    public func run(_ sources: [BytePath]) async throws -> TransferSummary {
        let (stream, options, observer) = (stream, options, observer)
        return try await DiskExecutor.run {
            var walkOptions = LocalWalk.Options(recursive: options.recursive)
            walkOptions.unnamed = .replacedByEntries
            let walk = LocalWalk(sources: sources, options: walkOptions)
            return try await SCPUploadSession.run(walk, stream: stream, options: options, observer: observer)
        }
    }
}

/// One end of a session that sends what a walk meets.
private struct SCPUploadSession {
    private let stream: any ByteStream
    private let options: SCPUpload.Options
    private let observer: any TransferObserver
    private var source = SCPSource()
    private var summary = TransferSummary()
    private var pool = BlockPool()
    /// What is to be sent next: the rest of the last file, records, the data of the next.
    private var block = ByteBuffer()
    /// Files sent whose last answer has not come.
    private var unanswered: [FileInTransfer] = []
    /// Files begun so far.
    private var started = 0
    private var turn = Turn()

    /// Sends all that the walk meets, and the end of data behind it.
    ///
    /// - Throws: as ``SCPUpload/run(_:)`` does.
    static func run(
        _ walk: LocalWalk, stream: any ByteStream, options: SCPUpload.Options, observer: any TransferObserver
    ) async throws -> TransferSummary {
        var session = Self(stream: stream, options: options, observer: observer)
        return try await session.run(walk)
    }

    private init(stream: any ByteStream, options: SCPUpload.Options, observer: any TransferObserver) {
        self.stream = stream
        self.options = options
        self.observer = observer
        if observer.wantsTrace {
            source.trace = { observer.trace("\($0 == .sent ? "send" : "received") \($1)") }
        }
        block = pool.take()
    }

    private mutating func run(_ walk: LocalWalk) async throws -> TransferSummary {
        _ = try await awaitAnswer { $0 == .ready }
        while let item = walk.next() {
            try Task.checkCancellation()
            try await turn.pass()
            switch item {
            case .failure(let error): warn("\(error)")
            case .leaveDirectory:
                try source.endDirectory(into: &block)
            case .enterDirectory(let name, let path, let status):
                if try await announce(.directory, name, path, status) {
                    summary.directories += 1
                } else {
                    walk.skipDirectory()
                }
            case .file(let name, let file):
                guard try await announce(.file(size: file.status.size), name, file.path, file.status) else { continue }
                try await send(file)
            }
            if block.readableBytes >= BlockPool.blockSize { try await flush() }
        }
        try await flush()
        while source.isWaiting { try await receive() }
        try await stream.finishWriting()
        return summary
    }

    /// Asks the sink whether it takes an entry; one round trip.
    private mutating func announce(
        _ kind: SCPEntry.Kind, _ name: [UInt8], _ path: BytePath, _ status: FileStatus
    ) async throws -> Bool {
        let entry: SCPEntry
        do {
            // Without the sticky bit, as OpenSSH's source.
            entry = SCPEntry(
                kind: kind, name: try SCPName(name), mode: status.mode & 0o6777,
                times: options.preserve ? Self.times(status) : nil)
        } catch {
            warn("\(path): \(error)")
            return false
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

    /// Sends a file's contents. The sink is owed the announced number of bytes, whatever becomes of the file: zeros
    /// stand for what cannot be read, and a message instead of the closing zero byte says so.
    private mutating func send(_ file: LocalFile) async throws {
        let size = file.status.size
        let transfer = FileInTransfer(number: started, path: file.path, size: size)
        started += 1
        observer.fileStarted(transfer)
        var offset: Int64 = 0
        var failure: FileError?
        while offset < size {
            try await turn.pass()
            let room = max(0, BlockPool.blockSize - block.readableBytes)
            let wanted = Int(min(Int64(room), size - offset))
            let count: Int
            if failure == nil {
                do throws(FileError) {
                    count = try file.read(into: &block, count: wanted, at: offset)
                    if count < wanted {
                        failure = FileError(
                            path: file.path, operation: .read, cause: .shrank(bytes: offset + Int64(count), of: size))
                    }
                } catch {
                    failure = error
                    count = 0
                }
                observer.bytesTransferred(count, of: transfer)
                summary.bytes += Int64(count)
            } else {
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
        if let failure {
            warn("\(failure)")
            observer.fileFinished(transfer, isComplete: false)
        } else {
            unanswered.append(transfer)
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
        case .refused(_, let reason), .warning(let reason): warn(peerMessage(reason))
        case .finished:
            summary.files += 1
            finishOldest(isComplete: true)
        case .failed(_, let reason):
            warn(peerMessage(reason))
            finishOldest(isComplete: false)
        }
    }

    private mutating func finishOldest(isComplete: Bool) {
        guard !unanswered.isEmpty else { return }
        observer.fileFinished(unanswered.removeFirst(), isComplete: isComplete)
    }

    private mutating func warn(_ text: String) {
        summary.errors += 1
        observer.warning(text)
    }
}
