import Crypto
import Files
import NIOCore
import SFTP
import SSHWire

extension SFTPClient {
    /// READs that are unanswered at a time while a file is hashed here.
    private static var readAhead: Int { 32 }

    /// The hash of a file of the server's, of which every byte is read.
    ///
    /// - Throws: `SFTPStatus`, `SFTPError`, or what ended the stream.
    func hash(of path: [UInt8]) async throws -> FileHash {
        let handle = try await open(path, .read)
        let length = server.limits.readLength
        var hasher = SHA256()
        var pending = CircularBuffer<Task<ByteBuffer?, any Error>>()
        defer { for task in pending { task.cancel() } }
        var (asked, done) = (UInt64(0), UInt64(0))
        while true {
            try Task.checkCancellation()
            while pending.count < Self.readAhead {
                pending.append(Task { [asked] in try await self.read(handle, at: asked, length: length) })
                asked += UInt64(length)
            }
            guard let next = pending.popFirst(), let block = try await next.ownValue() else { break }
            block.withUnsafeReadableBytes { hasher.update(bufferPointer: $0) }
            done += UInt64(block.readableBytes)
            if block.readableBytes < length {
                // The others are not where this one ends, be it the file's end or not.
                for task in pending { _ = try? await task.ownValue() }
                pending.removeAll()
                asked = done
            }
        }
        for task in pending { _ = try? await task.ownValue() }
        pending.removeAll()
        try await close(handle)
        return FileHash(hasher.finalize())
    }
}
