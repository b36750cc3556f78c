import Platform

/// Sets attributes of a file that has been found.
struct ChangeOfFile {
    enum Target {
        /// A file that is open for reading or writing.
        case descriptor(Int32)
        /// An entry of a directory; a link is changed itself.
        case entry(Int32, [UInt8])
        /// A path of the machine's; links are followed.
        case path(Int32, [UInt8])
    }

    private let target: Target

    init(_ target: Target) { self.target = target }

    /// Makes all changes that can be made.
    ///
    /// - Parameter truncate: sets the size in bytes.
    /// - Throws: what the first of the others met.
    func apply(
        _ changes: FileChanges, truncate: (off_t) throws(SystemCall.Failure) -> Void
    ) throws(FileError.Cause) {
        var failure: FileError.Cause?
        func attempt(_ change: () throws(SystemCall.Failure) -> Void) {
            do throws(SystemCall.Failure) {
                try change()
            } catch {
                failure = failure ?? .system(error.number)
            }
        }
        if let size = changes.size {
            attempt { () throws(SystemCall.Failure) in
                guard let size = off_t(exactly: size) else { throw SystemCall.Failure(number: EINVAL) }
                try truncate(size)
            }
        }
        if let mode = changes.mode { attempt { () throws(SystemCall.Failure) in try setMode(mode & 0o7777) } }
        if let times = changes.times {
            let pair = [times.accessed.timespec, times.modified.timespec]
            attempt { () throws(SystemCall.Failure) in try setTimes(pair) }
        }
        if let owner = changes.owner {
            attempt { () throws(SystemCall.Failure) in try setOwner(owner.user, owner.group) }
        }
        if let failure { throw failure }
    }

    /// Runs the form of a call that suits the target.
    private func call(
        descriptor onDescriptor: (Int32) -> Int32, at onName: (Int32, UnsafePointer<CChar>, Int32) -> Int32
    ) throws(SystemCall.Failure) {
        switch target {
        case .descriptor(let descriptor):
            try SystemCall.run { onDescriptor(descriptor) }
        case .entry(let directory, let name), .path(let directory, let name):
            let flags: Int32 = if case .path = target { 0 } else { AT_SYMLINK_NOFOLLOW }
            try SystemCall.withPath(name) { path throws(SystemCall.Failure) in
                _ = try SystemCall.run { onName(directory, path, flags) }
            }
        }
    }

    private func setMode(_ mode: UInt16) throws(SystemCall.Failure) {
        try call(
            descriptor: { fchmod($0, mode_t(mode)) }, at: { fchmodat($0, $1, mode_t(mode), $2) })
    }

    private func setTimes(_ times: [timespec]) throws(SystemCall.Failure) {
        try call(descriptor: { futimens($0, times) }, at: { utimensat($0, $1, times, $2) })
    }

    /// What is as it should be is left alone: nobody but root may set even that.
    private func setOwner(_ user: UInt32, _ group: UInt32) throws(SystemCall.Failure) {
        var status = stat()
        try call(descriptor: { fstat($0, &status) }, at: { fstatat($0, $1, &status, $2) })
        guard status.st_uid != user || status.st_gid != group else { return }
        try call(descriptor: { fchown($0, user, group) }, at: { fchownat($0, $1, user, group, $2) })
    }
}
