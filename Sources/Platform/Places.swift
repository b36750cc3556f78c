import CSystemCalls

// What systems have in different ways, or some of them only, to find and name files.

#if os(Linux)
    /// A descriptor that only stands for a place (O_PATH of open(2)); C libraries show the name only to GNU sources.
    private let openPath: Int32 = 0o10_000_000
#endif

extension SystemCall {
    #if os(Linux)
        /// For a descriptor that only stands for a place, and needs no right to read; 0 where there is no such thing.
        package static let placeFlags = openPath
        /// Opens whatever there is, for a question about it.
        package static let lookFlags = openPath
        /// Opens a directory that may be entered but not listed.
        package static let searchFlags = openPath
    #else
        package static let placeFlags: Int32 = 0
        package static let lookFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY
        package static let searchFlags = O_SEARCH
    #endif

    #if os(Linux)
        // linux/openat2.h
        private static let resolveNoMagicLinks: UInt64 = 0x02
        private static let resolveBeneath: UInt64 = 0x08

        /// Opens a path that the kernel resolves without leaving the directory; EXDEV for one that leads out, and EAGAIN
        /// where a rename elsewhere got in the way.
        package static func open(
            beneath directory: Int32, _ path: [UInt8], _ flags: Int32, _ mode: UInt16 = 0
        ) throws(Failure) -> Int32 {
            try withPath(path) { path throws(Failure) in
                try run {
                    scp_openat2(
                        directory, path, UInt64(UInt32(bitPattern: flags | O_CLOEXEC)), UInt64(mode),
                        resolveBeneath | resolveNoMagicLinks)
                }
            }
        }
    #else
        package static func open(
            beneath directory: Int32, _ path: [UInt8], _ flags: Int32, _ mode: UInt16 = 0
        ) throws(Failure) -> Int32 {
            throw Failure(number: ENOSYS)
        }
    #endif

    /// renameat(2), but EEXIST if something has the new name. ENOSYS, ENOTSUP or EINVAL where the system or the file
    /// system cannot do that.
    package static func renameExclusively(
        _ oldDirectory: Int32, _ old: UnsafePointer<CChar>, _ newDirectory: Int32, _ new: UnsafePointer<CChar>
    ) -> Int32 {
        #if os(Linux)
            scp_rename_exclusively(oldDirectory, old, newDirectory, new)
        #else
            renameatx_np(oldDirectory, old, newDirectory, new, UInt32(RENAME_EXCL))
        #endif
    }

    /// Whether an open file is one of procfs.
    package static func isOfProcessFileSystem(_ descriptor: Int32) throws(Failure) -> Bool {
        #if os(Linux)
            try run { scp_is_of_procfs(descriptor) } == 1
        #else
            false
        #endif
    }

    /// A path that leads straight to the file of a descriptor, which is not looked up by name again; nil where there is
    /// none.
    package static func path(of descriptor: Int32) -> [UInt8]? {
        #if os(Linux)
            var status = stat()
            guard fstatat(AT_FDCWD, "/proc/self/fd", &status, 0) == 0 else { return nil }
            return Array("/proc/self/fd/\(descriptor)".utf8)
        #else
            nil
        #endif
    }
}

/// An open directory as readdir(3) takes it.
#if canImport(Darwin)
    package typealias DirectoryStream = UnsafeMutablePointer<DIR>
#else
    package typealias DirectoryStream = OpaquePointer
#endif

extension stat {
    #if canImport(Darwin)
        package var accessTime: timespec { st_atimespec }
        package var modificationTime: timespec { st_mtimespec }
        package var changeTime: timespec { st_ctimespec }
    #else
        package var accessTime: timespec { st_atim }
        package var modificationTime: timespec { st_mtim }
        package var changeTime: timespec { st_ctim }
    #endif
}
