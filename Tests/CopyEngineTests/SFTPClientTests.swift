import Files
import NIOCore
import Platform
import SFTP
import TestSupport
import Testing

@Suite("An SFTP session for programs, with OpenSSH's sftp-server")
struct SFTPClientTests {
    private func withClient(_ body: (SFTPClient, BytePath) async throws -> Void) async throws {
        try await withTemporaryDirectory { base in
            let child = try PipedProgram([
                sftpServer, "-d", String(decoding: base.bytes, as: UTF8.self),
            ])
            let client = try await SFTPClient(stream: child.stream)
            let result = await Result { try await body(client, base) }
            await client.close()
            _ = child.wait()
            try result.get()
        }
    }

    @Test("files are written, read, listed, renamed, linked and removed")
    func files() async throws {
        try await withClient { client, base in
            try await client.makeDirectory(bytes("d"))
            let handle = try await client.open(bytes("d/a"), [.write, .create, .exclusive])
            try await client.write(handle, at: 0, ByteBuffer(string: "hello"))
            try await client.synchronize(handle)
            try await client.setAttributes(SFTPAttributes(permissions: 0o600), ofOpen: handle)
            try await client.close(handle)
            #expect(try await client.stat(bytes("d/a")).size == 5)
            #expect(try await client.stat(bytes("d/a")).permissions == 0o100_600)
            let again = try await client.open(bytes("d/a"), .read)
            #expect(try await client.read(again, at: 1, length: 3) == ByteBuffer(string: "ell"))
            #expect(try await client.read(again, at: 5, length: 3) == nil)
            try await client.close(again)
            try await client.rename(bytes("d/a"), to: bytes("d/b"))
            try await client.hardlink(bytes("d/b"), to: bytes("d/c"))
            try await client.symlink(to: bytes("b"), at: bytes("d/l"))
            #expect(try await client.readlink(bytes("d/l")) == bytes("b"))
            #expect(try await client.lstat(bytes("d/l")).kind == .symbolicLink)
            let names = try await client.list("d").map { String(buffer: $0.name) }.filter { !$0.hasPrefix(".") }
            #expect(names.sorted() == ["b", "c", "l"])
            #expect(try await client.realpath(bytes("d/../d/b")).suffix(4) == bytes("/d/b")[...])
            for name in names { try await client.remove(bytes("d/\(name)")) }
            try await client.removeDirectory(bytes("d"))
            await #expect(throws: SFTPStatus.self) { try await client.stat(bytes("d")) }
        }
    }

    @Test("OpenSSH's extensions do what they say")
    func extensions() async throws {
        try await withClient { client, base in
            try makeTree(.file(Array("0123456789".utf8)), at: base / "from")
            let from = try await client.open(bytes("from"), .read)
            let to = try await client.open(bytes("to"), [.write, .create])
            try await client.copyData(from: from, at: 2, count: 5, to: to, at: 0)
            try await client.close(to)
            try await client.close(from)
            #expect(try await client.stat(bytes("to")).size == 5)
            let system = try await client.fileSystem(at: bytes("."))
            #expect(system.blockSize > 0 && system.blocks >= system.freeBlocks && system.longestName >= 14)
            try await client.symlink(to: bytes("nowhere"), at: bytes("link"))
            try await client.setAttributes(
                SFTPAttributes(times: .init(accessed: 5, modified: 1_000)), ofLink: bytes("link"))
            #expect(try await client.lstat(bytes("link")).times?.modified == 1_000)
            if client.server.extensions["users-groups-by-id@openssh.com"] != nil {
                let names = try await client.names(users: [0, 4_000_000_000], groups: [0])
                #expect(names.users == ["root", ""])
                #expect(names.groups.count == 1)
            }
            #expect(try await client.homeDirectory(of: "root").first == UInt8(ascii: "/"))
            #expect(try await client.expandPath(bytes("~")).first == UInt8(ascii: "/"))
        }
    }

    @Test("many questions wait at a time, and an end of the session answers them all")
    func concurrency() async throws {
        try await withClient { client, base in
            try makeTree(.file([1, 2, 3]), at: base / "f")
            try await withThrowingTaskGroup(of: UInt64?.self) { group in
                for _ in 0..<500 { group.addTask { try await client.stat(Array("f".utf8)).size } }
                for try await size in group { #expect(size == 3) }
            }
        }
        let (near, far) = MemoryStream.pair()
        var hello = ByteBuffer()
        hello.writeBytes([0, 0, 0, 5, 2, 0, 0, 0, 3])
        try await far.write(hello)
        let client = try await SFTPClient(stream: near)
        let answer = Task { try await client.stat(Array("x".utf8)) }
        try await Task.sleep(for: .milliseconds(50))
        try await far.finishWriting()
        await #expect(throws: SFTPError.ended) { try await answer.value }
        await #expect(throws: SFTPError.ended) { try await client.stat(Array("y".utf8)) }
    }
}
