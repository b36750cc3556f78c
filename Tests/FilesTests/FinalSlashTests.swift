import Files
import NIOCore
import Platform
import TestSupport
import Testing

@Suite("A slash at the end of a path")
struct FinalSlashTests {
    /// `file`, `dir`, and links to them, to nothing, and to a name with a slash.
    private func filled(_ kind: FileSystemKind) throws -> FilesUnderTest {
        let served = try FilesUnderTest(kind)
        try served.write("file", "text")
        try served.files.makeDirectory(served.path("dir"), mode: 0o755)
        for (name, target) in [
            ("toFile", "file"), ("toDir", "dir"), ("dangling", "missing"), ("toFileSlash", "file/"),
            ("toMissingSlash", "missing/"),
        ] {
            try served.files.makeSymbolicLink(served.path(name), holding: bytes(target))
        }
        return served
    }

    private func openOptions(creates: Bool, isExclusive: Bool = false) -> OpenOptions {
        var options = OpenOptions()
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

    private func use(_ use: String, _ path: String, of served: FilesUnderTest) throws {
        let files = served.files
        let (path, file, new) = (served.path(path), served.path("file"), served.path("new"))
        var (mode, size) = (FileChanges(), FileChanges())
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

    @Test("stands for a directory and for nothing else, whatever is done", arguments: FileSystemKind.allCases)
    func refused(kind: FileSystemKind) throws {
        let served = try filled(kind)
        let names = try served.names("")
        for (name, path, number) in Self.refusals {
            #expect(thrown { try use(name, path, of: served) } == .system(number), "\(name) \(path)")
        }
        // The words differ for a link that ends in a slash; that nothing is made does not.
        #expect(thrown { try use("create", "toMissingSlash", of: served) } != nil)
        #expect(try served.names("") == names)
        #expect(try served.files.status(of: served.path("file"), followingLinks: false).size == 4)
    }

    @Test("changes nothing about a directory", arguments: FileSystemKind.allCases)
    func directories(kind: FileSystemKind) throws {
        let served = try filled(kind)
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
