import Files
import NIOCore
import SFTP
import SSHWire

/// A download under way: the loop, and the queues its steps put their work in.
struct SFTPDownloadSession {
    enum Tag {
        case question(Int)
        case openedDirectory(IncomingDirectory)
        case listed(IncomingDirectory)
        /// What a link leads to.
        case resolved(RemoteEntry)
        /// Where the root of a link's tree really is.
        case locatedRoot(IncomingDirectory)
        /// Where a link to a directory really leads.
        case located(RemoteEntry)
        case opened(IncomingFile)
        case read(IncomingFile, offset: Int64, length: Int)
        /// Nothing depends on the answer.
        case closed
    }

    /// An entry of a directory that needs a second look.
    struct RemoteEntry {
        var path: [UInt8]
        var name: [UInt8]
        var directory: IncomingDirectory
        var attributes: SFTPAttributes
    }

    /// Bytes that may be asked for and not yet there: what a link of 1 Gbit/s and 100 ms holds, and some.
    static let unansweredLimit = 16 << 20
    var unansweredLimit: Int { min(Self.unansweredLimit, options.tuning.bytesUnderWay ?? .max) }
    /// Directories listed at a time, and READDIRs unanswered for each.
    static let listingLimit = 16
    static let listingDepth = 4
    /// Files known and not opened; while there are more, nothing is listed.
    static let waitingLimit = 4_000
    static let maximumDepth = 1_000

    var link: SFTPLink<Tag>
    let options: SFTPOptions
    let observer: any TransferObserver
    /// What is done, for the case that the connection is lost; nil where the download ends with it.
    let ledger: DownloadLedger?
    /// Nil where nothing is to be hashed, or there is no way to.
    let hasher: RemoteHasher?
    var summary = TransferSummary()

    /// Directories to be listed, the next one last.
    var directories: [IncomingDirectory] = []
    var listing: [IncomingDirectory] = []
    /// Files to be opened.
    var waiting = CircularBuffer<IncomingFile>()
    /// Files whose handle has come and of which more is to be asked for.
    var reading = CircularBuffer<IncomingFile>()
    /// Files that were begun here and are not done, by their numbers.
    var underWay: [Int: IncomingFile] = [:]
    /// Files that are here and whose hashes are to be compared.
    var verifying = CircularBuffer<IncomingFile>()
    /// Handles the server holds for us.
    var openHandles = 0
    /// Files and directories that are not done.
    var unfinished = 0
    var unansweredBytes = 0
    var unansweredReads = 0
    /// Files begun so far.
    var started = 0

    init(
        link: consuming SFTPLink<Tag>, options: SFTPOptions, observer: any TransferObserver, ledger: DownloadLedger?,
        hasher: RemoteHasher?
    ) {
        self.link = link
        self.options = options
        self.observer = observer
        self.ledger = ledger
        self.hasher = hasher
        if let ledger { summary = ledger.summary }
    }

    mutating func run(_ sources: [[UInt8]], into target: BytePath) async throws -> TransferSummary {
        if options.verify, try await hasher?.hasMeans() != true { throw VerificationError.noMeans }
        let matches: [RemoteMatch]
        let tree: TargetTree
        if let known = ledger?.target {
            // The same as before: by now, patterns could match more, and the target be a directory.
            matches = try await look(at: known.sources)
            tree = known.tree
        } else {
            matches = try await find(sources)
            tree = try makeTree(target, matches)
            ledger?.target = DownloadTarget(tree: tree, sources: matches.map(\.path))
        }
        for match in matches.reversed() { begin(match, tree) }
        while unfinished > 0 {
            try Task.checkCancellation()
            while try await fill(tree) { try await link.flush() }
            try await link.flush()
            guard unfinished > 0 else { break }
            if try await verifyNext(tree) { continue }
            try await link.wait()
            while let event = try link.next() { handle(event, tree) }
        }
        try await link.flush()
        try await link.stream.finishWriting()
        await hasher?.close()
        return summary
    }

    // MARK: The sources

    /// What the sources stand for. Those that stand for nothing are told of.
    mutating func find(_ sources: [[UInt8]]) async throws -> [RemoteMatch] {
        var paths: [[UInt8]] = []
        for source in sources {
            do {
                paths.append(try await link.expand(source, tag: Tag.question, index: Self.index))
            } catch let error as RemoteError {
                warn("\(error)")
            }
        }
        if !paths.contains(where: RemoteGlob.isPattern) { return try await look(at: paths) }
        var matches: [RemoteMatch] = []
        for path in paths {
            let found = try await RemoteGlob(path).matches { (request: SFTPRequest) async throws -> SFTPReply? in
                try await link.ask([request], tag: Tag.question, index: Self.index).first
            }
            if found.isEmpty { warn("\(RemoteError(path: path, reason: .status(SFTPStatus(.noSuchFile))))") }
            matches += found
        }
        return matches
    }

    /// What is at these paths. Those where nothing is are told of.
    mutating func look(at paths: [[UInt8]]) async throws -> [RemoteMatch] {
        let requests = paths.map { SFTPRequest.stat(path: ByteBuffer(bytes: $0)) }
        let replies = try await link.ask(requests, tag: Tag.question, index: Self.index)
        var matches: [RemoteMatch] = []
        for (path, reply) in zip(paths, replies) { take(path, reply, &matches) }
        return matches
    }

    mutating func take(_ path: [UInt8], _ reply: SFTPReply, _ matches: inout [RemoteMatch]) {
        switch reply {
        case .attributes(let attributes): matches.append(RemoteMatch(path: path, attributes: attributes))
        case .status(let status): warn("\(RemoteError(path: path, reason: .status(status)))")
        default: warn("\(RemoteError(path: path, reason: .status(SFTPStatus(.badMessage))))")
        }
    }

    static func index(_ tag: Tag) -> Int? {
        guard case .question(let index) = tag else { return nil }
        return index
    }

    func makeTree(_ target: BytePath, _ matches: [RemoteMatch]) throws -> TargetTree {
        var treeOptions = TargetTree.Options(
            preserve: options.preserve, targetMustBeDirectory: options.targetMustBeDirectory)
        if matches.count > 1, !options.targetMustBeDirectory {
            if (try? LocalFileSystem.status(of: target)) == nil {
                _ = try TargetTree(target: target, options: treeOptions).enterDirectory(
                    [], attributes: FileAttributes(mode: 0o777), in: nil)
            }
            treeOptions.targetMustBeDirectory = true
        }
        return try TargetTree(target: target, options: treeOptions)
    }

    mutating func begin(_ match: RemoteMatch, _ tree: TargetTree) {
        if let ledger, ledger.isSettled(match.path) { return }
        let (name, hasName) = (BytePath(match.path).lastComponent, BytePath(match.path).hasName)
        switch match.attributes.kind {
        case .directory where options.recursive:
            unfinished += 1
            directories.append(
                IncomingDirectory(
                    path: match.path, name: hasName || !tree.targetIsDirectory ? name : nil,
                    attributes: match.attributes, parent: nil))
        case .regular, nil:
            unfinished += 1
            waiting.prepend(
                IncomingFile(path: match.path, name: name, attributes: match.attributes, directory: nil))
        default:
            warn("\(RemoteError(path: match.path, reason: .notRegular))")
        }
    }

    // MARK: Asking

    var openLimit: Int { link.session.server.limits.openHandles.map { min(1_000, max(2, $0 - 24)) } ?? 100 }

    /// Adds requests until a block is full or nothing may be asked before answers come.
    ///
    /// - Returns: whether there may be more to add.
    mutating func fill(_ tree: TargetTree) async throws -> Bool {
        while link.session.output.readableBytes < BlockPool.blockSize / 4 {
            if let file = reading.first, unansweredBytes < unansweredLimit,
                options.tuning.hasRoom(unanswered: unansweredReads)
            {
                if file.hash != nil { try await compare(file, tree) }
                if file.wantsReads { read(file) } else { _ = reading.popFirst() }
            } else if !waiting.isEmpty, openHandles + verifying.count < openLimit, let file = waiting.popFirst() {
                openHandles += 1
                link.session.send(
                    .open(path: ByteBuffer(bytes: file.path), flags: .read, SFTPAttributes()), .opened(file))
            } else if !list(tree) {
                return false
            }
        }
        return true
    }

    static func attributes(
        _ attributes: SFTPAttributes, mask: UInt32, otherwise: UInt32
    ) -> FileAttributes {
        FileAttributes(
            mode: UInt16(truncatingIfNeeded: (attributes.permissions ?? otherwise) & mask),
            modified: attributes.times.map { FileTime(seconds: Int64($0.modified)) },
            accessed: attributes.times.map { FileTime(seconds: Int64($0.accessed)) })
    }

    mutating func close(_ handle: ByteBuffer) {
        openHandles -= 1
        link.session.send(.close(handle: handle), .closed)
    }

    // MARK: Answers

    mutating func handle(_ event: SFTPSession<Tag>.Event, _ tree: TargetTree) {
        switch event {
        case .started: break
        case .data(.read(let file, let offset, let length), let bytes, let position, let isLast):
            write(bytes, to: file, at: offset + Int64(position), tree)
            if isLast { answered(file, offset, length, got: position + bytes.readableBytes, tree) }
        case .data: break
        case .reply(let tag, let reply):
            var status = SFTPStatus(.badMessage)
            if case .status(let told) = reply { status = told }
            switch tag {
            case .question, .closed: break
            case .openedDirectory(let directory):
                if case .handle(let handle) = reply {
                    directory.handle = handle
                } else {
                    openHandles -= 1
                    warn("\(RemoteError(path: directory.path, reason: .status(status)))")
                    listed(directory, tree)
                }
            case .listed(let directory): listed(directory, reply, status, tree)
            case .resolved(let entry): resolved(entry, reply, status, tree)
            case .locatedRoot(let root):
                if case .names(let names) = reply, let name = names.first {
                    root.realPath = Array(name.name.readableBytesView)
                }
            case .located(let entry): located(entry, reply, tree)
            case .opened(let file):
                if case .handle(let handle) = reply {
                    file.handle = handle
                    opened(file, tree)
                } else {
                    openHandles -= 1
                    file.failure = "\(RemoteError(path: file.path, reason: .status(status)))"
                    finished(file, tree)
                }
            case .read(let file, let offset, let length):
                if status.code != .endOfFile, file.failure == nil {
                    file.failure = "\(RemoteError(path: file.path, reason: .status(status)))"
                }
                answered(file, offset, length, got: 0, tree)
            }
        }
    }

    mutating func warn(_ text: String) {
        guard ledger?.isNew(text) ?? true else { return }
        summary.errors += 1
        observer.warning(text)
    }
}
