import NIOCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

// Blocks of a file by its descriptor: whole, although the system may read and write less at a time.

extension SystemCall {
    /// Appends up to `count` bytes from `offset` to the buffer; returns how many, less only at the end of the file.
    package static func read(
        _ descriptor: Int32, into buffer: inout ByteBuffer, count: Int, at offset: Int64
    ) throws(Failure) -> Int {
        var total = 0
        while total < count {
            let (rest, start) = (count - total, offset + Int64(total))
            var failure: Failure?
            let got = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: rest) { space in
                do throws(Failure) {
                    return try run { pread(descriptor, space.baseAddress, rest, off_t(start)) }
                } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            if got == 0 { break }
            total += got
        }
        return total
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
            // A write of nothing without an error would go on for ever.
            if count == 0 { throw Failure(number: EIO) }
            done += count
        }
    }
}
