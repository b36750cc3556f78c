import NIOCore
import SSHWire
import Synchronization

/// An SFTP session for programs: each request is a call that waits for its answer, and any number of them may wait at a
/// time.
///
/// ```swift
/// let sftp = try await SFTPClient(stream: try await client.subsystem("sftp"))
/// for entry in try await sftp.list("photos") { print(String(buffer: entry.name)) }
/// await sftp.close()
/// ```
///
/// Every call throws `SFTPStatus` when the server says no, `SFTPError` when the session is over or the answer is none,
/// or what ended the stream; `CancellationError` at once when its task is cancelled, whatever the server does.
public final class SFTPClient: Sendable {
    /// What a call waits for.
    private struct Question {
        let waiter: Waiter<SFTPReply>
        /// The data of a READ as far as it has come.
        var data = ByteBuffer()
    }

    private struct State {
        var session = SFTPSession<Int>()
        var open: [Int: Question] = [:]
        var asked = 0
        var starting: Waiter<Void>?
        var isWriting = false
        var failure: (any Error)?
    }

    private let stream: any ByteStream
    private let state = Mutex(State())
    private let reader: Mutex<Task<Void, Never>?> = Mutex(nil)

    /// Starts a session on a channel with an SFTP server behind it.
    ///
    /// - Throws: `SFTPError.notSFTP` where there is none, `.version`, or what ended the stream.
    public init(stream: any ByteStream) async throws {
        self.stream = stream
        reader.withLock { $0 = Task { await self.read() } }
        let waiter = Waiter<Void>()
        state.withLock { state in
            if state.session.hasStarted {
                waiter.resume()
            } else if let failure = state.failure {
                waiter.resume(throwing: failure)
            } else {
                state.starting = waiter
            }
        }
        Task { await self.write() }
        do {
            try await waiter.wait()
        } catch {
            await close()
            throw error
        }
    }

    /// What the server can do beside the draft.
    public var server: SFTPServerAbilities { state.withLock { $0.session.server } }

    /// Tells the server that no more requests follow.
    public func close() async {
        try? await stream.finishWriting()
        reader.withLock { $0 }?.cancel()
    }

    // MARK: Asking

    /// Sends a request and waits for its answer, whatever that is.
    public func ask(_ request: SFTPRequest) async throws -> SFTPReply {
        try Task.checkCancellation()
        let waiter = Waiter<SFTPReply>()
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            state.asked += 1
            state.open[state.asked] = Question(waiter: waiter)
            state.session.send(request, state.asked)
        }
        Task { await self.write() }
        return try await waiter.wait()
    }

    /// Gives an answer to whoever asked. A handle that nobody waits for any more is closed.
    private func answer(_ question: Question, _ reply: SFTPReply, _ session: inout SFTPSession<Int>) {
        guard !question.waiter.resume(returning: reply), case .handle(let handle) = reply else { return }
        session.send(.close(handle: handle), 0)
        Task { await self.write() }
    }

    /// Sends what has gathered; whoever comes first does it for all.
    private func write() async {
        while true {
            let block = state.withLock { state -> ByteBuffer? in
                guard !state.isWriting, state.session.output.readableBytes > 0 else { return nil }
                defer { state.session.output = ByteBuffer() }
                state.isWriting = true
                return state.session.output
            }
            guard let block else { return }
            do {
                try await stream.write(block)
                state.withLock { $0.isWriting = false }
            } catch {
                end(error)
                return
            }
        }
    }

    private func read() async {
        do {
            while let bytes = try await stream.read() { try receive(bytes) }
            try state.withLock { state throws(SFTPError) in try state.session.receiveEnd() }
            end(SFTPError.ended)
        } catch is CancellationError {
            end(SFTPError.ended)
        } catch {
            end(error)
        }
    }

    private func receive(_ bytes: ByteBuffer) throws(SFTPError) {
        try state.withLock { state throws(SFTPError) in
            state.session.receive(bytes)
            while let event = try state.session.next() {
                switch event {
                case .started:
                    state.starting?.resume()
                    state.starting = nil
                    // The session itself may have asked something.
                    Task { await self.write() }
                case .reply(let number, let reply):
                    guard let question = state.open.removeValue(forKey: number) else { continue }
                    answer(question, reply, &state.session)
                case .data(let number, let part, _, let isLast):
                    guard var question = state.open.removeValue(forKey: number) else { continue }
                    if question.data.readableBytes == 0 {
                        question.data = part
                    } else {
                        question.data.writeImmutableBuffer(part)
                    }
                    if isLast {
                        question.waiter.resume(returning: .data(question.data))
                    } else {
                        state.open[number] = question
                    }
                }
            }
        }
    }

    private func end(_ error: any Error) {
        state.withLock { state in
            guard state.failure == nil else { return }
            state.failure = error
            state.starting?.resume(throwing: error)
            state.starting = nil
            for question in state.open.values { question.waiter.resume(throwing: error) }
            state.open = [:]
        }
    }
}

// MARK: Requests

extension SFTPClient {
    private static func bytes(_ path: [UInt8]) -> ByteBuffer { ByteBuffer(bytes: path) }

    /// Waits for a status.
    private func perform(_ request: SFTPRequest) async throws {
        guard case .status(let status) = try await check(request) else { throw strange(request) }
        if status.code != .ok { throw status }
    }

    /// The answer, if it is no failure.
    private func check(_ request: SFTPRequest) async throws -> SFTPReply {
        let reply = try await ask(request)
        if case .status(let status) = reply, status.code != .ok { throw status }
        return reply
    }

    private func strange(_ request: SFTPRequest) -> SFTPStatus {
        SFTPStatus(.badMessage, message: "not an answer to \(request.name)")
    }

    private func attributes(_ request: SFTPRequest) async throws -> SFTPAttributes {
        guard case .attributes(let attributes) = try await check(request) else { throw strange(request) }
        return attributes
    }

    private func path(_ request: SFTPRequest) async throws -> [UInt8] {
        guard case .names(let names) = try await check(request), let name = names.first else { throw strange(request) }
        return Array(name.name.readableBytesView)
    }

    /// What a path stands for; links are followed.
    public func stat(_ path: [UInt8]) async throws -> SFTPAttributes {
        try await attributes(.stat(path: Self.bytes(path)))
    }

    /// What a path stands for, be it a link.
    public func lstat(_ path: [UInt8]) async throws -> SFTPAttributes {
        try await attributes(.lstat(path: Self.bytes(path)))
    }

    public func setAttributes(_ attributes: SFTPAttributes, of path: [UInt8]) async throws {
        try await perform(.setstat(path: Self.bytes(path), attributes))
    }

    public func makeDirectory(_ path: [UInt8], _ attributes: SFTPAttributes = SFTPAttributes()) async throws {
        try await perform(.mkdir(path: Self.bytes(path), attributes))
    }

    public func removeDirectory(_ path: [UInt8]) async throws { try await perform(.rmdir(path: Self.bytes(path))) }

    public func remove(_ path: [UInt8]) async throws { try await perform(.remove(path: Self.bytes(path))) }

    /// Renames, over an existing file where the server knows how to (`posix-rename@openssh.com`).
    public func rename(_ path: [UInt8], to new: [UInt8]) async throws {
        guard server.has(.posixRename) else {
            return try await perform(.rename(from: Self.bytes(path), to: Self.bytes(new)))
        }
        try await perform(
            .posixRename(from: Self.bytes(path), to: Self.bytes(new)))
    }

    /// Gives a file another name (`hardlink@openssh.com`).
    public func hardlink(_ path: [UInt8], to new: [UInt8]) async throws {
        try await perform(
            .extended(.hardlink) { fields in
                fields.writeSSHString(path)
                fields.writeSSHString(new)
            })
    }

    /// Makes a symbolic link at `path`.
    public func symlink(to target: [UInt8], at path: [UInt8]) async throws {
        try await perform(.symlink(target: Self.bytes(target), path: Self.bytes(path)))
    }

    public func readlink(_ path: [UInt8]) async throws -> [UInt8] {
        try await self.path(.readlink(path: Self.bytes(path)))
    }

    /// The path from the root, links resolved.
    public func realpath(_ path: [UInt8]) async throws -> [UInt8] {
        try await self.path(.realpath(path: Self.bytes(path)))
    }

    /// The path with `~` and `~user` expanded (`expand-path@openssh.com`).
    public func expandPath(_ path: [UInt8]) async throws -> [UInt8] {
        try await self.path(.extended(.expandPath) { $0.writeSSHString(path) })
    }

    /// The entries of a directory, `.` and `..` among them if the server lists those.
    public func list(_ path: [UInt8]) async throws -> [SFTPName] {
        let request = SFTPRequest.opendir(path: Self.bytes(path))
        guard case .handle(let handle) = try await check(request) else { throw strange(request) }
        var entries: [SFTPName] = []
        do {
            while case .names(let more) = try await check(.readdir(handle: handle)), !more.isEmpty { entries += more }
        } catch let status as SFTPStatus where status.code == .endOfFile {
        } catch {
            try? await close(handle)
            throw error
        }
        try await close(handle)
        return entries
    }

    public func list(_ path: String) async throws -> [SFTPName] { try await list(Array(path.utf8)) }

    /// Opens a file; ``close(_:)`` the handle.
    public func open(
        _ path: [UInt8], _ flags: SFTPOpenFlags, _ attributes: SFTPAttributes = SFTPAttributes()
    ) async throws -> ByteBuffer {
        let request = SFTPRequest.open(path: Self.bytes(path), flags: flags, attributes)
        guard case .handle(let handle) = try await check(request) else { throw strange(request) }
        return handle
    }

    public func close(_ handle: ByteBuffer) async throws { try await perform(.close(handle: handle)) }

    /// Reads up to `length` bytes; nil at the end of the file.
    public func read(_ handle: ByteBuffer, at offset: UInt64, length: Int) async throws -> ByteBuffer? {
        let request = SFTPRequest.read(handle: handle, offset: offset, length: UInt32(clamping: length))
        do {
            guard case .data(let data) = try await check(request) else { throw strange(request) }
            return data.readableBytes > 0 ? data : nil
        } catch let status as SFTPStatus where status.code == .endOfFile {
            return nil
        }
    }

    /// Writes all readable bytes; no more than the server's limit for a WRITE.
    public func write(_ handle: ByteBuffer, at offset: UInt64, _ data: ByteBuffer) async throws {
        try await perform(.write(handle: handle, offset: offset, data: data))
    }

    public func setAttributes(_ attributes: SFTPAttributes, ofOpen handle: ByteBuffer) async throws {
        try await perform(.fsetstat(handle: handle, attributes))
    }

    /// Waits until a file is on the server's disk (`fsync@openssh.com`).
    public func synchronize(_ handle: ByteBuffer) async throws {
        try await perform(.fsync(handle: handle))
    }
}

// MARK: More of OpenSSH's extensions (PROTOCOL sections 4.4 to 4.13)

extension SFTPClient {
    /// Sets attributes of a symbolic link itself (`lsetstat@openssh.com`).
    public func setAttributes(_ attributes: SFTPAttributes, ofLink path: [UInt8]) async throws {
        var encoder = FieldEncoder(ByteBuffer())
        encoder.buffer.writeSSHString(path)
        var copy = attributes
        try copy.code(&encoder)
        let fields = encoder.buffer
        try await perform(.extended(.lsetstat) { $0.writeImmutableBuffer(fields) })
    }

    /// Lets the server copy within or between its own files (`copy-data`).
    ///
    /// - Parameter count: how many bytes; 0 for all up to the end.
    public func copyData(
        from source: ByteBuffer, at offset: UInt64 = 0, count: UInt64 = 0, to target: ByteBuffer,
        at targetOffset: UInt64 = 0
    ) async throws {
        try await perform(
            .extended(.copyData) { fields in
                fields.writeSSHString(source)
                fields.writeInteger(offset)
                fields.writeInteger(count)
                fields.writeSSHString(target)
                fields.writeInteger(targetOffset)
            })
    }

    /// A user's home directory (`home-directory`).
    public func homeDirectory(of user: String) async throws -> [UInt8] {
        try await path(.extended(.homeDirectory) { $0.writeSSHString(user) })
    }

    /// How much room there is where a path leads (`statvfs@openssh.com`).
    public func fileSystem(at path: [UInt8]) async throws -> SFTPFileSystem {
        let request = SFTPRequest.extended(.statvfs) { $0.writeSSHString(path) }
        guard case .extended(let fields) = try await check(request), let status = SFTPFileSystem(fields: fields) else {
            throw strange(request)
        }
        return status
    }

    /// The names of users and groups by their numbers (`users-groups-by-id@openssh.com`); an empty one where there is
    /// none.
    public func names(users: [UInt32], groups: [UInt32]) async throws -> (users: [String], groups: [String]) {
        let request = SFTPRequest.extended(.usersGroupsByID) { fields in
            fields.writeSSHString { for user in users { $0.writeInteger(user) } }
            fields.writeSSHString { for group in groups { $0.writeInteger(group) } }
        }
        guard case .extended(var fields) = try await check(request) else { throw strange(request) }
        func list(_ count: Int) throws(WireError) -> [String] {
            var rest = try fields.readSSHString("names")
            var names: [String] = []
            while rest.readableBytes > 0, names.count < count {
                names.append(String(buffer: try rest.readSSHString("name")))
            }
            return names
        }
        do throws(WireError) {
            return (try list(users.count), try list(groups.count))
        } catch {
            throw SFTPError.malformed(packet: "answer to users-groups-by-id", error)
        }
    }
}

/// A file system's size and room (statvfs(3), in OpenSSH's order).
public struct SFTPFileSystem: Equatable, Sendable {
    /// In bytes.
    public var blockSize: UInt64
    /// The unit of the counts of blocks, in bytes.
    public var fragmentSize: UInt64
    public var blocks: UInt64
    public var freeBlocks: UInt64
    /// For others than the superuser.
    public var availableBlocks: UInt64
    public var files: UInt64
    public var freeFiles: UInt64
    public var availableFiles: UInt64
    public var identifier: UInt64
    /// 1: read-only; 2: set-id bits have no effect.
    public var flags: UInt64
    /// In bytes.
    public var longestName: UInt64

    init?(fields: ByteBuffer) {
        var fields = fields
        var numbers: [UInt64] = []
        while let number = fields.readInteger(as: UInt64.self) { numbers.append(number) }
        guard numbers.count == 11 else { return nil }
        (blockSize, fragmentSize, blocks, freeBlocks) = (numbers[0], numbers[1], numbers[2], numbers[3])
        (availableBlocks, files, freeFiles, availableFiles) = (numbers[4], numbers[5], numbers[6], numbers[7])
        (identifier, flags, longestName) = (numbers[8], numbers[9], numbers[10])
    }
}

extension SFTPRequest {
    /// A request of OpenSSH's.
    package static func extended(_ name: SFTPExtension, _ fill: (inout ByteBuffer) -> Void) -> SFTPRequest {
        var fields = ByteBuffer()
        fill(&fields)
        return .extended(name: name.rawValue, fields: fields)
    }

    /// Renames, over an existing file too (`posix-rename@openssh.com`).
    package static func posixRename(from path: ByteBuffer, to new: ByteBuffer) -> SFTPRequest {
        .extended(.posixRename) { fields in
            fields.writeSSHString(path)
            fields.writeSSHString(new)
        }
    }

    /// Is answered when a file is on the server's disk (`fsync@openssh.com`).
    package static func fsync(handle: ByteBuffer) -> SFTPRequest {
        .extended(.fsync) { $0.writeSSHString(handle) }
    }
}
