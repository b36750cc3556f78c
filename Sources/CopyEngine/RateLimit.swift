import NIOCore
import SSHWire
import Synchronization

/// How much the streams of a copy carry at most, each way (`scp -l`, `--bwlimit`).
///
/// One limit is shared by all streams it is given to. Bytes pass in small portions at even distances, so that the rate
/// is held at any moment and not on average alone.
public final class RateLimit: Sendable {
    fileprivate enum Way {
        case reading
        case writing
    }

    private let bytesPerSecond: Double
    /// Bytes that pass at a time.
    fileprivate let portion: Int
    /// When the next portion may pass: what was read, what is written.
    private let due = Mutex((reading: ContinuousClock.now, writing: ContinuousClock.now))

    /// What a pause that took too long may be made up for by, without a burst anybody would notice.
    private static let leeway = Duration.milliseconds(100)

    /// - Parameter kilobitsPerSecond: in units of 1,024 bits, as scp(1) counts them.
    public convenience init(kilobitsPerSecond: Int) {
        self.init(bytesPerSecond: max(1, min(kilobitsPerSecond, .max / 128)) * 128)
    }

    public init(bytesPerSecond: Int) {
        self.bytesPerSecond = Double(max(1, bytesPerSecond))
        portion = max(128, min(64 * 1024, Int(self.bytesPerSecond / 20)))
    }

    /// Bytes that should be on the way at most, so that they do not come faster than they may: half a second's.
    public var bytesUnderWay: Int { max(1024, Int(min(bytesPerSecond / 2, Double(1 << 30)))) }

    /// The same stream, held to this limit.
    public func limiting(_ stream: any ByteStream) -> any ByteStream { LimitedStream(stream, self) }

    /// Waits until `count` bytes may pass.
    ///
    /// - Throws: CancellationError.
    fileprivate func pass(_ count: Int, _ way: Way) async throws {
        let cost = Duration.seconds(Double(count) / bytesPerSecond)
        let start = due.withLock { due in
            let earliest = ContinuousClock.now - Self.leeway
            switch way {
            case .reading:
                due.reading = max(due.reading, earliest) + cost
                return due.reading
            case .writing:
                due.writing = max(due.writing, earliest) + cost
                return due.writing
            }
        }
        if start > .now { try await Task.sleep(until: start, clock: .continuous) }
    }
}

private final class LimitedStream: ByteStream {
    private let base: any ByteStream
    private let limit: RateLimit
    /// What has come and may not pass yet.
    private let unread = Mutex(ByteBuffer())

    init(_ base: any ByteStream, _ limit: RateLimit) {
        self.base = base
        self.limit = limit
    }

    func read() async throws -> ByteBuffer? {
        var portion = takePortion()
        if portion == nil {
            guard let bytes = try await base.read() else { return nil }
            unread.withLock { $0 = bytes }
            portion = takePortion() ?? bytes
        }
        if let portion { try await limit.pass(portion.readableBytes, .reading) }
        return portion
    }

    private func takePortion() -> ByteBuffer? {
        unread.withLock { unread in
            let count = min(limit.portion, unread.readableBytes)
            return count > 0 ? unread.readSlice(length: count) : nil
        }
    }

    func write(_ bytes: ByteBuffer) async throws {
        var rest = bytes
        while let portion = rest.readSlice(length: min(limit.portion, rest.readableBytes)), portion.readableBytes > 0 {
            try await limit.pass(portion.readableBytes, .writing)
            try await base.write(portion)
        }
    }

    func finishWriting() async throws { try await base.finishWriting() }
}
