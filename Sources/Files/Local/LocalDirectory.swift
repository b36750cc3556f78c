import Platform

/// An open directory, below which names are resolved. Closed when released.
package final class LocalDirectory {
    package private(set) var path: BytePath
    package let status: FileStatus
    package let descriptor: Int32

    /// Takes over a descriptor.
    init(descriptor: Int32, path: BytePath, status: FileStatus) {
        self.descriptor = descriptor
        self.path = path
        self.status = status
    }

    deinit { close(descriptor) }

    /// Opens the directory at a path given by the user; links are followed.
    ///
    /// - Parameter shown: what it is called in messages, if not by its path.
    package static func open(_ path: BytePath, shownAs shown: BytePath? = nil) throws(FileError) -> LocalDirectory {
        try open(at: AT_FDCWD, path.bytes, path: shown ?? path, followingLinks: true)
    }

    /// Opens a directory of this one.
    package func openDirectory(_ name: [UInt8], followingLinks: Bool) throws(FileError) -> LocalDirectory {
        try Self.open(at: descriptor, name, path: path.appending(name), followingLinks: followingLinks)
    }

    private static func open(
        at base: Int32, _ name: [UInt8], path: BytePath, followingLinks: Bool
    ) throws(FileError) -> LocalDirectory {
        let flags = O_DIRECTORY | (followingLinks ? 0 : O_NOFOLLOW)
        do throws(SystemCall.Failure) {
            let descriptor = try openSearchable(at: base, name, flags)
            do throws(SystemCall.Failure) {
                let status = FileStatus(try SystemCall.status(of: descriptor))
                return LocalDirectory(descriptor: descriptor, path: path, status: status)
            } catch {
                close(descriptor)
                throw error
            }
        } catch {
            throw error.on(path, .open)
        }
    }

    /// A directory that may be entered but not listed can still be written in.
    private static func openSearchable(
        at base: Int32, _ name: [UInt8], _ flags: Int32
    ) throws(SystemCall.Failure) -> Int32 {
        do throws(SystemCall.Failure) {
            return try SystemCall.open(at: base, name, O_RDONLY | flags)
        } catch  where error.number == EACCES {
            return try SystemCall.open(at: base, name, SystemCall.searchFlags | flags)
        }
    }

    /// The same directory, reached another way.
    func renamed(_ path: BytePath) -> LocalDirectory {
        self.path = path
        return self
    }

    /// What the name stands for.
    package func status(of name: [UInt8], followingLinks: Bool) throws(FileError) -> FileStatus {
        do throws(SystemCall.Failure) {
            return FileStatus(try SystemCall.status(at: descriptor, name, followingLinks: followingLinks))
        } catch {
            throw error.on(path.appending(name), .status)
        }
    }

    /// Opens an entry for reading; a FIFO is not waited for. Links are followed.
    package func openForReading(_ name: [UInt8]) throws(FileError) -> LocalFile {
        try Self.openForReading(at: descriptor, name, path: path.appending(name))
    }

    /// Opens a file at a path given by the user.
    package static func openForReading(_ path: BytePath) throws(FileError) -> LocalFile {
        try openForReading(at: AT_FDCWD, path.bytes, path: path)
    }

    private static func openForReading(at base: Int32, _ name: [UInt8], path: BytePath) throws(FileError) -> LocalFile {
        do throws(SystemCall.Failure) {
            let descriptor = try SystemCall.open(at: base, name, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            return try adopt(descriptor, path: path, isNew: false)
        } catch {
            throw error.on(path, .open)
        }
    }

    private static func adopt(_ descriptor: Int32, path: BytePath, isNew: Bool) throws(SystemCall.Failure) -> LocalFile
    {
        do throws(SystemCall.Failure) {
            let status = FileStatus(try SystemCall.status(of: descriptor))
            return LocalFile(descriptor: descriptor, path: path, status: status, isNew: isNew)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Makes a file and opens it for writing; nil if there is something of that name.
    package func createFile(_ name: [UInt8], mode: UInt16) throws(FileError) -> LocalFile? {
        do throws(SystemCall.Failure) {
            let descriptor = try SystemCall.open(at: descriptor, name, O_WRONLY | O_CREAT | O_EXCL, mode)
            return try Self.adopt(descriptor, path: path.appending(name), isNew: true)
        } catch  where error.number == EEXIST {
            return nil
        } catch {
            throw error.on(path.appending(name), .open)
        }
    }

    /// Opens what has the name for writing.
    ///
    /// - Parameter isTrusted: the user gave the name: links are followed, even to where nothing is yet, and a FIFO is
    ///   waited for.
    package func openForWriting(_ name: [UInt8], mode: UInt16, isTrusted: Bool) throws(FileError) -> LocalFile {
        let flags = isTrusted ? O_CREAT | O_NOCTTY : O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        do throws(SystemCall.Failure) {
            let descriptor = try SystemCall.open(at: descriptor, name, O_WRONLY | flags, mode)
            return try Self.adopt(descriptor, path: path.appending(name), isNew: false)
        } catch {
            throw error.on(path.appending(name), .open)
        }
    }

    /// Gives an entry another name, which it takes from what has it, unless it must be new.
    package func rename(_ old: [UInt8], to new: [UInt8], mustBeNew: Bool) throws(FileError) {
        do throws(SystemCall.Failure) {
            let (from, to) = ((descriptor, old), (descriptor, new))
            if mustBeNew {
                try DirectoryRoot.renameExclusively(from, to)
            } else {
                try DirectoryRoot.rename(from, to)
            }
        } catch {
            throw error.on(path.appending(new), .rename)
        }
    }

    /// Removes an entry that is no directory.
    package func remove(_ name: [UInt8]) throws(FileError) {
        do throws(SystemCall.Failure) {
            try DirectoryRoot.remove((descriptor, name))
        } catch {
            throw error.on(path.appending(name), .remove)
        }
    }

    /// Waits until the names in it are on the disk.
    package func synchronize() throws(FileError) {
        do throws(SystemCall.Failure) {
            try SystemCall.run { fsync(descriptor) }
        } catch {
            throw error.on(path, .synchronize)
        }
    }

    /// Makes a directory; returns false if there is something of that name.
    package func makeDirectory(_ name: [UInt8], mode: UInt16) throws(FileError) -> Bool {
        do throws(SystemCall.Failure) {
            try SystemCall.withPath(name) { path throws(SystemCall.Failure) in
                _ = try SystemCall.run { mkdirat(descriptor, path, mode_t(mode)) }
            }
            return true
        } catch  where error.number == EEXIST {
            return false
        } catch {
            throw error.on(path.appending(name), .makeDirectory)
        }
    }

    /// Sets the permission bits.
    package func setMode(_ mode: UInt16) throws(FileError) {
        do throws(SystemCall.Failure) {
            try SystemCall.run { fchmod(descriptor, mode_t(mode)) }
        } catch {
            throw error.on(path, .setMode)
        }
    }

    /// Sets the times of the last access and the last change of the contents.
    package func setTimes(accessed: FileTime, modified: FileTime) throws(FileError) {
        let times = [accessed.timespec, modified.timespec]
        do throws(SystemCall.Failure) {
            try SystemCall.run { futimens(descriptor, times) }
        } catch {
            throw error.on(path, .setTimes)
        }
    }

    /// Gives the directory to a user and group, if this process may.
    func setOwner(_ owner: UInt32, group: UInt32) { _ = fchown(descriptor, owner, group) }
}

/// The local file system's questions that need no open file.
package enum LocalFileSystem {
    /// What a path given by the user stands for; links are followed.
    package static func status(of path: BytePath) throws(FileError) -> FileStatus {
        do throws(SystemCall.Failure) {
            return FileStatus(try SystemCall.status(at: AT_FDCWD, path.bytes, followingLinks: true))
        } catch {
            throw error.on(path, .status)
        }
    }

    /// Checks that a path given by the user stands for a directory.
    package static func requireDirectory(_ path: BytePath) throws(FileError) {
        guard try status(of: path).kind == .directory else {
            throw FileError(path: path, operation: .open, errno: ENOTDIR)
        }
    }

    /// The process's file mode creation mask, as it was when first asked for: asking means setting it for a moment.
    package static let creationMask: UInt16 = {
        let mask = umask(0o077)
        umask(mask)
        return UInt16(truncatingIfNeeded: mask)
    }()

    /// How many files a transfer may have open at a time, so that some descriptors are left for all else.
    package static let openFilesLimit = min(500, OpenFilesLimit.current(leaving: 128))

    /// How many files may wait, open, for their turn besides those.
    package static let waitingFilesLimit = max(16, min(4_000, OpenFilesLimit.current(leaving: 128) - openFilesLimit))
}
