import CopyEngine
import FileServer
import Files
import NIOCore
import Platform
import SFTP
import TestSupport
import Testing

@Suite("A server whose disk is full or broken")
struct BrokenDiskTests {
    @Test(
        "tells by SCP which file a broken disk has spoiled, and takes the next",
        arguments: [
            (FileFaults { $0.room = 70_000 }, "No space left on device"),
            (FileFaults { $0.unwritable = 50_000 }, "Input/output error"),
            (FileFaults { $0.closing = EDQUOT }, "close: Disk quota exceeded"),
        ])
    func brokenDisk(faults: FileFaults, reason: String) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["1": .file(noise(100_000)), "2": .file([2])]), at: base / "d")
            let (memory, sender) = (MemoryFileSystem(), Recorder())
            let (client, server) = MemoryStream.pair()
            async let sent = SCPUpload(stream: client, observer: sender).run([base / "d" / "1", base / "d" / "2"])
            #expect(try await InterposedFiles(memory, faults: faults).serve("scp -t .", server) == 1)
            try await server.finishWriting()
            #expect(try await sent.errors > 0)
            #expect(sender.warnings.first == "./1: \(reason)")
        }
    }

    @Test(
        "tells the client by SCP of a file that cannot be read to its end, and sends the next",
        arguments: [
            (FileFaults { $0.unreadable = 300_000 }, "./1: Input/output error"),
            (FileFaults { $0.end = 300_000 }, "./1: file shrank while it was copied: 300000 of 400000 bytes read"),
        ])
    func brokenSource(faults: FileFaults, words: String) async throws {
        try await withTemporaryDirectory { base in
            let memory = MemoryFileSystem()
            try memory.write(noise(400_000), to: "1")
            try memory.write([2], to: "2")
            let (client, server) = MemoryStream.pair()
            let receiver = Recorder()
            async let status = InterposedFiles(memory, faults: faults).serve("scp -f ./1 2", server)
            let received = try await SCPDownload(stream: client, observer: receiver).run(into: base)
            #expect(try await status == 1)
            #expect(received.files == 1 && received.errors == 1)
            #expect(receiver.warnings == [words])
            #expect(try readFile(at: base / "2") == [2])
        }
    }

    @Test("answers by SFTP the request that met it")
    func brokenDisk() async throws {
        let memory = MemoryFileSystem(["a": String(repeating: "a", count: 1_000)])
        var faults = FileFaults()
        (faults.room, faults.unreadable, faults.closing, faults.synchronizing) = (600, 900, EDQUOT, EIO)
        let observer = ServedRecorder()
        let stream = serve(SFTPServer(files: InterposedFiles(memory, faults: faults), observer: observer))
        let client = try await SFTPClient(stream: stream)
        let handle = try await client.open(bytes("a"), [.read, .write])
        try await client.write(handle, at: 0, ByteBuffer(repeating: 1, count: 500))
        for (call, words) in [
            (
                { try await client.write(handle, at: 500, ByteBuffer(repeating: 2, count: 500)) },
                "No space left on device"
            ),
            ({ _ = try await client.read(handle, at: 500, length: 500) }, "Input/output error"),
            ({ try await client.synchronize(handle) }, "Input/output error"),
            ({ try await client.close(handle) }, "Disk quota exceeded"),
        ] as [(() async throws -> Void, String)] {
            let error = await #expect(throws: SFTPStatus.self) { try await call() }
            #expect(error?.code == .failure)
            #expect(error.map { String(buffer: $0.message) } == words)
        }
        await client.close()
        #expect(memory.contents(of: "a")?[600] == UInt8(ascii: "a"))
        #expect(observer.closed.map(\.outcome) == [.failed("No space left on device")])
    }
}
