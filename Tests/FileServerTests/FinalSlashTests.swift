import CopyEngine
import FileServer
import Files
import NIOCore
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file system with a few entries below `prefix`, and how to name it in a failure.
private struct Served: CustomTestStringConvertible {
    let testDescription: String
    let files: any FileSystem
    let prefix: String
    /// Keeps the directory.
    let place: TemporaryDirectory?

    func path(_ path: String) -> [UInt8] { Array((prefix + path).utf8) }

    /// `file`, `dir`, and links to them, to nothing, and to a name with a slash.
    func fill() throws {
        var options = ServedOpenOptions()
        (options.writes, options.creates) = (true, true)
        try files.open(path("file"), options).write(ByteBuffer(string: "text"), at: 0)
        try files.makeDirectory(path("dir"), mode: 0o755)
        for (name, target) in [
            ("toFile", "file"), ("toDir", "dir"), ("dangling", "missing"), ("toFileSlash", "file/"),
            ("toMissingSlash", "missing/"),
        ] {
            try files.makeSymbolicLink(path(name), holding: Array(target.utf8))
        }
    }

    func names() throws -> [String] {
        let directory = try files.openDirectory(path(""))
        var names: [String] = []
        while let entry = try directory.next() { names.append(String(decoding: entry.name, as: UTF8.self)) }
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }

    /// Every file system of ours, and every way that one has to resolve a path.
    static func all() throws -> [Served] {
        var all = [Served(testDescription: "memory", files: MemoryFileSystem(), prefix: "/", place: nil)]
        for confinement in confinements + [.none] {
            let place = try TemporaryDirectory()
            let isWhole = confinement == .none
            all.append(
                Served(
                    testDescription: "\(confinement)",
                    files: try DirectoryRoot(path: bytes(isWhole ? "/" : place.file("")), confinement: confinement),
                    prefix: isWhole ? place.file("") + "/" : "/", place: place))
        }
        for served in all { try served.fill() }
        return all
    }
}

@Suite("A slash at the end of a path")
struct FinalSlashTests {
    private func openOptions(creates: Bool, isExclusive: Bool = false) -> ServedOpenOptions {
        var options = ServedOpenOptions()
        (options.reads, options.writes, options.creates) = (!creates, creates, creates)
        options.isExclusive = isExclusive
        return options
    }

    /// What Linux says of each use of a path that ends in a slash.
    private static let refusals: [(use: String, path: String, number: Int32)] = [
        ("read", "file/", ENOTDIR), ("read", "toFile/", ENOTDIR), ("read", "toFileSlash", ENOTDIR),
        ("read", "missing/", ENOENT), ("read", "dir/", EISDIR), ("read", "file/.", ENOTDIR),
        ("create", "missing/", EISDIR), ("create", "file/", EISDIR), ("create", "dir/", EISDIR),
        ("create", "dangling/", EISDIR), ("create", "no/missing/", ENOENT), ("create", "missing/.", ENOENT),
        ("create", "file/x/", ENOTDIR), ("createNew", "missing/", EISDIR), ("createNew", "dir/", EISDIR),
        ("list", "file/", ENOTDIR), ("list", "missing/", ENOENT),
        ("stat", "file/", ENOTDIR), ("stat", "missing/", ENOENT),
        ("lstat", "file/", ENOTDIR), ("lstat", "toFile/", ENOTDIR), ("lstat", "dangling/", ENOENT),
        ("setMode", "file/", ENOTDIR), ("setSize", "file/", ENOTDIR), ("setLinkMode", "toFile/", ENOTDIR),
        ("makeDirectory", "file/", EEXIST), ("makeDirectory", "dangling/", EEXIST), ("makeDirectory", "dir/", EEXIST),
        ("removeDirectory", "file/", ENOTDIR), ("removeDirectory", "toDir/", ENOTDIR),
        ("removeDirectory", "missing/", ENOENT),
        ("remove", "file/", ENOTDIR), ("remove", "toFile/", ENOTDIR), ("remove", "toDir/", ENOTDIR),
        ("remove", "dir/", EISDIR), ("remove", "missing/", ENOENT),
        ("renameFrom", "file/", ENOTDIR), ("renameFrom", "toDir/", ENOTDIR), ("renameFrom", "missing/", ENOENT),
        ("renameTo", "new/", ENOTDIR), ("renameTo", "dir/", ENOTDIR), ("renameTo", "toFile/", ENOTDIR),
        ("makeSymbolicLink", "new/", ENOENT), ("makeSymbolicLink", "file/", EEXIST),
        ("makeSymbolicLink", "dir/", EEXIST), ("makeSymbolicLink", "dangling/", EEXIST),
        ("hardLinkAt", "new/", ENOENT), ("hardLinkAt", "file/", EEXIST),
        ("hardLinkOf", "file/", ENOTDIR), ("hardLinkOf", "toFile/", ENOTDIR), ("hardLinkOf", "dir/", EPERM),
        ("hardLinkOf", "toDir/", EPERM), ("hardLinkOf", "missing/", ENOENT),
        ("readLink", "toDir/", EINVAL), ("readLink", "toFile/", ENOTDIR), ("readLink", "dangling/", ENOENT),
        ("realPath", "file/", ENOTDIR), ("realPath", "missing/", ENOENT), ("realPath", "toFileSlash", ENOTDIR),
        ("volume", "file/", ENOTDIR), ("volume", "missing/", ENOENT),
    ]

    private func use(_ use: String, _ path: String, of served: Served) throws {
        let files = served.files
        let (path, file, new) = (served.path(path), served.path("file"), served.path("new"))
        var (mode, size) = (ServedChanges(), ServedChanges())
        (mode.mode, size.size) = (0o700, 1)
        switch use {
        case "read": _ = try files.open(path, openOptions(creates: false))
        case "create": _ = try files.open(path, openOptions(creates: true))
        case "createNew": _ = try files.open(path, openOptions(creates: true, isExclusive: true))
        case "list": _ = try files.openDirectory(path)
        case "stat": _ = try files.status(of: path, followingLinks: true)
        case "lstat": _ = try files.status(of: path, followingLinks: false)
        case "setMode": try files.change(path, mode, followingLinks: true)
        case "setLinkMode": try files.change(path, mode, followingLinks: false)
        case "setSize": try files.change(path, size, followingLinks: true)
        case "makeDirectory": try files.makeDirectory(path, mode: 0o755)
        case "removeDirectory": try files.removeDirectory(path)
        case "remove": try files.remove(path)
        case "renameFrom": try files.rename(path, to: new, replacing: true)
        case "renameTo": try files.rename(file, to: path, replacing: true)
        case "makeSymbolicLink": try files.makeSymbolicLink(path, holding: Array("file".utf8))
        case "hardLinkAt": try files.makeHardLink(path, to: file)
        case "hardLinkOf": try files.makeHardLink(new, to: path)
        case "readLink": _ = try files.readLink(path)
        case "realPath": _ = try files.realPath(path)
        case "volume": _ = try files.volume(of: path)
        default: Issue.record("no such use: \(use)")
        }
    }

    @Test("stands for a directory and for nothing else, whatever is done")
    func refused() throws {
        for served in try Served.all() {
            let names = try served.names()
            for (name, path, number) in Self.refusals {
                #expect(
                    error { try use(name, path, of: served) } == .system(number),
                    "\(served.testDescription): \(name) \(path)")
            }
            // The words differ for a link that ends in a slash; that nothing is made does not.
            #expect(error { try use("create", "toMissingSlash", of: served) } != nil)
            #expect(try served.names() == names)
            #expect(try served.files.status(of: served.path("file"), followingLinks: false).size == 4)
        }
    }

    @Test("changes nothing about a directory")
    func directories() throws {
        for served in try Served.all() {
            let files = served.files
            try files.makeDirectory(served.path("new/"), mode: 0o755)
            #expect(try files.status(of: served.path("new/"), followingLinks: false).kind == .directory)
            try files.rename(served.path("new/"), to: served.path("newer/"), replacing: false)
            try files.removeDirectory(served.path("newer//"))
            // A link to a directory that is named with a slash is the directory.
            #expect(try files.status(of: served.path("toDir/"), followingLinks: false).kind == .directory)
            try use("setLinkMode", "toDir/", of: served)
            #expect(try files.status(of: served.path("dir"), followingLinks: false).mode == 0o700)
            #expect(try files.realPath(served.path("toDir/")) == files.realPath(served.path("dir")))
            try use("list", "toDir/", of: served)
        }
    }

    @Test("makes scp -t and scp -f refuse what is no directory")
    func commands() async throws {
        try await withTemporaryDirectory { base in
            let source = base / "a"
            try writeFile("\(source)", text: "new", mode: 0o644)
            for target in ["inbox/", "file/"] {
                let files = MemoryFileSystem(["file": "old"])
                let (client, server) = MemoryStream.pair()
                async let sent = SCPUpload(stream: client, options: .init(), observer: Recorder()).run([source])
                _ = try? await files.serve("scp -t \(target)", server)
                try await server.finishWriting()
                let errors = (try? await sent)?.errors
                #expect(errors != 0, "\(target)")
                #expect(files.paths == ["file"] && files["file"] == "old")
            }
            let files = MemoryFileSystem(["file": "old"])
            let (client, server) = MemoryStream.pair()
            async let status = files.serve("scp -f file/", server)
            _ = try? await SCPDownload(stream: client, options: .init(), observer: Recorder()).run(into: base / "got")
            #expect(try await status == 1)
            #expect(access("\(base / "got")", F_OK) != 0)
        }
    }
}
