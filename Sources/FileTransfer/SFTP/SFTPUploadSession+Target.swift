import Files
import NIOCore
import SFTP

// Where an upload goes: what is at the target, and whether the sources go into it.
extension SFTPUploadSession {
    mutating func findTarget(_ path: [UInt8], _ sources: [BytePath], _ walk: LocalWalk) async throws {
        target.path = try await link.expand(path, tag: Tag.question, index: Self.index)
        if options.opensAhead, sources.count == 1, !options.targetMustBeDirectory, let item = walk.next() {
            try await begin(item, walk, at: path)
        } else {
            try await findTarget(path, sources)
        }
    }

    private mutating func findTarget(_ path: [UInt8], _ sources: [BytePath]) async throws {
        guard let reply = try await ask(.stat(path: ByteBuffer(bytes: target.path))) else { return }
        learn(reply)
        if case .attributes = reply, options.targetMustBeDirectory, !target.isDirectory {
            throw RemoteError(path: path, reason: .notADirectory)
        }
        guard options.targetMustBeDirectory, !target.isDirectory, let first = sources.first else { return }
        let mode = try LocalFileSystem.status(of: first).mode & 0o777 | 0o700
        let made = try await ask(
            .mkdir(path: ByteBuffer(bytes: target.path), SFTPAttributes(permissions: UInt32(mode))))
        if case .status(let status) = made, status.code != .ok {
            throw RemoteError(path: path, reason: .status(status))
        }
        target.isDirectory = true
        ledger?.target = target
    }

    mutating func learn(_ reply: SFTPReply) {
        if case .attributes(let attributes) = reply {
            target.isDirectory = attributes.kind == .directory
            target.isSpecial = attributes.kind == .other
        }
        // A directory that must be there and is not is looked for again until it is.
        if target.isDirectory || !options.targetMustBeDirectory { ledger?.target = target }
    }

    /// Begins the one thing to be sent. A file most likely goes to the target itself: it is opened while that is looked at.
    mutating func begin(_ item: WalkItem<LocalFile>, _ walk: LocalWalk, at path: [UInt8]) async throws {
        guard case .file(let name, let file) = item, file.status.size <= Self.smallFile,
            target.path.last != UInt8(ascii: "/"), target.path != [UInt8(ascii: ".")]
        else {
            try await findTarget(path, [])
            return begin(item, walk)
        }
        let replies = try await link.ask(
            [.stat(path: ByteBuffer(bytes: target.path)), opening(file, at: target.path)], tag: Tag.question,
            index: Self.index)
        guard let first = replies.first, let opened = replies.last else { return }
        learn(first)
        guard target.isDirectory else { return handle(.opened(outgoing(name, file)), opened) }
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
        if !target.isDirectory || name == [UInt8(ascii: ".")] { return target.path }
        return RemotePath.appending(name, to: target.path)
    }
}
