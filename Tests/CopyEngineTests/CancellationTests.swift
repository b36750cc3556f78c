import CopyEngine
import Files
import NIOCore
import SFTP
import SSHWire
import Synchronization
import TestSupport
import Testing

/// A stream whose other end says nothing any more, after so many bytes; what is written to it then is not taken either.
private final class StalledStream: ByteStream {
    private let base: (any ByteStream)?
    private let left: Mutex<Int>
    /// Finishes when the other end has stalled and somebody waits for it.
    let stall = Waiter<Void>()

    init(_ base: (any ByteStream)? = nil, after budget: Int = 0) {
        self.base = base
        left = Mutex(budget)
    }

    private func isOver(_ count: Int) -> Bool {
        left.withLock { left in
            left -= count
            return left < 0
        }
    }

    private func stand() async throws -> Never {
        stall.resume()
        while true { try await Waiter<Void>().wait() }
    }

    func read() async throws -> ByteBuffer? {
        guard let base, !isOver(0) else { try await stand() }
        let bytes = try await Task { try await base.read() }.valueUnlessCancelled()
        if isOver(bytes?.readableBytes ?? 0) { try await stand() }
        return bytes
    }

    func write(_ bytes: ByteBuffer) async throws {
        // The first block fits into a buffer on the way.
        guard let base else { return }
        if isOver(bytes.readableBytes) { try await stand() }
        try await base.write(bytes)
    }

    func finishWriting() async throws { try await base?.finishWriting() }
}

/// Tells when the first contents are copied.
private final class Started: CopyObserver {
    let bytes = Waiter<Void>()
    func receive(_ event: CopyEvent) { if case .bytes = event { bytes.resume() } }
}

/// Cancels `body` when `moment` has come, and expects it to end as a cancelled call does; the suite's time limit ends what hangs.
private func expectCancelled<T: Sendable>(
    after moment: Waiter<Void>, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @escaping @Sendable () async throws -> T
) async throws {
    let task = Task { try await body() }
    try await moment.wait()
    task.cancel()
    await #expect(throws: CancellationError.self, sourceLocation: sourceLocation) { try await task.value }
}

@Suite("A copy that is cancelled", .timeLimit(.minutes(hangMinutes)))
struct CancellationTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String) -> BytePath { BytePath(Array(directory.file(name).utf8)) }

    @Test("A request of an SFTP session, and its beginning, on a server that says nothing")
    func client() async throws {
        let silent = StalledStream()
        try await expectCancelled(after: silent.stall) { _ = try await SFTPClient(stream: silent) }
        for request in 0..<3 {
            let child = try PipedProgram([sftpServer])
            // The server's VERSION is the one thing that comes.
            let stream = StalledStream(child.stream, after: 400)
            let sftp = try await SFTPClient(stream: stream)
            try await expectCancelled(after: stream.stall) {
                switch request {
                case 0: while true { _ = try await sftp.list("/") }
                case 1: while true { _ = try await sftp.stat([UInt8(ascii: "/")]) }
                default: while true { _ = try await sftp.hashOfNothing() }
                }
            }
            await child.cutOff()
        }
    }

    @Test(
        "Copies by SFTP of which the server stops to answer", arguments: [0, 100, 700, 3_000, 300_000], [true, false])
    func sftp(budget: Int, isUpload: Bool) async throws {
        try makeFiles(30, size: 100_000, in: "from")
        let child = try PipedProgram([sftpServer, "-d", directory.path])
        let stream = StalledStream(child.stream, after: budget)
        let wishes = Wishes(recursive: true)
        let (source, target) = (path("from"), path("to"))
        try await expectCancelled(after: stream.stall) {
            if isUpload {
                try await SFTPUpload(open: { stream }, options: wishes).run([source], to: target.bytes)
            } else {
                try await SFTPDownload(open: { stream }, options: wishes).run([source.bytes], into: target)
            }
        }
        await child.cutOff()
    }

    @Test("Copies by the SCP protocol of which the server says nothing", arguments: [true, false])
    func scp(isUpload: Bool) async throws {
        try makeFiles(3, size: 5_000_000, in: "from")
        let stream = StalledStream()
        let (source, target) = (path("from"), path("to"))
        try await expectCancelled(after: stream.stall) {
            if isUpload {
                try await SCPUpload(stream: stream, options: Wishes(recursive: true)).run([source])
            } else {
                try await SCPDownload(stream: stream, options: Wishes(recursive: true)).run(into: target)
            }
        }
    }

    @Test("Hashes that a server does not give", arguments: [true, false])
    func hashes(isUpload: Bool) async throws {
        try makeFiles(1, size: 300_000, in: "from")
        try makeFiles(1, size: 200_000, in: "to")
        let child = try PipedProgram([sftpServer, "-d", directory.path])
        let silent = StalledStream()
        let opened = Mutex(0)
        var host = StreamHost()
        // The first channel is the copy's own.
        host.sftp = {
            opened.withLock { opened in
                opened += 1
                return opened == 1 ? child.stream : silent
            }
        }
        host.exec = { _ in silent }
        var wishes = Wishes()
        (wishes.resume, wishes.verify) = (true, true)
        let (source, target, name) = (path("from/0"), path("to/0"), host)
        try await expectCancelled(after: silent.stall) { [wishes] in
            if isUpload {
                try await SFTPUpload(host: name, options: wishes).run([source], to: target.bytes)
            } else {
                try await SFTPDownload(host: name, options: wishes).run([source.bytes], into: target)
            }
        }
        await child.cutOff()
    }

    @Test("While a lost connection is made again")
    func recovery() async throws {
        let moment = Waiter<Void>()
        var host = StreamHost()
        host.sftp = { throw SFTPError.ended }
        host.reconnect = { _, _ in
            moment.resume()
            while true { try await Waiter<Void>().wait() }
        }
        let lost = host
        let source = path("from")
        try await expectCancelled(after: moment) { try await SFTPUpload(host: lost).run([source], to: [0x78]) }
    }

    @Test("What an upload or a download leaves is the beginning of each file, and no file that was not begun")
    func leftovers() async throws {
        for isUpload in [true, false] {
            let (from, to) = ("from\(isUpload)", "to\(isUpload)")
            try makeFiles(60, size: 6_000_000, in: from)
            let child = try PipedProgram([sftpServer, "-d", directory.path])
            let started = Started()
            let (source, target) = (path(from), path(to))
            var slow = Wishes(recursive: true)
            // The server may be slow, too.
            slow.farewell = patience
            let wishes = slow
            let opened = Mutex(false)
            // The one channel there is.
            let open: SFTPOpener = {
                guard
                    opened.withLock({ (isOpened: inout Bool) -> Bool in
                        defer { isOpened = true }
                        return !isOpened
                    })
                else { throw SFTPError.ended }
                return child.stream
            }
            try await expectCancelled(after: started.bytes) {
                if isUpload {
                    try await SFTPUpload(open: open, options: wishes, observer: started).run(
                        [source], to: target.bytes)
                } else {
                    try await SFTPDownload(open: open, options: wishes, observer: started).run(
                        [source.bytes], into: target)
                }
            }
            await child.cutOff()
            try expectBeginnings(of: from, in: to)
        }
    }

    @Test("A copy on this machine leaves the beginning of a file, also where a longer one was")
    func local() async throws {
        try makeFiles(1, size: 400_000_000, in: "from")
        try makeFiles(1, size: 500_000_000, in: "to", salt: 7)
        let started = Started()
        let (source, target) = (path("from/0"), path("to/0"))
        try await expectCancelled(after: started.bytes) {
            try await LocalCopy(observer: started).run([source], to: target)
        }
        try expectBeginnings(of: "from", in: "to")
    }

    // MARK: Files

    private func makeFiles(_ count: Int, size: Int, in name: String, salt: UInt8 = 0) throws {
        try directory.makeDirectory(name)
        let bytes = noise(100_003).map { $0 ^ salt }
        var content: [UInt8] = []
        content.reserveCapacity(size + bytes.count)
        while content.count < size { content += bytes }
        content.removeLast(content.count - size)
        for number in 0..<count { try writeFile(content, at: directory.file("\(name)/\(number)")) }
    }

    private func expectBeginnings(of source: String, in target: String) throws {
        let whole = try readFile(at: directory.file("\(source)/0"))
        let names = listDirectory(directory.file(target)).map { String(decoding: $0, as: UTF8.self) }
        #expect(!names.isEmpty)
        for name in names {
            let copy = try readFile(at: directory.file("\(target)/\(name)"))
            #expect(!copy.isEmpty && whole.starts(with: copy), "\(target)/\(name): \(copy.count) bytes")
        }
    }
}

extension SFTPClient {
    fileprivate func hashOfNothing() async throws -> ByteBuffer? {
        let handle = try await open(Array("/dev/zero".utf8), .read)
        return try await read(handle, at: 0, length: 1000)
    }
}
