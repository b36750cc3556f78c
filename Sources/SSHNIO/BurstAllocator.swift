import NIOCore

/// Sizes of reads for a connection that is idle mostly, and at times carries as much as there is: small until a read
/// fills its buffer, then large at once, and small again after a run of small reads.
package struct BurstAllocator: RecvByteBufferAllocator {
    private static let small = 4 << 10
    private static let large = 256 << 10
    /// So many reads in a row that a small buffer would have held mean that the burst is over.
    private static let longestLull = 32

    private var isLarge = false
    private var smallReads = 0

    package init() {}

    package func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        allocator.buffer(capacity: isLarge ? Self.large : Self.small)
    }

    package mutating func record(actualReadBytes: Int) -> Bool {
        guard actualReadBytes >= Self.small else {
            smallReads += 1
            if smallReads >= Self.longestLull { isLarge = false }
            return false
        }
        smallReads = 0
        defer { isLarge = true }
        return !isLarge
    }
}
