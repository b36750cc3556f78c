import Platform

extension DirectoryRoot {
    /// A name in a directory that is held open.
    typealias Entry = (directory: Int32, name: [UInt8])

    static func rename(_ old: Entry, _ new: Entry) throws(SystemCall.Failure) {
        try call(old, new) { renameat($0, $1, $2, $3) }
    }

    /// Makes a hard link; a symbolic link is linked itself.
    static func link(_ existing: Entry, _ new: Entry) throws(SystemCall.Failure) {
        try call(existing, new) { linkat($0, $1, $2, $3, 0) }
    }

    /// Renames unless something has the new name already, and nothing can take it in between where the file system sees
    /// to that.
    static func renameExclusively(_ old: Entry, _ new: Entry) throws(SystemCall.Failure) {
        do throws(SystemCall.Failure) {
            try call(old, new) { SystemCall.renameExclusively($0, $1, $2, $3) }
        } catch {
            guard [EINVAL, ENOSYS, ENOTSUP].contains(error.number) else { throw error }
            try renameInSteps(old, new)
        }
    }

    /// Where the system or the file system cannot do it at once: a link that refuses an existing name, for what can be
    /// linked, else a look.
    private static func renameInSteps(_ old: Entry, _ new: Entry) throws(SystemCall.Failure) {
        let status = try SystemCall.status(at: old.directory, old.name, followingLinks: false)
        if status.st_mode & S_IFMT == S_IFREG {
            do throws(SystemCall.Failure) {
                try link(old, new)
            } catch {
                guard [ENOSYS, ENOTSUP, EPERM, EXDEV].contains(error.number) else { throw error }
                return try renameAfterLook(old, new)
            }
            return try moveAway(old, insteadOf: new)
        }
        try renameAfterLook(old, new)
    }

    private static func renameAfterLook(_ old: Entry, _ new: Entry) throws(SystemCall.Failure) {
        do throws(SystemCall.Failure) {
            _ = try SystemCall.status(at: new.directory, new.name, followingLinks: false)
        } catch {
            guard error.number == ENOENT else { throw error }
            return try rename(old, new)
        }
        throw SystemCall.Failure(number: EEXIST)
    }

    /// Removes the old name of a file that has its new one already; if it must stay, the new one goes again.
    private static func moveAway(_ old: Entry, insteadOf new: Entry) throws(SystemCall.Failure) {
        do throws(SystemCall.Failure) {
            try remove(old)
        } catch {
            try? remove(new)
            throw error
        }
    }

    static func remove(_ entry: Entry) throws(SystemCall.Failure) {
        try SystemCall.withPath(entry.name) { name throws(SystemCall.Failure) in
            _ = try SystemCall.run { unlinkat(entry.directory, name, 0) }
        }
    }

    private static func call(
        _ old: Entry, _ new: Entry,
        _ body: (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>) -> Int32
    ) throws(SystemCall.Failure) {
        try SystemCall.withPath(old.name) { oldName throws(SystemCall.Failure) in
            try SystemCall.withPath(new.name) { newName throws(SystemCall.Failure) in
                _ = try SystemCall.run { body(old.directory, oldName, new.directory, newName) }
            }
        }
    }
}
