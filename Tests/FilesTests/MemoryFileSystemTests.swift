import Files
import NIOCore
import Platform
import TestSupport
import Testing

@Suite("Files in memory")
struct MemoryFileSystemTests {
    private func open(
        _ files: MemoryFileSystem, _ path: String, _ set: (inout OpenOptions) -> Void
    ) throws(FileError.Cause) -> any OpenFile {
        var options = OpenOptions()
        set(&options)
        return try files.open(Array(path.utf8), options)
    }

    private func names(_ files: MemoryFileSystem, _ path: String) throws -> [String] {
        let directory = try files.openDirectory(Array(path.utf8))
        var names: [String] = []
        while let entry = try directory.next() { names.append(String(decoding: entry.name, as: UTF8.self)) }
        return names
    }

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
        #expect(throws: FileError.Cause.system(ENOTDIR)) { try files.write([1], to: "a.txt/x") }
        #expect(try names(files, "/") == [".", "..", "a.txt", "b"])
    }

    @Test("are full when they hold as much as they may, and have room again when something goes")
    func capacity() throws {
        let files = MemoryFileSystem(capacity: 10)
        try files.write(Array("12345678".utf8), to: "a")
        #expect(throws: FileError.Cause.system(ENOSPC)) { try files.write([1, 2, 3], to: "b") }
        #expect(files["b"] == "")
        let file = try open(files, "/a") { ($0.reads, $0.writes) = (true, true) }
        var size = FileChanges()
        size.size = .max
        #expect(throws: FileError.Cause.system(ENOSPC)) { try file.change(size) }
        #expect(try file.volume().availableBlocks == 2)
        try files.remove(Array("/a".utf8))
        #expect(throws: FileError.Cause.system(ENOSPC)) { try files.write([1, 2, 3], to: "b") }
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

    @Test("have a root that stays as it is")
    func root() throws {
        let files = MemoryFileSystem(["d/x": ""])
        let (root, d) = (bytes("/"), bytes("/d"))
        #expect(throws: FileError.Cause.system(ENOENT)) { try open(files, "") { $0.reads = true } }
        #expect(throws: FileError.Cause.system(EISDIR)) {
            try open(files, "/") { ($0.writes, $0.creates) = (true, true) }
        }
        #expect(throws: FileError.Cause.system(EBUSY)) { try files.rename(root, to: bytes("/d/in"), replacing: true) }
        #expect(throws: FileError.Cause.system(EBUSY)) { try files.rename(d, to: root, replacing: true) }
        #expect(throws: FileError.Cause.system(EBUSY)) { try files.removeDirectory(root) }
        #expect(throws: FileError.Cause.system(EEXIST)) { try files.makeDirectory(root, mode: 0o777) }
        for path in ["/", ".", "/.."] { #expect(try files.realPath(bytes(path)) == root) }
    }

    @Test("take the mask from the modes of what is made")
    func mask() throws {
        let files = MemoryFileSystem(mask: 0o022)
        _ = try open(files, "/n") { ($0.writes, $0.creates, $0.mode) = (true, true, 0o4666) }
        #expect(try files.status(of: bytes("/n"), followingLinks: false).mode == 0o4644)
    }

    @Test("have room again when a file's last name goes")
    func roomOfNames() throws {
        let files = MemoryFileSystem(["a": "1"], capacity: 4)
        try files.makeHardLink(bytes("/b"), to: bytes("/a"))
        try files.remove(bytes("/a"))
        #expect(try files.volume(of: bytes("/")).freeBlocks == 3)
        try files.remove(bytes("/b"))
        #expect(try files.volume(of: bytes("/")).freeBlocks == 4)
    }

    @Test("refuse links that lead out when they are followed")
    func links() throws {
        let files = MemoryFileSystem(["d/a": "1", "b": "2"])
        for (name, target) in [("/out", "../b"), ("/d/far", "../../b"), ("/abs", "/b")] {
            try files.makeSymbolicLink(bytes(name), holding: bytes(target))
            #expect(throws: FileError.Cause.leadsOut) { try open(files, name) { $0.reads = true } }
            #expect(throws: FileError.Cause.leadsOut) { try files.status(of: bytes(name), followingLinks: true) }
            #expect(try files.status(of: bytes(name), followingLinks: false).kind == .symbolicLink)
            #expect(throws: FileError.Cause.leadsOut) {
                try open(files, name) { ($0.writes, $0.creates) = (true, true) }
            }
        }
    }

    @Test("keep attributes, and take steps of many threads one after another")
    func attributes() async throws {
        let files = MemoryFileSystem(["a": ""])
        var changes = FileChanges()
        (changes.mode, changes.owner) = (0o7640, (user: 5, group: 6))
        changes.times = (accessed: FileTime(seconds: 1), modified: FileTime(seconds: 2, nanoseconds: 3))
        try files.change(Array("/a".utf8), changes, followingLinks: true)
        let status = try files.status(of: Array("/a".utf8), followingLinks: true)
        #expect((status.mode, status.owner, status.group) == (0o7640, 5, 6))
        #expect(status.modified == FileTime(seconds: 2, nanoseconds: 3))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { try? files.write([1, 2], to: "many/\(number)") } }
        }
        #expect(files.paths.count == 102)
    }
}
