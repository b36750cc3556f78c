import Files
import NIOCore
import Platform
import TestSupport
import Testing

/// Everything a path can be used for, each by its name.
func uses(of path: String, in confined: Confined) -> [(name: String, body: () throws -> Void)] {
    let root = confined.root
    let path = bytes(path)
    var changes = FileChanges()
    changes.mode = 0o777
    changes.times = (FileTime(seconds: 1), FileTime(seconds: 2))
    let all = changes
    var size = FileChanges()
    size.size = 0
    let truncation = size
    return [
        ("read", { _ = try confined.read(String(decoding: path, as: UTF8.self)) }),
        ("write", { try confined.write(String(decoding: path, as: UTF8.self), "x") }),
        ("list", { _ = try root.openDirectory(path) }),
        ("status", { _ = try root.status(of: path, followingLinks: true) }),
        ("change", { try root.change(path, all, followingLinks: true) }),
        ("truncate", { try root.change(path, truncation, followingLinks: true) }),
        ("volume", { _ = try root.volume(of: path) }),
        ("real path", { _ = try root.realPath(path) }),
    ]
}

@Suite("A served directory")
struct DirectoryRootTests {
    @Test("files are made, read, changed, renamed, linked and removed", arguments: confinements + [nil])
    func files(confinement: DirectoryConfinement?) throws {
        let confined = try Confined(confinement)
        let root = confined.root
        try root.makeDirectory(bytes("/d"), mode: 0o755)
        try confined.write("/d/a", "hello")
        #expect(try confined.read("d//./a") == "hello")
        #expect(try root.status(of: bytes("/d/a"), followingLinks: false).size == 5)
        var changes = FileChanges()
        changes.size = 2
        changes.mode = 0o604
        changes.times = (FileTime(seconds: 5), FileTime(seconds: 6))
        changes.owner = (getuid(), getgid())
        try root.change(bytes("/d/a"), changes, followingLinks: true)
        let status = try root.status(of: bytes("/d/a"), followingLinks: true)
        #expect(status.mode == 0o604 && status.size == 2 && status.modified.seconds == 6)
        #expect(status.accessed.seconds == 5 && status.kind == .regular)
        try root.makeHardLink(bytes("/h"), to: bytes("/d/a"))
        #expect(try root.status(of: bytes("/h"), followingLinks: true).links == 2)
        try root.makeSymbolicLink(bytes("/s"), holding: bytes("./d"))
        #expect(try root.readLink(bytes("/s")) == bytes("./d"))
        #expect(try root.status(of: bytes("/s"), followingLinks: false).kind == .symbolicLink)
        #expect(try root.status(of: bytes("/s/"), followingLinks: false).kind == .directory)
        #expect(try confined.read("/s/a") == "he")
        #expect(try confined.names("/") == ["d", "h", "s"])
        #expect(try root.realPath(bytes("/s/../s/./a")) == bytes("/d/a"))
        #expect(try root.realPath(bytes("/s/new")) == bytes("/d/new"))
        #expect(try root.realPath(bytes("")) == bytes("/") && root.realPath(bytes("/../..")) == bytes("/"))
        #expect(thrown { _ = try root.realPath(bytes("/no/new")) } == .system(ENOENT))
        try root.rename(bytes("/h"), to: bytes("/d/h"), replacing: false)
        #expect(
            thrown {
                try root.rename(bytes("/d"), to: bytes("/s"), replacing: false)
            } == .system(EEXIST))
        try confined.write("/x", "x")
        #expect(
            thrown {
                try root.rename(bytes("/x"), to: bytes("/d/h"), replacing: false)
            } == .system(EEXIST))
        try root.rename(bytes("/x"), to: bytes("/d/h"), replacing: true)
        #expect(try confined.read("/d/h") == "x")
        #expect(
            thrown { try root.removeDirectory(bytes("/d")) } == .system(ENOTEMPTY))
        for name in ["/d/a", "/d/h", "/s"] { try root.remove(bytes(name)) }
        try root.removeDirectory(bytes("/d"))
        #expect(try confined.names("/").isEmpty)
        #expect(try root.volume(of: bytes("/")).blocks > 0)
    }

    @Test("a path that climbs out, and a link that leads out, are refused whatever is done", arguments: confinements)
    func escapes(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement)
        try confined.root.makeDirectory(bytes("/d"), mode: 0o755)
        try confined.link("absolute", to: confined.place.file("outside"))
        try confined.link("relative", to: "../outside")
        try confined.link("file", to: "../outside/secret")
        try confined.link("d/deep", to: "../../outside")
        try confined.link("new", to: "../outside/new")
        try confined.link("proc", to: "/proc/self/root")
        let paths = [
            "/absolute/secret", "/relative/secret", "/file", "/d/deep/secret", "/d/../../outside/secret", "/new",
            "/relative", "/absolute/.", "/d/deep/", "/d/deep/..", "/relative/../root", "/proc/etc/passwd",
        ]
        for path in paths {
            for use in uses(of: path, in: confined) {
                // No file is made with the name of a directory, wherever that would be.
                let refusal = use.name == "write" && path.last == "/" ? FileError.Cause.system(EISDIR) : .leadsOut
                #expect(thrown(use.body) == refusal, "\(use.name) \(path)")
            }
        }
        let root = confined.root
        for path in ["/absolute/x", "/relative/x", "/d/deep/x", "/d/../../outside/x"].map(bytes) {
            #expect(thrown { try root.makeDirectory(path, mode: 0o755) } == .leadsOut)
            #expect(thrown { try root.remove(path) } == .leadsOut)
            #expect(thrown { try root.removeDirectory(path) } == .leadsOut)
            #expect(thrown { _ = try root.readLink(path) } == .leadsOut)
            #expect(
                thrown { _ = try root.status(of: path, followingLinks: false) } == .leadsOut)
            #expect(
                thrown { try root.makeSymbolicLink(path, holding: bytes("a")) } == .leadsOut)
            for replacing in [false, true] {
                #expect(
                    thrown { try root.rename(bytes("/d"), to: path, replacing: replacing) }
                        == .leadsOut)
                #expect(
                    thrown { try root.rename(path, to: bytes("/n"), replacing: replacing) }
                        == .leadsOut)
            }
            #expect(thrown { try root.makeHardLink(bytes("/n"), to: path) } == .leadsOut)
            #expect(thrown { try root.makeHardLink(path, to: bytes("/file")) } == .leadsOut)
        }
        #expect(try readText(confined.place.file("outside/secret")) == "secret")
        #expect(access(confined.place.file("outside/new"), F_OK) != 0)
    }

    @Test("the link itself may be looked at, renamed, linked and removed wherever it leads", arguments: confinements)
    func linksThemselves(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement)
        let root = confined.root
        try confined.link("l", to: "../outside/secret")
        #expect(try root.status(of: bytes("/l"), followingLinks: false).kind == .symbolicLink)
        #expect(try root.readLink(bytes("/l")) == bytes("../outside/secret"))
        var changes = FileChanges()
        changes.times = (FileTime(seconds: 5), FileTime(seconds: 6))
        try root.change(bytes("/l"), changes, followingLinks: false)
        #expect(try root.status(of: bytes("/l"), followingLinks: false).modified.seconds == 6)
        try root.makeHardLink(bytes("/h"), to: bytes("/l"))
        #expect(try root.status(of: bytes("/h"), followingLinks: false).kind == .symbolicLink)
        try root.rename(bytes("/l"), to: bytes("/m"), replacing: true)
        try root.remove(bytes("/m"))
        #expect(try readText(confined.place.file("outside/secret")) == "secret")
    }

    @Test("links that would lead programs out are not made", arguments: confinements)
    func badLinks(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement)
        let root = confined.root
        try root.makeDirectory(bytes("/d"), mode: 0o755)
        try confined.link("e", to: "d")
        for (path, target) in [
            ("/l", "/etc/passwd"), ("/l", ".."), ("/d/l", "../.."), ("/d/l", "../d/../../x"), ("/l", "a/../../a"),
            ("/e/l", "../../x"), ("/d/l", "s/../../etc/passwd"), ("/d/l", "../d/.."), ("/4", "a/.."),
        ] {
            #expect(
                thrown {
                    try root.makeSymbolicLink(bytes(path), holding: bytes(target))
                } == .leadsOut, "\(path) -> \(target)")
        }
        for (path, target) in [("/1", "d"), ("/d/2", ".."), ("/d/3", "../no/thing"), ("/e/5", ".//./..//a")] {
            try root.makeSymbolicLink(bytes(path), holding: bytes(target))
        }
    }

    @Test("links are not brought where they would lead programs out", arguments: confinements)
    func movedLinks(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement)
        let root = confined.root
        for path in ["/a", "/a/b", "/a/b/c"] { try root.makeDirectory(bytes(path), mode: 0o755) }
        try root.makeSymbolicLink(bytes("/a/b/l"), holding: bytes("../../x"))
        try confined.link("top", to: "a/..")
        try confined.link("here", to: "a/b")
        try confined.link("a/absolute", to: "/etc")
        for (old, new) in [("/a/b/l", "/l"), ("/a/b/l", "/a/l"), ("/a/b/l", "/a/../top/l"), ("/a/absolute", "/l")] {
            for replacing in [false, true] {
                #expect(thrown { try root.rename(bytes(old), to: bytes(new), replacing: replacing) } == .leadsOut)
            }
            #expect(thrown { try root.makeHardLink(bytes(new), to: bytes(old)) } == .leadsOut)
        }
        #expect(try confined.names("/") == ["a", "here", "top"])
        #expect(try confined.names("/a") == ["absolute", "b"])
        #expect(thrown { try root.rename(bytes("/a/no"), to: bytes("/no"), replacing: true) } == .system(ENOENT))
        // Where it leads nowhere else, or not out.
        try root.makeHardLink(bytes("/a/b/c/l"), to: bytes("/a/b/l"))
        try root.rename(bytes("/a/b/c/l"), to: bytes("/a/b/k"), replacing: false)
        try root.rename(bytes("/a/b/k"), to: bytes("/here/m"), replacing: true)
        try root.rename(bytes("/a/absolute"), to: bytes("/a/other"), replacing: false)
        #expect(try confined.names("/a/b") == ["c", "l", "m"])
        // A directory is not looked through.
        try root.rename(bytes("/a/b"), to: bytes("/b"), replacing: false)
        #expect(try root.readLink(bytes("/b/l")) == bytes("../../x"))
    }

    @Test("nothing above the root is told", arguments: confinements)
    func rootIsTop(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement)
        // The directory above has another mode.
        #expect(chmod(confined.place.file("root"), 0o751) == 0)
        let directory = try confined.root.openDirectory(bytes("/"))
        var seen: FileStatus?
        while let entry = try directory.next() {
            if entry.name == bytes("..") { seen = entry.status }
        }
        let top = try confined.root.status(of: bytes("/"), followingLinks: true)
        #expect(seen?.mode == 0o751 && top.mode == 0o751)
        #expect(try confined.root.status(of: bytes("/.."), followingLinks: false) == top)
        #expect(try confined.root.status(of: bytes("/../../."), followingLinks: true) == top)
        #expect(thrown { try confined.root.removeDirectory(bytes("/")) } == .system(EBUSY))
        #expect(thrown { try confined.root.remove(bytes("/..")) } == .system(EISDIR))
        #expect(
            thrown { try confined.root.makeDirectory(bytes("/"), mode: 0o7) }
                == .system(EEXIST))
    }

    @Test("loops of links, long paths, deep paths and NULs are errors", arguments: confinements)
    func hostilePaths(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement)
        try confined.link("loop", to: "loop")
        try confined.link("a", to: "b/x")
        try confined.link("b", to: "a/y")
        let deep = String(repeating: "d/", count: 5000)
        for (path, number) in [
            ("/loop", ELOOP), ("/loop/x", ELOOP), ("/a", ELOOP), ("/\(deep)", ENAMETOOLONG), ("/a\0b", ENOENT),
            ("/" + String(repeating: "n", count: 300), ENAMETOOLONG),
        ] {
            for use in uses(of: path, in: confined) {
                #expect(thrown(use.body) == .system(number), "\(use.name) \(path.prefix(20))")
            }
        }
        #expect(
            thrown { try confined.root.makeSymbolicLink(bytes("/n"), holding: bytes("a\0b")) }
                == .system(ENOENT))
        // Up and down again costs nothing.
        let windings = String(repeating: "d/../", count: 500)
        try confined.root.makeDirectory(bytes("/d"), mode: 0o755)
        #expect(try confined.root.realPath(bytes("/\(windings)d")) == bytes("/d"))
        #expect(try confined.root.status(of: bytes("/\(windings)d"), followingLinks: true).kind == .directory)
    }

    @Test("links whose windings together are too long are a loop", arguments: confinements)
    func windingLinks(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement)
        try confined.root.makeDirectory(bytes("/d"), mode: 0o755)
        for index in 0..<6 {
            try confined.link("l\(index)", to: String(repeating: "d/../", count: 800) + "l\(index + 1)")
        }
        try confined.link("l6", to: "d")
        #expect(try confined.root.realPath(bytes("/l4")) == bytes("/d"))
        #expect(thrown { _ = try confined.root.realPath(bytes("/l0")) } == .system(ELOOP))
        // Steps to where one is are not walked.
        let standing = String(repeating: "./", count: 2000)
        #expect(try confined.root.realPath(bytes("/\(standing)d/.")) == bytes("/d"))
    }

    @Test("what is no regular file is not opened, nor waited for", arguments: confinements)
    func special(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement)
        #expect(mkfifo(confined.place.file("root/fifo"), 0o600) == 0)
        #expect(thrown { _ = try confined.read("/fifo") } == .notRegular)
        #expect(thrown { try confined.write("/fifo", "x") } == .system(ENXIO))
        #expect(thrown { _ = try confined.read("/") } == .system(EISDIR))
        #expect(
            thrown { _ = try confined.root.openDirectory(bytes("/fifo")) } == .system(ENOTDIR))
    }

    #if os(Linux)
        @Test("files of procfs are not opened, those its links lead to are")
        func processFiles() throws {
            let place = try TemporaryDirectory()
            try writeFile(place.file("f"), text: "x")
            try writeFile(place.file("g"), text: "x")
            guard symlink("/proc/self/mem", place.file("l")) == 0 else { throw SystemError("symlink") }
            let descriptor = open(place.file("g"), O_RDWR | O_CLOEXEC)
            defer { close(descriptor) }
            let root = try DirectoryRoot(path: bytes("/"))
            var (reading, writing) = (OpenOptions(), OpenOptions())
            reading.reads = true
            writing.writes = true
            let both = [reading, writing]
            var size = FileChanges()
            size.size = 0
            for path in [
                "/proc/self/mem", "/proc/\(getpid())/mem", "/proc/self/root/proc/self/mem", "/proc/thread-self/comm",
                place.file("l"),
            ] {
                for options in both {
                    #expect(thrown { _ = try root.open(bytes(path), options) } == .notRegular, "\(path)")
                }
                #expect(thrown { try root.change(bytes(path), size, followingLinks: true) } == .system(EINVAL))
            }
            #expect(thrown { _ = try root.open(bytes("/proc/self/maps"), reading) } == .notRegular)
            // The same where it is below a directory that is served.
            let below = try DirectoryRoot(path: bytes("/proc"))
            #expect(thrown { _ = try below.open(bytes("/self/mem"), reading) } == .notRegular)
            for path in ["/proc/self/root\(place.file("f"))", "/proc/self/fd/\(descriptor)", place.file("f")] {
                for options in both { _ = try root.open(bytes(path), options) }
            }
            #expect(try root.openDirectory(bytes("/proc/self/fd")).next() != nil)
        }
    #endif

    @Test("flags of opening mean what open(2) means by them", arguments: confinements)
    func openFlags(confinement: DirectoryConfinement) throws {
        let confined = try Confined(confinement, mask: 0o077)
        let root = confined.root
        var options = OpenOptions()
        options.writes = true
        #expect(thrown { _ = try root.open(bytes("/f"), options) } == .system(ENOENT))
        options.creates = true
        options.isExclusive = true
        let file = try root.open(bytes("/f"), options)
        #expect(try file.status().mode == 0o600)
        try file.write(ByteBuffer(string: "0123456789"), at: 0)
        #expect(thrown { _ = try root.open(bytes("/f"), options) } == .system(EEXIST))
        options.isExclusive = false
        options.appends = true
        try root.open(bytes("/f"), options).write(ByteBuffer(string: "ab"), at: 0)
        #expect(try confined.read("/f") == "0123456789ab")
        options.appends = false
        try root.open(bytes("/f"), options).write(ByteBuffer(string: "XY"), at: 3)
        #expect(try confined.read("/f") == "012XY56789ab")
        options.truncates = true
        _ = try root.open(bytes("/f"), options)
        #expect(try confined.read("/f") == "")
        // A link to nothing is where the file is made.
        try confined.link("l", to: "made")
        try confined.write("/l", "here")
        #expect(try confined.read("/made") == "here")
        #expect(
            thrown { try file.write(ByteBuffer(string: "x"), at: .max) } == .system(EINVAL))
        #expect(thrown { try file.write(ByteBuffer(string: "x"), at: -1) } == .system(EINVAL))
    }

    @Test("read-only files stay as they are")
    func readOnly() throws {
        let confined = try Confined(nil, isReadOnly: true)
        try writeFile(confined.place.file("root/f"), text: "kept")
        let root = confined.root
        let f = bytes("/f")
        var changes = FileChanges()
        changes.mode = 0
        let mode = changes
        let attempts: [() throws -> Void] = [
            { try confined.write("/f", "x") },
            { try root.makeDirectory(bytes("/d"), mode: 0o755) },
            { try root.remove(f) },
            { try root.removeDirectory(f) },
            { try root.rename(f, to: bytes("/g"), replacing: true) },
            { try root.makeHardLink(bytes("/g"), to: f) },
            { try root.makeSymbolicLink(bytes("/g"), holding: f) },
            { try root.change(f, mode, followingLinks: true) },
        ]
        for attempt in attempts { #expect(thrown(attempt) == .readOnly) }
        #expect(try confined.read("/f") == "kept")
        #expect(try confined.names("/") == ["f"])
    }

    @Test("the root of the file system confines nothing, and is known by any path")
    func whole() throws {
        let place = try TemporaryDirectory()
        for path in ["/", "/usr/.."] {
            let root = try DirectoryRoot(path: bytes(path))
            #expect(root.confinement == .none)
            try writeFile(place.file("f"), text: "x")
            unlink(place.file("l"))
            try root.makeSymbolicLink(bytes(place.file("l")), holding: bytes(place.file("f")))
            #expect(try root.status(of: bytes(place.file("l")), followingLinks: true).size == 1)
            #expect(try root.realPath(bytes(place.file("l"))).suffix(2) == bytes("/f")[...])
            #expect(try root.realPath(bytes("/../../tmp/..")) == bytes("/"))
        }
        #expect(try DirectoryRoot(path: bytes(place.path)).confinement != .none)
    }
}
