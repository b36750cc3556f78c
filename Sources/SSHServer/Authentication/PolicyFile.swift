import NIOConcurrencyHelpers
import Platform
import SSHNIO
import SSHWire

/// Why a file that decides who is let in was not believed.
public enum PolicyFileError: Error, Equatable, Sendable {
    case system(path: String, number: Int32)
    case notRegular(path: String)
    case tooLarge(path: String, most: Int)
    /// Somebody other than root and the user who serves owns it.
    case foreign(path: String, owner: UInt32)
    /// Others than its owner may write to it.
    case writable(path: String, mode: UInt32)

    var isMissing: Bool {
        if case .system(_, let number) = self { number == ENOENT || number == ENOTDIR } else { false }
    }
}

extension PolicyFileError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let path, let number): "\(Self.show(path)): \(SystemError.text(number))"
        case .notRegular(let path): "\(Self.show(path)) is no regular file"
        case .tooLarge(let path, let most): "\(Self.show(path)) has more than \(most) bytes"
        case .foreign(let path, let owner): "\(Self.show(path)) belongs to user \(owner), neither root nor the server's"
        case .writable(let path, let mode):
            "others than its owner may write to \(Self.show(path)) (mode \(String(mode, radix: 8)))"
        }
    }

    private static func show(_ path: String) -> String { Printable.text(path.utf8) }
}

/// A file that decides who is let in, as it was when it was looked at.
struct PolicyFile {
    /// What changes when the file does.
    struct Stamp: Equatable {
        let device: UInt64
        let number: UInt64
        let size: Int64
        let changed: Int64
        let changedNanoseconds: Int64
        let modified: Int64
        let modifiedNanoseconds: Int64
    }

    let stamp: Stamp
    /// nil where the file is still the one that was read before.
    let content: [UInt8]?
    /// Whether its last change lies so far back that another one would be seen by the stamp.
    let isSettled: Bool

    /// The most such a file may hold, in bytes.
    private static let largest = 16 << 20
    /// File systems count time in steps; two seconds are the coarsest in use.
    private static let coarsestTime: Int64 = 2

    /// Looks at a file and reads it unless it is still the known one.
    ///
    /// - Parameter isStrict: neither the file nor a directory above it may be one that others than root and the user who
    ///   serves could change (as `StrictModes` of sshd_config(5)). A directory with the sticky bit may.
    static func read(_ path: String, isStrict: Bool, known: Stamp?) throws(PolicyFileError) -> PolicyFile {
        guard !path.utf8.contains(0), let resolved = realpath(path, nil) else {
            throw .system(path: path, number: path.utf8.contains(0) ? ENOENT : errno)
        }
        defer { free(resolved) }
        let target = String(cString: resolved)
        // Not to be held up by a FIFO that somebody put there.
        let descriptor = open(target, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .system(path: path, number: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(path: path, number: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
        if isStrict {
            try check(status, path: path, allowsSticky: false)
            try checkDirectories(above: target)
        }
        guard status.st_size <= off_t(largest) else { throw .tooLarge(path: path, most: largest) }
        let stamp = Stamp(status)
        let isSettled = Int64(time(nil)) - max(stamp.changed, stamp.modified) > coarsestTime
        if stamp == known { return PolicyFile(stamp: stamp, content: nil, isSettled: isSettled) }
        return PolicyFile(stamp: stamp, content: try bytes(of: descriptor, path: path), isSettled: isSettled)
    }

    private static func checkDirectories(above path: String) throws(PolicyFileError) {
        var rest = path[...]
        while let slash = rest.lastIndex(of: "/") {
            rest = rest[..<slash]
            let directory = rest.isEmpty ? "/" : String(rest)
            var status = stat()
            guard lstat(directory, &status) == 0 else { throw .system(path: directory, number: errno) }
            try check(status, path: directory, allowsSticky: true)
        }
    }

    private static func check(_ status: stat, path: String, allowsSticky: Bool) throws(PolicyFileError) {
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            throw .foreign(path: path, owner: status.st_uid)
        }
        guard status.st_mode & 0o022 == 0 || (allowsSticky && status.st_mode & S_ISVTX != 0) else {
            throw .writable(path: path, mode: UInt32(status.st_mode & 0o7777))
        }
    }

    private static func bytes(of descriptor: CInt, path: String) throws(PolicyFileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = systemRead(descriptor, &block)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(path: path, number: errno) }
            if count == 0 { return bytes }
            bytes += block[..<count]
            guard bytes.count <= largest else { throw .tooLarge(path: path, most: largest) }
        }
    }
}

extension PolicyFile.Stamp {
    fileprivate init(_ status: stat) {
        let (change, modification) = (status.changeTime, status.modificationTime)
        device = UInt64(truncatingIfNeeded: status.st_dev)
        number = UInt64(truncatingIfNeeded: status.st_ino)
        size = Int64(status.st_size)
        changed = Int64(change.tv_sec)
        changedNanoseconds = Int64(change.tv_nsec)
        modified = Int64(modification.tv_sec)
        modifiedNanoseconds = Int64(modification.tv_nsec)
    }
}

private func systemRead(_ descriptor: CInt, _ block: inout [UInt8]) -> Int {
    block.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
}

/// Files of one kind, read again when they have changed.
final class PolicyFileCache<Value: Sendable>: Sendable {
    private struct Known {
        let stamp: PolicyFile.Stamp
        let value: Value
    }
    private let known = NIOLockedValueBox<[String: Known]>([:])
    private let isStrict: Bool
    private let parse: @Sendable (String, [UInt8]) throws -> Value
    /// How many files are remembered; users may be many.
    private static var most: Int { 256 }

    /// - Parameter parse: makes the value of a file's path and content.
    init(isStrict: Bool, parse: @escaping @Sendable (String, [UInt8]) throws -> Value) {
        self.isStrict = isStrict
        self.parse = parse
    }

    func forget() { known.withLockedValue { $0 = [:] } }

    /// The value of a file as it is now. It blocks on the disk.
    ///
    /// - Throws: `PolicyFileError`, or what `parse` throws.
    func value(of path: String) throws -> Value {
        let before = known.withLockedValue { $0[path] }
        let file = try PolicyFile.read(path, isStrict: isStrict, known: before?.stamp)
        guard let content = file.content else {
            if let before { return before.value }
            throw PolicyFileError.system(path: path, number: ESTALE)
        }
        let value = try parse(path, content)
        known.withLockedValue { known in
            if known.count >= Self.most { known = [:] }
            known[path] = file.isSettled ? Known(stamp: file.stamp, value: value) : nil
        }
        return value
    }
}
