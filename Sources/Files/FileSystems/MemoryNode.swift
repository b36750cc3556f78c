import Platform
import Synchronization

/// A file, directory or link in memory.
struct MemoryNode: Sendable {
    enum Content: Sendable {
        case file([UInt8])
        case directory([[UInt8]: FileStatus.Identity])
        case link([UInt8])
    }

    var content: Content
    var mode: UInt16
    var owner: UInt32 = getuid()
    var group: UInt32 = getgid()
    var accessed: FileTime
    var modified: FileTime
    /// Names that the node has in directories.
    var links: UInt64 = 0
    /// Open files of it.
    var opened = 0
    let identity: FileStatus.Identity

    private static let count = Atomic<UInt64>(0)

    init(_ content: Content, mode: UInt16) {
        self.content = content
        let number = Self.count.add(1, ordering: .relaxed).newValue
        identity = FileStatus.Identity(device: .max, number: number)
        self.mode = mode & 0o7777
        (accessed, modified) = (FileTime.now(), FileTime.now())
    }

    /// A file's contents.
    var bytes: [UInt8]? {
        guard case .file(let bytes) = content else { return nil }
        return bytes
    }

    var size: Int {
        switch content {
        case .file(let bytes): bytes.count
        case .directory(let entries): entries.count
        case .link(let target): target.count
        }
    }

    var status: FileStatus {
        let (kind, links): (FileStatus.Kind, UInt64) =
            switch content {
            case .file: (.regular, links)
            case .directory: (.directory, 2)
            case .link: (.symbolicLink, links)
            }
        return FileStatus(
            kind: kind, mode: mode, size: Int64(size), owner: owner, group: group, links: links, accessed: accessed,
            modified: modified, identity: identity)
    }

    func read(count: Int, at offset: Int64) -> ArraySlice<UInt8> {
        guard case .file(let bytes) = content, offset < Int64(bytes.count) else { return [] }
        return bytes[Int(offset)...].prefix(count)
    }

    /// Changes a file's contents where they are, without a copy.
    mutating func edit(_ body: (inout [UInt8]) -> Void) {
        guard case .file(var bytes) = content else { return }
        content = .file([])
        body(&bytes)
        content = .file(bytes)
        modified = FileTime.now()
    }

    /// Changes a directory's entries.
    mutating func setEntry(_ name: [UInt8], _ node: FileStatus.Identity?) {
        guard case .directory(var entries) = content else { return }
        content = .directory([:])
        entries[name] = node
        content = .directory(entries)
        modified = FileTime.now()
    }
}
