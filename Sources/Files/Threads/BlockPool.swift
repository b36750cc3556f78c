import NIOCore

/// A few blocks used in turn: by the time one's turn comes again, the stream has mostly let go of it, and its memory
/// is used again instead of fresh pages.
package struct BlockPool {
    /// Bytes that cross from disk to stream at a time.
    package static let blockSize = 256 * 1024
    /// With these, 1 MiB at most waits here.
    private static let count = 4

    private var blocks = [ByteBuffer](repeating: ByteBuffer(), count: Self.count)
    private var next = 0

    package init() {}

    /// An empty block.
    package mutating func take() -> ByteBuffer {
        var block = blocks[next]
        blocks[next] = ByteBuffer()
        block.clear(minimumCapacity: Self.blockSize)
        return block
    }

    /// Remembers a block that goes to the stream.
    package mutating func remember(_ block: ByteBuffer) {
        // A block that grew past its size is not worth keeping.
        if block.capacity <= 2 * Self.blockSize { blocks[next] = block }
        next = (next + 1) % blocks.count
    }
}
