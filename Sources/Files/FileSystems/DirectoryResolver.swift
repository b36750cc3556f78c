import Platform

/// How paths are kept below a directory.
package enum DirectoryConfinement: CaseIterable, Sendable {
    /// By the kernel: openat2(2), Linux since 5.6.
    case kernel
    /// Component by component, in this process.
    case walk
    /// Not at all: the directory is `/`.
    case none
}

/// A path below a directory, taken apart: `..` at its very start stays at the root, as in a root of chroot(2).
struct DirectoryPath {
    let names: [[UInt8]]
    /// The path ended in a slash: it stands for a directory and for nothing else (POSIX.1-2024, 4.16 Pathname Resolution).
    let endsInSlash: Bool

    /// - Throws: `FileError.Cause.system(ENOENT)` for a path with a NUL, `ENAMETOOLONG`.
    init(_ path: [UInt8]) throws(FileError.Cause) {
        guard !path.contains(0) else { throw .system(ENOENT) }
        guard path.count < 4096 else { throw .system(ENAMETOOLONG) }
        names = Array(components(of: path).drop { $0 == [dot] || $0 == [dot, dot] })
        endsInSlash = !names.isEmpty && path.last == slash
    }

    private init(names: [[UInt8]]) { (self.names, endsInSlash) = (names, false) }

    /// The directory of the last name.
    var parent: DirectoryPath { DirectoryPath(names: Array(names.dropLast())) }

    /// As the system takes it, from the root.
    var joined: [UInt8] {
        names.isEmpty ? [dot] : Array(names.joined(separator: [slash])) + (endsInSlash ? [slash] : [])
    }
}

/// Opens what paths below a directory stand for, and nothing else.
final class DirectoryResolver: Sendable {
    let root: Int32
    let confinement: DirectoryConfinement

    /// - Parameter confinement: nil for what suits the directory and the system.
    convenience init(path: [UInt8], confinement: DirectoryConfinement?) throws(FileError.Cause) {
        let root = try served { () throws(SystemCall.Failure) in
            try SystemCall.open(at: AT_FDCWD, path, O_DIRECTORY | SystemCall.placeFlags)
        }
        self.init(root: root, confinement: confinement)
    }

    /// Takes over the descriptor of a directory.
    init(root: Int32, confinement: DirectoryConfinement?) {
        self.root = root
        if let confinement {
            self.confinement = confinement
        } else {
            let isWhole = Self.isFileSystemRoot(root)
            self.confinement = isWhole ? .none : Self.hasKernelConfinement(root) ? .kernel : .walk
        }
    }

    deinit { _ = SystemCall.close(root) }

    /// Whether this is `/`, by whatever path it was named.
    private static func isFileSystemRoot(_ descriptor: Int32) -> Bool {
        var (this, top) = (stat(), stat())
        guard fstat(descriptor, &this) == 0, stat("/", &top) == 0 else { return false }
        return this.st_dev == top.st_dev && this.st_ino == top.st_ino
    }

    /// Old kernels have no openat2, and some sandboxes forbid it.
    private static func hasKernelConfinement(_ root: Int32) -> Bool {
        guard let descriptor = try? SystemCall.open(beneath: root, [dot], O_DIRECTORY | SystemCall.placeFlags) else {
            return false
        }
        _ = SystemCall.close(descriptor)
        return true
    }

    func walk(_ path: DirectoryPath) -> DirectoryWalk {
        DirectoryWalk(root: root, isWhole: confinement == .none, path)
    }

    /// Opens what a path stands for; the caller closes it.
    func open(_ path: DirectoryPath, _ flags: Int32, mode: UInt16 = 0) throws(FileError.Cause) -> Int32 {
        do throws(SystemCall.Failure) {
            switch confinement {
            case .walk: return try openByWalk(path, flags, mode)
            case .kernel: return try openByKernel(path.joined, flags, mode)
            case .none: return try SystemCall.open(at: root, path.joined, flags, mode)
            }
        } catch {
            // What openat2 says of a path that climbs out; nothing else here crosses a border.
            throw error.number == EXDEV ? .leadsOut : .system(error.number)
        }
    }

    private func openByWalk(
        _ path: DirectoryPath, _ flags: Int32, _ mode: UInt16
    ) throws(SystemCall.Failure) -> Int32 {
        do throws(FileError.Cause) {
            return try walk(path).open(flags, mode: mode)
        } catch {
            if case .system(let number) = error { throw SystemCall.Failure(number: number) }
            throw SystemCall.Failure(number: EXDEV)
        }
    }

    /// What a path stands for, links followed.
    func status(of path: DirectoryPath) throws(FileError.Cause) -> stat {
        var status = stat()
        switch confinement {
        case .walk: return try walk(path).status()
        case .kernel:
            let descriptor = try open(path, SystemCall.lookFlags)
            defer { _ = SystemCall.close(descriptor) }
            try served { () throws(SystemCall.Failure) in _ = try SystemCall.run { fstat(descriptor, &status) } }
        case .none:
            let path = path.joined
            try served { () throws(SystemCall.Failure) in
                try SystemCall.withPath(path) { path throws(SystemCall.Failure) in
                    _ = try SystemCall.run { fstatat(root, path, &status, 0) }
                }
            }
        }
        return status
    }

    /// How often a resolution is tried that a rename elsewhere got in the way of.
    private static let attempts = 1000

    private func openByKernel(
        _ path: [UInt8], _ flags: Int32, _ mode: UInt16
    ) throws(SystemCall.Failure) -> Int32 {
        var attempt = 0
        while true {
            do throws(SystemCall.Failure) {
                return try SystemCall.open(beneath: root, path, flags, mode)
            } catch {
                attempt += 1
                guard error.number == EAGAIN, attempt < Self.attempts else { throw error }
            }
        }
    }

    /// Runs a call on a name in its directory, which is resolved and held open: no path leads elsewhere after that. The
    /// name has no slash; what a slash behind it means is the caller's to say.
    ///
    /// - Parameter rootError: errno of the call on the root itself, or on `.` and `..`, which name no entry.
    func withParent<T>(
        of path: DirectoryPath, rootError: Int32, _ body: (Int32, [UInt8]) throws(SystemCall.Failure) -> T
    ) throws(FileError.Cause) -> T {
        guard let name = path.names.last, name != [dot], name != [dot, dot] else { throw .system(rootError) }
        // A path of one component needs nothing resolved, and in an unconfined root none does.
        if path.names.count == 1 { return try served { () throws(SystemCall.Failure) in try body(root, name) } }
        if confinement == .none {
            let path = Array(path.names.joined(separator: [slash]))
            return try served { () throws(SystemCall.Failure) in try body(root, path) }
        }
        let parent = try open(path.parent, O_DIRECTORY | SystemCall.placeFlags)
        defer { _ = SystemCall.close(parent) }
        return try served { () throws(SystemCall.Failure) in try body(parent, name) }
    }
}

extension DirectoryResolver {
    /// Runs a call on two names, of which the first exists.
    func withParents(
        of old: DirectoryPath, _ new: DirectoryPath, newRootError: Int32,
        _ body: (DirectoryRoot.Entry, DirectoryRoot.Entry) throws(SystemCall.Failure) -> Void
    ) throws(FileError.Cause) {
        var failure: FileError.Cause?
        try withParent(of: old, rootError: EBUSY) { oldDirectory, oldName in
            do throws(FileError.Cause) {
                try withParent(of: new, rootError: newRootError) { newDirectory, newName throws(SystemCall.Failure) in
                    try body((oldDirectory, oldName), (newDirectory, newName))
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}

/// Runs system calls, their errno thrown as the error of a served file.
func served<T>(_ body: () throws(SystemCall.Failure) -> T) throws(FileError.Cause) -> T {
    do throws(SystemCall.Failure) {
        return try body()
    } catch {
        throw .system(error.number)
    }
}
