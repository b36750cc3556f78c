import Platform
import SSHKeys

/// Small files read and appended to in one go: keys, known hosts.
package enum TextFile {
    /// What a file holds, and who may read it.
    package struct Content {
        package private(set) var bytes: [UInt8]
        package let mode: UInt32
        package let owner: UInt32
        package let group: UInt32
        package var text: String { String(decoding: ByteOrderMark.skipped(in: bytes), as: UTF8.self) }

        /// Overwrites the content of a file that holds a secret.
        package mutating func wipe() { Platform.wipe(&bytes) }
    }

    /// The most such a file may hold, in bytes.
    private static let largest = 64 << 20

    /// Reads a file.
    ///
    /// - Throws: ``Failure`` with the system's error number.
    package static func read(_ path: String) throws(Failure) -> Content {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(path: path, number: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Failure(path: path, number: errno) }
        // /dev/null stands for a file with nothing in it.
        guard [S_IFREG, S_IFIFO, S_IFCHR].contains(status.st_mode & S_IFMT) else {
            throw Failure(path: path, number: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(min(max(status.st_size, 0), off_t(largest))) + 1)
        var block = [UInt8](repeating: 0, count: 64 * 1024)
        defer { wipe(&block) }
        while bytes.count < largest {
            let count = Self.read(descriptor, &block)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Failure(path: path, number: errno) }
            if count == 0 { break }
            bytes += block[..<count]
        }
        return Content(bytes: bytes, mode: UInt32(status.st_mode), owner: status.st_uid, group: status.st_gid)
    }

    /// Why nothing can be found out about a path, as the system's error number; nil where something is there.
    static func obstacle(to path: String) -> CInt? {
        var status = stat()
        return stat(path, &status) == 0 ? nil : errno
    }

    /// Adds a line to a file in one write, making the file and its directory where there is none.
    ///
    /// - Throws: ``Failure``.
    package static func append(line: String, to path: String) throws(Failure) {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex { mkdir(String(path[..<slash]), 0o700) }
        var bytes = Array((line + "\n").utf8)
        if let content = try? read(path), let last = content.bytes.last, last != 0x0a { bytes.insert(0x0a, at: 0) }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(path: path, number: errno) }
        defer { close(descriptor) }
        guard Self.write(descriptor, bytes) == bytes.count else { throw Failure(path: path, number: errno) }
    }

    /// The system's refusal to read or write a file.
    package struct Failure: Error {
        package let path: String
        package let number: CInt
        package var isMissing: Bool { number == ENOENT || number == ENOTDIR }
    }

    /// Puts another content into a file's place in one step, keeping its mode: a reader sees the old one or the new one.
    /// A symbolic link stays, and leads to the new content.
    ///
    /// - Throws: ``Failure``.
    package static func replace(_ path: String, with bytes: [UInt8]) throws(Failure) {
        guard let resolved = realpath(path, nil) else { throw Failure(path: path, number: errno) }
        defer { free(resolved) }
        let target = String(cString: resolved)
        var status = stat()
        guard stat(target, &status) == 0 else { throw Failure(path: path, number: errno) }
        var template = Array("\(target).XXXXXXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw Failure(path: path, number: errno) }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard fchmod(descriptor, status.st_mode & 0o7777) == 0, Self.write(descriptor, bytes) == bytes.count,
            fsync(descriptor) == 0, rename(template, target) == 0
        else {
            let number = errno
            unlink(template)
            throw Failure(path: path, number: number)
        }
    }

    static func read(_ descriptor: CInt, _ block: inout [UInt8]) -> Int {
        block.withUnsafeMutableBytes { SystemCall.read(descriptor, $0) }
    }

    private static func write(_ descriptor: CInt, _ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { SystemCall.write(descriptor, $0) }
    }
}
