import FileServer
import Files
import NIOCore
import Platform
import SFTP
import SSHWire
import TestSupport
import Testing

@Suite("An SFTP server with a hostile client", .timeLimit(.minutes(hangMinutes)))
struct SFTPServerHostileTests {
    @Test("handles that do not exist, or no longer, are refused")
    func handles() async throws {
        try await withSFTP { client, _ in
            let handle = try await client.open(bytes("f"), [.read, .write, .create])
            try await client.close(handle)
            let other = try await client.open(bytes("f"), [.read, .write])
            #expect(other != handle)
            let directory = try await client.ask(.opendir(path: ByteBuffer(string: "/")))
            guard case .handle(let listing) = directory else { throw TestSupportError("\(directory)") }
            let bad: [ByteBuffer] = [
                handle, ByteBuffer(), ByteBuffer(integer: UInt64.max), ByteBuffer(integer: UInt32(0)),
                ByteBuffer(integer: UInt64(1) << 32 | 5), ByteBuffer(repeating: 0, count: 256),
            ]
            for handle in bad + [listing] {
                var field = ByteBuffer()
                field.writeSSHString(handle)
                let requests: [SFTPRequest] = [
                    .read(handle: handle, offset: 0, length: 10),
                    .write(handle: handle, offset: 0, data: ByteBuffer(string: "x")), .fstat(handle: handle),
                    .fsetstat(handle: handle, .init(size: 0)),
                    .extended(name: "fstatvfs@openssh.com", fields: field),
                    .extended(name: "fsync@openssh.com", fields: field),
                ]
                for request in requests {
                    let reply = try await client.ask(request)
                    #expect(reply == .status(SFTPStatus(.failure, message: "invalid handle")), "\(request)")
                }
            }
            for handle in bad + [other] {
                #expect(
                    try await client.ask(.readdir(handle: handle))
                        == .status(SFTPStatus(.failure, message: "invalid handle")))
            }
            for handle in bad {
                #expect(
                    try await client.ask(.close(handle: handle))
                        == .status(SFTPStatus(.failure, message: "invalid handle")))
            }
        }
    }

    @Test("more files than allowed are not opened, and closing one makes room")
    func manyOpens() async throws {
        try await withSFTP(openHandles: 30) { client, _ in
            let replies = try await withThrowingTaskGroup(of: SFTPReply.self) { group in
                for index in 0..<10_000 {
                    group.addTask {
                        try await client.ask(
                            .open(path: ByteBuffer(string: "f\(index % 60)"), flags: [.write, .create], .init()))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let opened = replies.compactMap { if case .handle(let handle) = $0 { handle } else { nil } }
            #expect(opened.count == 30 && Set(opened).count == 30)
            #expect(replies.count { $0 == .status(SFTPStatus(.failure, message: "too many open handles")) } == 9970)
            #expect(try await status { _ = try await client.list("/") } == .failure)
            try await client.close(opened[7])
            _ = try await client.list("/")
        }
    }

    @Test("offsets and lengths at the end of the numbers are answered")
    func numbers() async throws {
        try await withSFTP { client, place in
            let handle = try await client.open(bytes("f"), [.read, .write, .create])
            try await client.write(handle, at: 0, ByteBuffer(repeating: 1, count: 300_000 - 45_000))
            try await client.write(handle, at: 255_000, ByteBuffer(repeating: 1, count: 45_000))
            for offset in [UInt64.max, UInt64(1) << 63, UInt64(Int64.max)] {
                let data = ByteBuffer(string: "abc")
                for request in [
                    SFTPRequest.read(handle: handle, offset: offset, length: 10),
                    .write(handle: handle, offset: offset, data: data),
                ] {
                    guard case .status(let status) = try await client.ask(request) else {
                        throw TestSupportError("\(request) was answered with something else")
                    }
                    #expect(status.code == .failure, "\(request)")
                }
            }
            guard
                case .data(let most) = try await client.ask(.read(handle: handle, offset: 0, length: .max)),
                case .data(let none) = try await client.ask(.read(handle: handle, offset: 0, length: 0))
            else { throw TestSupportError("no data") }
            #expect(most.readableBytes == 261_120 && none.readableBytes == 0)
            #expect(
                try await status { try await client.setAttributes(SFTPAttributes(size: .max), ofOpen: handle) }
                    == .badMessage)
            #expect(
                try await status { try await client.setAttributes(SFTPAttributes(size: 1 << 63), of: bytes("f")) }
                    == .badMessage)
            #expect(try readFile(place.file("root/f")).count == 300_000)
        }
    }

    @Test("paths with NUL, thousands of components and loops are refused", arguments: confinements)
    func paths(confinement: DirectoryConfinement) async throws {
        try await withSFTP(confinement) { client, place in
            #expect(symlink("b", place.file("root/a")) == 0 && symlink("a", place.file("root/b")) == 0)
            let deep = String(repeating: "x/", count: 5000)
            for (path, code) in [
                ("/a\0b", SFTPStatusCode.noSuchFile), (deep, .badMessage), ("a", .noSuchFile), ("b/c", .noSuchFile),
                ("", .noSuchFile), ("../../../../etc/passwd", .permissionDenied),
            ] {
                // A relative path has the home before it, so `..` does not stand at the start of it.
                let shown = path.hasPrefix("..") ? "/d/" + path : path
                if path.hasPrefix("..") { try await client.makeDirectory(bytes("d")) }
                #expect(try await status { _ = try await client.stat(bytes(shown)) } == code, "\(shown.prefix(30))")
                #expect(try await status { _ = try await client.open(bytes(shown), .read) } == code)
                #expect(
                    try await status {
                        try await client.setAttributes(SFTPAttributes(permissions: 0), of: bytes(shown))
                    }
                        == code)
            }
        }
    }

    /// Sends bytes and takes what comes back until the server ends.
    private func exchange(_ bytes: ByteBuffer, _ server: SFTPServer) async throws -> (ByteBuffer, (any Error)?) {
        let (near, far) = SFTPTestStream.pair()
        async let failure: (any Error)? = {
            do {
                try await server.serve(far)
                await far.cut()
                return nil
            } catch {
                await far.cut()
                return error
            }
        }()
        try await near.write(bytes)
        try await near.finishWriting()
        var answer = ByteBuffer()
        while let more = try await near.read() { answer.writeImmutableBuffer(more) }
        return (answer, await failure)
    }

    private func packet(_ type: UInt8, _ fields: [UInt8]) -> [UInt8] {
        let length = UInt32(fields.count + 1)
        return [UInt8(length >> 24 & 255), UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255)]
            + [type] + fields
    }

    @Test("what is no SFTP ends the session, what came before it answered")
    func garbage() async throws {
        let place = try TemporaryDirectory()
        let server = SFTPServer(files: try DirectoryRoot(path: bytes(place.path)))
        let start = packet(1, [0, 0, 0, 3]) + packet(17, [0, 0, 0, 9, 0, 0, 0, 1] + bytes("/"))
        let (plain, none) = try await exchange(ByteBuffer(bytes: start), server)
        #expect(none == nil)
        for bad in [
            [0xff, 0xff, 0xff, 0xff, 6], [0, 0, 0, 0], [0, 4, 0, 1, 5], [0, 0, 0, 20, 6, 1], packet(6, [1, 2, 3]),
            bytes("GET / HTTP/1.1\r\n\r\n"),
        ] {
            let (answer, failure) = try await exchange(ByteBuffer(bytes: start + bad), server)
            #expect(failure is SFTPError, "\(bad)")
            #expect(answer == plain)
        }
        for _ in 0..<200 {
            let noise = start + (0..<400).map { _ in UInt8.random(in: 0...255) }
            _ = try await exchange(ByteBuffer(bytes: noise), server)
        }
    }

    @Test("a flood of requests is answered, each once, in order")
    func flood() async throws {
        let place = try TemporaryDirectory()
        try writeFile(noise(261_120), at: place.file("f"))
        let server = SFTPServer(files: try DirectoryRoot(path: bytes(place.path)))
        var all = packet(1, [0, 0, 0, 3])
        all += packet(3, [0, 0, 0, 0, 0, 0, 0, 2] + bytes("/f") + [0, 0, 0, 1, 0, 0, 0, 0])
        let handle: [UInt8] = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]
        for index in 1...2000 {
            let id: [UInt8] = [0, 0, UInt8(index >> 8), UInt8(index & 255)]
            all +=
                index % 20 == 0
                ? packet(5, id + handle + [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
                : packet(8, id + handle)
        }
        var (answer, failure) = try await exchange(ByteBuffer(bytes: all), server)
        #expect(failure == nil)
        var ids: [UInt32] = []
        var data = 0
        while answer.readableBytes > 0 {
            var body = try answer.readSSHString("packet")
            let type = try body.readByte("type")
            ids.append(try body.readUInt32("id"))
            data += type == 103 ? body.readableBytes - 4 : 0
        }
        // VERSION has its number where others have theirs.
        #expect(ids == [3] + (0...2000).map { UInt32($0) })
        #expect(data == 100 * 261_120)
    }
}
