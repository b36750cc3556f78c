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

    /// Reads a secret, in one piece of memory that the caller wipes.
    ///
    /// - Throws: `StartFailure` where others could know it, or have put another one there.
    static func readSecret(_ path: String) throws(StartFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw .system(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(path) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw .system(path, EISDIR) }
        if let fault = exposure(status) { throw StartFailure("\(path): \(fault)") }
        // As large as it may get, so that no part of it stays behind where it grew.
        let size = status.st_mode & S_IFMT == S_IFREG ? min(max(Int(status.st_size), 0), largest) : largest
        var bytes = [UInt8](repeating: 0, count: size + 1)
        var length = 0
        while length < bytes.count {
            let count = systemRead(descriptor, &bytes, from: length)
            guard count >= 0 else {
                let number = errno
                wipe(&bytes)
                throw .system(path, number)
            }
            if count == 0 {
                bytes.removeLast(bytes.count - length)
                return bytes
            }
            length += count
        }
        wipe(&bytes)
        throw StartFailure("\(path): larger than \(largest) bytes, or growing")
    }

    /// What is wrong with a secret file's owner or mode; nil where nothing is, or the file is not there.
    static func exposure(_ path: String) -> String? {
        var status = stat()
        return stat(path, &status) == 0 ? exposure(status) : nil
    }

    /// The owner's files are the owner's alone. Those of root may be given to the server by its group, as secrets of
    /// systemd and of containers are.
    static func exposure(_ status: stat, user: uid_t = geteuid()) -> String? {
        guard status.st_uid == 0 || status.st_uid == user else {
            return "it belongs to user \(status.st_uid), neither root nor the server's"
        }
        let forbidden: mode_t = status.st_uid == user ? 0o077 : 0o037
        guard status.st_mode & forbidden == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            return "others than its owner may read or change it (mode \(mode)); `chmod 600` mends that"
        }
        return nil
    }

    /// The path without links; nil where there is nothing.
    static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
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

private func systemRead(_ descriptor: Int32, _ bytes: inout [UInt8], from start: Int) -> Int {
    bytes.withUnsafeMutableBytes { bytes in
        let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
        return read(descriptor, rest.baseAddress, rest.count)
    }
}
