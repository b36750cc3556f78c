import Platform

/// Resolves a path below a directory one component at a time, each opened without following it, so that what another
/// process changes in the meantime leads nowhere else: a link is read, and its components are walked like the path's.
///
/// `..` goes back to a descriptor that the walk came from, and never above the first.
struct DirectoryWalk: ~Copyable {
    /// Links in a path beyond which it is taken for a loop; what Linux allows.
    private static let maximumLinks = 40
    /// Each component of a path holds a descriptor for a moment.
    private static let maximumDepth = 256
    /// Components of a path and of all the links on it beyond which that is taken for a loop, too: each is a call.
    private static let maximumComponents = 4096

    private let root: Int32
    /// Nothing lies outside of the root: absolute links begin there again, and `..` of it is itself.
    private let isWhole: Bool
    private let endsInSlash: Bool
    /// The directories from the root to where the walk is, and their names.
    private var stack: [(descriptor: Int32, name: [UInt8])] = []
    /// Components yet to be walked, the next one last.
    private var rest: [[UInt8]] = []
    private var links = 0
    /// How many have been in `rest`.
    private var walked: Int

    init(root: Int32, isWhole: Bool, _ path: DirectoryPath) {
        self.root = root
        self.isWhole = isWhole
        endsInSlash = path.endsInSlash
        walked = path.names.count
        rest = path.names.reversed()
        // `a/` is the same directory as `a/.`, and if `a` is none it is the same error.
        if endsInSlash { rest.insert([dot], at: 0) }
    }

    deinit {
        for entry in stack { _ = SystemCall.close(entry.descriptor) }
    }

    private var here: Int32 { stack.last?.descriptor ?? root }

    /// The names from the root to where the walk is.
    var names: [[UInt8]] { stack.map(\.name) }

    /// Walks up to the last component, which is returned: `.` where there is none.
    ///
    /// - Throws: `FileError.Cause`: `.system(ENOENT)`, `.leadsOut` and others.
    private mutating func advance() throws(FileError.Cause) -> [UInt8] {
        while let name = rest.popLast() {
            if name == [dot, dot] {
                try goUp()
            } else if rest.isEmpty {
                return name
            } else if name != [dot] {
                try enter(name)
            }
        }
        return [dot]
    }

    private mutating func goUp() throws(FileError.Cause) {
        if let last = stack.popLast() {
            _ = SystemCall.close(last.descriptor)
        } else if !isWhole {
            throw .leadsOut
        }
    }

    private mutating func enter(_ name: [UInt8]) throws(FileError.Cause) {
        guard stack.count < Self.maximumDepth else { throw .system(ENAMETOOLONG) }
        do throws(SystemCall.Failure) {
            let flags = O_DIRECTORY | O_NOFOLLOW | SystemCall.placeFlags
            stack.append((try SystemCall.open(at: here, name, flags), name))
        } catch {
            guard error.number == ENOTDIR || error.number == ELOOP else { throw .system(error.number) }
            try follow(name, or: ENOTDIR)
        }
    }

    /// Puts what a link holds before the rest of the path.
    ///
    /// - Parameter number: what is thrown if the name is no link.
    private mutating func follow(_ name: [UInt8], or number: Int32) throws(FileError.Cause) {
        let text: [UInt8]
        do throws(SystemCall.Failure) {
            text = try readLink(at: here, name)
        } catch {
            throw .system(error.number == EINVAL ? number : error.number)
        }
        links += 1
        let inside = components(of: text)
        walked += inside.count
        guard links <= Self.maximumLinks, walked <= Self.maximumComponents else { throw .system(ELOOP) }
        if text.first == slash {
            guard isWhole else { throw .leadsOut }
            while !stack.isEmpty { try goUp() }
        }
        if text.last == slash, rest.isEmpty { rest = [[dot]] }
        rest += inside.reversed()
    }

    /// Opens what the path stands for.
    ///
    /// - Parameter flags: of open(2); with O_NOFOLLOW a link in the last place is not followed.
    consuming func open(_ flags: Int32, mode: UInt16 = 0) throws(FileError.Cause) -> Int32 {
        if endsInSlash, flags & O_CREAT != 0 {
            // A file is not made with the name of a directory; what is wrong on the way there comes first.
            rest.removeFirst()
            _ = try advance()
            throw .system(EISDIR)
        }
        while true {
            let name = try advance()
            let result: Int32
            do throws(SystemCall.Failure) {
                result = try SystemCall.open(at: here, name, flags | O_NOFOLLOW, mode)
            } catch {
                guard flags & O_NOFOLLOW == 0, [ELOOP, ENOTDIR, EMLINK].contains(error.number) else {
                    throw .system(error.number)
                }
                try follow(name, or: error.number)
                continue
            }
            guard flags & O_NOFOLLOW == 0, flags & SystemCall.placeFlags != 0, isLink(result) else { return result }
            // A descriptor of a link's own, as only O_PATH gives it.
            _ = SystemCall.close(result)
            try follow(name, or: ELOOP)
        }
    }

    private func isLink(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// What the path stands for, links followed.
    consuming func status() throws(FileError.Cause) -> stat {
        while true {
            let name = try advance()
            let status = try entryStatus(at: here, name)
            guard status.st_mode & S_IFMT == S_IFLNK else { return status }
            try follow(name, or: ENOENT)
        }
    }

    /// The components from the root to what the path stands for, links resolved. The last one need not exist.
    consuming func realNames() throws(FileError.Cause) -> [[UInt8]] {
        while true {
            let name = try advance()
            if name == [dot] { return names }
            do throws(SystemCall.Failure) {
                _ = try readLink(at: here, name)
            } catch {
                // EINVAL: it is there and no link.
                if error.number == EINVAL || error.number == ENOENT { return names + [name] }
                throw .system(error.number)
            }
            try follow(name, or: ELOOP)
        }
    }
}

let dot = UInt8(ascii: ".")
let slash = UInt8(ascii: "/")

/// The names in a path; empty ones are left out.
func components(of path: [UInt8]) -> [[UInt8]] { path.split(separator: slash).map(Array.init) }

/// What an entry of a directory is; links are not followed.
func entryStatus(at directory: Int32, _ name: [UInt8]) throws(FileError.Cause) -> stat {
    try served { () throws(SystemCall.Failure) in
        try SystemCall.status(at: directory, name, followingLinks: false)
    }
}

/// What a symbolic link holds; EINVAL for what is none.
func readLink(at directory: Int32, _ name: [UInt8]) throws(SystemCall.Failure) -> [UInt8] {
    try SystemCall.withPath(name) { path throws(SystemCall.Failure) in
        var buffer = [CChar](repeating: 0, count: 4096)
        let size = buffer.count
        let count = try SystemCall.run { readlinkat(directory, path, &buffer, size) }
        guard count < size else { throw SystemCall.Failure(number: ENAMETOOLONG) }
        return buffer[..<count].map { UInt8(bitPattern: $0) }
    }
}
