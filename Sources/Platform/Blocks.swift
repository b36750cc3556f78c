// Blocks of a file by its descriptor: whole, although the system may read and write less at a time.

extension SystemCall {
    /// Fills the space from `offset` on; returns how many bytes were read, less only at the end of the file.
    package static func read(
        _ descriptor: Int32, into space: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(Failure) -> Int {
        var done = 0
        while done < space.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: space[done...])
            let count = try run { pread(descriptor, rest.baseAddress, rest.count, off_t(offset + Int64(done))) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Writes all bytes at `offset`, or where the descriptor stands if that is nil.
    package static func write(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64?
    ) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = try run {
                if let offset { return pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + Int64(done))) }
                return write(descriptor, rest)
            }
            // A write of nothing without an error would never end.
            if count == 0 { throw Failure(number: EIO) }
            done += count
        }
    }
}
