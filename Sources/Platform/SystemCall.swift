/// Calls of the system with errno as a value and interrupted calls made again.
package enum SystemCall {
    /// A failed call's errno.
    package struct Failure: Error {
        package var number: Int32

        package init(number: Int32) { self.number = number }

        /// What keeps bytes from being written at all, whichever way they come.
        package var keepsFromWriting: Bool { [ENOSPC, EIO, EFBIG, EDQUOT, EROFS].contains(number) }
        /// Nothing is there behind this place of a file.
        package var isBehindTheEnd: Bool { number == ENXIO }
    }

    /// Calls until it is not interrupted; -1 is a failure.
    @discardableResult
    package static func run<T: SignedInteger>(_ body: () -> T) throws(Failure) -> T {
        while true {
            let result = body()
            if result != -1 { return result }
            let number = errno
            if number != EINTR { throw Failure(number: number) }
        }
    }

    /// Bytes as the C string a call takes. A NUL inside would cut the path short: no such file.
    package static func withPath<T>(
        _ bytes: [UInt8], _ body: (UnsafePointer<CChar>) throws(Failure) -> T
    ) throws(Failure) -> T {
        guard !bytes.contains(0) else { throw Failure(number: ENOENT) }
        let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
        var result: Result<T, Failure> = .failure(Failure(number: EINVAL))
        terminated.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            do throws(Failure) {
                result = .success(try body(base))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get()
    }

    // Under names that a method of the caller's own does not hide.
    package static func close(_ descriptor: Int32) -> Int32 { systemClose(descriptor) }
    package static func read(_ descriptor: Int32, _ space: UnsafeMutableRawBufferPointer) -> Int {
        systemRead(descriptor, space.baseAddress, space.count)
    }
    package static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        systemWrite(descriptor, bytes.baseAddress, bytes.count)
    }

    package static func open(at directory: Int32, _ name: [UInt8], _ flags: Int32, _ mode: UInt16 = 0) throws(Failure)
        -> Int32
    {
        try withPath(name) { path throws(Failure) in
            try run { openat(directory, path, flags | O_CLOEXEC, mode_t(mode)) }
        }
    }

    /// What an open file is.
    package static func status(of descriptor: Int32) throws(Failure) -> stat {
        var result = stat()
        try run { fstat(descriptor, &result) }
        return result
    }

    /// What an entry of a directory is.
    package static func status(
        at directory: Int32, _ name: [UInt8], followingLinks: Bool
    ) throws(Failure) -> stat {
        var result = stat()
        try withPath(name) { path throws(Failure) in
            _ = try run { fstatat(directory, path, &result, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW) }
        }
        return result
    }
}

private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
private func systemRead(_ descriptor: Int32, _ space: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, space, count)
}
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
