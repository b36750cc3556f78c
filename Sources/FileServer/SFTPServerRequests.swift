import Files
import NIOCore
import Platform
import SFTP
import SSHWire

extension SFTPServing {
    /// - Throws: `SFTPStatus`, `FileError.Cause` or `WireError`, which become the answer, or `CancellationError`.
    mutating func answer(_ id: UInt32, _ request: SFTPRequest) async throws {
        switch request {
        case .open(let path, let flags, let attributes): try open(id, path, flags, attributes)
        case .opendir(let path): try openDirectory(id, path)
        case .close(let handle): try close(id, handle)
        case .read(let handle, let offset, let length): try read(id, handle, offset, length)
        case .readdir(let handle): try readDirectory(id, handle)
        case .stat(let path): try sendStatus(id, of: path, followingLinks: true)
        case .lstat(let path): try sendStatus(id, of: path, followingLinks: false)
        case .fstat(let handle): session.send(id, .attributes(SFTPAttributes(try file(handle).file.status())))
        case .fsetstat(let handle, let attributes):
            try file(handle).change(FileChanges(attributes))
            session.sendStatus(id, .ok)
        case .realpath(let path): sendName(id, try files.realPath(absolute(path, orHome: true)))
        case .readlink(let path): sendName(id, try files.readLink(absolute(path)))
        case .extended(let name, let fields): try await answerExtended(id, name, fields)
        default:
            try change(request)
            session.sendStatus(id, .ok)
        }
    }

    /// Requests that change what paths stand for.
    private func change(_ request: SFTPRequest) throws {
        switch request {
        case .setstat(let path, let attributes):
            try setAttributes(of: path, attributes, followingLinks: true)
        case .mkdir(let path, let attributes):
            let mode = attributes.permissions.map { UInt16($0 & 0o7777) } ?? 0o777
            let path = try absolute(path)
            try files.makeDirectory(path, mode: mode)
            observer.changed(ServedChange("mkdir", path))
        case .remove(let path):
            let path = try absolute(path)
            try files.remove(path)
            observer.changed(ServedChange("remove", path))
        case .rmdir(let path):
            let path = try absolute(path)
            try files.removeDirectory(path)
            observer.changed(ServedChange("rmdir", path))
        case .rename(let old, let new):
            let (old, new) = (try absolute(old), try absolute(new))
            try files.rename(old, to: new, replacing: false)
            observer.changed(ServedChange("rename", old, newPath: new))
        case .symlink(let target, let path):
            let (text, path) = (Array(target.readableBytesView), try absolute(path))
            try files.makeSymbolicLink(path, holding: text)
            observer.changed(ServedChange("symlink", path, linkText: text))
        default: throw SFTPStatus(.unsupported)
        }
    }

    func setAttributes(of path: ByteBuffer, _ attributes: SFTPAttributes, followingLinks: Bool) throws {
        let (path, changes) = (try absolute(path), try FileChanges(attributes))
        try files.change(path, changes, followingLinks: followingLinks)
        observer.changed(ServedChange(followingLinks ? "setstat" : "lsetstat", path, attributes: changes))
    }

    // MARK: Paths

    /// A path from the root.
    ///
    /// - Parameter orHome: whether an empty path stands for where relative ones begin, else for nothing.
    func absolute(_ path: ByteBuffer, orHome: Bool = false) throws(FileError.Cause) -> [UInt8] {
        let bytes = Array(path.readableBytesView)
        if bytes.first == UInt8(ascii: "/") { return bytes }
        guard !bytes.isEmpty || orHome else { throw .system(ENOENT) }
        return bytes.isEmpty ? home : home + [UInt8(ascii: "/")] + bytes
    }

    mutating func sendName(_ id: UInt32, _ path: [UInt8]) {
        let name = ByteBuffer(bytes: path)
        session.send(id, .names([SFTPName(name: name, longName: name)]))
    }

    private mutating func sendStatus(_ id: UInt32, of path: ByteBuffer, followingLinks: Bool) throws {
        let status = try files.status(of: absolute(path), followingLinks: followingLinks)
        session.send(id, .attributes(SFTPAttributes(status)))
    }

    // MARK: Handles

    func file(_ handle: ByteBuffer) throws(SFTPStatus) -> SFTPOpenFile {
        guard let file = handles.file(handle) else { throw .invalidHandle }
        return file
    }

    private func requireRoom() throws(SFTPStatus) {
        guard handles.hasRoom else { throw SFTPStatus(.failure, message: "too many open handles") }
    }

    private mutating func open(
        _ id: UInt32, _ path: ByteBuffer, _ flags: SFTPOpenFlags, _ attributes: SFTPAttributes
    ) throws {
        try requireRoom()
        let path = try absolute(path)
        let file = try files.open(path, OpenOptions(flags, attributes))
        observer.opened(path, forWriting: flags.contains(.write))
        session.send(id, .handle(handles.add(.file(SFTPOpenFile(file, path: path)))))
    }

    private mutating func openDirectory(_ id: UInt32, _ path: ByteBuffer) throws {
        try requireRoom()
        let directory = try files.openDirectory(absolute(path))
        session.send(id, .handle(handles.add(.directory(directory))))
    }

    private mutating func close(_ id: UInt32, _ handle: ByteBuffer) throws {
        guard let opened = handles.remove(handle) else { throw SFTPStatus.invalidHandle }
        if case .file(let file) = opened {
            defer { observer.closed(file.transfer(isInterrupted: false)) }
            try file.close()
        }
        session.sendStatus(id, .ok)
    }

    private mutating func read(_ id: UInt32, _ handle: ByteBuffer, _ offset: UInt64, _ length: UInt32) throws {
        let file = try file(handle)
        let count = min(Int(length), SFTPServerSession.maximumDataLength)
        guard let offset = Int64(exactly: offset), offset <= Int64.max - Int64(count) else {
            throw SFTPStatus.outOfRange
        }
        // Odd, but not forbidden.
        guard count > 0 else { return session.send(id, .data(ByteBuffer())) }
        let got = try session.sendData(id) { buffer throws(FileError.Cause) in
            try file.read(into: &buffer, count: count, at: offset)
        }
        if got == 0 { session.sendStatus(id, .endOfFile) }
    }

    /// Names in an answer to READDIR.
    private static var batch: Int { 100 }

    private mutating func readDirectory(_ id: UInt32, _ handle: ByteBuffer) throws {
        guard let directory = handles.directory(handle) else { throw SFTPStatus.invalidHandle }
        var names: [SFTPName] = []
        let clock = ListingClock()
        while names.count < Self.batch, let entry = try directory.next() {
            // What is gone by now is no entry.
            guard let status = entry.status else { continue }
            names.append(
                SFTPName(
                    name: ByteBuffer(bytes: entry.name),
                    longName: clock.longName(entry.name, status, &accounts),
                    attributes: SFTPAttributes(status)))
        }
        if names.isEmpty { session.sendStatus(id, .endOfFile) } else { session.send(id, .names(names)) }
    }
}

extension OpenOptions {
    init(_ flags: SFTPOpenFlags, _ attributes: SFTPAttributes) {
        self.init()
        writes = flags.contains(.write)
        // As with open(2): what says nothing reads.
        reads = flags.contains(.read) || !writes
        appends = flags.contains(.append)
        creates = flags.contains(.create)
        truncates = flags.contains(.truncate)
        isExclusive = flags.contains(.exclusive)
        if let permissions = attributes.permissions { mode = UInt16(permissions & 0o7777) }
    }
}

extension FileChanges {
    /// - Throws: EINVAL for a size that no file can have.
    init(_ attributes: SFTPAttributes) throws(FileError.Cause) {
        self.init()
        if let wished = attributes.size {
            guard let size = Int64(exactly: wished) else { throw .system(EINVAL) }
            self.size = size
        }
        mode = attributes.permissions.map { UInt16($0 & 0o7777) }
        owner = attributes.owner.map { ($0.user, $0.group) }
        times = attributes.times.map {
            (FileTime(seconds: Int64($0.accessed)), FileTime(seconds: Int64($0.modified)))
        }
    }
}

extension SFTPAttributes {
    init(_ status: FileStatus) {
        self.init(
            size: UInt64(clamping: status.size), owner: Owner(user: status.owner, group: status.group),
            permissions: status.kind.bits | UInt32(status.mode & 0o7777),
            times: Times(
                accessed: UInt32(clamping: status.accessed.seconds),
                modified: UInt32(clamping: status.modified.seconds)))
    }
}

extension FileStatus.Kind {
    /// As st_mode has them, and the first letter of a listing.
    fileprivate var bits: UInt32 {
        switch self {
        case .fifo: 0o010_000
        case .characterDevice: 0o020_000
        case .directory: 0o040_000
        case .blockDevice: 0o060_000
        case .regular: 0o100_000
        case .symbolicLink: 0o120_000
        case .socket: 0o140_000
        }
    }
}
