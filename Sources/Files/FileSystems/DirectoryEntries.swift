import Platform

/// An open directory of a ``DirectoryRoot``.
final class DirectoryEntries: ServedDirectory {
    private let stream: DirectoryStream
    /// Stands for `..` in the root, above which nothing is told.
    private let parent: ServedStatus?

    /// Takes over a descriptor.
    ///
    /// - Parameter isRoot: `..` is the directory itself.
    init(descriptor: Int32, isRoot: Bool) throws(ServedError) {
        var status = stat()
        let result = fstat(descriptor, &status)
        guard result == 0, let stream = fdopendir(descriptor) else {
            let number = errno
            _ = SystemCall.close(descriptor)
            throw .system(number)
        }
        self.stream = stream
        parent = isRoot ? ServedStatus(status) : nil
    }

    deinit { closedir(stream) }

    func next() throws(ServedError) -> ServedEntry? {
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
        if let parent, name == [dot, dot] { return ServedEntry(name: name, status: parent) }
        var status = stat()
        // The name as readdir has it is a C string already.
        let result = withUnsafePointer(to: &entry.pointee.d_name) { field in
            fstatat(
                dirfd(stream), UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self), &status,
                AT_SYMLINK_NOFOLLOW)
        }
        return ServedEntry(name: name, status: result == 0 ? ServedStatus(status) : nil)
    }
}
