import FileServer
import Files
import NIOCore
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

@Suite("Files in memory")
struct MemoryFileSystemTests {
    private func open(
        _ files: MemoryFileSystem, _ path: String, _ set: (inout ServedOpenOptions) -> Void
    ) throws(ServedError) -> any ServedFile {
        var options = ServedOpenOptions()
        set(&options)
        return try files.open(Array(path.utf8), options)
    }

    private func names(_ files: MemoryFileSystem, _ path: String) throws -> [String] {
        let directory = try files.openDirectory(Array(path.utf8))
        var names: [String] = []
        while let entry = try directory.next() { names.append(String(decoding: entry.name, as: UTF8.self)) }
        return names
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("hold what they are given, and show it")
    func contents() throws {
        let files = MemoryFileSystem(["a.txt": "hello", "b/c/d": ""])
        #expect(files["a.txt"] == "hello")
        #expect(files.contents(of: "/b/../a.txt") == Array("hello".utf8))
        #expect(files.contents(of: "b") == nil)
        #expect(files["none"] == nil)
        #expect(files.paths == ["a.txt", "b/", "b/c/", "b/c/d"])
        try files.write([1, 2], to: "a.txt")
        #expect(files.contents(of: "a.txt") == [1, 2])
        #expect(throws: ServedError.system(ENOTDIR)) { try files.write([1], to: "a.txt/x") }
        #expect(try names(files, "/") == [".", "..", "a.txt", "b"])
    }

    @Test("are read and written anywhere, and filled up with zeros")
    func readingAndWriting() throws {
        let files = MemoryFileSystem(["a": "0123456789"])
        let file = try open(files, "/a") { ($0.reads, $0.writes) = (true, true) }
        var buffer = ByteBuffer()
        #expect(try file.read(into: &buffer, count: 4, at: 8) == 2)
        #expect(try file.read(into: &buffer, count: 4, at: 10) == 0)
        #expect(try file.read(into: &buffer, count: 4, at: .max) == 0)
        #expect(buffer == ByteBuffer(string: "89"))
        try file.write(ByteBuffer(string: "xy"), at: 3)
        try file.write(ByteBuffer(string: "z"), at: 12)
        #expect(files["a"] == "012xy56789\0\0z")
        #expect(throws: ServedError.system(EFBIG)) { try file.write(ByteBuffer(string: "z"), at: .max) }
        #expect(throws: ServedError.system(EINVAL)) { try file.write(ByteBuffer(string: "z"), at: -1) }
        #expect(throws: ServedError.system(EINVAL)) { try file.read(into: &buffer, count: 1, at: -1) }
        let end = try open(files, "/a") { ($0.writes, $0.appends) = (true, true) }
        try end.write(ByteBuffer(string: "!"), at: 0)
        #expect(files["a"] == "012xy56789\0\0z!")
        #expect(throws: ServedError.system(EBADF)) { try end.read(into: &buffer, count: 1, at: 0) }
        try file.close()
        #expect(throws: ServedError.system(EBADF)) { try file.read(into: &buffer, count: 1, at: 0) }
        let reader = try open(files, "/a") { $0.reads = true }
        #expect(throws: ServedError.system(EBADF)) { try reader.write(ByteBuffer(string: "x"), at: 0) }
    }

    @Test("are opened and made as open(2) does")
    func opening() throws {
        let files = MemoryFileSystem(["a": "1", "d/x": "2"], mask: 0o022)
        #expect(throws: ServedError.system(ENOENT)) { try open(files, "/none") { $0.reads = true } }
        #expect(throws: ServedError.system(ENOENT)) { try open(files, "") { $0.reads = true } }
        #expect(throws: ServedError.system(ENOENT)) { try open(files, "/a\0b") { $0.reads = true } }
        #expect(throws: ServedError.system(ENOTDIR)) { try open(files, "/a/x") { $0.reads = true } }
        #expect(throws: ServedError.system(ENOTDIR)) { try open(files, "/a/") { $0.reads = true } }
        #expect(throws: ServedError.system(EISDIR)) { try open(files, "/d") { $0.reads = true } }
        #expect(throws: ServedError.system(EEXIST)) {
            try open(files, "/a") { ($0.creates, $0.isExclusive) = (true, true) }
        }
        #expect(throws: ServedError.system(ENOENT)) {
            try open(files, "/n/x") { ($0.writes, $0.creates) = (true, true) }
        }
        #expect(throws: ServedError.system(EISDIR)) {
            try open(files, "/n/") { ($0.writes, $0.creates) = (true, true) }
        }
        #expect(throws: ServedError.system(EISDIR)) { try open(files, "/") { ($0.writes, $0.creates) = (true, true) } }
        let long = "/" + String(repeating: "x", count: 256)
        #expect(throws: ServedError.system(ENAMETOOLONG)) { try open(files, long) { $0.creates = true } }
        _ = try open(files, "/n") { ($0.writes, $0.creates, $0.mode) = (true, true, 0o4666) }
        #expect(try files.status(of: Array("/n".utf8), followingLinks: false).mode == 0o4644)
        _ = try open(files, "/a") { ($0.writes, $0.truncates) = (true, true) }
        #expect(files["a"] == "")
    }

    @Test("are full when they hold as much as they may, and have room again when something goes")
    func capacity() throws {
        let files = MemoryFileSystem(capacity: 10)
        try files.write(Array("12345678".utf8), to: "a")
        #expect(throws: ServedError.system(ENOSPC)) { try files.write([1, 2, 3], to: "b") }
        #expect(files["b"] == "")
        let file = try open(files, "/a") { ($0.reads, $0.writes) = (true, true) }
        var size = ServedChanges()
        size.size = .max
        #expect(throws: ServedError.system(ENOSPC)) { try file.change(size) }
        #expect(try file.volume().availableBlocks == 2)
        try files.remove(Array("/a".utf8))
        #expect(throws: ServedError.system(ENOSPC)) { try files.write([1, 2, 3], to: "b") }
        var buffer = ByteBuffer()
        #expect(try file.read(into: &buffer, count: 100, at: 0) == 8)
        try file.close()
        try files.write([1, 2, 3], to: "b")
        #expect(try files.volume(of: Array("/".utf8)).availableBlocks == 7)
        size.size = 1
        try files.change(Array("/b".utf8), size, followingLinks: true)
        #expect(files.contents(of: "b") == [1])
        #expect(try files.volume(of: Array("/".utf8)).availableBlocks == 9)
    }

    @Test("have links that are resolved inside, and never lead out")
    func links() throws {
        let files = MemoryFileSystem(["d/a": "1", "b": "2"])
        for (name, target) in [
            ("/l", "d/a"), ("/d/up", "../b"), ("/dir", "d"), ("/out", "../b"), ("/d/far", "../../b"), ("/abs", "/b"),
            ("/x", "y"), ("/y", "x"), ("/new", "d/made"), ("/self", "."),
        ] {
            try files.makeSymbolicLink(Array(name.utf8), holding: Array(target.utf8))
        }
        #expect(files["l"] == "1")
        #expect(files["dir/up"] == "2")
        #expect(files["self/self/self/l"] == "1")
        #expect(text(try files.readLink(Array("/l".utf8))) == "d/a")
        #expect(throws: ServedError.system(EINVAL)) { try files.readLink(Array("/b".utf8)) }
        for path in ["/out", "/d/far", "/abs"] {
            #expect(throws: ServedError.leadsOut) { try open(files, path) { $0.reads = true } }
            #expect(throws: ServedError.leadsOut) { try files.status(of: Array(path.utf8), followingLinks: true) }
            #expect(try files.status(of: Array(path.utf8), followingLinks: false).kind == .symbolicLink)
            #expect(throws: ServedError.leadsOut) { try open(files, path) { ($0.writes, $0.creates) = (true, true) } }
        }
        #expect(throws: ServedError.system(ELOOP)) { try open(files, "/x") { $0.reads = true } }
        #expect(throws: ServedError.system(ELOOP)) { try open(files, "/x") { ($0.writes, $0.creates) = (true, true) } }
        #expect(throws: ServedError.system(ELOOP)) { try files.realPath(Array("/x/z".utf8)) }
        #expect(throws: ServedError.system(EEXIST)) {
            try open(files, "/new") { ($0.writes, $0.creates, $0.isExclusive) = (true, true, true) }
        }
        _ = try open(files, "/new") { ($0.writes, $0.creates) = (true, true) }
        #expect(files["d/made"] == "")
        #expect(throws: ServedError.system(ENOENT)) { try files.makeSymbolicLink(Array("/e".utf8), holding: []) }
        // From a path, and not from a link, the root's `..` is the root.
        #expect(files["../../b"] == "2")
    }

    @Test("know the real path of what is there, or could be")
    func realPaths() throws {
        let files = MemoryFileSystem(["d/e/a": "1"])
        try files.makeSymbolicLink(Array("/l".utf8), holding: Array("d/e".utf8))
        for (path, real) in [
            ("/", "/"), (".", "/"), ("/..", "/"), ("/l/a", "/d/e/a"), ("/l/../x", "/d/x"), ("d//e/./", "/d/e"),
            ("/l/new", "/d/e/new"),
        ] {
            #expect(text(try files.realPath(Array(path.utf8))) == real, "\(path)")
        }
        #expect(throws: ServedError.system(ENOENT)) { try files.realPath(Array("/no/new".utf8)) }
        #expect(throws: ServedError.system(ENOTDIR)) { try files.realPath(Array("/d/e/a/x".utf8)) }
    }

    @Test("are renamed as rename(2) does")
    func renaming() throws {
        let files = MemoryFileSystem(["a": "1", "b": "2", "d/x": "3", "e/y": "4"])
        try files.makeDirectory(Array("/empty".utf8), mode: 0o777)
        func rename(_ old: String, _ new: String, replacing: Bool = true) throws(ServedError) {
            try files.rename(Array(old.utf8), to: Array(new.utf8), replacing: replacing)
        }
        #expect(throws: ServedError.system(EEXIST)) { try rename("/a", "/b", replacing: false) }
        #expect(throws: ServedError.system(ENOENT)) { try rename("/no", "/b") }
        #expect(throws: ServedError.system(ENOENT)) { try rename("/a", "/no/b") }
        #expect(throws: ServedError.system(EISDIR)) { try rename("/a", "/d") }
        #expect(throws: ServedError.system(ENOTDIR)) { try rename("/d", "/a") }
        #expect(throws: ServedError.system(ENOTEMPTY)) { try rename("/d", "/e") }
        #expect(throws: ServedError.system(EINVAL)) { try rename("/d", "/d/in") }
        #expect(throws: ServedError.system(EBUSY)) { try rename("/", "/d/in") }
        #expect(throws: ServedError.system(EBUSY)) { try rename("/d", "/") }
        #expect(throws: ServedError.system(ENOTDIR)) { try rename("/a", "/n/") }
        try rename("/a", "/b")
        try rename("/d", "/empty")
        try rename("/b", "/b")
        try rename("/e", "/empty/e")
        #expect(files.paths == ["b", "empty/", "empty/e/", "empty/e/y", "empty/x"])
        #expect(files["b"] == "1")
    }

    @Test("are removed as unlink(2) and rmdir(2) do")
    func removing() throws {
        let files = MemoryFileSystem(["a": "1", "d/x": "3"])
        #expect(throws: ServedError.system(EISDIR)) { try files.remove(Array("/d".utf8)) }
        #expect(throws: ServedError.system(ENOENT)) { try files.remove(Array("/no".utf8)) }
        #expect(throws: ServedError.system(ENOTDIR)) { try files.remove(Array("/a/".utf8)) }
        #expect(throws: ServedError.system(ENOTDIR)) { try files.removeDirectory(Array("/a".utf8)) }
        #expect(throws: ServedError.system(ENOTEMPTY)) { try files.removeDirectory(Array("/d".utf8)) }
        #expect(throws: ServedError.system(EBUSY)) { try files.removeDirectory(Array("/".utf8)) }
        #expect(throws: ServedError.system(EINVAL)) { try files.removeDirectory(Array("/d/.".utf8)) }
        try files.makeSymbolicLink(Array("/l".utf8), holding: Array("a".utf8))
        try files.remove(Array("/l".utf8))
        try files.remove(Array("/d/x".utf8))
        try files.removeDirectory(Array("/d/".utf8))
        #expect(files.paths == ["a"])
        #expect(throws: ServedError.system(EEXIST)) { try files.makeDirectory(Array("/a".utf8), mode: 0o777) }
        #expect(throws: ServedError.system(EEXIST)) { try files.makeDirectory(Array("/".utf8), mode: 0o777) }
        #expect(throws: ServedError.system(ENOENT)) { try files.makeDirectory(Array("/n/n".utf8), mode: 0o777) }
    }

    @Test("have several names by hard links, and go with the last")
    func hardLinks() throws {
        let files = MemoryFileSystem(["a": "1", "d/x": ""], capacity: 4)
        try files.makeHardLink(Array("/d/b".utf8), to: Array("/a".utf8))
        #expect(throws: ServedError.system(EPERM)) { try files.makeHardLink(Array("/e".utf8), to: Array("/d".utf8)) }
        #expect(throws: ServedError.system(EEXIST)) { try files.makeHardLink(Array("/a".utf8), to: Array("/a".utf8)) }
        #expect(try files.status(of: Array("/a".utf8), followingLinks: false).links == 2)
        let (first, second) = (try open(files, "/a") { $0.reads = true }, try open(files, "/d/b") { $0.reads = true })
        #expect(first.isSameFile(as: second))
        #expect(try !first.isSameFile(as: open(files, "/d/x") { $0.reads = true }))
        try first.close()
        try second.close()
        try files.write([5], to: "d/b")
        #expect(files.contents(of: "a") == [5])
        try files.remove(Array("/a".utf8))
        #expect(files.contents(of: "d/b") == [5])
        try files.remove(Array("/d/b".utf8))
        #expect(try files.volume(of: Array("/".utf8)).freeBlocks == 4)
    }

    @Test("keep attributes, and take steps of many threads one after another")
    func attributes() async throws {
        let files = MemoryFileSystem(["a": ""])
        var changes = ServedChanges()
        (changes.mode, changes.owner) = (0o7640, (user: 5, group: 6))
        changes.times = (accessed: ServedTime(seconds: 1), modified: ServedTime(seconds: 2, nanoseconds: 3))
        try files.change(Array("/a".utf8), changes, followingLinks: true)
        let status = try files.status(of: Array("/a".utf8), followingLinks: true)
        #expect((status.mode, status.owner, status.group) == (0o7640, 5, 6))
        #expect(status.modified == ServedTime(seconds: 2, nanoseconds: 3))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { try? files.write([1, 2], to: "many/\(number)") } }
        }
        #expect(files.paths.count == 102)
    }
}
