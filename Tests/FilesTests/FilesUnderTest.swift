import Files
import NIOCore
import TestSupport

/// Every file system of ours, and every way that one has to resolve a path.
enum FileSystemKind: CaseIterable, Sendable {
    /// ``MemoryFileSystem``.
    case memory
    /// A directory, confined by the kernel where it can do that.
    case directory
    /// A directory, confined component by component.
    case walkedDirectory
    /// The machine's, in a directory that paths begin with.
    case machine

    /// Whether links and paths can lead out at all.
    var isConfined: Bool { self != .machine }
}

/// An empty place in a file system.
struct FilesUnderTest {
    let files: any FileSystem
    private let prefix: String
    /// Keeps the directory.
    private let place: TemporaryDirectory

    init(_ kind: FileSystemKind) throws {
        let place = try TemporaryDirectory()
        self.place = place
        prefix = kind == .machine ? place.file("") + "/" : "/"
        files =
            switch kind {
            case .memory: MemoryFileSystem()
            case .directory: try DirectoryRoot(path: bytes(place.path))
            case .walkedDirectory: try DirectoryRoot(path: bytes(place.path), confinement: .walk)
            case .machine: try DirectoryRoot(path: bytes("/"))
            }
    }

    /// The path of something in the place.
    func path(_ path: String) -> [UInt8] { bytes(prefix + path) }

    func open(_ path: String, _ set: (inout OpenOptions) -> Void) throws(FileError.Cause) -> any OpenFile {
        var options = OpenOptions()
        set(&options)
        return try files.open(self.path(path), options)
    }

    /// Makes or replaces a file.
    func write(_ path: String, _ text: String) throws(FileError.Cause) {
        let file = try open(path) { ($0.writes, $0.creates, $0.truncates) = (true, true, true) }
        try file.write(ByteBuffer(string: text), at: 0)
        try file.close()
    }

    func text(_ path: String) throws(FileError.Cause) -> String {
        var buffer = ByteBuffer()
        _ = try open(path) { $0.reads = true }.read(into: &buffer, count: 1_000, at: 0)
        return String(buffer: buffer)
    }

    /// Sorted, `.` and `..` aside.
    func names(_ path: String) throws(FileError.Cause) -> [String] {
        let directory = try files.openDirectory(self.path(path))
        var names: [String] = []
        while let entry = try directory.next() { names.append(String(decoding: entry.name, as: UTF8.self)) }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    func link(_ path: String, to target: String) throws(FileError.Cause) {
        try files.makeSymbolicLink(self.path(path), holding: bytes(target))
    }

    func status(_ path: String, followingLinks: Bool = true) throws(FileError.Cause) -> FileStatus {
        try files.status(of: self.path(path), followingLinks: followingLinks)
    }
}
