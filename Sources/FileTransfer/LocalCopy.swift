import Files
import NIOCore
import Platform

/// Copies local files and directory trees to a local target, as `scp` between two local paths does.
///
/// Symbolic links are followed. Errors stop nothing but the entry they concern.
public struct LocalCopy: Sendable {
    public struct Options: Sendable {
        /// Copies directories (`-r`).
        public var recursive: Bool
        /// Keeps modes, times, and owners where that is allowed (`-p`).
        public var preserve: Bool
        /// The target must be a directory that exists.
        public var targetMustBeDirectory: Bool

        public init(recursive: Bool = false, preserve: Bool = false, targetMustBeDirectory: Bool = false) {
            self.recursive = recursive
            self.preserve = preserve
            self.targetMustBeDirectory = targetMustBeDirectory
        }
    }

    private let options: Options
    private let observer: any TransferObserver

    public init(options: Options = Options(), observer: any TransferObserver = SilentObserver()) {
        self.options = options
        self.observer = observer
    }

    /// Copies the sources one after another.
    ///
    /// - Returns: what was copied. What could not be is counted in ``TransferSummary/errors`` and was a warning.
    /// - Throws: ``FileError`` if the target is not as it must be; CancellationError.
    public func run(_ sources: [BytePath], to target: BytePath) async throws -> TransferSummary {
        let (options, observer) = (options, observer)
        return try await DiskExecutor.run {
            var session = CopySession(options: options, observer: observer)
            return try session.run(sources, to: target)
        }
    }
}

private struct CopySession {
    let options: LocalCopy.Options
    let observer: any TransferObserver
    var summary = TransferSummary()
    var block = ByteBuffer()
    var current: FileInTransfer?
    /// Files begun so far.
    var started = 0

    init(options: LocalCopy.Options, observer: any TransferObserver) {
        self.options = options
        self.observer = observer
    }

    mutating func run(_ sources: [BytePath], to target: BytePath) throws -> TransferSummary {
        for source in sources {
            let writer = try LocalTreeWriter(
                target: target,
                options: .init(preserve: options.preserve, targetMustBeDirectory: options.targetMustBeDirectory))
            let walk = LocalWalk(sources: [source], options: .init(recursive: options.recursive))
            while let item = walk.next() {
                try Task.checkCancellation()
                copy(item, walk, writer)
            }
        }
        return summary
    }

    private mutating func copy(_ item: WalkItem<LocalFile>, _ walk: LocalWalk, _ writer: LocalTreeWriter) {
        do throws(FileError) {
            switch item {
            case .failure(let error): throw error
            case .leaveDirectory: try writer.leaveDirectory()
            case .enterDirectory(let name, let path, let status):
                do throws(FileError) {
                    try enter(name, path, status, walk, writer)
                } catch {
                    walk.skipDirectory()
                    throw error
                }
            case .file(let name, let file): try copy(file, name, writer)
            }
        } catch {
            summary.errors += 1
            observer.warning("\(error)")
        }
    }

    private mutating func enter(
        _ name: [UInt8], _ path: BytePath, _ status: FileStatus, _ walk: LocalWalk, _ writer: LocalTreeWriter
    ) throws(FileError) {
        let target = writer.path(of: name)
        if (try? LocalFileSystem.status(of: target))?.identity == status.identity {
            throw FileError(path: path, operation: .open, cause: .sameFile(target))
        }
        try writer.enterDirectory(name, attributes: attributes(status))
        summary.directories += 1
        // The first directory made may lie in the one that is copied; it must not become part of its own copy.
        if writer.depth == 1 { walk.exclude(try writer.currentDirectory().status.identity) }
    }

    private func attributes(_ status: FileStatus) -> FileAttributes {
        var attributes = FileAttributes(mode: status.mode, modified: status.modified, accessed: status.accessed)
        if options.preserve { attributes.owner = (status.owner, status.group) }
        return attributes
    }

    private mutating func copy(_ file: LocalFile, _ name: [UInt8], _ writer: LocalTreeWriter) throws(FileError) {
        let path = writer.path(of: name)
        if (try? LocalFileSystem.status(of: path))?.identity == file.status.identity {
            throw FileError(path: file.path, operation: .open, cause: .sameFile(path))
        }
        let new = try writer.createFile(name, mode: file.status.mode)
        let transfer = FileInTransfer(number: started, path: path, size: file.status.size)
        started += 1
        observer.fileStarted(transfer)
        current = transfer
        do throws(FileError) {
            let size = try copyContents(of: file, to: new)
            try new.finish(size: size, attributes: attributes(file.status))
            if size < file.status.size {
                throw FileError(path: file.path, operation: .read, cause: .shrank(bytes: size, of: file.status.size))
            }
        } catch {
            observer.fileFinished(transfer, isComplete: false)
            throw error
        }
        summary.files += 1
        observer.fileFinished(transfer, isComplete: true)
    }

    /// Copies up to the file's end, wherever that is by now; returns the size in bytes.
    private mutating func copyContents(of source: LocalFile, to target: NewFile) throws(FileError) -> Int64 {
        var offset: Int64 = 0
        if target.isNew, source.status.size > 0 { offset = try copyInKernel(source, target.file) }
        while true {
            block.clear(minimumCapacity: BlockPool.blockSize)
            let count = try source.read(into: &block, count: BlockPool.blockSize, at: offset)
            guard count > 0 else { return offset }
            try target.file.write(block, at: offset)
            advance(count)
            offset += Int64(count)
        }
    }

    private mutating func advance(_ count: Int) {
        summary.bytes += Int64(count)
        if let current { observer.bytesTransferred(count, of: current) }
    }

    /// Lets the kernel copy what is data and leave out what is hole; returns up to where. The rest, or all of it on a
    /// system or file system that cannot, is left to reading and writing.
    private mutating func copyInKernel(_ source: LocalFile, _ target: LocalFile) throws(FileError) -> Int64 {
        let size = source.status.size
        let isSparse = source.status.allocated < size
        var offset: Int64 = 0
        while offset < size {
            var end = size
            if isSparse {
                let data: Int64
                do throws(SystemCall.Failure) {
                    data = try SystemCall.data(in: source.descriptor, from: offset)
                } catch {
                    guard error.number == ENXIO else { return offset }
                    advance(Int(size - offset))
                    return size
                }
                advance(Int(data - offset))
                offset = data
                if let hole = try? SystemCall.hole(in: source.descriptor, from: offset), hole > 0 {
                    end = min(size, hole)
                }
            }
            while offset < end {
                let count = try copyRange(source, target, Int(min(end - offset, Self.kernelBlock)), at: offset)
                guard count > 0 else { return offset }
                advance(count)
                offset += Int64(count)
            }
        }
        return offset
    }

    /// - Returns: 0 where the kernel does not copy.
    private func copyRange(
        _ source: LocalFile, _ target: LocalFile, _ count: Int, at offset: Int64
    ) throws(FileError) -> Int {
        do throws(SystemCall.Failure) {
            return try SystemCall.copyRange(
                from: source.descriptor, to: target.descriptor, count: count, at: offset)
        } catch {
            guard [ENOSPC, EIO, EFBIG, EDQUOT].contains(error.number) else { return 0 }
            throw error.on(target.path, .write)
        }
    }

    /// Bytes between two reports of progress.
    private static let kernelBlock: Int64 = 16 * 1024 * 1024
}
