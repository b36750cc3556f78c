import NIOCore
import Platform

/// An open file of a ``DirectoryRoot``.
final class DirectoryFile: ServedFile {
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

    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(ServedError) -> Int {
        guard count >= 0, offset >= 0, offset <= Int64.max - Int64(count) else { throw .system(EINVAL) }
        return try served { () throws(SystemCall.Failure) in
            try SystemCall.read(descriptor, into: &buffer, count: count, at: offset)
        }
    }

    func write(_ bytes: ByteBuffer, at offset: Int64) throws(ServedError) {
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

    private func systemStatus() throws(ServedError) -> stat {
        try served { () throws(SystemCall.Failure) in try SystemCall.status(of: descriptor) }
    }

    func status() throws(ServedError) -> ServedStatus { ServedStatus(try systemStatus()) }

    func change(_ changes: ServedChanges) throws(ServedError) {
        try ChangeOfFile(.descriptor(descriptor)).apply(changes) { size throws(SystemCall.Failure) in
            _ = try SystemCall.run { ftruncate(descriptor, size) }
        }
    }

    func volume() throws(ServedError) -> ServedVolume { try ServedVolume(descriptor: descriptor) }

    func synchronize() throws(ServedError) {
        try served { () throws(SystemCall.Failure) in _ = try SystemCall.run { fsync(descriptor) } }
    }

    func isSameFile(as other: any ServedFile) -> Bool {
        guard let other = other as? DirectoryFile, let mine = try? systemStatus(), let its = try? other.systemStatus()
        else { return self === other }
        return mine.st_dev == its.st_dev && mine.st_ino == its.st_ino
    }

    func close() throws(ServedError) {
        guard descriptor >= 0 else { return }
        let result = SystemCall.close(descriptor)
        let number = errno
        descriptor = -1
        // An interrupted close has closed, on Linux and macOS alike.
        if result == -1, number != EINTR { throw .system(number) }
    }
}

extension ServedStatus {
    init(_ status: stat) {
        let kind: Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFIFO: .fifo
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            default: .socket
            }
        self.init(
            kind: kind, mode: UInt16(truncatingIfNeeded: status.st_mode & 0o7777),
            size: UInt64(clamping: status.st_size),
            owner: status.st_uid, group: status.st_gid, links: UInt64(clamping: status.st_nlink),
            accessed: ServedTime(status.accessTime), modified: ServedTime(status.modificationTime))
    }
}

extension ServedTime {
    init(_ time: timespec) { self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec)) }

    var timespec: timespec {
        .init(tv_sec: .init(truncatingIfNeeded: seconds), tv_nsec: .init(truncatingIfNeeded: nanoseconds))
    }
}

extension ServedVolume {
    init(descriptor: Int32) throws(ServedError) {
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
