import NIOCore
import SFTP
import SSHWire

/// Receives files and directory trees from an SFTP server.
///
/// ```swift
/// let download = SFTPDownload(open: { try await client.subsystem("sftp") }, options: .init(recursive: true))
/// let summary = try await download.run([Array("photos".utf8)], into: "backup")
/// ```
///
/// Hundreds of files are under way at once, and directories are listed ahead of them, so that a round trip is paid once
/// for all of them. The server is not trusted: what it lists is written below the target and nowhere else. Existing
/// files are overwritten in place; runs of zeros become holes. Symbolic links are followed.
public struct SFTPDownload: Sendable {
    public struct Options: Sendable {
        /// Takes directories (`-r`).
        public var recursive: Bool
        /// Sets modes and times as the server has them (`-p`).
        public var preserve: Bool
        /// The target must be a directory that exists.
        public var targetMustBeDirectory: Bool
        /// How much is asked of the server at a time (`-X`).
        public var tuning = SFTPTuning()

        public init(recursive: Bool = false, preserve: Bool = false, targetMustBeDirectory: Bool = false) {
            self.recursive = recursive
            self.preserve = preserve
            self.targetMustBeDirectory = targetMustBeDirectory
        }
    }

    private let open: SFTPOpener
    private let options: Options
    private let observer: any TransferObserver

    public init(
        open: @escaping SFTPOpener, options: Options = Options(), observer: any TransferObserver = SilentObserver()
    ) {
        self.open = open
        self.options = options
        self.observer = observer
    }

    /// Takes the sources one after another.
    ///
    /// - Parameter sources: paths on the server, relative to the user's home directory there; `~` and the wildcards of a
    ///   shell are understood.
    /// - Returns: what was received. What could not be is counted in ``TransferSummary/errors`` and was a warning.
    /// - Throws: ``FileError`` if the target is not as it must be, `SFTPError` or the stream's error if the session
    ///   ended before its time.
    public func run(_ sources: [[UInt8]], into target: LocalPath) async throws -> TransferSummary {
        let (open, options, observer) = (open, options, observer)
        return try await DiskExecutor.run {
            var session = DownloadSession(
                link: SFTPLink(stream: try await open(), observer: observer), options: options, observer: observer)
            return try await session.run(sources, into: target)
        }
    }
}

private struct DownloadSession {
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
    private static let unansweredLimit = 16 << 20
    private var unansweredLimit: Int { min(Self.unansweredLimit, options.tuning.bytesUnderWay ?? .max) }
    /// Directories listed at a time, and READDIRs unanswered for each.
    private static let listingLimit = 16
    private static let listingDepth = 4
    /// Files known and not opened; while there are more, nothing is listed.
    private static let waitingLimit = 4_000
    private static let maximumDepth = 1_000

    var link: SFTPLink<Tag>
    let options: SFTPDownload.Options
    let observer: any TransferObserver
    var summary = TransferSummary()

    /// Directories to be listed, the next one last.
    var directories: [IncomingDirectory] = []
    var listing: [IncomingDirectory] = []
    /// Files to be opened.
    var waiting = CircularBuffer<IncomingFile>()
    /// Files whose handle has come and of which more is to be asked for.
    var reading = CircularBuffer<IncomingFile>()
    /// Handles the server holds for us.
    var openHandles = 0
    /// Files and directories that are not done.
    var unfinished = 0
    var unansweredBytes = 0
    var unansweredReads = 0
    /// Files begun so far.
    var started = 0

    init(link: consuming SFTPLink<Tag>, options: SFTPDownload.Options, observer: any TransferObserver) {
        self.link = link
        self.options = options
        self.observer = observer
    }

    mutating func run(_ sources: [[UInt8]], into target: LocalPath) async throws -> TransferSummary {
        let matches = try await find(sources)
        let tree = try makeTree(target, matches)
        for match in matches.reversed() { begin(match, tree) }
        while unfinished > 0 {
            try Task.checkCancellation()
            while fill(tree) { try await link.flush() }
            try await link.flush()
            if link.session.unanswered > 0 { try await link.wait() }
            while let event = try link.next() { handle(event, tree) }
        }
        try await link.flush()
        try await link.stream.finishWriting()
        return summary
    }

    // MARK: The sources

    /// What the sources stand for. Those that stand for nothing are told of.
    private mutating func find(_ sources: [[UInt8]]) async throws -> [RemoteMatch] {
        var paths: [[UInt8]] = []
        for source in sources {
            do {
                paths.append(try await link.expand(source, tag: Tag.question, index: Self.index))
            } catch let error as RemoteError {
                warn("\(error)")
            }
        }
        var matches: [RemoteMatch] = []
        if !paths.contains(where: RemoteGlob.isPattern) {
            let requests = paths.map { SFTPRequest.stat(path: ByteBuffer(bytes: $0)) }
            let replies = try await link.ask(requests, tag: Tag.question, index: Self.index)
            for (path, reply) in zip(paths, replies) { take(path, reply, &matches) }
            return matches
        }
        for path in paths {
            let found = try await RemoteGlob(path).matches { (request: SFTPRequest) async throws -> SFTPReply? in
                try await link.ask([request], tag: Tag.question, index: Self.index).first
            }
            if found.isEmpty { warn("\(RemoteError(path: path, reason: .status(SFTPStatus(.noSuchFile))))") }
            matches += found
        }
        return matches
    }

    private mutating func take(_ path: [UInt8], _ reply: SFTPReply, _ matches: inout [RemoteMatch]) {
        switch reply {
        case .attributes(let attributes): matches.append(RemoteMatch(path: path, attributes: attributes))
        case .status(let status): warn("\(RemoteError(path: path, reason: .status(status)))")
        default: warn("\(RemoteError(path: path, reason: .status(SFTPStatus(.badMessage))))")
        }
    }

    private static func index(_ tag: Tag) -> Int? {
        guard case .question(let index) = tag else { return nil }
        return index
    }

    private func makeTree(_ target: LocalPath, _ matches: [RemoteMatch]) throws -> TargetTree {
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

    private mutating func begin(_ match: RemoteMatch, _ tree: TargetTree) {
        let name = LocalPath(match.path).lastComponent
        let hasName = ![[], Array(".".utf8), Array("..".utf8)].contains(name)
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

    private var openLimit: Int { link.session.server.limits.openHandles.map { min(1_000, max(2, $0 - 24)) } ?? 100 }

    /// Adds requests until a block is full or nothing may be asked before answers come.
    ///
    /// - Returns: whether there may be more to add.
    private mutating func fill(_ tree: TargetTree) -> Bool {
        while link.session.output.readableBytes < BlockPool.blockSize / 4 {
            if let file = reading.first, unansweredBytes < unansweredLimit,
                options.tuning.hasRoom(unanswered: unansweredReads)
            {
                if file.wantsReads { read(file) } else { _ = reading.popFirst() }
            } else if !waiting.isEmpty, openHandles < openLimit, let file = waiting.popFirst() {
                openHandles += 1
                link.session.send(
                    .open(path: ByteBuffer(bytes: file.path), flags: .read, SFTPAttributes()), .opened(file))
            } else if !list(tree) {
                return false
            }
        }
        return true
    }

    /// - Returns: whether a request was added.
    private mutating func list(_ tree: TargetTree) -> Bool {
        guard waiting.count < Self.waitingLimit else { return false }
        for directory in listing where directory.asked < Self.listingDepth && !directory.isListed {
            guard let handle = directory.handle else { continue }
            directory.asked += 1
            link.session.send(.readdir(handle: handle), .listed(directory))
            return true
        }
        guard listing.count < Self.listingLimit, openHandles < openLimit, let directory = directories.popLast() else {
            return false
        }
        guard make(directory, tree) else { return true }
        openHandles += 1
        listing.append(directory)
        link.session.send(.opendir(path: ByteBuffer(bytes: directory.path)), .openedDirectory(directory))
        return true
    }

    /// Makes a directory at the target.
    private mutating func make(_ directory: IncomingDirectory, _ tree: TargetTree) -> Bool {
        guard let name = directory.name else { return true }
        do throws(FileError) {
            directory.node = try tree.enterDirectory(
                name, attributes: Self.attributes(directory.attributes, mask: 0o1777, otherwise: 0o777),
                in: directory.parent?.node)
            summary.directories += 1
            return true
        } catch {
            warn("\(error)")
            directory.isListed = true
            childFinished(of: directory, tree)
            return false
        }
    }

    private static func attributes(
        _ attributes: SFTPAttributes, mask: UInt32, otherwise: UInt32
    ) -> FileAttributes {
        FileAttributes(
            mode: UInt16(truncatingIfNeeded: (attributes.permissions ?? otherwise) & mask),
            modified: attributes.times.map { FileTime(seconds: Int64($0.modified)) },
            accessed: attributes.times.map { FileTime(seconds: Int64($0.accessed)) })
    }

    private mutating func read(_ file: IncomingFile) {
        let limit = options.tuning.blockSize(link.session.server.limits.readLength)
        let left = file.size - file.offset
        // One byte more than there should be: an answer without it tells where the file ends.
        let length = left > 0 ? Int(min(Int64(limit), left + 1)) : limit
        ask(file, offset: file.offset, length: length)
        file.offset += Int64(length)
    }

    private mutating func ask(_ file: IncomingFile, offset: Int64, length: Int) {
        file.unanswered += 1
        unansweredBytes += length
        unansweredReads += 1
        link.session.send(
            .read(handle: file.handle, offset: UInt64(offset), length: UInt32(length)),
            .read(file, offset: offset, length: length))
    }

    private mutating func close(_ handle: ByteBuffer) {
        openHandles -= 1
        link.session.send(.close(handle: handle), .closed)
    }

    // MARK: Answers

    private mutating func handle(_ event: SFTPSession<Tag>.Event, _ tree: TargetTree) {
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
                    reading.append(file)
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

    // MARK: Directories

    private mutating func listed(
        _ directory: IncomingDirectory, _ reply: SFTPReply, _ status: SFTPStatus, _ tree: TargetTree
    ) {
        directory.asked -= 1
        if case .names(let names) = reply, !names.isEmpty {
            for name in names { take(name, in: directory) }
        } else if !directory.isListed {
            directory.isListed = true
            if status.code != .endOfFile {
                warn("\(RemoteError(path: directory.path, reason: .status(status)))")
            }
        }
        guard directory.isListed, directory.asked == 0, let handle = directory.handle else { return }
        directory.handle = nil
        close(handle)
        listed(directory, tree)
    }

    private mutating func listed(_ directory: IncomingDirectory, _ tree: TargetTree) {
        directory.isListed = true
        listing.removeAll { $0 === directory }
        childFinished(of: directory, tree)
    }

    private mutating func take(_ entry: SFTPName, in directory: IncomingDirectory) {
        let name = Array(entry.name.readableBytesView)
        if name == Array(".".utf8) || name == Array("..".utf8) { return }
        guard !name.isEmpty, !name.contains(UInt8(ascii: "/")), !name.contains(0) else {
            return warn("\(Printable.text(directory.path)): unexpected filename: \(Printable.text(name))")
        }
        let path = RemotePath.appending(name, to: directory.path)
        let entry = RemoteEntry(path: path, name: name, directory: directory, attributes: entry.attributes)
        switch entry.attributes.kind {
        case .regular: add(entry)
        case .directory: enter(entry, realPath: nil)
        case .other: warn("\(RemoteError(path: path, reason: .notRegular))")
        case .symbolicLink, nil:
            directory.unfinished += 1
            unfinished += 1
            link.session.send(.stat(path: ByteBuffer(bytes: path)), .resolved(entry))
        }
    }

    private mutating func add(_ entry: RemoteEntry) {
        unfinished += 1
        waiting.append(
            IncomingFile(
                path: entry.path, name: entry.name, attributes: entry.attributes, directory: entry.directory))
    }

    private mutating func enter(_ entry: RemoteEntry, realPath: [UInt8]?) {
        guard entry.directory.depth < Self.maximumDepth else {
            return warn("\(Printable.text(entry.path)): directories nested deeper than \(Self.maximumDepth)")
        }
        unfinished += 1
        directories.append(
            IncomingDirectory(
                path: entry.path, name: entry.name, attributes: entry.attributes, parent: entry.directory,
                realPath: realPath))
    }

    /// Takes what a link leads to for the entry itself.
    private mutating func resolved(
        _ entry: RemoteEntry, _ reply: SFTPReply, _ status: SFTPStatus, _ tree: TargetTree
    ) {
        var entry = entry
        guard case .attributes(let attributes) = reply else {
            warn("\(RemoteError(path: entry.path, reason: .status(status)))")
            return linkFinished(entry, tree)
        }
        entry.attributes = attributes
        switch attributes.kind {
        case .directory:
            // A link may lead back to where it lies; only real paths tell.
            let root = entry.directory.root
            if root.realPath == nil {
                link.session.send(.realpath(path: ByteBuffer(bytes: root.path)), .locatedRoot(root))
            }
            return link.session.send(.realpath(path: ByteBuffer(bytes: entry.path)), .located(entry))
        case .regular, nil: add(entry)
        default: warn("\(RemoteError(path: entry.path, reason: .notRegular))")
        }
        linkFinished(entry, tree)
    }

    private mutating func located(_ entry: RemoteEntry, _ reply: SFTPReply, _ tree: TargetTree) {
        var realPath: [UInt8]?
        if case .names(let names) = reply, let name = names.first { realPath = Array(name.name.readableBytesView) }
        if let realPath, entry.directory.isInside(realPath) {
            warn("\(Printable.text(entry.path)): Too many levels of symbolic links")
        } else {
            enter(entry, realPath: realPath)
        }
        linkFinished(entry, tree)
    }

    private mutating func linkFinished(_ entry: RemoteEntry, _ tree: TargetTree) {
        unfinished -= 1
        childFinished(of: entry.directory, tree)
    }

    private mutating func childFinished(of directory: IncomingDirectory, _ tree: TargetTree) {
        directory.unfinished -= 1
        if directory.unfinished == 0 { finish(directory, tree) }
    }

    private mutating func finish(_ directory: IncomingDirectory, _ tree: TargetTree) {
        if let node = directory.node {
            do throws(FileError) {
                try tree.finish(node)
            } catch {
                warn("\(error)")
            }
        }
        unfinished -= 1
        if let parent = directory.parent { childFinished(of: parent, tree) }
    }

    // MARK: Files

    private mutating func create(_ file: IncomingFile, _ tree: TargetTree) {
        let parent = file.directory?.node
        let transfer = FileInTransfer(number: started, path: tree.path(of: file.name, in: parent), size: file.size)
        started += 1
        file.transfer = transfer
        observer.fileStarted(transfer)
        var mode = Self.attributes(file.attributes, mask: 0o777, otherwise: 0o666).mode
        // So that the next copy can overwrite it, as OpenSSH has it.
        if !options.preserve { mode |= 0o200 }
        do throws(FileError) {
            file.new = try tree.createFile(file.name, mode: mode, in: parent)
        } catch {
            file.failure = "\(error)"
        }
    }

    private mutating func write(_ bytes: ByteBuffer, to file: IncomingFile, at offset: Int64, _ tree: TargetTree) {
        if file.transfer == nil { create(file, tree) }
        guard file.failure == nil, let new = file.new, let transfer = file.transfer else { return }
        do throws(FileError) {
            try new.file.write(bytes, at: offset)
            summary.bytes += Int64(bytes.readableBytes)
            observer.bytesTransferred(bytes.readableBytes, of: transfer)
        } catch {
            file.failure = "\(error)"
        }
    }

    /// A READ is answered with `got` bytes, none of them meaning the end of the file.
    private mutating func answered(
        _ file: IncomingFile, _ offset: Int64, _ length: Int, got: Int, _ tree: TargetTree
    ) {
        file.unanswered -= 1
        unansweredBytes -= length
        unansweredReads -= 1
        if file.failure == nil, got < length {
            let reached = offset + Int64(got)
            if got == 0 || reached == file.size {
                file.end = min(file.end ?? reached, reached)
            } else {
                ask(file, offset: reached, length: length - got)
            }
        }
        guard file.unanswered == 0 else { return }
        if file.failure == nil, file.end == nil {
            // Either more is being asked for, or the file has grown.
            if !file.wantsReads { read(file) }
            return
        }
        close(file.handle)
        finished(file, tree)
    }

    private mutating func finished(_ file: IncomingFile, _ tree: TargetTree) {
        unfinished -= 1
        if let end = file.end, file.failure == nil {
            if file.transfer == nil { create(file, tree) }
            do throws(FileError) {
                try file.new?.finish(
                    size: end, attributes: Self.attributes(file.attributes, mask: 0o777, otherwise: 0o666))
            } catch {
                file.failure = "\(error)"
            }
            if end < file.size, file.failure == nil {
                file.failure = "\(RemoteError(path: file.path, reason: .shrank(bytes: end, of: file.size)))"
            }
        }
        file.new = nil
        if let failure = file.failure { warn(failure) } else { summary.files += 1 }
        if let transfer = file.transfer { observer.fileFinished(transfer, isComplete: file.failure == nil) }
        if let directory = file.directory { childFinished(of: directory, tree) }
    }

    private mutating func warn(_ text: String) {
        summary.errors += 1
        observer.warning(text)
    }
}
