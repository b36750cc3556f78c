import Platform

/// An open directory of a ``DirectoryRoot``.
final class DirectoryEntries: OpenDirectory {
    private let stream: DirectoryStream
    /// Stands for `..` in the root, above which nothing is told.
    private let parent: FileStatus?

    /// Takes over a descriptor.
    ///
    /// - Parameter isRoot: `..` is the directory itself.
    init(descriptor: Int32, isRoot: Bool) throws(FileError.Cause) {
        var status = stat()
        let result = fstat(descriptor, &status)
        guard result == 0, let stream = fdopendir(descriptor) else {
            let number = errno
            _ = SystemCall.close(descriptor)
            throw .system(number)
        }
        self.stream = stream
        parent = isRoot ? FileStatus(status) : nil
    }

    deinit { closedir(stream) }

    func next() throws(FileError.Cause) -> DirectoryEntry? {
        errno = 0
        guard let entry = readdir(stream) else {
            let number = errno
            if number != 0 { throw .system(number) }
            return nil
        }
        let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
            let text = UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self)
            return Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
        }
        if let parent, name == [dot, dot] { return DirectoryEntry(name: name, status: parent) }
        var status = stat()
        // The name as readdir has it is a C string already.
        let result = withUnsafePointer(to: &entry.pointee.d_name) { field in
            fstatat(
                dirfd(stream), UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self), &status,
                AT_SYMLINK_NOFOLLOW)
        }
        return DirectoryEntry(name: name, status: result == 0 ? FileStatus(status) : nil)
    }
}
