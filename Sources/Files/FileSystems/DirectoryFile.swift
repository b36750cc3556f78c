import NIOCore
import Platform

/// An open file of a ``DirectoryRoot``.
final class DirectoryFile: OpenFile {
    private var descriptor: Int32
    private let appends: Bool

    /// Takes over a descriptor.
    init(descriptor: Int32, appends: Bool) {
        self.descriptor = descriptor
        self.appends = appends
    }

    deinit {
        if descriptor >= 0 { _ = SystemCall.close(descriptor) }
    }

    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError.Cause) -> Int {
        guard count >= 0, offset >= 0, offset <= Int64.max - Int64(count) else { throw .system(EINVAL) }
        return try served { () throws(SystemCall.Failure) in
            try SystemCall.read(descriptor, into: &buffer, count: count, at: offset)
        }
    }

    func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError.Cause) {
        guard offset >= 0, offset <= Int64.max - Int64(bytes.readableBytes) else { throw .system(EINVAL) }
        var failure: SystemCall.Failure?
        bytes.withUnsafeReadableBytes { all in
            do throws(SystemCall.Failure) {
                // To append, pwrite(2) would do on Linux alone.
                try SystemCall.write(descriptor, all, at: appends ? nil : offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw .system(failure.number) }
    }

    func status() throws(FileError.Cause) -> FileStatus {
        FileStatus(try served { () throws(SystemCall.Failure) in try SystemCall.status(of: descriptor) })
    }

    func change(_ changes: FileChanges) throws(FileError.Cause) {
        try ChangeOfFile(.descriptor(descriptor)).apply(changes) { size throws(SystemCall.Failure) in
            _ = try SystemCall.run { ftruncate(descriptor, size) }
        }
    }

    func volume() throws(FileError.Cause) -> VolumeStatus { try VolumeStatus(descriptor: descriptor) }

    func synchronize() throws(FileError.Cause) {
        try served { () throws(SystemCall.Failure) in _ = try SystemCall.run { fsync(descriptor) } }
    }

    func isSameFile(as other: any OpenFile) -> Bool {
        guard let other = other as? DirectoryFile, let mine = try? status(), let its = try? other.status() else {
            return self === other
        }
        return mine.identity == its.identity
    }

    func close() throws(FileError.Cause) {
        guard descriptor >= 0 else { return }
        let result = SystemCall.close(descriptor)
        let number = errno
        descriptor = -1
        // An interrupted close has closed, on Linux and macOS alike.
        if result == -1, number != EINTR { throw .system(number) }
    }
}

extension VolumeStatus {
    init(descriptor: Int32) throws(FileError.Cause) {
        var volume = statvfs()
        try served { () throws(SystemCall.Failure) in _ = try SystemCall.run { fstatvfs(descriptor, &volume) } }
        self.init()
        blockSize = UInt64(volume.f_bsize)
        fragmentSize = UInt64(volume.f_frsize)
        blocks = UInt64(volume.f_blocks)
        freeBlocks = UInt64(volume.f_bfree)
        availableBlocks = UInt64(volume.f_bavail)
        files = UInt64(volume.f_files)
        freeFiles = UInt64(volume.f_ffree)
        availableFiles = UInt64(volume.f_favail)
        identifier = UInt64(volume.f_fsid)
        // ST_RDONLY and ST_NOSUID have these values on Linux and macOS.
        isReadOnly = volume.f_flag & 1 != 0
        ignoresSetUserID = volume.f_flag & 2 != 0
        longestName = UInt64(volume.f_namemax)
    }
}
