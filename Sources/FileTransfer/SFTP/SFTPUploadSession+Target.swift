import NIOCore
import SFTP

// Where an upload goes: what is at the target, and whether the sources go into it.
extension SFTPUploadSession {
    mutating func findTarget(_ path: [UInt8], _ sources: [LocalPath]) async throws {
        guard let reply = try await ask(.stat(path: ByteBuffer(bytes: target))) else { return }
        learn(reply)
        if case .attributes = reply, options.targetMustBeDirectory, !targetIsDirectory {
            throw RemoteError(path: path, reason: .notADirectory)
        }
        guard options.targetMustBeDirectory, !targetIsDirectory, let first = sources.first else { return }
        let mode = try LocalFileSystem.status(of: first).mode & 0o777 | 0o700
        let made = try await ask(
            .mkdir(path: ByteBuffer(bytes: target), SFTPAttributes(permissions: UInt32(mode))))
        if case .status(let status) = made, status.code != .ok {
            throw RemoteError(path: path, reason: .status(status))
        }
        targetIsDirectory = true
    }

    mutating func learn(_ target: SFTPReply) {
        guard case .attributes(let attributes) = target else { return }
        targetIsDirectory = attributes.kind == .directory
        targetIsSpecial = attributes.kind == .other
    }

    /// Begins the one thing to be sent. A file most likely goes to the target itself: it is opened while that is looked at.
    mutating func begin(_ item: WalkItem<LocalFile>, _ walk: LocalWalk, at path: [UInt8]) async throws {
        guard case .file(let name, let file) = item, file.status.size <= Self.smallFile,
            target.last != UInt8(ascii: "/"), target != [UInt8(ascii: ".")]
        else {
            try await findTarget(path, [])
            return begin(item, walk)
        }
        let replies = try await link.ask(
            [.stat(path: ByteBuffer(bytes: target)), opening(file, at: target)], tag: Tag.question, index: Self.index)
        guard let first = replies.first, let opened = replies.last else { return }
        learn(first)
        guard targetIsDirectory else { return handle(.opened(outgoing(name, file)), opened) }
        if case .handle(let handle) = opened { _ = try await ask(.close(handle: handle)) }
        begin(item, walk)
    }

    mutating func ask(_ request: SFTPRequest) async throws -> SFTPReply? {
        try await link.ask([request], tag: Tag.question, index: Self.index).first
    }

    static func index(_ tag: Tag) -> Int? {
        guard case .question(let index) = tag else { return nil }
        return index
    }

    /// Where an entry of the walk goes.
    func destination(_ name: [UInt8]) -> [UInt8] {
        if let directory = directories.last { return RemotePath.appending(name, to: directory.path) }
        if !targetIsDirectory || name == [UInt8(ascii: ".")] { return target }
        return RemotePath.appending(name, to: target)
    }
}
