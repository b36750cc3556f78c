import Crypto
import NIOCore

/// The SHA-256 of a file's contents, or of their beginning.
public struct FileHash: Hashable, Sendable {
    /// 32 of them.
    public let bytes: [UInt8]

    /// In bytes.
    package static let size = 32

    package init(_ digest: SHA256Digest) { bytes = Array(digest) }

    /// - Returns: nil for another number of bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.size else { return nil }
        self.bytes = Array(bytes)
    }

    /// What a hash program printed: whatever stands around it, the one run of 64 hexadecimal digits.
    ///
    /// - Returns: nil where there is none.
    package init?(printed line: [UInt8]) {
        let runs = line.split { Self.value($0) == nil }
        guard let digits = runs.first(where: { $0.count == 2 * Self.size }).map(Array.init) else { return nil }
        bytes = stride(from: 0, to: digits.count, by: 2).map { index in
            (Self.value(digits[index]) ?? 0) << 4 | (Self.value(digits[index + 1]) ?? 0)
        }
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension FileHash: CustomStringConvertible {
    /// Its first bytes, enough for a person to see that two are not the same.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return String(bytes.prefix(8).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }) + "…"
    }
}

extension LocalFile {
    /// The hash of the file's first `count` bytes, or of all there are.
    ///
    /// - Throws: ``FileError``, also where there are fewer; CancellationError.
    package func hash(first count: Int64? = nil) throws -> FileHash {
        var hasher = SHA256()
        var block = ByteBuffer()
        var done: Int64 = 0
        while done < count ?? .max {
            try Task.checkCancellation()
            block.clear(minimumCapacity: BlockPool.blockSize)
            let wanted = Int(min(Int64(BlockPool.blockSize), (count ?? .max) - done))
            let got = try read(into: &block, count: wanted, at: done)
            block.withUnsafeReadableBytes { hasher.update(bufferPointer: $0) }
            done += Int64(got)
            if got < wanted { break }
        }
        if let count, done < count {
            throw FileError(path: path, operation: .read, cause: .shrank(bytes: done, of: count))
        }
        return FileHash(hasher.finalize())
    }
}
