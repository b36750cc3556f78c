import Synchronization
import TestSupport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps lines as they come.
final class Collected: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
    func takeFirst() -> String? { lines.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
}

/// Symbolic links.
enum FileLink {
    static func make(from path: String, to target: String) throws {
        guard symlink(target, path) == 0 else { throw TestSupportError("symlink \(path): \(errno)") }
    }

    static func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }
}
