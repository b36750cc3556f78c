import CopyEngine
import Files
import NIOCore
import SSHWire
import Synchronization
import TestSupport
import Testing

@Suite("A copy over several connections", .timeLimit(.minutes(hangMinutes)))
struct ConnectionsTests {
    /// A server whose first connection is slow until the further ones carry bytes.
    private final class Server: Sendable {
        let children = Mutex<[PipedProgram]>([])
        /// Further connections over which bytes have come.
        let busy = Atomic<Int>(0)
        let further: Int
        /// Bytes after which a further connection is lost; nil for never.
        let losesAfter: Int?

        init(further: Int, losesAfter: Int? = nil) { (self.further, self.losesAfter) = (further, losesAfter) }

        var host: StreamHost {
            var host = StreamHost()
            host.sftp = { [self] in SlowStream(base: try start(), server: self) }
            host.another = { [self] in FurtherStream(base: try start(), server: self) }
            return host
        }

        private func start() throws -> any ByteStream {
            let child = try PipedProgram([sftpServer])
            children.withLock { $0.append(child) }
            return child.stream
        }

        /// Ends what is still there: one that was given up may be about to say something.
        func stop() async { for child in children.withLock({ $0 }) { await child.cutOff() } }
    }

    private struct Lost: Error {}

    private final class SlowStream: ByteStream {
        let base: any ByteStream
        let server: Server
        let read = Atomic<Int>(0)

        init(base: any ByteStream, server: Server) { (self.base, self.server) = (base, server) }

        nonisolated(nonsending) func read() async throws -> ByteBuffer? {
            guard let bytes = try await base.read() else { return nil }
            if read.add(1, ordering: .relaxed).newValue > 20, server.busy.load(ordering: .relaxed) < server.further {
                try await Task.sleep(for: .milliseconds(20))
            }
            return bytes
        }

        nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws { try await base.write(bytes) }
        nonisolated(nonsending) func finishWriting() async throws { try await base.finishWriting() }
    }

    private final class FurtherStream: ByteStream {
        let base: any ByteStream
        let server: Server
        let carried = Atomic<Int>(0)

        init(base: any ByteStream, server: Server) { (self.base, self.server) = (base, server) }

        nonisolated(nonsending) func read() async throws -> ByteBuffer? {
            guard let bytes = try await base.read() else { return nil }
            try carry(bytes)
            return bytes
        }

        nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws {
            try carry(bytes)
            try await base.write(bytes)
        }

        nonisolated(nonsending) func finishWriting() async throws { try await base.finishWriting() }

        private func carry(_ bytes: ByteBuffer) throws {
            let (before, after) = carried.add(bytes.readableBytes, ordering: .relaxed)
            let worthCounting = 10_000
            if before < worthCounting, after >= worthCounting { server.busy.add(1, ordering: .relaxed) }
            if let limit = server.losesAfter, after > limit { throw Lost() }
        }
    }

    private func wishes() -> Wishes {
        var wishes = Wishes(recursive: true, preserve: true)
        wishes.connections = .exactly(3)
        return wishes
    }

    /// A large file, and small ones.
    private func tree() -> Tree {
        var files: [[UInt8]: Tree] = [Array("large".utf8): .file(pattern(24 << 20))]
        for index in 0..<300 { files[Array("small\(index)".utf8)] = .file(pattern(index * 100)) }
        return .directory(files)
    }

    /// Bytes that differ from one place to another.
    private func pattern(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 1024)
        while bytes.count < count {
            bytes += [UInt8](repeating: UInt8(truncatingIfNeeded: bytes.count >> 10 &* 31), count: 1000)
            withUnsafeBytes(of: bytes.count) { bytes += $0 }
        }
        return Array(bytes.prefix(count))
    }

    private func copy(upward: Bool, _ server: Server, _ recorder: Recorder) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(tree(), at: base / "source")
            let summary =
                if upward {
                    try await SFTPUpload(host: server.host, options: wishes(), observer: recorder)
                        .run([base / "source"], to: (base / "target").bytes)
                } else {
                    try await SFTPDownload(host: server.host, options: wishes(), observer: recorder)
                        .run([(base / "source").bytes], into: base / "target")
                }
            await server.stop()
            #expect(summary.errors == 0)
            #expect(summary.files == 301)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "target"))
            #expect(differences(a, b, attributes: true) == [])
        }
    }

    @Test("A large file and small ones are spread over all", arguments: [true, false])
    func spreads(upward: Bool) async throws {
        let (server, recorder) = (Server(further: 2), Recorder())
        try await copy(upward: upward, server, recorder)
        #expect(recorder.notes.filter { $0.contains("one more connection") }.count == 2)
        #expect(server.busy.load(ordering: .relaxed) > 0)
    }

    @Test("One that is lost takes nothing with it", arguments: [true, false])
    func loses(upward: Bool) async throws {
        let (server, recorder) = (Server(further: 1, losesAfter: 600_000), Recorder())
        try await copy(upward: upward, server, recorder)
        #expect(recorder.notes.contains { $0.contains("no further connection") })
    }

    @Test("Where none is given, the copy goes on with the first, and asks once", arguments: [true, false])
    func refused(upward: Bool) async throws {
        let recorder = Recorder()
        try await withTemporaryDirectory { base in
            try makeTree(tree(), at: base / "source")
            let server = Server(further: 0)
            var host = server.host
            host.another = nil
            let summary =
                if upward {
                    try await SFTPUpload(host: host, options: wishes(), observer: recorder)
                        .run([base / "source"], to: (base / "target").bytes)
                } else {
                    try await SFTPDownload(host: host, options: wishes(), observer: recorder)
                        .run([(base / "source").bytes], into: base / "target")
                }
            await server.stop()
            #expect(summary.errors == 0)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "target"))
            #expect(differences(a, b, attributes: true) == [])
        }
        #expect(recorder.notes.filter { $0.contains("no further connection") }.count == 2)
    }
}
