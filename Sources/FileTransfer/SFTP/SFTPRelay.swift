import Files
import NIOCore
import SFTP
import SSHWire
import Synchronization

/// Copies files and directory trees from one SFTP server to another, through this machine.
///
/// What one server sends goes to the other as soon as it is here; many files are under way at once.
public struct SFTPRelay: Sendable {
    private let source: SFTPOpener
    private let target: SFTPOpener
    private let options: SFTPOptions
    private let observer: any TransferObserver

    public init(
        from source: @escaping SFTPOpener, to target: @escaping SFTPOpener,
        options: SFTPOptions = SFTPOptions(), observer: any TransferObserver = SilentObserver()
    ) {
        self.source = source
        self.target = target
        self.options = options
        self.observer = observer
    }

    /// Copies the sources, paths on one server, to a path on the other.
    ///
    /// - Returns: what was copied. What could not be is counted in ``TransferSummary/errors`` and was a warning.
    /// - Throws: ``RemoteError`` if the target is not as it must be, `SFTPError` or a stream's error if a session ended
    ///   before its time.
    public func run(_ sources: [[UInt8]], to path: [UInt8]) async throws -> TransferSummary {
        async let from = SFTPClient(stream: try await source())
        async let to = SFTPClient(stream: try await target())
        let session = RelaySession(source: try await from, target: try await to, options: options, observer: observer)
        do {
            try await session.run(sources, to: path)
        } catch {
            await session.end()
            throw error
        }
        await session.end()
        return session.summary.withLock { $0 }
    }
}

/// Lets only so many go on at a time.
private actor Slots {
    private var free: Int
    private var waiting = CircularBuffer<CheckedContinuation<Void, Never>>()

    init(_ count: Int) { free = count }

    nonisolated func hold<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        await take()
        do {
            let result = try await body()
            await give()
            return result
        } catch {
            await give()
            throw error
        }
    }

    private func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    private func give() {
        if let next = waiting.popFirst() { next.resume() } else { free += 1 }
    }
}

private final class RelaySession: Sendable {
    /// A file or directory of the source and where it goes.
    private struct Entry: Sendable {
        var path: [UInt8]
        var target: [UInt8]
        var attributes: SFTPAttributes
        /// The directories it lies in, by their real paths.
        var above: [[UInt8]] = []
    }

    /// Entries of a directory under way at a time, handles held at each server, and blocks of one file.
    private static let entriesAtOnce = 64
    private static let handlesAtOnce = 64
    private static let blocksAtOnce = 32
    private static let maximumDepth = 1_000

    let source: SFTPClient
    let target: SFTPClient
    let options: SFTPOptions
    let observer: any TransferObserver
    let summary = Mutex(TransferSummary())
    private let started = Mutex(0)
    private let slots = Slots(RelaySession.handlesAtOnce)

    init(source: SFTPClient, target: SFTPClient, options: SFTPOptions, observer: any TransferObserver) {
        self.source = source
        self.target = target
        self.options = options
        self.observer = observer
    }

    func end() async {
        await source.close()
        await target.close()
    }

    func run(_ sources: [[UInt8]], to path: [UInt8]) async throws {
        let base = try await expand(path, target)
        let targetIsDirectory = (try? await target.stat(base))?.kind == .directory
        if options.targetMustBeDirectory, !targetIsDirectory { throw RemoteError(path: path, reason: .notADirectory) }
        var entries: [Entry] = []
        for source in sources {
            for match in try await matches(source) {
                let name = BytePath(match.path).lastComponent
                let goesInto = targetIsDirectory && BytePath(match.path).hasName
                entries.append(
                    Entry(
                        path: match.path, target: goesInto ? RemotePath.appending(name, to: base) : base,
                        attributes: match.attributes))
            }
        }
        if entries.count > 1, !targetIsDirectory { throw RemoteError(path: path, reason: .notADirectory) }
        try await copy(entries)
    }

    private func expand(_ path: [UInt8], _ client: SFTPClient) async throws -> [UInt8] {
        if let plain = RemotePath.withoutTilde(path) { return plain }
        guard client.server.has(.expandPath) else { throw RemoteError(path: path, reason: .tildeNotUnderstood) }
        return try await explain(path) { try await client.expandPath(path) }
    }

    /// Says which path a server's refusal is about.
    private func explain<Result>(_ path: [UInt8], _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let status as SFTPStatus {
            throw RemoteError(path: path, reason: .status(status))
        }
    }

    private func matches(_ pattern: [UInt8]) async throws -> [RemoteMatch] {
        let source = source
        let path = try await expand(pattern, source)
        let found = try await RemoteGlob(path).matches { (request: SFTPRequest) async throws -> SFTPReply? in
            try await source.ask(request)
        }
        if found.isEmpty { warn("\(RemoteError(path: pattern, reason: .status(SFTPStatus(.noSuchFile))))") }
        return found
    }

    // MARK: Entries

    /// Copies entries, some at a time. What goes wrong with one is told and does not keep the others.
    private func copy(_ entries: [Entry]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var rest = entries[...]
            var running = 0
            while running > 0 || !rest.isEmpty {
                while running < Self.entriesAtOnce, let entry = rest.popFirst() {
                    running += 1
                    group.addTask { try await self.copy(entry) }
                }
                try await group.next()
                running -= 1
            }
        }
    }

    private func copy(_ entry: Entry) async throws {
        do {
            switch entry.attributes.kind {
            case .directory where options.recursive: try await copyDirectory(entry)
            case .regular, nil: try await slots.hold { try await copyFile(entry) }
            default: throw RemoteError(path: entry.path, reason: .notRegular)
            }
        } catch let error as RemoteError {
            warn("\(error)")
        }
    }

    private func copyDirectory(_ entry: Entry) async throws {
        guard entry.above.count < Self.maximumDepth else {
            return warn("\(Printable.text(entry.path)): directories nested deeper than \(Self.maximumDepth)")
        }
        let realPath = try await explain(entry.path) { try await source.realpath(entry.path) }
        if entry.above.contains(realPath) {
            return warn("\(Printable.text(entry.path)): Too many levels of symbolic links")
        }
        let mode = (entry.attributes.permissions ?? 0o777) & 0o1777
        var isNew = true
        do {
            try await target.makeDirectory(entry.target, SFTPAttributes(permissions: mode | 0o300))
        } catch let status as SFTPStatus {
            // There is no status for a directory that exists.
            isNew = false
            guard (try? await target.stat(entry.target))?.kind == .directory else {
                throw RemoteError(path: entry.target, reason: .status(status))
            }
        }
        summary.withLock { $0.directories += 1 }
        let names = try await slots.hold {
            try await explain(entry.path) { try await source.list(entry.path) }
        }
        var entries: [Entry] = []
        for name in names {
            let bytes = Array(name.name.readableBytesView)
            if bytes == Array(".".utf8) || bytes == Array("..".utf8) { continue }
            guard !bytes.isEmpty, !bytes.contains(UInt8(ascii: "/")), !bytes.contains(0) else {
                warn("\(Printable.text(entry.path)): unexpected filename: \(Printable.text(bytes))")
                continue
            }
            let path = RemotePath.appending(bytes, to: entry.path)
            var attributes = name.attributes
            if attributes.kind == .symbolicLink || attributes.kind == nil {
                do {
                    attributes = try await source.stat(path)
                } catch let status as SFTPStatus {
                    warn("\(RemoteError(path: path, reason: .status(status)))")
                    continue
                }
            }
            entries.append(
                Entry(
                    path: path, target: RemotePath.appending(bytes, to: entry.target), attributes: attributes,
                    above: entry.above + [realPath]))
        }
        try await copy(entries)
        guard isNew || options.preserve else { return }
        var attributes = SFTPAttributes(permissions: mode)
        if options.preserve { attributes.times = entry.attributes.times }
        try await explain(entry.target) { try await target.setAttributes(attributes, of: entry.target) }
    }

    // MARK: Files

    private func copyFile(_ entry: Entry) async throws {
        let from = try await explain(entry.path) { try await source.open(entry.path, .read) }
        let transfer = FileInTransfer(
            number: started.withLock { number in
                number += 1
                return number
            }, path: BytePath(entry.path), size: Int64(clamping: entry.attributes.size ?? 0))
        observer.fileStarted(transfer)
        do {
            let mode = (entry.attributes.permissions ?? 0o666) & 0o777
            let to = try await explain(entry.target) {
                try await target.open(entry.target, [.write, .create], SFTPAttributes(permissions: mode))
            }
            do {
                let size = try await copyContents(from, to, transfer, entry)
                var attributes = SFTPAttributes(size: size)
                if options.preserve {
                    attributes.permissions = mode
                    attributes.times = entry.attributes.times
                }
                try await explain(entry.target) { try await target.setAttributes(attributes, ofOpen: to) }
            } catch {
                try? await target.close(to)
                throw error
            }
            try await explain(entry.target) { try await target.close(to) }
        } catch {
            try? await source.close(from)
            observer.fileFinished(transfer, isComplete: false)
            throw error
        }
        try await explain(entry.path) { try await source.close(from) }
        summary.withLock { $0.files += 1 }
        observer.fileFinished(transfer, isComplete: true)
    }

    /// Copies blocks, many at a time, up to the end of the file, wherever that is by now; returns its size in bytes.
    private func copyContents(
        _ from: ByteBuffer, _ to: ByteBuffer, _ transfer: FileInTransfer, _ entry: Entry
    ) async throws -> UInt64 {
        let (readLimit, writeLimit) = (source.server.limits.readLength, target.server.limits.writeLength)
        let block = options.tuning.blockSize(min(readLimit, writeLimit))
        let blocksAtOnce = min(Self.blocksAtOnce, options.tuning.requests ?? .max)
        let expected = UInt64(max(0, transfer.size))
        return try await withThrowingTaskGroup(of: UInt64?.self) { group in
            var next: UInt64 = 0
            var end: UInt64?
            var running = 0
            while true {
                // Beyond the size the server told, one block at a time looks for more.
                while end == nil, running < blocksAtOnce, next < expected || running == 0 {
                    let offset = next
                    group.addTask { try await self.copyBlock(from, to, at: offset, block, transfer, entry) }
                    next += UInt64(block)
                    running += 1
                }
                guard running > 0 else { return end ?? next }
                if let reached = try await group.next() ?? nil { end = min(end ?? reached, reached) }
                running -= 1
            }
        }
    }

    /// Copies one block; returns where the file ends if that is inside it.
    private func copyBlock(
        _ from: ByteBuffer, _ to: ByteBuffer, at start: UInt64, _ length: Int, _ transfer: FileInTransfer,
        _ entry: Entry
    ) async throws -> UInt64? {
        var offset = start
        let end = start + UInt64(length)
        while offset < end {
            let data = try await explain(entry.path) {
                try await source.read(from, at: offset, length: Int(end - offset))
            }
            guard let data else { return offset }
            try await explain(entry.target) { try await target.write(to, at: offset, data) }
            offset += UInt64(data.readableBytes)
            summary.withLock { $0.bytes += Int64(data.readableBytes) }
            observer.bytesTransferred(data.readableBytes, of: transfer)
        }
        return nil
    }

    private func warn(_ text: String) {
        summary.withLock { $0.errors += 1 }
        observer.warning(text)
    }
}
