import Platform

/// Why the server cannot start, in words for whoever started it.
struct StartFailure: Error, CustomStringConvertible {
    let description: String
    init(_ text: String) { description = text }

    /// What the last system call says about a file.
    static func system(_ path: String, _ number: Int32 = errno) -> StartFailure {
        StartFailure("\(path): \(String(cString: strerror(number)))")
    }
}

/// The small files that a server starts with.
enum SmallFile {
    /// No key, certificate or banner is larger, in bytes.
    private static let largest = 1 << 20

    static func read(_ path: String) throws(StartFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw .system(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = systemRead(descriptor, &block, block.count)
            if count < 0 { throw .system(path) }
            if count == 0 { return bytes }
            bytes += block[..<count]
            guard bytes.count <= largest else { throw StartFailure("\(path): larger than \(largest) bytes") }
        }
    }

    /// Whether others than its owner could read a file of this user's.
    static func isExposed(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_uid == geteuid() && status.st_mode & 0o077 != 0
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes a file that only its owner may read, whole or not at all; false when somebody else made it meanwhile.
    static func create(_ path: String, _ bytes: [UInt8]) throws(StartFailure) -> Bool {
        // A process number is not enough: in a container it is the same each time.
        let temporary = path + ".\(getpid()).\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(temporary) }
        defer { unlink(temporary) }
        let written = write(descriptor, bytes, bytes.count)
        let number = errno
        guard written == bytes.count, fsync(descriptor) == 0, close(descriptor) == 0 else {
            throw .system(temporary, written < 0 ? number : ENOSPC)
        }
        // A link, so that what is there already stays.
        if link(temporary, path) == 0 { return true }
        if errno == EEXIST { return false }
        throw .system(path)
    }

    /// Makes a directory and those above it, for their owner only.
    static func makeDirectories(_ path: String) throws(StartFailure) {
        guard !path.isEmpty, mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw .system(path)
        }
        try makeDirectories(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system(path) }
    }
}

private func systemRead(_ descriptor: Int32, _ block: inout [UInt8], _ count: Int) -> Int {
    read(descriptor, &block, count)
}
