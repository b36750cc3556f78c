import NIOCore
import Platform

/// An open file. Closed when released, if not before.
package final class LocalFile {
    package let path: BytePath
    /// As it was when the file was opened.
    package let status: FileStatus
    package private(set) var descriptor: Int32
    /// Up to here an existing file may hold other bytes than zeros, so that none may be skipped.
    private let dirtyEnd: Int64

    /// Takes over a descriptor.
    package init(descriptor: Int32, path: BytePath, status: FileStatus, isNew: Bool = false) {
        self.descriptor = descriptor
        self.path = path
        self.status = status
        dirtyEnd = isNew ? 0 : status.size
    }

    deinit {
        if descriptor >= 0 { _ = SystemCall.close(descriptor) }
    }

    /// The same open file once more, for another task.
    package func duplicate() throws(FileError) -> LocalFile {
        do throws(SystemCall.Failure) {
            let copy = try SystemCall.run { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }
            return LocalFile(descriptor: copy, path: path, status: status)
        } catch {
            throw error.on(path, .open)
        }
    }

    /// Gives the descriptor away; whoever has it closes it.
    package func release() -> Int32 {
        defer { descriptor = -1 }
        return descriptor
    }

    /// Closes the file and reports what a delayed write met.
    package func close() throws(FileError) {
        guard descriptor >= 0 else { return }
        let result = SystemCall.close(descriptor)
        let number = errno
        descriptor = -1
        // An interrupted close has closed, on Linux and macOS alike.
        if result == -1, number != EINTR { throw FileError(path: path, operation: .close, errno: number) }
    }

    /// Appends up to `count` bytes from `offset` to the buffer; returns how many, less only at the end of the file.
    package func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError) -> Int {
        do throws(SystemCall.Failure) {
            return try SystemCall.read(descriptor, into: &buffer, count: count, at: offset)
        } catch {
            throw error.on(path, .read)
        }
    }

    /// Writes all readable bytes at `offset`. Long runs of zeros are left out, so the file keeps holes: set the size
    /// with ``truncate(to:)`` in the end. A FIFO or device is written in order, wherever `offset` is.
    package func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError) {
        var failure: SystemCall.Failure?
        bytes.withUnsafeReadableBytes { all in
            do throws(SystemCall.Failure) {
                if status.kind == .regular {
                    try writeSparsely(all, at: offset)
                } else {
                    try SystemCall.write(descriptor, all, at: nil)
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure.on(path, .write) }
    }

    /// Zeros are looked for in pieces of this many bytes, which start at multiples of it in the file.
    private static let holeSize = 64 * 1024

    private func writeSparsely(_ all: UnsafeRawBufferPointer, at start: Int64) throws(SystemCall.Failure) {
        var pending = 0
        var position = 0
        while position < all.count {
            let offset = start + Int64(position)
            let room = Self.holeSize - Int(offset % Int64(Self.holeSize))
            let end = min(all.count, position + room)
            let piece = UnsafeRawBufferPointer(rebasing: all[position..<end])
            if offset >= dirtyEnd, isZero(piece) {
                try SystemCall.write(descriptor, .init(rebasing: all[pending..<position]), at: start + Int64(pending))
                pending = end
            }
            position = end
        }
        try SystemCall.write(descriptor, .init(rebasing: all[pending...]), at: start + Int64(pending))
    }

    /// Most data shows in its first byte that it is no hole; the rest is compared with itself, one byte on.
    private func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress, bytes[0] == 0 else { return bytes.isEmpty }
        return memcmp(base, base + 1, bytes.count - 1) == 0
    }

    /// Sets the size in bytes; nothing for a FIFO or device.
    package func truncate(to size: Int64) throws(FileError) {
        guard status.kind == .regular else { return }
        try call(.truncate) { ftruncate(descriptor, off_t(size)) }
    }

    /// Sets the permission bits.
    package func setMode(_ mode: UInt16) throws(FileError) {
        try call(.setMode) { fchmod(descriptor, mode_t(mode)) }
    }

    /// Sets the times of the last access and the last change of the contents.
    package func setTimes(accessed: FileTime, modified: FileTime) throws(FileError) {
        let times = [accessed.timespec, modified.timespec]
        try call(.setTimes) { futimens(descriptor, times) }
    }

    /// Gives the file to a user and group, if this process may.
    func setOwner(_ owner: UInt32, group: UInt32) { _ = fchown(descriptor, owner, group) }

    /// Waits until the file is on the disk; nothing for a FIFO or device.
    package func synchronize() throws(FileError) {
        guard status.kind == .regular else { return }
        try call(.synchronize) { fsync(descriptor) }
    }

    /// What fstat(2) says now.
    package func currentStatus() throws(FileError) -> FileStatus {
        do throws(SystemCall.Failure) {
            return FileStatus(try SystemCall.status(of: descriptor))
        } catch {
            throw error.on(path, .status)
        }
    }

    /// What is wrong if there is more in the file than when it was opened, or nobody can tell.
    package func growth() -> FileError? {
        do throws(FileError) {
            let now = try currentStatus().size
            guard now > status.size else { return nil }
            return FileError(path: path, operation: .read, cause: .grew(bytes: status.size, now: now))
        } catch {
            return error
        }
    }

    private func call(_ operation: FileError.Operation, _ body: () -> Int32) throws(FileError) {
        do throws(SystemCall.Failure) {
            try SystemCall.run(body)
        } catch {
            throw error.on(path, operation)
        }
    }
}
