import Files
import NIOCore
import Platform
import SFTP
import SSHWire

/// Requests beside the draft's (OpenSSH's PROTOCOL section 4).
extension SFTPServing {
    mutating func answerExtended(_ id: UInt32, _ name: String, _ fields: ByteBuffer) async throws {
        guard let known = SFTPExtension(rawValue: name) else { throw SFTPStatus(.unsupported) }
        var fields = fields
        switch known {
        case .posixRename, .hardlink: try link(id, known, &fields)
        case .fsync:
            try file(try fields.readSSHString("handle")).file.synchronize()
            session.sendStatus(id, .ok)
        case .lsetstat:
            let path = try fields.readSSHString("path")
            let attributes = try SFTPAttributes(fields: &fields)
            // A link has no size of its own.
            guard attributes.size == nil else { throw SFTPStatus(.badMessage) }
            try setAttributes(of: path, attributes, followingLinks: false)
            session.sendStatus(id, .ok)
        case .statvfs: send(id, try files.volume(of: absolute(try fields.readSSHString("path"))))
        case .fstatvfs: send(id, try file(try fields.readSSHString("handle")).file.volume())
        case .limits: sendLimits(id)
        case .expandPath: sendName(id, try files.realPath(try expanded(try fields.readSSHString("path"))))
        case .homeDirectory:
            // Whose else's home is not this server's to tell.
            guard try fields.readSSHString("username").readableBytes == 0 else {
                throw SFTPStatus(.failure, message: "no such user")
            }
            sendName(id, try files.realPath(home))
        case .usersGroupsByID: try await sendAccounts(id, &fields)
        case .copyData: try await copy(id, &fields)
        case .checkFile, .checkFileHandle: try await checkFile(id, &fields, byName: false)
        case .checkFileName: try await checkFile(id, &fields, byName: true)
        }
    }

    private mutating func link(_ id: UInt32, _ known: SFTPExtension, _ fields: inout ByteBuffer) throws {
        let old = try absolute(try fields.readSSHString("oldpath"))
        let new = try absolute(try fields.readSSHString("newpath"))
        if known == .hardlink {
            try files.makeHardLink(new, to: old)
        } else {
            try files.rename(old, to: new, replacing: true)
        }
        observer.changed(ServedChange(known == .hardlink ? "hardlink" : "posix-rename", old, newPath: new))
        session.sendStatus(id, .ok)
    }

    /// `~` is where relative paths begin.
    private func expanded(_ path: ByteBuffer) throws -> [UInt8] {
        let bytes = Array(path.readableBytesView)
        guard bytes.first == UInt8(ascii: "~") else { return try absolute(path, orHome: true) }
        guard bytes.count == 1 || bytes[1] == UInt8(ascii: "/") else {
            throw SFTPStatus(.noSuchFile, message: "no such user")
        }
        return home + bytes.dropFirst()
    }

    private mutating func sendLimits(_ id: UInt32) {
        var reply = ByteBuffer()
        reply.writeInteger(UInt64(SFTPServerSession.maximumPacketLength))
        reply.writeInteger(UInt64(SFTPServerSession.maximumDataLength))
        reply.writeInteger(UInt64(SFTPServerSession.maximumDataLength))
        reply.writeInteger(UInt64(handles.limit))
        session.send(id, .extended(fields: reply))
    }

    private mutating func send(_ id: UInt32, _ volume: VolumeStatus) {
        var reply = ByteBuffer()
        let flags: UInt64 = (volume.isReadOnly || options.isReadOnly ? 1 : 0) | (volume.ignoresSetUserID ? 2 : 0)
        let values: [UInt64] = [
            volume.blockSize, volume.fragmentSize, volume.blocks, volume.freeBlocks, volume.availableBlocks,
            volume.files, volume.freeFiles, volume.availableFiles, volume.identifier, flags,
            volume.longestName,
        ]
        for value in values { reply.writeInteger(value) }
        session.send(id, .extended(fields: reply))
    }

    /// Each is a search in the system's lists.
    private static var mostAccounts: Int { 4096 }

    private mutating func sendAccounts(_ id: UInt32, _ fields: inout ByteBuffer) async throws {
        var users = try fields.readSSHString("uids")
        var groups = try fields.readSSHString("gids")
        guard (users.readableBytes + groups.readableBytes) / 4 <= Self.mostAccounts else {
            throw SFTPStatus(.failure, message: "more than \(Self.mostAccounts) numbers")
        }
        var (userNames, groupNames) = (ByteBuffer(), ByteBuffer())
        while users.readableBytes > 0 {
            try await turn.pass()
            userNames.writeSSHString(accounts.user(try users.readUInt32("uid")))
        }
        while groups.readableBytes > 0 {
            try await turn.pass()
            groupNames.writeSSHString(accounts.group(try groups.readUInt32("gid")))
        }
        guard userNames.readableBytes + groupNames.readableBytes <= SFTPServerSession.maximumDataLength else {
            throw SFTPStatus(.failure, message: "the names do not fit into an answer")
        }
        var reply = ByteBuffer()
        reply.writeSSHString(userNames)
        reply.writeSSHString(groupNames)
        session.send(id, .extended(fields: reply))
    }

    // MARK: copy-data

    /// Bytes that pass through memory at a time.
    static var pieceSize: Int { 256 * 1024 }

    private mutating func copy(_ id: UInt32, _ fields: inout ByteBuffer) async throws {
        let source = try file(try fields.readSSHString("read-from-handle"))
        let from = try fields.readUInt64("read-from-offset")
        let length = try fields.readUInt64("read-data-length")
        let target = try file(try fields.readSSHString("write-to-handle"))
        let to = try fields.readUInt64("write-to-offset")
        // A copy within a file could run after itself.
        guard !source.file.isSameFile(as: target.file) else {
            throw SFTPStatus(.failure, message: "both handles are of one file")
        }
        guard var from = Int64(exactly: from), var to = Int64(exactly: to) else { throw SFTPStatus.outOfRange }
        // Without a length the copy ends with the file.
        var left = length == 0 ? Int64.max : Int64(clamping: length)
        while left > 0 {
            try await pause()
            let count = Int(min(left, Int64(Self.pieceSize), Int64.max - from, Int64.max - to))
            scratch.clear()
            let got = count == 0 ? 0 : try source.read(into: &scratch, count: count, at: from)
            if got == 0 { break }
            try target.write(scratch, at: to)
            from += Int64(got)
            to += Int64(got)
            left -= Int64(got)
        }
        session.sendStatus(id, length == 0 || left == 0 ? .ok : .endOfFile)
    }
}
