import NIOCore
import Platform
import Synchronization

/// A file, directory or link in memory.
///
/// `@unchecked Sendable`, as the compiler cannot see which lock guards it: nodes are made by a ``MemoryTree`` alone, the tree
/// exists only inside the mutex of its ``MemoryFileSystem``, and whoever holds a node outside, which is an open file, hands
/// it back to functions that run under that mutex and reads no field of it himself.
final class MemoryNode: @unchecked Sendable {
    enum Content {
        case file([UInt8])
        case directory([[UInt8]: MemoryNode])
        case link([UInt8])
    }

    var content: Content
    var mode: UInt16
    var owner: UInt32 = getuid()
    var group: UInt32 = getgid()
    var accessed: FileTime
    var modified: FileTime
    /// Names the node has in directories.
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
    func edit(_ body: (inout [UInt8]) -> Void) {
        guard case .file(var bytes) = content else { return }
        content = .file([])
        body(&bytes)
        content = .file(bytes)
        modified = FileTime.now()
    }

    /// Changes a directory's entries.
    func setEntry(_ name: [UInt8], _ node: MemoryNode?) {
        guard case .directory(var entries) = content else { return }
        content = .directory([:])
        entries[name] = node
        content = .directory(entries)
        modified = FileTime.now()
    }
}

/// Where a path's last component stands, or would.
struct MemoryPlace {
    var parent: MemoryNode
    var name: [UInt8]
    /// What is there, no link followed.
    var node: MemoryNode?
    /// The path ended in a slash.
    var mustBeDirectory: Bool
    /// The path is that of the root, which has no name.
    var isRoot: Bool { name.isEmpty }
}

/// The nodes of a ``MemoryFileSystem`` and what is done with them.
struct MemoryTree {
    let root = MemoryNode(.directory([:]), mode: 0o755)
    let capacity: Int
    let mask: UInt16
    /// Bytes in files, those without a name but still open among them.
    private(set) var used = 0

    /// As many links are followed on a path as Linux does.
    private static let linkLimit = 40
    private static let longestName = 255

    init(capacity: Int, mask: UInt16) {
        self.capacity = max(0, capacity)
        self.mask = mask
    }

    // MARK: Paths

    private struct Walk {
        /// The directories from the root, and what was found last.
        var trail: [(name: [UInt8], node: MemoryNode)] = []
        var links = 0
    }

    private func directory(_ walk: Walk) -> MemoryNode { walk.trail.last?.node ?? root }

    private static let slash = UInt8(ascii: "/")
    private static let dot = [UInt8(ascii: ".")]
    private static let dots = Array("..".utf8)

    /// Goes along a path. All of its components must be there.
    private func go(_ path: [UInt8], _ walk: inout Walk, followingLast: Bool, isLink: Bool) throws(FileError.Cause) {
        guard !path.contains(0) else { throw .system(ENOENT) }
        if path.first == Self.slash {
            if isLink { throw .leadsOut }
            walk.trail = []
        }
        let components = path.split(separator: Self.slash).map(Array.init)
        for (index, name) in components.enumerated() {
            guard case .directory(let entries) = directory(walk).content else { throw .system(ENOTDIR) }
            if name == Self.dot { continue }
            if name == Self.dots {
                if !walk.trail.isEmpty {
                    walk.trail.removeLast()
                } else if isLink {
                    throw .leadsOut
                }
                continue
            }
            guard name.count <= Self.longestName else { throw .system(ENAMETOOLONG) }
            guard let node = entries[name] else { throw .system(ENOENT) }
            let isLast = index == components.count - 1 && path.last != Self.slash
            if case .link(let target) = node.content, !isLast || followingLast {
                walk.links += 1
                guard walk.links <= Self.linkLimit else { throw .system(ELOOP) }
                try go(target, &walk, followingLast: true, isLink: true)
            } else {
                walk.trail.append((name, node))
            }
        }
        if path.last == Self.slash, case .file = directory(walk).content { throw .system(ENOTDIR) }
    }

    func find(_ path: [UInt8], followingLinks: Bool) throws(FileError.Cause) -> MemoryNode {
        guard !path.isEmpty else { throw .system(ENOENT) }
        var walk = Walk()
        try go(path, &walk, followingLast: followingLinks, isLink: false)
        return directory(walk)
    }

    /// The place of a path's last component, whose directory must be there.
    func place(_ path: [UInt8]) throws(FileError.Cause) -> MemoryPlace {
        var walk = Walk()
        return try place(path, &walk)
    }

    private func place(_ path: [UInt8], _ walk: inout Walk) throws(FileError.Cause) -> MemoryPlace {
        guard !path.isEmpty else { throw .system(ENOENT) }
        let (parent, name) = Self.divide(path)
        try go(parent, &walk, followingLast: true, isLink: walk.links > 0)
        let node = directory(walk)
        guard case .directory(let entries) = node.content else { throw .system(ENOTDIR) }
        if name.isEmpty { return MemoryPlace(parent: root, name: [], node: nil, mustBeDirectory: true) }
        guard name != Self.dot, name != Self.dots else { throw .system(EINVAL) }
        guard !name.contains(0) else { throw .system(ENOENT) }
        guard name.count <= Self.longestName else { throw .system(ENAMETOOLONG) }
        return MemoryPlace(
            parent: node, name: name, node: entries[name], mustBeDirectory: path.last == Self.slash)
    }

    /// A path's directory and its last component, without slashes at the end.
    private static func divide(_ path: [UInt8]) -> (parent: [UInt8], name: [UInt8]) {
        var end = path.count
        while end > 0, path[end - 1] == slash { end -= 1 }
        let start = path[..<end].lastIndex(of: slash).map { $0 + 1 } ?? 0
        return (Array(path[..<start]), Array(path[start..<end]))
    }

    func realPath(_ path: [UInt8]) throws(FileError.Cause) -> [UInt8] {
        var walk = Walk()
        do throws(FileError.Cause) {
            try go(path, &walk, followingLast: true, isLink: false)
        } catch {
            // The last component may be missing, unless a slash says that it is a directory.
            guard error == .system(ENOENT), !path.isEmpty, path.last != Self.slash else { throw error }
            walk = Walk()
            let place = try place(path, &walk)
            guard place.node == nil else { throw error }
            walk.trail.append((place.name, place.parent))
        }
        return [Self.slash] + walk.trail.map(\.name).joined(separator: [Self.slash])
    }

    // MARK: Entries

    func add(_ node: MemoryNode, at place: MemoryPlace) throws(FileError.Cause) {
        guard place.node == nil, !place.isRoot else { throw .system(EEXIST) }
        place.parent.setEntry(place.name, node)
        node.links += 1
    }

    /// Takes a name away, and what nobody has open with its last one.
    mutating func take(_ place: MemoryPlace) {
        guard let node = place.node else { return }
        place.parent.setEntry(place.name, nil)
        node.links -= 1
        free(node)
    }

    private mutating func free(_ node: MemoryNode) {
        guard node.links == 0, node.opened == 0, case .file(let bytes) = node.content else { return }
        used -= bytes.count
        node.content = .file([])
    }

    mutating func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(FileError.Cause) {
        let (from, to) = (try place(old), try place(new))
        guard let node = from.node else { throw .system(from.isRoot ? EBUSY : ENOENT) }
        guard !to.isRoot else { throw .system(replacing ? EBUSY : EEXIST) }
        let isDirectory = if case .directory = node.content { true } else { false }
        if !isDirectory, from.mustBeDirectory || to.mustBeDirectory { throw .system(ENOTDIR) }
        if isDirectory, try leads(to.parent, below: node) { throw .system(EINVAL) }
        if let there = to.node {
            guard replacing else { throw .system(EEXIST) }
            if there === node { return }
            switch there.content {
            case .directory(let entries):
                guard isDirectory else { throw .system(EISDIR) }
                guard entries.isEmpty else { throw .system(ENOTEMPTY) }
            default:
                if isDirectory { throw .system(ENOTDIR) }
            }
            take(to)
        }
        from.parent.setEntry(from.name, nil)
        to.parent.setEntry(to.name, node)
    }

    /// Whether a directory is another or lies in it.
    private func leads(_ directory: MemoryNode, below top: MemoryNode) throws(FileError.Cause) -> Bool {
        var open = [top]
        while let node = open.popLast() {
            if node === directory { return true }
            guard case .directory(let entries) = node.content else { continue }
            open += entries.values.filter { if case .directory = $0.content { true } else { false } }
        }
        return false
    }

    func entries(of node: MemoryNode) throws(FileError.Cause) -> [DirectoryEntry] {
        guard case .directory(let entries) = node.content else { throw .system(ENOTDIR) }
        let own = [Self.dot, Self.dots].map { DirectoryEntry(name: $0, status: node.status) }
        return own
            + entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { DirectoryEntry(name: $0.key, status: $0.value.status) }
    }

    func paths() -> [String] {
        var result: [String] = []
        var open: [(path: String, node: MemoryNode)] = [("", root)]
        while let (path, node) = open.popLast() {
            guard case .directory(let entries) = node.content else {
                result.append(path)
                continue
            }
            if !path.isEmpty { result.append(path + "/") }
            let prefix = path.isEmpty ? "" : path + "/"
            open += entries.map { (prefix + String(decoding: $0.key, as: UTF8.self), $0.value) }
        }
        return result.sorted()
    }

    // MARK: Files

    mutating func open(_ path: [UInt8], _ options: OpenOptions) throws(FileError.Cause) -> MemoryNode {
        let found = try existing(path, options)
        let node = if let found { found } else { try create(path, options) }
        node.opened += 1
        return node
    }

    private mutating func existing(
        _ path: [UInt8], _ options: OpenOptions
    ) throws(FileError.Cause) -> MemoryNode? {
        if options.creates, path.last == Self.slash {
            // A file is not made with the name of a directory; what is wrong on the way there comes first.
            _ = try place(path)
            throw .system(EISDIR)
        }
        let node: MemoryNode
        do throws(FileError.Cause) {
            node = try find(path, followingLinks: !(options.creates && options.isExclusive))
        } catch {
            guard options.creates, error == .system(ENOENT) else { throw error }
            return nil
        }
        if options.creates, options.isExclusive { throw .system(EEXIST) }
        guard case .file = node.content else { throw .system(EISDIR) }
        if options.truncates, options.writes { try resize(node, to: 0) }
        return node
    }

    private func create(_ path: [UInt8], _ options: OpenOptions) throws(FileError.Cause) -> MemoryNode {
        var walk = Walk()
        var place = try place(path, &walk)
        // A link with nothing at its other end: the file is made there.
        while let node = place.node, case .link(let target) = node.content {
            walk.links += 1
            guard walk.links <= Self.linkLimit else { throw .system(ELOOP) }
            place = try self.place(target, &walk)
        }
        guard !place.mustBeDirectory, !place.isRoot else { throw .system(EISDIR) }
        let node = MemoryNode(.file([]), mode: options.mode & ~mask)
        try add(node, at: place)
        return node
    }

    mutating func close(_ node: MemoryNode) {
        node.opened -= 1
        free(node)
    }

    mutating func write(_ bytes: ByteBuffer, at offset: Int64, of node: MemoryNode) throws(FileError.Cause) {
        let (end, overflows) = offset.addingReportingOverflow(Int64(bytes.readableBytes))
        guard !overflows else { throw .system(EINVAL) }
        guard bytes.readableBytes > 0 else { return }
        if end > Int64(node.size) { try resize(node, to: end) }
        node.edit { contents in
            contents.replaceSubrange(Int(offset)..<Int(end), with: bytes.readableBytesView)
        }
    }

    mutating func resize(_ node: MemoryNode, to size: Int64) throws(FileError.Cause) {
        guard case .file = node.content else {
            if case .directory = node.content { throw .system(EISDIR) }
            throw .system(EINVAL)
        }
        let old = node.size
        guard size >= 0 else { throw .system(EINVAL) }
        // What does not fit into the capacity need not fit into anything else.
        guard size <= Int64(old) || size - Int64(old) <= Int64(max(0, capacity - used)) else { throw .system(ENOSPC) }
        let new = Int(size)
        used += new - old
        node.edit { contents in
            if new < old {
                contents.removeSubrange(new...)
            } else {
                contents.append(contentsOf: repeatElement(0, count: new - old))
            }
        }
    }

    mutating func change(_ node: MemoryNode, _ changes: FileChanges) throws(FileError.Cause) {
        if let size = changes.size { try resize(node, to: size) }
        if let mode = changes.mode { node.mode = mode & 0o7777 }
        if let owner = changes.owner { (node.owner, node.group) = (owner.user, owner.group) }
        if let times = changes.times { (node.accessed, node.modified) = (times.accessed, times.modified) }
    }

    var volume: VolumeStatus {
        var volume = VolumeStatus()
        (volume.blockSize, volume.fragmentSize) = (1, 1)
        volume.blocks = UInt64(capacity)
        volume.freeBlocks = UInt64(max(0, capacity - used))
        volume.availableBlocks = volume.freeBlocks
        volume.longestName = UInt64(Self.longestName)
        return volume
    }
}
