import Files
import NIOCore
import Platform
import TestSupport
import Testing

/// What holds for every ``FileSystem``, with the values of errno that Linux has.
@Suite("A file system")
struct FileSystemTests {
    @Test("is read and written anywhere, and filled up with zeros", arguments: FileSystemKind.allCases)
    func readingAndWriting(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.write("a", "0123456789")
        let file = try place.open("a") { ($0.reads, $0.writes) = (true, true) }
        var buffer = ByteBuffer()
        #expect(try file.read(into: &buffer, count: 4, at: 8) == 2)
        #expect(try file.read(into: &buffer, count: 4, at: 10) == 0)
        #expect(buffer == ByteBuffer(string: "89"))
        try file.write(ByteBuffer(string: "xy"), at: 3)
        try file.write(ByteBuffer(string: "z"), at: 12)
        #expect(try place.text("a") == "012xy56789\0\0z")
        #expect(try file.status().size == 13)
        for offset in [Int64.max, -1] {
            #expect(throws: FileError.Cause.system(EINVAL)) { try file.write(ByteBuffer(string: "z"), at: offset) }
        }
        #expect(throws: FileError.Cause.system(EINVAL)) { try file.read(into: &buffer, count: 1, at: -1) }
        try file.synchronize()
        try file.close()
        #expect(throws: FileError.Cause.system(EBADF)) { try file.read(into: &buffer, count: 1, at: 0) }
    }

    @Test("keeps to what a file was opened for", arguments: FileSystemKind.allCases)
    func modesOfOpening(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.write("a", "0123")
        let end = try place.open("a") { ($0.writes, $0.appends) = (true, true) }
        try end.write(ByteBuffer(string: "!"), at: 0)
        #expect(try place.text("a") == "0123!")
        var buffer = ByteBuffer()
        #expect(throws: FileError.Cause.system(EBADF)) { try end.read(into: &buffer, count: 1, at: 0) }
        let reader = try place.open("a") { $0.reads = true }
        #expect(throws: FileError.Cause.system(EBADF)) { try reader.write(ByteBuffer(string: "x"), at: 0) }
        _ = try place.open("a") { ($0.writes, $0.truncates) = (true, true) }
        #expect(try place.text("a") == "")
    }

    @Test("opens and makes files as open(2) does", arguments: FileSystemKind.allCases)
    func opening(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.write("a", "1")
        try place.files.makeDirectory(place.path("d"), mode: 0o755)
        let long = String(repeating: "x", count: 256)
        for (path, number) in [
            ("none", ENOENT), ("a\0b", ENOENT), ("a/x", ENOTDIR), ("a/", ENOTDIR), ("d", EISDIR), (long, ENAMETOOLONG),
        ] {
            #expect(throws: FileError.Cause.system(number), "\(path)") { try place.open(path) { $0.reads = true } }
        }
        for (path, number) in [("n/x", ENOENT), ("n/", EISDIR), ("d", EISDIR), (long, ENAMETOOLONG)] {
            #expect(throws: FileError.Cause.system(number), "\(path)") {
                try place.open(path) { ($0.writes, $0.creates) = (true, true) }
            }
        }
        #expect(throws: FileError.Cause.system(EEXIST)) {
            try place.open("a") { ($0.creates, $0.isExclusive) = (true, true) }
        }
        _ = try place.open("new") { ($0.writes, $0.creates, $0.mode) = (true, true, 0o700) }
        #expect(try place.status("new").mode == 0o700)
        #expect(try place.names("") == ["a", "d", "new"])
    }

    @Test("follows links, and knows loops", arguments: FileSystemKind.allCases)
    func links(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.files.makeDirectory(place.path("d"), mode: 0o755)
        try place.write("d/a", "1")
        try place.write("b", "2")
        for (name, target) in [
            ("l", "d/a"), ("d/up", "../b"), ("dir", "d"), ("x", "y"), ("y", "x"), ("new", "d/made"), ("self", "."),
        ] {
            try place.link(name, to: target)
        }
        #expect(try place.text("l") == "1")
        #expect(try place.text("dir/up") == "2")
        #expect(try place.text("self/self/self/l") == "1")
        #expect(try place.files.readLink(place.path("l")) == bytes("d/a"))
        #expect(throws: FileError.Cause.system(EINVAL)) { try place.files.readLink(place.path("b")) }
        #expect(try place.status("l", followingLinks: false).kind == .symbolicLink)
        #expect(try place.status("l").identity == place.status("d/a").identity)
        #expect(throws: FileError.Cause.system(ELOOP)) { try place.text("x") }
        #expect(throws: FileError.Cause.system(ELOOP)) { try place.write("x", "") }
        #expect(throws: FileError.Cause.system(ELOOP)) { try place.files.realPath(place.path("x/z")) }
        #expect(throws: FileError.Cause.system(EEXIST)) {
            try place.open("new") { ($0.writes, $0.creates, $0.isExclusive) = (true, true, true) }
        }
        try place.write("new", "made")
        #expect(try place.text("d/made") == "made")
        #expect(throws: FileError.Cause.system(ENOENT)) { try place.link("e", to: "") }
    }

    @Test("knows the real path of what is there, or could be", arguments: FileSystemKind.allCases)
    func realPaths(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        for path in ["d", "d/e"] { try place.files.makeDirectory(place.path(path), mode: 0o755) }
        try place.write("d/e/a", "1")
        try place.link("l", to: "d/e")
        let root = BytePath(try place.files.realPath(place.path("")))
        for (path, real) in [("l/a", "d/e/a"), ("l/../x", "d/x"), ("d//e/./", "d/e"), ("l/new", "d/e/new")] {
            #expect(try place.files.realPath(place.path(path)) == root.appending(bytes(real)).bytes, "\(path)")
        }
        #expect(throws: FileError.Cause.system(ENOENT)) { try place.files.realPath(place.path("no/new")) }
        #expect(throws: FileError.Cause.system(ENOTDIR)) { try place.files.realPath(place.path("d/e/a/x")) }
    }

    @Test("lets no path and no link lead out", arguments: FileSystemKind.allCases.filter(\.isConfined))
    func confinement(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.write("b", "2")
        // From a path, and not from a link, the root's `..` is the root.
        #expect(try place.text("../../b") == "2")
        #expect(try place.files.realPath(bytes("/../..")) == bytes("/"))
        for target in ["../b", "/b"] {
            // Some refuse to make such a link, and the others to follow it.
            #expect(
                thrown {
                    try place.link("out", to: target); _ = try place.text("out")
                } == .leadsOut, "\(target)")
            try? place.files.remove(place.path("out"))
        }
    }

    @Test("renames as rename(2) does", arguments: FileSystemKind.allCases)
    func renaming(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        for (path, text) in [("a", "1"), ("b", "2")] { try place.write(path, text) }
        for path in ["d", "e", "empty"] { try place.files.makeDirectory(place.path(path), mode: 0o755) }
        try place.write("d/x", "3")
        try place.write("e/y", "4")
        func rename(_ old: String, _ new: String, replacing: Bool = true) throws(FileError.Cause) {
            try place.files.rename(place.path(old), to: place.path(new), replacing: replacing)
        }
        for (old, new, number) in [
            ("no", "b", ENOENT), ("a", "no/b", ENOENT), ("a", "d", EISDIR), ("d", "a", ENOTDIR), ("d", "e", ENOTEMPTY),
            ("d", "d/in", EINVAL), ("a", "n/", ENOTDIR),
        ] {
            #expect(thrown { try rename(old, new) } == .system(number), "\(old) \(new)")
        }
        #expect(thrown { try rename("a", "b", replacing: false) } == .system(EEXIST))
        try rename("a", "b")
        try rename("d", "empty")
        try rename("b", "b")
        try rename("e", "empty/e", replacing: false)
        #expect(try place.names("") == ["b", "empty"])
        #expect(try place.names("empty") == ["e", "x"])
        #expect(try place.text("b") == "1")
    }

    @Test("removes as unlink(2) and rmdir(2) do", arguments: FileSystemKind.allCases)
    func removing(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.write("a", "1")
        try place.files.makeDirectory(place.path("d"), mode: 0o755)
        try place.write("d/x", "3")
        try place.link("l", to: "a")
        for (path, number) in [("d", EISDIR), ("no", ENOENT), ("a/", ENOTDIR)] {
            #expect(thrown { try place.files.remove(place.path(path)) } == .system(number), "\(path)")
        }
        for (path, number) in [("a", ENOTDIR), ("d", ENOTEMPTY), ("no", ENOENT)] {
            #expect(thrown { try place.files.removeDirectory(place.path(path)) } == .system(number), "\(path)")
        }
        for path in ["l", "d/x"] { try place.files.remove(place.path(path)) }
        try place.files.removeDirectory(place.path("d/"))
        #expect(try place.names("") == ["a"])
        for (path, number) in [("a", EEXIST), ("n/n", ENOENT), ("a/n", ENOTDIR)] {
            #expect(
                thrown { try place.files.makeDirectory(place.path(path), mode: 0o755) } == .system(number), "\(path)")
        }
    }

    @Test("gives a file several names by hard links", arguments: FileSystemKind.allCases)
    func hardLinks(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.write("a", "1")
        try place.write("other", "1")
        try place.files.makeDirectory(place.path("d"), mode: 0o755)
        try place.files.makeHardLink(place.path("d/b"), to: place.path("a"))
        #expect(thrown { try place.files.makeHardLink(place.path("e"), to: place.path("d")) } == .system(EPERM))
        #expect(thrown { try place.files.makeHardLink(place.path("a"), to: place.path("a")) } == .system(EEXIST))
        let status = try place.status("a")
        #expect(status.links == 2)
        #expect(try status.identity == place.status("d/b").identity)
        #expect(try status.identity != place.status("other").identity)
        let files = try ["a", "d/b", "other"].map { try place.open($0) { $0.reads = true } }
        #expect(files[0].isSameFile(as: files[1]) && !files[0].isSameFile(as: files[2]))
        try place.write("d/b", "5")
        try place.files.remove(place.path("a"))
        #expect(try place.text("d/b") == "5")
    }

    @Test("keeps attributes", arguments: FileSystemKind.allCases)
    func attributes(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.write("a", "123")
        var changes = FileChanges(size: 5, mode: 0o640)
        changes.times = (accessed: FileTime(seconds: 1), modified: FileTime(seconds: 2, nanoseconds: 3_000))
        changes.owner = (getuid(), getgid())
        try place.files.change(place.path("a"), changes, followingLinks: true)
        let status = try place.status("a")
        #expect((status.mode, status.size, status.owner, status.group) == (0o640, 5, getuid(), getgid()))
        #expect((status.accessed, status.modified) == (FileTime(seconds: 1), FileTime(seconds: 2, nanoseconds: 3_000)))
        #expect(try place.text("a") == "123\0\0")
        let file = try place.open("a") { ($0.reads, $0.writes) = (true, true) }
        try file.change(FileChanges(size: 1))
        #expect(try file.status().size == 1)
        #expect(try place.files.volume(of: place.path("a")).longestName >= 255)
    }

    @Test("lists what a directory holds, links as links", arguments: FileSystemKind.allCases)
    func listing(kind: FileSystemKind) throws {
        let place = try FilesUnderTest(kind)
        try place.write("a", "123")
        try place.files.makeDirectory(place.path("d"), mode: 0o755)
        try place.link("l", to: "a")
        let directory = try place.files.openDirectory(place.path(""))
        var kinds: [String: FileStatus.Kind] = [:]
        while let entry = try directory.next() {
            kinds[String(decoding: entry.name, as: UTF8.self)] = entry.status?.kind
        }
        #expect(
            kinds == [".": .directory, "..": .directory, "a": .regular, "d": .directory, "l": .symbolicLink])
        #expect(throws: FileError.Cause.system(ENOTDIR)) { try place.files.openDirectory(place.path("a")) }
    }
}
