import Platform

/// What a directory says of an entry without a look at it.
package struct ListedEntry {
    package var name: [UInt8]
    /// A file of this sort is neither read nor opened.
    package var isSpecial: Bool
    /// Nil for a link, and where the file system keeps it to itself.
    package var isDirectory: Bool?
    /// The kind is known to be a file or directory.
    package var isPlain: Bool { isDirectory != nil && !isSpecial }
}

/// The entries of a directory as readdir(3) gives them, `.` and `..` aside.
final class DirectoryListing {
    private let path: BytePath
    private var stream: DirectoryStream?
    private var rest: [ListedEntry] = []
    private var failure: FileError?

    init(_ directory: LocalDirectory) throws(FileError) {
        path = directory.path
        let copy: Int32
        do throws(SystemCall.Failure) {
            copy = try SystemCall.open(at: directory.descriptor, [UInt8(ascii: ".")], O_RDONLY | O_DIRECTORY)
        } catch {
            throw error.on(path, .list)
        }
        stream = fdopendir(copy)
        if stream == nil {
            let number = errno
            close(copy)
            throw FileError(path: path, operation: .list, errno: number)
        }
    }

    deinit { release() }

    private func release() {
        if let stream { closedir(stream) }
        stream = nil
    }

    func next() throws(FileError) -> ListedEntry? {
        if let entry = rest.popLast() { return entry }
        if let failure {
            self.failure = nil
            throw failure
        }
        guard let stream else { return nil }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                let number = errno
                release()
                if number != 0 { throw FileError(path: path, operation: .list, errno: number) }
                return nil
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                let text = UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self)
                return Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
            }
            if name == [UInt8(ascii: ".")] || name == [UInt8(ascii: "."), UInt8(ascii: ".")] { continue }
            let type = Int32(entry.pointee.d_type)
            let special = [Self.fifo, Self.character, Self.block, Self.socket].contains(type)
            let isFile = type == Self.regular || special
            return ListedEntry(
                name: name, isSpecial: special, isDirectory: type == Self.directory ? true : isFile ? false : nil)
        }
    }

    /// Reads what is left into memory and closes the directory. What goes wrong is thrown by the last ``next()``.
    func loadRest() {
        guard stream != nil else { return }
        var entries: [ListedEntry] = []
        do throws(FileError) {
            while let entry = try next() { entries.append(entry) }
        } catch {
            failure = error
        }
        rest = entries.reversed()
    }

    // The values of d_type, the same everywhere; C libraries disagree on their type.
    private static let (fifo, character, directory, block, regular, socket) =
        (Int32(1), Int32(2), Int32(4), Int32(6), Int32(8), Int32(12))
}
