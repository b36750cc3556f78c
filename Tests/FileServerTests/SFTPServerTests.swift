import CopyEngine
import FileServer
import Files
import NIOCore
import Platform
import SFTP
import SSHWire
import TestSupport
import Testing

@Suite("An SFTP server")
struct SFTPServerTests {
    private func put(_ client: SFTPClient, _ path: String, _ text: String) async throws {
        let handle = try await client.open(bytes(path), [.write, .create, .truncate])
        try await client.write(handle, at: 0, ByteBuffer(string: text))
        try await client.close(handle)
    }

    @Test("files are written, read, listed, renamed, linked and removed", arguments: confinements)
    func files(confinement: DirectoryConfinement) async throws {
        try await withSFTP(confinement) { client, place in
            try await client.makeDirectory(bytes("d"), SFTPAttributes(permissions: 0o700))
            #expect(try await client.stat(bytes("/d")).permissions == 0o040_700)
            let handle = try await client.open(bytes("d/a"), [.read, .write, .create, .exclusive])
            try await client.write(handle, at: 0, ByteBuffer(string: "hello"))
            try await client.synchronize(handle)
            #expect(try await client.read(handle, at: 1, length: 3) == ByteBuffer(string: "ell"))
            #expect(try await client.read(handle, at: 5, length: 3) == nil)
            try await client.setAttributes(SFTPAttributes(permissions: 0o600), ofOpen: handle)
            try await client.close(handle)
            #expect(try await client.stat(bytes("d/a")).permissions == 0o100_600)
            #expect(try await status { try await client.close(handle) } == .failure)
            try await client.rename(bytes("d/a"), to: bytes("d/b"))
            try await client.hardlink(bytes("d/b"), to: bytes("d/c"))
            try await client.symlink(to: bytes("b"), at: bytes("d/l"))
            #expect(try await client.readlink(bytes("d/l")) == bytes("b"))
            #expect(try await client.lstat(bytes("d/l")).kind == .symbolicLink)
            let entries = try await client.list("d")
            let names = entries.map { String(buffer: $0.name) }.filter { !$0.hasPrefix(".") }
            #expect(names.sorted() == ["b", "c", "l"])
            let line = try #require(entries.first { $0.name == ByteBuffer(string: "b") }).longName
            #expect(String(buffer: line).hasPrefix("-rw-------   2 "))
            #expect(String(buffer: line).hasSuffix(" b"))
            #expect(try await client.realpath(bytes("d/../d/new")) == bytes("/d/new"))
            #expect(try await client.expandPath(bytes("~/d/l")) == bytes("/d/b"))
            #expect(try await client.homeDirectory(of: "") == bytes("/"))
            #expect(try await status { _ = try await client.expandPath(bytes("~root")) } == .noSuchFile)
            for name in names { try await client.remove(bytes("d/\(name)")) }
            try await client.removeDirectory(bytes("d"))
            #expect(try await status { _ = try await client.stat(bytes("d")) } == .noSuchFile)
            #expect(try await client.fileSystem(at: bytes("/")).blocks > 0)
            #expect(try await client.names(users: [0], groups: [0, 4_000_000_000]).users == ["root"])
            #expect(access(place.file("root"), F_OK) == 0)
        }
    }

    @Test("SSH_FXP_RENAME does not replace, and OpenSSH's does")
    func renames() async throws {
        try await withSFTP { client, place in
            for name in ["a", "b"] { try await put(client, name, name) }
            let plain = try await client.ask(
                .rename(from: ByteBuffer(string: "a"), to: ByteBuffer(string: "b")))
            #expect(plain == .status(SFTPStatus(.failure, message: "File exists")))
            try await client.rename(bytes("a"), to: bytes("b"))
            #expect(try readText(place.file("root/b")) == "a")
        }
    }

    @Test("limits are OpenSSH's, with the handles that a session may have")
    func limits() async throws {
        try await withSFTP(openHandles: 77) { client, _ in
            let reply = try await client.ask(.extended(name: "limits@openssh.com", fields: ByteBuffer()))
            guard case .extended(var fields) = reply else { throw TestSupportError("\(reply)") }
            #expect(
                fields.readMultipleIntegers(as: (UInt64, UInt64, UInt64, UInt64).self)! == (262144, 261120, 261120, 77))
        }
    }

    @Test("data is copied between files on the server")
    func copyData() async throws {
        try await withSFTP { client, place in
            let content = noise(1_000_000)
            try writeFile(content, at: place.file("root/a"))
            let a = try await client.open(bytes("a"), .read)
            let b = try await client.open(bytes("b"), [.write, .create])
            try await client.copyData(from: a, at: 0, count: 0, to: b, at: 0)
            #expect(try readFile(place.file("root/b")) == content)
            try await client.copyData(from: a, at: 10, count: 20, to: b, at: 1_000_000)
            #expect(try readFile(place.file("root/b")) == content + content[10..<30])
            #expect(
                try await status { try await client.copyData(from: a, at: 999_990, count: 20, to: b, at: 0) }
                    == .endOfFile)
            let again = try await client.open(bytes("a"), [.read, .write])
            for (from, to) in [(a, a), (a, again)] {
                #expect(
                    try await status { try await client.copyData(from: from, at: 0, count: 5, to: to, at: 3) }
                        == .failure)
            }
            #expect(
                try await status { try await client.copyData(from: a, at: .max, count: 0, to: b, at: 3) } == .failure)
        }
    }

    private func check(
        _ client: SFTPClient, _ subject: ByteBuffer, byName: Bool, _ algorithms: String, _ start: UInt64,
        _ length: UInt64, _ block: UInt32
    ) async throws -> (algorithm: String, hashes: ByteBuffer) {
        var fields = ByteBuffer()
        fields.writeSSHString(subject)
        fields.writeSSHString(algorithms)
        fields.writeInteger(start)
        fields.writeInteger(length)
        fields.writeInteger(block)
        let name = byName ? "check-file-name" : "check-file-handle"
        switch try await client.ask(.extended(name: name, fields: fields)) {
        case .extended(var reply):
            #expect(try reply.readSSHText("extension") == "check-file")
            return (try reply.readSSHText("hash-algo-used"), reply)
        case .status(let status): throw status
        case let other: throw TestSupportError("\(other)")
        }
    }

    /// A hash as another program makes it.
    private func digest(_ algorithm: String, _ content: [UInt8]) async throws -> [UInt8] {
        let text = try await run("\(algorithm)sum", input: content).success().output
        let digits = text.prefix { $0 != UInt8(ascii: " ") }.map { Int(String(UnicodeScalar($0)), radix: 16) ?? 0 }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
    }

    @Test("hashes of files are told, in blocks too")
    func checkFile() async throws {
        try await withSFTP { client, place in
            let content = noise(700_000)
            try writeFile(content, at: place.file("root/f"))
            let handle = try await client.open(bytes("f"), .read)
            let name = ByteBuffer(string: "f")
            let whole = try await check(client, handle, byName: false, "md5,sha256,sha1", 0, 0, 0)
            #expect(whole.algorithm == "sha256")
            #expect(try await digest("sha256", content) == Array(whole.hashes.readableBytesView))
            let part = try await check(client, name, byName: true, "sha512", 100_000, 500_000, 200_000)
            var expected: [UInt8] = []
            for start in stride(from: 100_000, to: 600_000, by: 200_000) {
                expected += try await digest("sha512", Array(content[start..<min(start + 200_000, 600_000)]))
            }
            #expect(Array(part.hashes.readableBytesView) == expected)
            let rest = try await check(client, name, byName: true, "sha1", 699_999, 50, 256)
            #expect(try await digest("sha1", Array(content.suffix(1))) == Array(rest.hashes.readableBytesView))
            let nothing = try await check(client, name, byName: true, "sha384", 700_000, 0, 0)
            #expect(try await digest("sha384", []) == Array(nothing.hashes.readableBytesView))
            #expect(try await check(client, name, byName: true, "sha384", 700_000, 0, 256).hashes.readableBytes == 0)
            for (algorithms, start, block) in [
                ("md5,crc32", 0, 0), ("sha256", 700_001, 0), ("sha256", UInt64.max, 0), ("sha256", 0, 255),
                ("", 0, 0),
            ] as [(String, UInt64, UInt32)] {
                #expect(
                    try await status { _ = try await check(client, name, byName: true, algorithms, start, 0, block) }
                        == .failure)
            }
            // 10,000 hashes do not fit into a packet.
            #expect(truncate(place.file("root/f"), 2_560_000) == 0)
            #expect(
                try await status { _ = try await check(client, name, byName: true, "sha256", 0, 0, 256) } == .failure)
        }
    }

    @Test("a read-only server refuses every change and says so")
    func readOnly() async throws {
        let recorder = ServedRecorder()
        try await withSFTP(isReadOnly: true, observer: recorder) { client, place in
            try writeFile(place.file("root/f"), text: "kept")
            let (f, g) = (ByteBuffer(string: "f"), ByteBuffer(string: "g"))
            var pair = ByteBuffer()
            pair.writeSSHString(f)
            pair.writeSSHString(g)
            let changes: [SFTPRequest] = [
                .open(path: f, flags: .write, .init()), .open(path: g, flags: [.read, .create], .init()),
                .open(path: f, flags: [.read, .truncate], .init()), .open(path: f, flags: [.read, .append], .init()),
                .write(handle: f, offset: 0, data: g), .setstat(path: f, .init(permissions: 0)),
                .fsetstat(handle: f, .init(permissions: 0)), .remove(path: f), .rmdir(path: f),
                .mkdir(path: g, .init()),
                .rename(from: f, to: g), .symlink(target: f, path: g),
                .extended(name: "posix-rename@openssh.com", fields: pair),
                .extended(name: "hardlink@openssh.com", fields: pair),
                .extended(name: "fsync@openssh.com", fields: pair),
                .extended(name: "lsetstat@openssh.com", fields: pair), .extended(name: "copy-data", fields: pair),
            ]
            for change in changes {
                let reply = try await client.ask(change)
                #expect(reply == .status(SFTPStatus(.permissionDenied, message: "Read-only file system")), "\(change)")
            }
            #expect(try await client.names("f") == "kept")
            #expect(try await client.list("/").count == 3)
            #expect(!client.server.extensions.keys.contains("hardlink@openssh.com"))
        }
        #expect(
            recorder.refused.contains(
                ServedRefusal(operation: "remove", path: bytes("f"), reason: "Read-only file system")))
    }

    @Test("the observer is told of each file once, and of what was refused")
    func observer() async throws {
        let recorder = ServedRecorder()
        try await withSFTP(observer: recorder) { client, place in
            try await put(client, "a", "12345")
            let handle = try await client.open(bytes("/a"), .read)
            _ = try await client.read(handle, at: 0, length: 100)
            #expect(symlink("/etc", place.file("root/l")) == 0)
            let code = try await status { _ = try await client.stat(bytes("/l/passwd")) }
            #expect(code == .permissionDenied)
            _ = try await status { _ = try await client.stat(bytes("/missing")) }
        }
        try await eventually("both ends") { recorder.closed.count == 2 }
        #expect(recorder.opened == ["//a", "/a"])
        #expect(recorder.closed.map(\.bytesWritten) == [5, 0])
        #expect(recorder.closed.map(\.bytesRead) == [0, 5])
        #expect(recorder.closed.map(\.outcome) == [.complete, .interrupted])
        #expect(recorder.refused.map(\.operation) == ["stat"] && recorder.refused[0].path == bytes("/l/passwd"))
    }

    @Test("a large directory is listed whole")
    func largeDirectory() async throws {
        try await withSFTP { client, place in
            for index in 0..<1234 { try writeFile(place.file("root/\(index)"), text: "") }
            let names = try await client.list("/").map { String(buffer: $0.name) }
            #expect(Set(names).count == 1236 && names.count == 1236)
        }
    }

    @Test("trees go up and come down through our own transfers", arguments: confinements)
    func transfers(confinement: DirectoryConfinement) async throws {
        let place = try TemporaryDirectory()
        try place.makeDirectory("root")
        try place.makeDirectory("source")
        for directory in ["x", "y", "x/z"] { try place.makeDirectory("source/\(directory)") }
        for index in 0..<300 { try writeFile(noise(index * 17), at: place.file("source/x/\(index)")) }
        try writeFile(noise(5_000_000), at: place.file("source/y/large"))
        try writeFile(noise(300_001), at: place.file("source/x/z/odd \u{e9}\n"))
        let server = SFTPServer(
            files: try DirectoryRoot(path: bytes(place.file("root")), confinement: confinement), home: bytes("/"))
        let options = Wishes(recursive: true, preserve: true)
        let sent = try await SFTPUpload(open: { serve(server) }, options: options, observer: SilentObserver())
            .run([BytePath(place.file("source"))], to: bytes("there"))
        #expect(sent.errors == 0)
        let received = try await SFTPDownload(open: { serve(server) }, options: options)
            .run([bytes("there")], into: BytePath(place.file("back")))
        #expect(received.errors == 0 && received.files == sent.files)
        for copy in ["root/there", "back"] {
            let difference = try await run("diff", ["-r", place.file("source"), place.file(copy)])
            #expect(difference.succeeded && difference.output.isEmpty, "\(difference)")
        }
    }
}

extension SFTPClient {
    /// What a small file holds.
    fileprivate func names(_ path: String) async throws -> String {
        let handle = try await open(bytes(path), .read)
        let data = try await read(handle, at: 0, length: 1000)
        try await close(handle)
        return data.map { String(buffer: $0) } ?? ""
    }
}
