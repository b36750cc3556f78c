import Files
import NIOCore
import SFTP
import SSHWire

// The directories of a download: made, listed, finished.
extension SFTPDownloadSession {
    /// - Returns: whether a request was added.
    mutating func list(_ tree: TargetTree) -> Bool {
        guard waiting.count < Self.waitingLimit else { return false }
        for directory in listing where directory.asked < Self.listingDepth && !directory.isListed {
            guard let handle = directory.handle else { continue }
            directory.asked += 1
            link.session.send(.readdir(handle: handle), .listed(directory))
            return true
        }
        // Some handles are left for files, so that what is listed can be fetched.
        guard listing.count < min(Self.listingLimit, openLimit / 2), openHandles < openLimit,
            let directory = directories.popLast()
        else {
            return false
        }
        guard make(directory, tree) else { return true }
        openHandles += 1
        listing.append(directory)
        link.session.send(.opendir(path: ByteBuffer(bytes: directory.path)), .openedDirectory(directory))
        return true
    }

    /// Makes a directory at the target.
    mutating func make(_ directory: IncomingDirectory, _ tree: TargetTree) -> Bool {
        guard let name = directory.name else { return true }
        do throws(FileError) {
            directory.node = try tree.enterDirectory(
                name, attributes: Self.attributes(directory.attributes, mask: 0o1777, otherwise: 0o777),
                in: directory.parent?.node)
            noteMade(directory)
            return true
        } catch {
            warn("\(error)")
            directory.isListed = true
            childFinished(of: directory, tree)
            return false
        }
    }

    mutating func listed(
        _ directory: IncomingDirectory, _ reply: SFTPReply, _ status: SFTPStatus, _ tree: TargetTree
    ) {
        directory.asked -= 1
        if case .names(let names) = reply, !names.isEmpty {
            for name in names { take(name, in: directory) }
        } else if !directory.isListed {
            directory.isListed = true
            if status.code != .endOfFile {
                warn("\(RemoteError(path: directory.path, reason: .status(status)))")
            }
        }
        guard directory.isListed, directory.asked == 0, let handle = directory.handle else { return }
        directory.handle = nil
        close(handle)
        listed(directory, tree)
    }

    mutating func listed(_ directory: IncomingDirectory, _ tree: TargetTree) {
        directory.isListed = true
        listing.removeAll { $0 === directory }
        childFinished(of: directory, tree)
    }

    mutating func take(_ entry: SFTPName, in directory: IncomingDirectory) {
        let name = Array(entry.name.readableBytesView)
        if name == Array(".".utf8) || name == Array("..".utf8) { return }
        guard !name.isEmpty, !name.contains(UInt8(ascii: "/")), !name.contains(0) else {
            return warn("\(Printable.text(directory.path)): unexpected filename: \(Printable.text(name))")
        }
        let path = RemotePath.appending(name, to: directory.path)
        let entry = RemoteEntry(path: path, name: name, directory: directory, attributes: entry.attributes)
        switch entry.attributes.kind {
        case .regular: add(entry)
        case .directory: enter(entry, realPath: nil)
        case .other: warn("\(RemoteError(path: path, reason: .notRegular))")
        case .symbolicLink, nil:
            directory.unfinished += 1
            unfinished += 1
            link.session.send(.stat(path: ByteBuffer(bytes: path)), .resolved(entry))
        }
    }

    mutating func add(_ entry: RemoteEntry) {
        if let ledger, ledger.isSettled(entry.path) { return }
        unfinished += 1
        waiting.append(
            IncomingFile(
                path: entry.path, name: entry.name, attributes: entry.attributes, directory: entry.directory))
    }

    mutating func enter(_ entry: RemoteEntry, realPath: [UInt8]?) {
        if let ledger, ledger.isSettled(entry.path) { return }
        guard entry.directory.depth < Self.maximumDepth else {
            return warn("\(Printable.text(entry.path)): directories nested deeper than \(Self.maximumDepth)")
        }
        unfinished += 1
        directories.append(
            IncomingDirectory(
                path: entry.path, name: entry.name, attributes: entry.attributes, parent: entry.directory,
                realPath: realPath))
    }

    /// Takes what a link leads to for the entry itself.
    mutating func resolved(
        _ entry: RemoteEntry, _ reply: SFTPReply, _ status: SFTPStatus, _ tree: TargetTree
    ) {
        var entry = entry
        guard case .attributes(let attributes) = reply else {
            warn("\(RemoteError(path: entry.path, reason: .status(status)))")
            return linkFinished(entry, tree)
        }
        entry.attributes = attributes
        switch attributes.kind {
        case .directory:
            // A link may lead back to where it lies; only real paths tell.
            let root = entry.directory.root
            if root.realPath == nil {
                link.session.send(.realpath(path: ByteBuffer(bytes: root.path)), .locatedRoot(root))
            }
            return link.session.send(.realpath(path: ByteBuffer(bytes: entry.path)), .located(entry))
        case .regular, nil: add(entry)
        default: warn("\(RemoteError(path: entry.path, reason: .notRegular))")
        }
        linkFinished(entry, tree)
    }

    mutating func located(_ entry: RemoteEntry, _ reply: SFTPReply, _ tree: TargetTree) {
        var realPath: [UInt8]?
        if case .names(let names) = reply, let name = names.first { realPath = Array(name.name.readableBytesView) }
        if let realPath, entry.directory.isInside(realPath) {
            warn("\(Printable.text(entry.path)): Too many levels of symbolic links")
        } else {
            enter(entry, realPath: realPath)
        }
        linkFinished(entry, tree)
    }

    mutating func linkFinished(_ entry: RemoteEntry, _ tree: TargetTree) {
        unfinished -= 1
        childFinished(of: entry.directory, tree)
    }

    mutating func childFinished(of directory: IncomingDirectory, _ tree: TargetTree) {
        directory.unfinished -= 1
        if directory.unfinished == 0 { finish(directory, tree) }
    }

    mutating func finish(_ directory: IncomingDirectory, _ tree: TargetTree) {
        ledger?.settle(directory.path)
        if let node = directory.node {
            summary.directories += 1
            do throws(FileError) {
                try tree.finish(node)
            } catch {
                warn("\(error)")
            }
        }
        unfinished -= 1
        if let parent = directory.parent { childFinished(of: parent, tree) }
    }
}
