import Platform
import TestSupport

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
