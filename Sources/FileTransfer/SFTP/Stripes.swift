import Files
import NIOCore
import SFTP
import SSHWire
import Synchronization

/// Parts of a file that several channels share out among themselves.
final class FileRanges: Sendable {
    /// Bytes a channel takes at a time.
    private static let unit: Int64 = 1 << 20

    private let size: Int64
    private let state: Mutex<(taken: Int64, written: WrittenPrefix)>

    /// - Parameter part: what is to be sent, up to the file's end; what is before it is there.
    init(_ part: Range<Int64>) {
        size = part.upperBound
        state = Mutex((part.lowerBound, WrittenPrefix(part.lowerBound)))
    }

    /// The next part nobody has taken; nil when all are taken.
    func next() -> Range<Int64>? {
        state.withLock { state in
            guard state.taken < size else { return nil }
            let start = state.taken
            state.taken = min(size, start + Self.unit)
            return start..<state.taken
        }
    }

    /// Leaves the rest to nobody: the file is lost.
    func abandon() { state.withLock { $0.taken = size } }

    /// The server has written this part.
    func wrote(_ part: Range<Int64>) { state.withLock { $0.written.add(part) } }

    /// Bytes from the beginning on that are known to be written.
    var written: Int64 { state.withLock { $0.written.end } }
}

/// Further channels of a connection, through which parts of a large file are sent.
struct Stripes: Sendable {
    /// A smaller file is over before the channels are there; in bytes.
    static let worthwhileSize: Int64 = 4 << 20
    /// A stock sshd serves ten sessions of a connection.
    private static let most = 7

    let open: SFTPOpener
    let executor: DiskExecutor

    /// Sends ranges of a file until none are left.
    ///
    /// - Parameter sent: told how many bytes more were sent.
    /// - Returns: a task whose value is what went wrong, or nil.
    func send(
        _ file: LocalFile, to path: [UInt8], _ ranges: FileRanges, sent: @escaping @Sendable (Int) -> Void
    ) -> Task<String?, Never> {
        let count = Int(min(Int64(Self.most), file.status.size / Self.worthwhileSize))
        let descriptors = (0..<count).compactMap { _ in try? file.duplicate().release() }
        let (local, status) = (file.path, file.status)
        let open = open
        return Task(executorPreference: executor) {
            await withTaskGroup(of: String?.self) { group in
                for descriptor in descriptors {
                    group.addTask {
                        let file = LocalFile(descriptor: descriptor, path: local, status: status)
                        // A server that gives no further channel leaves more to the others.
                        guard let stream = try? await open() else { return nil }
                        var stripe = Stripe(stream: stream, file: file, ranges: ranges, sent: sent)
                        let failure: String?
                        do {
                            failure = try await stripe.run(path)
                        } catch {
                            failure = "\(Printable.text(path)): \(error)"
                        }
                        if failure != nil { ranges.abandon() }
                        return failure
                    }
                }
                var failure: String?
                for await result in group { failure = failure ?? result }
                return failure
            }
        }
    }
}

/// One further channel.
private struct Stripe {
    private enum Tag {
        case opened
        case written(Range<Int64>)
        case closed
    }

    /// Bytes of WRITEs that may be unanswered: a window of a server's, and as much waiting for it.
    private static let unansweredLimit = 3 << 20

    private var link: SFTPLink<Tag>
    private let file: LocalFile
    private let ranges: FileRanges
    private let sent: @Sendable (Int) -> Void
    private var handle: ByteBuffer?
    private var unansweredBytes = 0
    private var failure: SFTPStatus?

    init(stream: any ByteStream, file: LocalFile, ranges: FileRanges, sent: @escaping @Sendable (Int) -> Void) {
        link = SFTPLink(stream: stream, observer: SilentObserver())
        self.file = file
        self.ranges = ranges
        self.sent = sent
    }

    mutating func run(_ path: [UInt8]) async throws -> String? {
        link.session.send(.open(path: ByteBuffer(bytes: path), flags: [.write], SFTPAttributes()), .opened)
        try await link.flush()
        while handle == nil {
            if failure != nil { return nil }
            try await receive()
        }
        while failure == nil, let range = ranges.next() { try await send(range) }
        if let handle { link.session.send(.close(handle: handle), .closed) }
        try await link.flush()
        while link.session.unanswered > 0 { try await receive() }
        try await link.stream.finishWriting()
        return failure.map { "\(Printable.text(path)): write: \($0)" }
    }

    private mutating func send(_ range: Range<Int64>) async throws {
        var offset = range.lowerBound
        while offset < range.upperBound, failure == nil, let handle {
            try Task.checkCancellation()
            while unansweredBytes >= Self.unansweredLimit { try await receive() }
            let wanted = Int(min(range.upperBound - offset, Int64(link.session.server.limits.writeLength)))
            let (file, start) = (file, offset)
            let count = try link.session.write(
                handle: handle, offset: UInt64(start), tag: { .written(start..<start + Int64($0)) },
                fill: { (block) throws(FileError) in try file.read(into: &block, count: wanted, at: start) })
            offset += Int64(count)
            unansweredBytes += count
            sent(count)
            if link.session.output.readableBytes >= BlockPool.blockSize { try await link.flush() }
            guard count == wanted else {
                throw FileError(path: file.path, operation: .read, cause: .shrank(bytes: offset, of: file.status.size))
            }
        }
    }

    private mutating func receive() async throws {
        try await link.flush()
        try await link.wait()
        while let event = try link.next() {
            guard case .reply(let tag, let reply) = event else { continue }
            var status = SFTPStatus(.ok)
            if case .status(let told) = reply { status = told }
            switch tag {
            case .opened:
                if case .handle(let handle) = reply { self.handle = handle } else { failure = failure ?? status }
            case .written(let part):
                unansweredBytes -= part.count
                if status.code == .ok { ranges.wrote(part) } else { failure = failure ?? status }
            case .closed:
                if status.code != .ok { failure = failure ?? status }
            }
        }
    }
}
