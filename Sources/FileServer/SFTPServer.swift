import Files
import NIOCore
import SFTP
import SSHWire

/// Serves files by SFTP, version 3 with OpenSSH's extensions (draft-ietf-secsh-filexfer-02, PROTOCOL section 4).
///
/// ```swift
/// let server = SFTPServer(files: try DirectoryRoot(path: Array("/srv/files".utf8)))
/// try await DiskExecutor.run { try await server.serve(stream) }
/// ```
///
/// Requests are answered in the client's order. What is held of them is bounded: no more is read from the stream until
/// all that came is answered and the stream has taken the answers.
public final class SFTPServer: Sendable {
    public struct Options: Sendable {
        /// Refuses every change, whatever the files would allow.
        public var isReadOnly = false
        /// The most files and directories a session may have open; what the process may open bounds it too.
        public var openHandles = 1000

        public init(isReadOnly: Bool = false, openHandles: Int = 1000) {
            self.isReadOnly = isReadOnly
            self.openHandles = openHandles
        }
    }

    private let files: any FileSystem
    private let home: [UInt8]
    private let options: Options
    private let observer: any ServedTransferObserver

    /// - Parameter home: where relative paths begin, as a path below the root of `files`.
    public init(
        files: any FileSystem, home: [UInt8] = [UInt8(ascii: "/")], options: Options = Options(),
        observer: any ServedTransferObserver = SilentServedTransferObserver()
    ) {
        self.files = files
        self.home = home
        self.options = options
        self.observer = observer
    }

    /// Serves a session until its client's end of data. Files it left open are closed.
    ///
    /// Blocks its thread on the disk: run it where that is allowed, as with `DiskExecutor.run`.
    ///
    /// - Throws: `SFTPError` for what is no SFTP, `CancellationError`, or what ended the stream.
    public func serve(_ stream: any ByteStream) async throws {
        var serving = SFTPServing(
            files: files, home: home, options: options, observer: observer, stream: stream)
        do {
            try await serving.run()
            serving.handles.closeAll(observer)
        } catch {
            serving.handles.closeAll(observer)
            throw error
        }
    }
}

/// A session that is being served.
struct SFTPServing {
    /// A WRITE whose data is coming.
    struct PendingWrite {
        var id: UInt32
        var file: SFTPOpenFile?
        var offset: Int64
        var failure: SFTPStatus?
    }

    let files: any FileSystem
    let home: [UInt8]
    let options: SFTPServer.Options
    let observer: any ServedTransferObserver
    let stream: any ByteStream
    var session: SFTPServerSession
    var handles: SFTPServerHandles
    var accounts = AccountNames()
    /// For what passes through memory on its way from a file.
    var scratch = ByteBuffer()
    var turn = Turn()
    private var pool = BlockPool()
    private var pendingWrite: PendingWrite?

    init(
        files: any FileSystem, home: [UInt8], options: SFTPServer.Options,
        observer: any ServedTransferObserver, stream: any ByteStream
    ) {
        (self.files, self.home, self.options, self.observer) = (files, home, options, observer)
        self.stream = stream
        session = SFTPServerSession(
            extensions: SFTPExtension.allCases.filter { !options.isReadOnly || !$0.isChange })
        handles = SFTPServerHandles(limit: options.openHandles)
    }

    mutating func run() async throws {
        while let bytes = try await stream.read() {
            session.receive(bytes)
            do {
                while let event = try session.next() {
                    try await turn.pass()
                    try await makeRoom(for: event)
                    try await answer(event)
                }
            } catch {
                // What came before is answered nonetheless.
                try await flush()
                throw error
            }
            try await flush()
        }
        try session.receiveEnd()
    }

    /// Sends what is ready if the next answer would not fit into the same block.
    private mutating func makeRoom(for event: SFTPServerSession.Event) async throws {
        guard case .request(_, let request) = event else { return }
        let answer =
            switch request {
            case .read(_, _, let length):
                SFTPServerSession.dataHeaderLength + min(Int(length), SFTPServerSession.maximumDataLength)
            case .readdir, .extended: 64 * 1024
            default: 1024
            }
        if session.output.readableBytes > 0, session.output.readableBytes + answer > BlockPool.blockSize {
            try await flush()
        }
        // The first block, too, comes of the pool.
        if session.output.capacity < answer { takeBlock() }
    }

    private mutating func takeBlock() {
        var block = pool.take()
        block.writeImmutableBuffer(session.output)
        session.output = block
    }

    private mutating func flush() async throws {
        guard session.output.readableBytes > 0 else { return }
        let block = session.output
        session.output = ByteBuffer()
        pool.remember(block)
        try await stream.write(block)
        session.output = pool.take()
    }

    /// Between two pieces of a long answer: other sessions have their turn on this thread.
    ///
    /// - Throws: `CancellationError`, or an `SFTPStatus` if nobody waits for the answer any more.
    func pause() async throws {
        try Task.checkCancellation()
        await Task.yield()
        do { try stream.checkOpen() } catch { throw SFTPStatus(.connectionLost) }
    }

    // MARK: Requests

    /// - Throws: `CancellationError` alone; what goes wrong with a request is its answer.
    private mutating func answer(_ event: SFTPServerSession.Event) async throws {
        switch event {
        case .write(let id, let handle, let offset, let count): beginWrite(id, handle, offset, count)
        case .data(let bytes, let isLast): write(bytes, isLast: isLast)
        case .request(let id, let request):
            do {
                if options.isReadOnly, request.isChange { throw FileError.Cause.readOnly }
                try await answer(id, request)
            } catch let status as SFTPStatus {
                session.sendStatus(id, status)
            } catch let error as FileError.Cause {
                refuse(request, error)
                session.sendStatus(id, SFTPStatus(error))
            } catch let error as WireError {
                session.sendStatus(id, SFTPStatus(.badMessage, message: error.description))
            }
        }
    }

    private func refuse(_ request: SFTPRequest, _ error: FileError.Cause) {
        guard error.isRefusal else { return }
        let operation: String =
            if case .extended(let name, _) = request { name } else { String(request.name.dropFirst(8)).lowercased() }
        observer.refused(
            ServedRefusal(
                operation: operation, path: request.path.map { Array($0.readableBytesView) } ?? [],
                reason: error.description))
    }

    // MARK: Writing

    private mutating func beginWrite(_ id: UInt32, _ handle: ByteBuffer, _ offset: UInt64, _ count: Int) {
        var pending = PendingWrite(id: id, offset: 0)
        if options.isReadOnly {
            pending.failure = SFTPStatus(FileError.Cause.readOnly)
        } else if let file = handles.file(handle) {
            if let start = Int64(exactly: offset), start <= Int64.max - Int64(count) {
                pending.file = file
                pending.offset = start
            } else {
                pending.failure = .outOfRange
            }
        } else {
            pending.failure = .invalidHandle
        }
        pendingWrite = pending
    }

    private mutating func write(_ bytes: ByteBuffer, isLast: Bool) {
        guard let pending = pendingWrite else { return }
        var failure = pending.failure
        if failure == nil, let file = pending.file, bytes.readableBytes > 0 {
            do throws(FileError.Cause) {
                try file.write(bytes, at: pending.offset)
                pendingWrite?.offset += Int64(bytes.readableBytes)
            } catch {
                failure = SFTPStatus(error)
                pendingWrite?.failure = failure
            }
        }
        guard isLast else { return }
        pendingWrite = nil
        if let failure { session.sendStatus(pending.id, failure) } else { session.sendStatus(pending.id, .ok) }
    }
}
