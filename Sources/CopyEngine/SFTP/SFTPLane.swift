import Files
import NIOCore
import SFTP
import SSHWire

/// An SFTP session on a channel of its own: operations are submitted, each with what is to be done when it is completed.
///
/// All lanes of a copy are used by one actor, so that a completion changes the copy's state without a lock.
final class SFTPLane: CopyLane {
    /// What a READ is answered with.
    enum Part {
        /// Bytes, `position` bytes into what was asked for.
        case data(ByteBuffer, position: Int, isLast: Bool)
        case status(SFTPStatus)
    }

    /// What comes of the attempt to open a file or directory.
    enum Opened {
        case handle(ByteBuffer)
        case refused(SFTPStatus)
        /// It may be opened when fewer are: the server may hold no more at a time, and not say so.
        case later
    }

    enum Tag {
        case reply((SFTPReply) -> Void)
        case read((Part) -> Void, FlowMeasure.Mark)
        case question(Int)
    }

    let stream: any ByteStream
    /// The connection it is on.
    let connection: SFTPConnection
    private(set) var session = SFTPSession<Tag>()
    /// The way to the server, by measure.
    private(set) var roundTrip = Duration.seconds(3600)
    /// Parts of files of which more is to be asked for, or sent.
    var ready = CircularBuffer<SFTPPart>()
    /// READs and WRITEs that are not answered.
    private(set) var unansweredBlocks = 0
    /// Handles the server holds for us, or is asked for.
    private(set) var openHandles = 0
    /// What the server turned out not to do as it should.
    private(set) var fault: ServerFault?
    /// Files that a fault may have put wrong bytes into.
    private(set) var suspects: [BytePath] = []
    /// Set while a task waits for room in the stream.
    private(set) var isFlushing = false
    /// Answers are waited for and change nothing.
    private var drains = false
    /// Resumed when there is something to be waited for.
    private var idle: CheckedContinuation<Void, Never>?

    private var handles = HandleTable()
    private var heldHandles = 0
    /// So many handles the server has held at a time.
    private var provenHandles = 1
    private var handleLimit = Int.max
    private var pool = BlockPool()
    /// The round trip that is being timed: since when, and with how many requests answered it is over.
    private var timed: (since: ContinuousClock.Instant, answers: Int)?
    /// Requests the stream has.
    private var flushed = 0
    private var answered: Int { session.requestsMade - session.unanswered }

    /// - Parameter holdsOneHandle: the server is known to mix up handles when it holds several.
    init(
        stream: any ByteStream, on connection: SFTPConnection, holdsOneHandle: Bool, trace: ((String) -> Void)?
    ) {
        self.stream = stream
        self.connection = connection
        session.trace = trace
        if holdsOneHandle { handleLimit = 1 }
    }

    /// Whether the server is known to be near. What is on the way to a near one is soon no longer on the way but in its queue;
    /// a far one is kept busy by nothing else.
    var isNear: Bool { roundTrip < .milliseconds(5) }

    /// Whether a full block waits for the stream.
    var isFull: Bool { session.output.readableBytes >= BlockPool.blockSize }

    /// Whether more bytes may be asked for or sent, of what the lanes of the connection have under way together.
    var hasRoom: Bool { connection.flow.room > 0 }

    var window: Int { connection.flow.target }

    var hasOutput: Bool { session.output.readableBytes > 0 }

    var server: SFTPServerAbilities { session.server }

    /// Handles that may be open at a time: as many as the server says or has shown.
    func mayOpen(atMost limit: Int) -> Bool { openHandles < min(limit, handleLimit) }

    /// Whether one more file may be opened on it now.
    func takesFile(_ limit: Int) -> Bool { !isFull && mayOpen(atMost: limit) }

    var holdsFewHandles: Bool { handleLimit < .max }

    // MARK: Operations

    func submit(_ request: SFTPRequest, _ completion: @escaping (SFTPReply) -> Void) {
        session.send(request, .reply(completion))
    }

    /// Submits a request whose answer tells no more than whether it was carried out.
    func submit(_ request: SFTPRequest, status completion: @escaping (SFTPStatus) -> Void) {
        session.send(
            request,
            .reply { reply in
                if case .status(let status) = reply { return completion(status) }
                completion(SFTPStatus(.badMessage))
            })
    }

    func read(_ part: SFTPPart, at offset: Int64, length: Int, _ completion: @escaping (Part) -> Void) {
        session.send(
            .read(handle: part.handle, offset: UInt64(offset), length: UInt32(length)),
            .read(completion, asked(length)))
    }

    private func asked(_ count: Int) -> FlowMeasure.Mark {
        unansweredBlocks += 1
        return connection.flow.ask(for: count, at: .now)
    }

    private func answered(_ mark: FlowMeasure.Mark, bytes: Int? = nil) {
        unansweredBlocks -= 1
        connection.flow.answer(mark, bytes: bytes, at: .now)
        connection.delivered += bytes ?? mark.bytes
    }

    /// Submits a WRITE whose data is put straight into the output.
    ///
    /// - Returns: how many bytes that were; 0 if there were none, and nothing is sent.
    func write<E: Error>(
        _ part: SFTPPart, at offset: Int64, fill: (inout ByteBuffer) throws(E) -> Int,
        _ completion: @escaping (Int, SFTPStatus) -> Void
    ) throws(E) -> Int {
        try session.write(
            handle: part.handle, offset: UInt64(offset),
            tag: { count in
                let mark = asked(count)
                return .reply { [unowned self] reply in
                    answered(mark)
                    if case .status(let status) = reply { return completion(count, status) }
                    completion(count, SFTPStatus(.badMessage))
                }
            }, fill: fill)
    }

    /// Opens a file (OPEN) or a directory (OPENDIR).
    ///
    /// - Parameters:
    ///   - path: where the file comes from at the source, to be copied again if the handle turns out to be another file's.
    func open(
        _ request: SFTPRequest, for path: BytePath, _ completion: @escaping (Opened) -> Void
    ) {
        openHandles += 1
        let (number, handles) = (session.requestsMade, openHandles)
        submit(request) { [unowned self] reply in
            switch reply {
            case .handle(let handle): opened(handle, number, path, completion)
            case .status(let status): refused(status, handles, completion)
            default: refused(SFTPStatus(.badMessage), handles, completion)
            }
        }
    }

    private func opened(
        _ handle: ByteBuffer, _ number: Int, _ path: BytePath, _ completion: (Opened) -> Void
    ) {
        heldHandles += 1
        provenHandles = max(provenHandles, heldHandles)
        if let other = handles.opened(handle, by: number, for: path) {
            fault = fault ?? .repeatedHandle
            suspects += [path, other]
        }
        completion(.handle(handle))
    }

    /// - Parameter handles: so many the server may have held, this one included.
    private func refused(_ status: SFTPStatus, _ handles: Int, _ completion: (Opened) -> Void) {
        openHandles -= 1
        if Self.mayMeanTooMany(status.code), handles > provenHandles {
            handleLimit = min(handleLimit, provenHandles)
            return completion(.later)
        }
        // One that is refused among few shows that the reason may be another with many too.
        if handleLimit < .max, Self.mayMeanTooMany(status.code) { handleLimit += max(1, handleLimit / 2) }
        completion(.refused(status))
    }

    /// Version 3 has no code for too many open handles; most servers say no more than that it failed.
    private static func mayMeanTooMany(_ code: SFTPStatusCode) -> Bool {
        code != .noSuchFile && code != .permissionDenied && code != .unsupported
    }

    func close(_ handle: ByteBuffer, _ completion: @escaping (SFTPStatus) -> Void = { _ in }) {
        handles.closed(handle, by: session.requestsMade)
        heldHandles -= 1
        submit(.close(handle: handle)) { [unowned self] (status: SFTPStatus) in
            openHandles -= 1
            completion(status)
        }
    }

    /// Notes a fault that an answer has shown.
    func note(_ fault: ServerFault, _ suspect: BytePath) {
        self.fault = self.fault ?? fault
        suspects.append(suspect)
    }

    // MARK: The stream

    func flush() async throws {
        guard !isFlushing, hasOutput else { return }
        isFlushing = true
        defer { isFlushing = false }
        while hasOutput {
            let block = session.output
            session.output = ByteBuffer()
            pool.remember(block)
            if answered >= flushed { timed = (.now, answered + 1) }
            flushed = session.requestsMade
            wake()
            try await stream.write(block)
            if session.output.capacity == 0 { session.output = pool.take() }
        }
    }

    /// - Throws: `SFTPError`, what ended the stream, or ``ServerFault``.
    func receive(isOver: () -> Bool) async throws -> Bool {
        while session.hasStarted, flushed <= answered {
            if isOver() { return false }
            await withCheckedContinuation { idle = $0 }
        }
        if isOver(), !drains { return false }
        try await receiveBatch()
        while fault == nil || drains, let event = try next() {
            if !isOver() { complete(event) }
        }
        if let fault, !drains { throw fault }
        return true
    }

    /// What is under way changes nothing any more, but is waited for, so that nothing is written later.
    func drain() {
        drains = true
        wake()
    }

    private func receiveBatch() async throws {
        guard let bytes = try await stream.read() else {
            try session.receiveEnd()
            throw SFTPError.ended
        }
        session.receive(bytes)
    }

    /// All that counts is confirmed: whether the server hears the rest changes nothing.
    func finish(_ scheduler: Scheduler) async {
        try? await flush()
        try? await stream.finishWriting()
    }

    func wake() {
        idle?.resume()
        idle = nil
    }

    private func complete(_ event: SFTPSession<Tag>.Event) {
        switch event {
        case .reply(.reply(let completion), let reply): completion(reply)
        case .reply(.read(let completion, let mark), let reply):
            answered(mark, bytes: 0)
            if case .status(let status) = reply { return completion(.status(status)) }
            completion(.status(SFTPStatus(.badMessage)))
        case .data(.read(let completion, let mark), let bytes, let position, let isLast):
            if isLast { answered(mark, bytes: position + bytes.readableBytes) }
            completion(.data(bytes, position: position, isLast: isLast))
        case .started, .reply, .data: break
        }
    }

    private func next() throws(SFTPError) -> SFTPSession<Tag>.Event? {
        let event = try session.next()
        if let timed, answered >= timed.answers {
            roundTrip = min(roundTrip, .now - timed.since)
            self.timed = nil
        }
        return event
    }

    func abandon(after error: any Error) async {
        do {
            try await stream.finishWriting()
            // A server that serves one session at a time has no other before this one is over.
            while error is ServerFault, try await stream.read() != nil {}
        } catch {
            // The stream is gone, and with it what was under way.
        }
        // What waits for answers, or for its turn, holds files and directories open and this lane too.
        session = SFTPSession()
        ready = []
    }
}

// Questions before a copy begins, or between two of its steps: sent together, and waited for.
extension SFTPLane {
    func ask(_ requests: [SFTPRequest]) async throws -> [SFTPReply] {
        for (index, request) in requests.enumerated() { session.send(request, .question(index)) }
        var replies: [Int: SFTPReply] = [:]
        try await flush()
        while replies.count < requests.count {
            while let event = try next() {
                if case .reply(.question(let index), let reply) = event {
                    replies[index] = reply
                } else {
                    complete(event)
                }
            }
            if replies.count < requests.count { try await receiveBatch() }
        }
        return requests.indices.compactMap { replies[$0] }
    }

    func ask(_ request: SFTPRequest) async throws -> SFTPReply {
        try await ask([request]).first ?? .status(SFTPStatus(.badMessage))
    }

    /// Waits for the server's first packet.
    func start() async throws {
        try await flush()
        while !session.hasStarted {
            if let event = try next() { complete(event) } else { try await receiveBatch() }
        }
    }

    /// A path as the server understands it.
    ///
    /// - Throws: ``CopyError`` for a `~user` that means nothing to the server.
    func expand(_ path: BytePath, _ end: CopyError.End) async throws -> BytePath {
        if let plain = path.withoutTilde { return plain }
        try await start()
        guard server.has(.expandPath) else { throw CopyError(path, end, .tildeNotUnderstood) }
        var fields = ByteBuffer()
        fields.writeSSHString(path.bytes)
        switch try await ask(.extended(name: SFTPExtension.expandPath.rawValue, fields: fields)) {
        case .names(let names):
            guard let name = names.first else { break }
            return BytePath(Array(name.name.readableBytesView))
        case .status(let status): throw CopyError(path, end, .status(status))
        default: break
        }
        throw CopyError(path, end, .status(SFTPStatus(.badMessage)))
    }
}

/// The handles of a session, to notice one that is given out although it is open.
private struct HandleTable {
    private struct Entry {
        let path: BytePath
        /// The number of the request that closed it.
        var closed: Int?
    }

    /// Closed handles that are remembered: more than OPENs can be on the way.
    private static let closedLimit = 4096

    private var entries: [ByteBuffer: Entry] = [:]
    private var closed = CircularBuffer<(handle: ByteBuffer, request: Int)>()

    /// - Parameter request: the number of the request that opened it.
    /// - Returns: the file that has the handle already: it was open when the server carried out the request.
    mutating func opened(_ handle: ByteBuffer, by request: Int, for path: BytePath) -> BytePath? {
        let other = entries.updateValue(Entry(path: path), forKey: handle)
        guard let other, other.closed.map({ $0 > request }) ?? true else { return nil }
        return other.path
    }

    mutating func closed(_ handle: ByteBuffer, by request: Int) {
        entries[handle]?.closed = request
        closed.append((handle, request))
        guard closed.count > Self.closedLimit, let oldest = closed.popFirst() else { return }
        if entries[oldest.handle]?.closed == oldest.request { entries[oldest.handle] = nil }
    }
}

extension SFTPReply {
    /// The path that a question for one path is answered with.
    var path: BytePath? {
        guard case .names(let names) = self, let name = names.first else { return nil }
        return BytePath(Array(name.name.readableBytesView))
    }
}

extension BytePath {
    private static let tilde = UInt8(ascii: "~")

    /// What a path means to a server, whose idea of a relative path is one below the user's home directory.
    ///
    /// Nil where the server must be asked: `~user`.
    var withoutTilde: BytePath? {
        guard bytes.first == Self.tilde else { return bytes.isEmpty ? "." : self }
        let rest = bytes.dropFirst()
        guard rest.isEmpty || rest.first == UInt8(ascii: "/") else { return nil }
        let relative = Array(rest.drop { $0 == UInt8(ascii: "/") })
        return relative.isEmpty ? "." : BytePath(relative)
    }

    var buffer: ByteBuffer { ByteBuffer(bytes: bytes) }
}
