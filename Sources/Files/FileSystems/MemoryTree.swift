import NIOCore
import Platform

/// Where a path's last component stands, or would.
struct MemoryPlace {
    var parent: FileStatus.Identity
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
    /// All that have a name or are open, and the root.
    private var nodes: [FileStatus.Identity: MemoryNode]
    private let root: FileStatus.Identity
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
        let root = MemoryNode(.directory([:]), mode: 0o755)
        self.root = root.identity
        nodes = [root.identity: root]
    }

    /// What an identity stands for now.
    func node(_ identity: FileStatus.Identity) throws(FileError.Cause) -> MemoryNode {
        guard let node = nodes[identity] else { throw .system(ESTALE) }
        return node
    }

    // MARK: Paths

    private struct Walk {
        /// The directories from the root, and what was found last.
        var trail: [(name: [UInt8], node: FileStatus.Identity)] = []
        var links = 0
    }

    private func last(_ walk: Walk) throws(FileError.Cause) -> MemoryNode { try node(walk.trail.last?.node ?? root) }

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
            guard case .directory(let entries) = try last(walk).content else { throw .system(ENOTDIR) }
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
            guard let identity = entries[name] else { throw .system(ENOENT) }
            let isLast = index == components.count - 1 && path.last != Self.slash
            if case .link(let target) = try node(identity).content, !isLast || followingLast {
                walk.links += 1
                guard walk.links <= Self.linkLimit else { throw .system(ELOOP) }
                try go(target, &walk, followingLast: true, isLink: true)
            } else {
                walk.trail.append((name, identity))
            }
        }
        if path.last == Self.slash, case .file = try last(walk).content { throw .system(ENOTDIR) }
    }

    func find(_ path: [UInt8], followingLinks: Bool) throws(FileError.Cause) -> MemoryNode {
        guard !path.isEmpty else { throw .system(ENOENT) }
        var walk = Walk()
        try go(path, &walk, followingLast: followingLinks, isLink: false)
        return try last(walk)
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
        let directory = try last(walk)
        guard case .directory(let entries) = directory.content else { throw .system(ENOTDIR) }
        if name.isEmpty { return MemoryPlace(parent: root, name: [], node: nil, mustBeDirectory: true) }
        guard name != Self.dot, name != Self.dots else { throw .system(EINVAL) }
        guard !name.contains(0) else { throw .system(ENOENT) }
        guard name.count <= Self.longestName else { throw .system(ENAMETOOLONG) }
        return MemoryPlace(
            parent: directory.identity, name: name, node: entries[name].flatMap { nodes[$0] },
            mustBeDirectory: path.last == Self.slash)
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

    /// Gives a node that is new, or there already, a name.
    mutating func add(_ node: MemoryNode, at place: MemoryPlace) throws(FileError.Cause) {
        guard place.node == nil, !place.isRoot else { throw .system(EEXIST) }
        nodes[place.parent]?.setEntry(place.name, node.identity)
        nodes[node.identity, default: node].links += 1
    }

    /// Takes a name away, and what nobody has open with its last one.
    mutating func take(_ place: MemoryPlace) {
        guard let node = place.node else { return }
        nodes[place.parent]?.setEntry(place.name, nil)
        nodes[node.identity]?.links -= 1
        free(node.identity)
    }

    private mutating func free(_ identity: FileStatus.Identity) {
        guard let node = nodes[identity], node.links == 0, node.opened == 0 else { return }
        if case .file(let bytes) = node.content { used -= bytes.count }
        nodes[identity] = nil
    }

    mutating func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(FileError.Cause) {
        let (from, to) = (try place(old), try place(new))
        guard let node = from.node else { throw .system(from.isRoot ? EBUSY : ENOENT) }
        guard !to.isRoot else { throw .system(replacing ? EBUSY : EEXIST) }
        let isDirectory = if case .directory = node.content { true } else { false }
        if !isDirectory, from.mustBeDirectory || to.mustBeDirectory { throw .system(ENOTDIR) }
        if isDirectory, try leads(to.parent, below: node.identity) { throw .system(EINVAL) }
        if let there = to.node {
            guard replacing else { throw .system(EEXIST) }
            if there.identity == node.identity { return }
            switch there.content {
            case .directory(let entries):
                guard isDirectory else { throw .system(EISDIR) }
                guard entries.isEmpty else { throw .system(ENOTEMPTY) }
            default:
                if isDirectory { throw .system(ENOTDIR) }
            }
            take(to)
        }
        nodes[from.parent]?.setEntry(from.name, nil)
        nodes[to.parent]?.setEntry(to.name, node.identity)
    }

    /// Whether a directory is another or lies in it.
    private func leads(
        _ directory: FileStatus.Identity, below top: FileStatus.Identity
    ) throws(FileError.Cause) -> Bool {
        var open = [top]
        while let identity = open.popLast() {
            if identity == directory { return true }
            if case .directory(let entries) = try node(identity).content { open += entries.values }
        }
        return false
    }

    func entries(of node: MemoryNode) throws(FileError.Cause) -> [DirectoryEntry] {
        guard case .directory(let entries) = node.content else { throw .system(ENOTDIR) }
        var list = [Self.dot, Self.dots].map { DirectoryEntry(name: $0, status: node.status) }
        for (name, identity) in entries.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            list.append(DirectoryEntry(name: name, status: try self.node(identity).status))
        }
        return list
    }

    func paths() -> [String] {
        var result: [String] = []
        var open: [(path: String, node: FileStatus.Identity)] = [("", root)]
        while let (path, identity) = open.popLast() {
            guard case .directory(let entries) = nodes[identity]?.content else {
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

    mutating func open(_ path: [UInt8], _ options: OpenOptions) throws(FileError.Cause) -> FileStatus.Identity {
        let found = try existing(path, options)
        let identity = if let found { found } else { try create(path, options) }
        nodes[identity]?.opened += 1
        return identity
    }

    private mutating func existing(
        _ path: [UInt8], _ options: OpenOptions
    ) throws(FileError.Cause) -> FileStatus.Identity? {
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
        if options.truncates, options.writes { try resize(node.identity, to: 0) }
        return node.identity
    }

    private mutating func create(
        _ path: [UInt8], _ options: OpenOptions
    ) throws(FileError.Cause) -> FileStatus.Identity {
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
        return node.identity
    }

    mutating func close(_ identity: FileStatus.Identity) {
        nodes[identity]?.opened -= 1
        free(identity)
    }

    /// - Parameter offset: nil for the end of the file.
    mutating func write(
        _ bytes: ByteBuffer, at offset: Int64?, of identity: FileStatus.Identity
    ) throws(FileError.Cause) {
        let size = Int64(try node(identity).size)
        let offset = offset ?? size
        let (end, overflows) = offset.addingReportingOverflow(Int64(bytes.readableBytes))
        guard !overflows else { throw .system(EINVAL) }
        guard bytes.readableBytes > 0 else { return }
        if end > size { try resize(identity, to: end) }
        nodes[identity]?.edit { contents in
            contents.replaceSubrange(Int(offset)..<Int(end), with: bytes.readableBytesView)
        }
    }

    mutating func resize(_ identity: FileStatus.Identity, to size: Int64) throws(FileError.Cause) {
        let old: Int
        switch try node(identity).content {
        case .file(let bytes): old = bytes.count
        case .directory: throw .system(EISDIR)
        case .link: throw .system(EINVAL)
        }
        guard size >= 0 else { throw .system(EINVAL) }
        // What does not fit into the capacity need not fit into anything else.
        guard size <= Int64(old) || size - Int64(old) <= Int64(max(0, capacity - used)) else { throw .system(ENOSPC) }
        let new = Int(size)
        used += new - old
        nodes[identity]?.edit { contents in
            if new < old {
                contents.removeSubrange(new...)
            } else {
                contents.append(contentsOf: repeatElement(0, count: new - old))
            }
        }
    }

    mutating func change(_ identity: FileStatus.Identity, _ changes: FileChanges) throws(FileError.Cause) {
        if let size = changes.size { try resize(identity, to: size) }
        if let mode = changes.mode { nodes[identity]?.mode = mode & 0o7777 }
        if let owner = changes.owner {
            nodes[identity]?.owner = owner.user
            nodes[identity]?.group = owner.group
        }
        if let times = changes.times {
            nodes[identity]?.accessed = times.accessed
            nodes[identity]?.modified = times.modified
        }
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
