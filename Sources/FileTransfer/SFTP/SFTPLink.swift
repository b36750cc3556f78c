import NIOCore
import SFTP
import SSHWire

/// An SFTP session on its stream, for a transfer that sends many requests before it waits.
struct SFTPLink<Tag> {
    let stream: any ByteStream
    var session = SFTPSession<Tag>()
    /// The shortest time an answer has taken: what a round trip costs at least.
    private(set) var roundTrip = Duration.seconds(3600)

    private var pool = BlockPool()
    /// When the oldest unanswered request was sent, if nothing else was unanswered then.
    private var asked: ContinuousClock.Instant?
    private var wasIdle = true

    init(stream: any ByteStream, observer: any TransferObserver) {
        self.stream = stream
        if observer.wantsTrace { session.trace = { observer.trace($0) } }
    }

    /// Hands what is to be sent to the stream, which takes it at once unless its buffer is full.
    mutating func flush() async throws {
        guard session.output.readableBytes > 0 else { return }
        let block = session.output
        session.output = ByteBuffer()
        pool.remember(block)
        if wasIdle, session.hasStarted { asked = .now }
        wasIdle = false
        try await stream.write(block)
        session.output = pool.take()
    }

    /// Waits for more bytes of the server's.
    ///
    /// - Throws: `SFTPError` if there will be none, as when nothing was asked.
    mutating func wait() async throws {
        guard session.unanswered > 0 || !session.hasStarted else { throw SFTPError.nothingAsked }
        guard let bytes = try await stream.read() else {
            try session.receiveEnd()
            throw SFTPError.ended
        }
        if let asked {
            roundTrip = min(roundTrip, .now - asked)
            self.asked = nil
        }
        session.receive(bytes)
    }

    /// The next event; nil until more bytes come.
    mutating func next() throws(SFTPError) -> SFTPSession<Tag>.Event? {
        let event = try session.next()
        if event == nil, session.unanswered == 0 { wasIdle = true }
        return event
    }
}

extension SFTPLink {
    /// Sends requests together and waits for their answers, while no others are under way.
    ///
    /// - Parameter tag: makes the tag of the request with this index.
    mutating func ask(_ requests: [SFTPRequest], tag: (Int) -> Tag, index: (Tag) -> Int?) async throws -> [SFTPReply] {
        for (index, request) in requests.enumerated() { session.send(request, tag(index)) }
        try await flush()
        var replies: [Int: SFTPReply] = [:]
        while replies.count < requests.count {
            while let event = try next() {
                if case .reply(let tag, let reply) = event, let index = index(tag) { replies[index] = reply }
            }
            if replies.count < requests.count { try await wait() }
        }
        return requests.indices.compactMap { replies[$0] }
    }
}
