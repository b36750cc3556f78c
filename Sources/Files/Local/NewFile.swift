import NIOCore

/// A file that is being written.
package final class NewFile {
    package let file: LocalFile
    package let isNew: Bool
    private let mode: UInt16
    private let mask: UInt16
    private let options: TargetTree.Options
    private let place: Place?

    /// Where it gets its name when it is whole.
    struct Place {
        let directory: LocalDirectory
        let name: [UInt8]
        let mustBeNew: Bool
        private let part: [UInt8]

        init(directory: LocalDirectory, name: [UInt8], mustBeNew: Bool) {
            self.directory = directory
            self.name = name
            self.mustBeNew = mustBeNew
            part = PartialName.of(name)
        }

        /// Opens what is there of it, or a new one.
        func open(mode: UInt16) throws(FileError) -> LocalFile {
            if let file = try directory.createFile(part, mode: mode) { return file }
            let file = try directory.openForWriting(part, mode: mode, isTrusted: false)
            guard file.status.kind == .regular else {
                throw FileError(path: file.path, operation: .open, cause: .notRegular)
            }
            return file
        }

        func discard() { try? directory.remove(part) }

        func rename() throws(FileError) { try directory.rename(part, to: name, mustBeNew: mustBeNew) }
    }

    init(
        file: LocalFile, isNew: Bool, mode: UInt16, mask: UInt16, options: TargetTree.Options, place: Place? = nil
    ) {
        self.file = file
        self.isNew = isNew
        self.mode = mode
        self.mask = mask
        self.options = options
        self.place = place
    }

    /// Writes all readable bytes at `offset`, as ``LocalFile/write(_:at:)`` does.
    package func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError) { try file.write(bytes, at: offset) }

    /// Sets the file's size in bytes and its attributes, and closes it.
    ///
    /// - Throws: ``FileError``: the first thing that went wrong. The rest is done even so.
    package func finish(size: Int64, attributes: FileAttributes) throws(FileError) {
        var failure: FileError?
        func attempt(_ body: () throws(FileError) -> Void) {
            do throws(FileError) {
                try body()
            } catch {
                failure = failure ?? error
            }
        }
        attempt { () throws(FileError) in try file.truncate(to: size) }
        if let owner = attributes.owner { file.setOwner(owner.user, group: owner.group) }
        if file.status.kind == .regular, options.preserve || (isNew && mode & 0o200 == 0) {
            attempt { () throws(FileError) in try file.setMode(mode & ~mask) }
        }
        if options.preserve, file.status.kind == .regular, let modified = attributes.modified {
            attempt { () throws(FileError) in
                try file.setTimes(accessed: attributes.accessed ?? modified, modified: modified)
            }
        }
        if options.synchronizes { attempt { () throws(FileError) in try file.synchronize() } }
        attempt { () throws(FileError) in try file.close() }
        if let failure { throw failure }
        guard let place else { return }
        try place.rename()
        if options.synchronizes { try place.directory.synchronize() }
    }

    /// It will never be whole: what is beside its name goes, if that cannot be resumed from.
    package func discard() { place?.discard() }
}
