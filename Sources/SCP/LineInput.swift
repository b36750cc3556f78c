import NIOCore

/// Received bytes that were not looked at yet.
struct LineInput: Sendable {
    private var buffer = ByteBuffer()
    /// Bytes that were read and may lie before those that were not.
    private static let mostRead = 64 << 10

    /// What all of it takes in memory, in bytes.
    var capacity: Int { buffer.capacity }
    var isEmpty: Bool { buffer.readableBytes == 0 }
    var firstByte: UInt8? { buffer.getInteger(at: buffer.readerIndex) }

    /// What has come of a line whose newline has not.
    var unfinishedLine: [UInt8] { Array(buffer.readableBytesView.prefix(256)) }

    mutating func append(_ bytes: ByteBuffer) {
        if isEmpty {
            buffer = bytes
        } else {
            // Or a peer whose bytes always end inside a line would have all it ever sent kept.
            if buffer.readerIndex > Self.mostRead { buffer.discardReadBytes() }
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Takes a line and its newline; returns it without.
    mutating func nextLine() throws(SCPError) -> [UInt8]? {
        let view = buffer.readableBytesView.prefix(SCPRecord.maximumLineLength + 1)
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
            guard view.count <= SCPRecord.maximumLineLength else {
                throw .lineTooLong(limit: SCPRecord.maximumLineLength)
            }
            return nil
        }
        let line = Array(view[..<end])
        buffer.moveReaderIndex(forwardBy: line.count + 1)
        return line
    }

    mutating func nextByte() -> UInt8? { buffer.readInteger() }

    /// Takes what there is, at most `limit` bytes, without a copy.
    mutating func nextSlice(limit: Int64) -> ByteBuffer? {
        let count = Int(min(Int64(buffer.readableBytes), limit))
        guard count > 0, let slice = buffer.readSlice(length: count) else { return nil }
        // A buffer kept for nothing would hinder its owner from using it again.
        if isEmpty { buffer = ByteBuffer() }
        return slice
    }
}
