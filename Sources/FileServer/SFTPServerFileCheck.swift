import Crypto
import Files
import NIOCore
import SFTP
import SSHWire

/// Hashes of files (draft-ietf-secsh-filexfer-extensions-00 section 3), by which a client sees whether it has the same.
extension SFTPServing {
    /// The algorithms, by the draft's names.
    private enum CheckHash: String {
        case sha256, sha384, sha512, sha1

        /// In bytes.
        var size: Int {
            switch self {
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            case .sha1: 20
            }
        }
    }

    /// A part of a file, hashed in blocks.
    private struct CheckRange {
        var start: Int64
        var length: Int64
        /// In bytes; 0 for one hash of all.
        var block: Int64
    }

    mutating func checkFile(_ id: UInt32, _ fields: inout ByteBuffer, byName: Bool) async throws {
        let subject = try fields.readSSHString(byName ? "name" : "handle")
        let algorithms = try fields.readSSHText("hash-algorithm-list")
        let start = try fields.readUInt64("start-offset")
        let length = try fields.readUInt64("length")
        let block = try fields.readUInt32("block-size")
        guard let hash = algorithms.split(separator: ",").lazy.compactMap({ CheckHash(rawValue: String($0)) }).first
        else { throw SFTPStatus(.failure, message: "no hash algorithm in common: sha256,sha384,sha512,sha1") }
        let file: SFTPOpenFile
        if byName {
            let path = try absolute(subject)
            file = SFTPOpenFile(try files.open(path, OpenOptions(.read, SFTPAttributes())), path: path)
            observer.opened(path, forWriting: false)
        } else {
            file = try self.file(subject)
        }
        var isComplete = false
        defer { if byName { observer.closed(file.transfer(isInterrupted: !isComplete)) } }
        let size = UInt64(clamping: try file.file.status().size)
        let range = try checkRange(start, length, block, of: size, hash)
        var reply = ByteBuffer()
        reply.writeSSHString(SFTPExtension.checkFile.rawValue)
        reply.writeSSHString(hash.rawValue)
        switch hash {
        case .sha256: try await write(SHA256.self, of: file, range, to: &reply)
        case .sha384: try await write(SHA384.self, of: file, range, to: &reply)
        case .sha512: try await write(SHA512.self, of: file, range, to: &reply)
        case .sha1: try await write(Insecure.SHA1.self, of: file, range, to: &reply)
        }
        isComplete = true
        session.send(id, .extended(fields: reply))
    }

    private func checkRange(
        _ start: UInt64, _ length: UInt64, _ block: UInt32, of size: UInt64, _ hash: CheckHash
    ) throws(SFTPStatus) -> CheckRange {
        guard block == 0 || block >= 256 else { throw SFTPStatus(.failure, message: "block size below 256") }
        guard start <= size, let first = Int64(exactly: start) else { throw .outOfRange }
        let left = size - start
        let count = Int64(clamping: length == 0 ? left : min(length, left))
        let range = CheckRange(start: first, length: count, block: Int64(block))
        let blocks = block == 0 ? 1 : (count / range.block) + (count % range.block == 0 ? 0 : 1)
        guard blocks <= Int64(SFTPServerSession.maximumDataLength / hash.size) else {
            throw SFTPStatus(.failure, message: "\(blocks) hashes do not fit into an answer")
        }
        return range
    }

    private mutating func write<Hash: HashFunction>(
        _ hash: Hash.Type, of file: SFTPOpenFile, _ range: CheckRange, to reply: inout ByteBuffer
    ) async throws {
        var (offset, left) = (range.start, range.length)
        repeat {
            let block = range.block == 0 ? left : min(left, range.block)
            if block == 0, range.block != 0 { return }
            var hasher = Hash()
            try await update(&hasher, with: file, at: offset, block)
            reply.writeBytes(hasher.finalize())
            offset += block
            left -= block
        } while left > 0
    }

    private mutating func update(
        _ hasher: inout some HashFunction, with file: SFTPOpenFile, at start: Int64, _ count: Int64
    ) async throws {
        var done: Int64 = 0
        while done < count {
            try await pause()
            scratch.clear()
            let piece = Int(min(count - done, Int64(Self.pieceSize)))
            let got = try file.readToHash(into: &scratch, count: piece, at: start + done)
            guard got > 0 else { throw SFTPStatus(.failure, message: "the file shrank while it was read") }
            scratch.withUnsafeReadableBytes { hasher.update(bufferPointer: $0) }
            done += Int64(got)
        }
    }
}
