import Files
import NIOCore
import SFTP
import SSHWire

/// An SFTP session on its stream, for a transfer that sends many requests before it waits.
struct SFTPLink<Tag> {
    let stream: any ByteStream
    var session = SFTPSession<Tag>()
    /// The shortest time from requests to the first of their answers, as long as nothing else was on its way.
    private var roundTrip = Duration.seconds(3600)

    private var pool = BlockPool()
    /// The round trip that is being timed: since when, and with how many requests answered it is over.
    private var timed: (since: ContinuousClock.Instant, answers: Int)?
    /// Requests the stream has.
    private var flushed = 0
    private var answered: Int { session.requestsMade - session.unanswered }

    /// Whether the server is known to be near. What is on the way to a near one is soon no longer on the way but in its queue; a far one
    /// is kept busy by nothing else.
    var isNear: Bool { roundTrip < .milliseconds(5) }

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
        if answered >= flushed { timed = (.now, answered + 1) }
        flushed = session.requestsMade
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
        session.receive(bytes)
    }

    /// The next event; nil until more bytes come.
    mutating func next() throws(SFTPError) -> SFTPSession<Tag>.Event? {
        let event = try session.next()
        if let timed, answered >= timed.answers {
            roundTrip = min(roundTrip, .now - timed.since)
            self.timed = nil
        }
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
