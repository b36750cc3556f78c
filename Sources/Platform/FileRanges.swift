// Parts of files: where there is data, and copies that the kernel makes.

extension SystemCall {
    #if os(Linux)
        // lseek(2); C libraries show these names only to GNU sources.
        private static let (seekData, seekHole) = (Int32(3), Int32(4))
    #else
        private static let (seekData, seekHole) = (SEEK_DATA, SEEK_HOLE)
    #endif

    /// Where the next data begins, ENXIO if there is none; lseek(2) with SEEK_DATA.
    package static func data(in descriptor: Int32, from offset: Int64) throws(Failure) -> Int64 {
        Int64(try run { lseek(descriptor, off_t(offset), seekData) })
    }

    /// Where the next hole begins, or the file ends; lseek(2) with SEEK_HOLE.
    package static func hole(in descriptor: Int32, from offset: Int64) throws(Failure) -> Int64 {
        Int64(try run { lseek(descriptor, off_t(offset), seekHole) })
    }

    /// Has the kernel copy up to `count` bytes from one file to the same place of another: copy_file_range(2).
    ///
    /// - Returns: how many, 0 at the end of the file.
    /// - Throws: errno; ENOSYS where there is no such call.
    package static func copyRange(
        from source: Int32, to target: Int32, count: Int, at offset: Int64
    ) throws(Failure) -> Int {
        #if os(Linux)
            guard let copyFileRange else { throw Failure(number: ENOSYS) }
            var (from, to) = (off_t(offset), off_t(offset))
            return try run { copyFileRange(source, &from, target, &to, count, 0) }
        #else
            throw Failure(number: ENOSYS)
        #endif
    }
}

#if os(Linux)
    private typealias CopyFileRange =
        @convention(c) (Int32, UnsafeMutablePointer<off_t>, Int32, UnsafeMutablePointer<off_t>, Int, UInt32) -> Int

    /// Looked up by name, as C libraries show it only to GNU sources; nil where the C library lacks it.
    private let copyFileRange: CopyFileRange? = dlsym(nil, "copy_file_range").map {
        unsafeBitCast($0, to: CopyFileRange.self)
    }
#endif
