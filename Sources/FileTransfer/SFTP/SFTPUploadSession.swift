import Files
import NIOCore
import SFTP
import SSHWire

/// An upload under way: the loop, and the queues its steps put their work in.
struct SFTPUploadSession {
    enum Tag {
        case question(Int)
        case madeDirectory(OutgoingDirectory)
        case checkedDirectory(OutgoingDirectory)
        case finishedDirectory(OutgoingDirectory)
        case opened(OutgoingFile)
        /// How much there is at the target of a file that is to go on where it was.
        case measured(OutgoingFile)
        case written(OutgoingFile, offset: Int64, count: Int)
        case finished(OutgoingFile)
        case closed(OutgoingFile)
    }

    /// Bytes of WRITEs that may be unanswered: enough for the stream's buffer and any window of a server's. A near server needs less, and
    /// OpenSSH's is the slower the longer its queue, which it moves about in memory.
    private var unansweredLimit: Int { link.isNear ? 1 << 20 : 4 << 20 }

    /// A file up to this size, in bytes, is not worth a round trip before it is opened. For larger ones that shows how far
    /// the server is, and how much it takes at a time.
    static let smallFile: Int64 = 32 << 10

    var link: SFTPLink<Tag>
    let options: SFTPOptions
    let observer: any TransferObserver
    let stripes: Stripes
    /// What is done, for the case that the connection is lost; nil where the upload ends with it.
    let ledger: UploadLedger?
    /// Nil where nothing is to be hashed, or there is no way to.
    let hasher: RemoteHasher?
    var summary = TransferSummary()

    var target = UploadTarget()
    /// The directories the walk is in.
    var directories: [OutgoingDirectory] = []
    /// Files whose handle has come and whose contents are to be sent.
    var ready = CircularBuffer<OutgoingFile>()
    /// Files that were begun and are not done, by their numbers.
    var underWay: [Int: OutgoingFile] = [:]
    /// Files that are at the target and whose hashes are to be compared.
    var verifying = CircularBuffer<OutgoingFile>()
    /// Files between OPEN and CLOSE.
    var openFiles = 0
    /// Files and directories that are not done.
    var unfinished = 0
    var unansweredBytes = 0
    var unansweredWrites = 0
    /// Files begun so far.
    var started = 0

    init(
        link: consuming SFTPLink<Tag>, options: SFTPOptions, observer: any TransferObserver, stripes: Stripes,
        ledger: UploadLedger?, hasher: RemoteHasher?
    ) {
        self.link = link
        self.options = options
        self.observer = observer
        self.stripes = stripes
        self.ledger = ledger
        self.hasher = hasher
        if let ledger { summary = ledger.summary }
    }

    mutating func run(_ sources: [BytePath], to path: [UInt8]) async throws -> TransferSummary {
        let walk = LocalWalk(sources: sources, options: .init(recursive: options.recursive))
        if let known = ledger?.target { target = known } else { try await findTarget(path, sources, walk) }
        var hasMore = true
        while hasMore || unfinished > 0 {
            try Task.checkCancellation()
            while try await fill(walk, &hasMore) { try await link.flush() }
            try await link.flush()
            guard hasMore || unfinished > 0 else { break }
            if try await verifyNext() { continue }
            try await link.wait()
            while let event = try link.next() {
                if case .reply(let tag, let reply) = event { handle(tag, reply) }
            }
        }
        try await link.flush()
        try await link.stream.finishWriting()
        await hasher?.close()
        return summary
    }

    // MARK: Sending

    /// Files that keep a near server busy.
    private static let nearFiles = 100

    /// As many files as the server, this process and good sense allow.
    private var openLimit: Int {
        let server = link.session.server.limits.openHandles.map { max(1, $0 - 24) } ?? 100
        return min(server, LocalFileSystem.openFilesLimit, link.isNear ? Self.nearFiles : .max)
    }

    /// Adds requests until a block is full or nothing may be sent before answers come.
    ///
    /// - Returns: whether there may be more to add.
    mutating func fill(_ walk: LocalWalk, _ hasMore: inout Bool) async throws -> Bool {
        while link.session.output.readableBytes < BlockPool.blockSize {
            if let file = ready.first, unansweredBytes < unansweredLimit,
                options.tuning.hasRoom(unanswered: unansweredWrites)
            {
                try await sendBlock(file)
            } else if hasMore, openFiles + verifying.count < openLimit {
                if let item = walk.next() { begin(item, walk) } else { hasMore = false }
            } else {
                return false
            }
        }
        return true
    }

    mutating func begin(_ item: WalkItem<LocalFile>, _ walk: LocalWalk) {
        if let directory = directories.last, directory.isLost {
            // The walk has just looked at one more entry; the rest it need not.
            if case .leaveDirectory = item {
            } else if case .enterDirectory = item {
                walk.skipDirectory()
                walk.skipDirectory()
            } else {
                walk.skipDirectory()
            }
            leaveDirectory()
            return
        }
        switch item {
        case .failure(let error): warn("\(error)")
        case .leaveDirectory: leaveDirectory()
        case .enterDirectory(_, let source, _) where ledger?.isSettled(source.bytes) ?? false: walk.skipDirectory()
        case .enterDirectory(let name, let source, let status):
            let directory = OutgoingDirectory(
                path: destination(name), source: source, status: status, parent: directories.last)
            directories.append(directory)
            unfinished += 1
            let mode = UInt32(status.mode & 0o1777 | 0o300)
            send(
                .mkdir(path: ByteBuffer(bytes: directory.path), SFTPAttributes(permissions: mode)),
                .madeDirectory(directory))
        case .file(_, let file) where ledger?.isSettled(file.path.bytes) ?? false: break
        case .file(let name, let file): open(outgoing(name, file))
        }
    }

    /// One more file that is under way.
    mutating func outgoing(_ name: [UInt8], _ file: LocalFile) -> OutgoingFile {
        let transfer = FileInTransfer(number: started, path: file.path, size: file.status.size)
        started += 1
        unfinished += 1
        openFiles += 1
        let outgoing = OutgoingFile(
            file: file, path: destination(name), transfer: transfer, directory: directories.last)
        outgoing.partial = ledger?.take(file.path.bytes)
        underWay[transfer.number] = outgoing
        return outgoing
    }

    mutating func leaveDirectory() {
        guard let directory = directories.popLast() else { return }
        childFinished(of: directory)
    }

    mutating func open(_ file: OutgoingFile) {
        // What an earlier connection left is gone on from.
        file.isTruncated = file.partial == nil && file.directory?.isNew ?? false
        send(opening(file.file, at: file.path, truncates: file.isTruncated), .opened(file))
    }

    func opening(_ file: LocalFile, at path: [UInt8], truncates: Bool = false) -> SFTPRequest {
        var attributes = SFTPAttributes(permissions: UInt32(file.status.mode & 0o777))
        if options.preserve { attributes.times = Self.times(file.status) }
        let flags: SFTPOpenFlags = truncates ? [.write, .create, .truncate] : [.write, .create]
        return .open(path: ByteBuffer(bytes: path), flags: flags, attributes)
    }

    mutating func send(_ request: SFTPRequest, _ tag: Tag) { link.session.send(request, tag) }

    static func times(_ status: FileStatus) -> SFTPAttributes.Times {
        .init(
            accessed: UInt32(clamping: status.accessed.seconds), modified: UInt32(clamping: status.modified.seconds))
    }

    /// Sends the next block of a file, or the end behind the last one.
    mutating func sendBlock(_ file: OutgoingFile) async throws {
        if !file.isStarted {
            try await compare(file)
            file.isStarted = true
            observer.fileStarted(file.transfer)
            if !link.isNear, file.size - file.offset >= Stripes.worthwhileSize,
                !isSpecial(file), options.tuning == SFTPTuning()
            {
                startStripes(file)
            }
        }
        var isDone = file.failure != nil
        if let ranges = file.ranges, file.offset == file.end {
            if let next = ranges.next() {
                (file.offset, file.end) = (next.lowerBound, next.upperBound)
            } else {
                isDone = true
            }
        }
        if !isDone {
            do throws(FileError) {
                isDone = try sendContents(file)
            } catch {
                file.failure = "\(error)"
                isDone = true
            }
        }
        guard isDone else { return }
        _ = ready.popFirst()
        if let stripes = file.stripes {
            try await link.flush()
            if file.failure != nil { file.ranges?.abandon() }
            let failure = await withTaskCancellationHandler {
                await stripes.value
            } onCancel: {
                stripes.cancel()
            }
            file.failure = file.failure ?? failure
            if file.failure == nil {
                summary.bytes += file.size - file.counted
                file.counted = file.size
                // What has grown behind the ranges is not sent, but must not be lost silently.
                file.failure = file.file.growth().map { "\($0)" }
            }
            file.offset = file.size
        }
        finish(file)
    }

    /// - Returns: whether that was the end of the file.
    mutating func sendContents(_ file: OutgoingFile) throws(FileError) -> Bool {
        let limit = options.tuning.blockSize(link.session.server.limits.writeLength)
        let offset = file.offset
        let left = (file.ranges == nil ? file.size : file.end) - offset
        // One byte more than there should be: a file that grew is copied up to its end. Ranges are what they are.
        let wanted = left >= limit ? limit : Int(max(0, left)) + (file.ranges == nil ? 1 : 0)
        let source = file.file
        let count = try link.session.write(
            handle: file.handle, offset: UInt64(offset), tag: { .written(file, offset: offset, count: $0) },
            fill: { (block) throws(FileError) in try source.read(into: &block, count: wanted, at: offset) })
        if count > 0 {
            file.unanswered += 1
            file.offset += Int64(count)
            file.counted += Int64(count)
            unansweredBytes += count
            unansweredWrites += 1
            summary.bytes += Int64(count)
            observer.bytesTransferred(count, of: file.transfer)
        }
        guard count < wanted else { return false }
        if file.offset < file.size {
            throw FileError(path: source.path, operation: .read, cause: .shrank(bytes: file.offset, of: file.size))
        }
        return true
    }

    func isSpecial(_ file: OutgoingFile) -> Bool { target.isSpecial && file.directory == nil }

    mutating func startStripes(_ file: OutgoingFile) {
        let ranges = FileRanges(file.offset..<file.size)
        guard let first = ranges.next() else { return }
        (file.offset, file.end) = (first.lowerBound, first.upperBound)
        file.ranges = ranges
        let observer = observer
        let transfer = file.transfer
        file.stripes = stripes.send(file.file, to: file.path, ranges) { observer.bytesTransferred($0, of: transfer) }
    }

    mutating func finish(_ file: OutgoingFile) {
        file.isClosing = true
        openFiles -= 1
        var attributes = SFTPAttributes(size: UInt64(max(0, file.offset)))
        if options.preserve, file.failure == nil {
            attributes.permissions = UInt32(file.file.status.mode & 0o777)
            attributes.times = Self.times(file.file.status)
        }
        let needsAttributes = options.preserve || !file.isTruncated || file.failure != nil
        if !isSpecial(file), needsAttributes, file.failure == nil || file.ranges == nil {
            file.unanswered += 1
            send(.fsetstat(handle: file.handle, attributes), .finished(file))
        }
        file.unanswered += 1
        send(.close(handle: file.handle), .closed(file))
        // Closing what was only read cannot lose anything.
        if !options.verify { try? file.file.close() }
    }

    // MARK: Answers

    mutating func handle(_ tag: Tag, _ reply: SFTPReply) {
        var status = SFTPStatus(.failure, message: "unexpected answer")
        if case .status(let told) = reply { status = told }
        switch tag {
        case .question: break
        case .opened(let file):
            if case .handle(let handle) = reply {
                file.handle = handle
                opened(file)
            } else {
                refused(file, status)
            }
        case .measured(let file):
            if case .attributes(let attributes) = reply { measured(file, attributes) }
            ready.append(file)
        case .written(let file, let offset, let count):
            unansweredBytes -= count
            unansweredWrites -= 1
            if status.code == .ok { file.wrote(offset..<offset + Int64(count)) }
            answered(file, status, "write")
        case .finished(let file): answered(file, status, "set attributes")
        case .closed(let file): answered(file, status, "close")
        case .madeDirectory(let directory):
            if status.code == .ok {
                directory.isNew = true
                ledger?.note(made: directory.source.bytes)
                isReady(directory)
            } else {
                // There is no status for a directory that exists.
                send(.stat(path: ByteBuffer(bytes: directory.path)), .checkedDirectory(directory))
                directory.refusal = status
            }
        case .checkedDirectory(let directory):
            if case .attributes(let attributes) = reply, attributes.kind == .directory {
                directory.isNew = isOurs(directory)
                isReady(directory)
            } else {
                if case .attributes = reply {
                    lose(directory, "exists but is not a directory")
                } else {
                    lose(directory, "\(directory.refusal ?? status)")
                }
            }
        case .finishedDirectory(let directory):
            if status.code != .ok { warn("\(Printable.text(directory.path)): set attributes: \(status)") }
            done(directory)
        }
    }

    mutating func answered(_ file: OutgoingFile, _ status: SFTPStatus, _ what: String) {
        file.unanswered -= 1
        if status.code != .ok, file.failure == nil {
            file.failure = "\(Printable.text(file.path)): \(what): \(status)"
        }
        if file.isClosing, file.unanswered == 0 { closed(file) }
    }

    mutating func refused(_ file: OutgoingFile, _ status: SFTPStatus) {
        if file.isEarly, let directory = file.directory, !directory.isLost {
            // A server that does several things at a time may not have made the directory yet.
            file.isEarly = false
            if directory.state == .ready { open(file) } else { directory.early.append(file) }
            return
        }
        openFiles -= 1
        file.failure = "\(Printable.text(file.path)): \(status)"
        finished(file, isQuiet: file.directory?.isLost ?? false)
    }

    mutating func finished(_ file: OutgoingFile, isQuiet: Bool = false) {
        unfinished -= 1
        underWay[file.transfer.number] = nil
        ledger?.settle(file.file.path.bytes)
        if let failure = file.failure {
            if !isQuiet { warn(failure) }
        } else {
            summary.files += 1
        }
        if file.isClosing { observer.fileFinished(file.transfer, isComplete: file.failure == nil) }
        if let directory = file.directory { childFinished(of: directory) }
    }

    mutating func warn(_ text: String) {
        guard ledger?.isNew(text) ?? true else { return }
        summary.errors += 1
        observer.warning(text)
    }
}
