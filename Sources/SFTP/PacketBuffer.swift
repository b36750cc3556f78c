import NIOCore

extension ByteBuffer {
    /// Ends a packet with a string that `fill` appends; without a byte in it, or where `fill` throws, the packet is taken back.
    ///
    /// - Parameter start: where the packet's length is, to be set here.
    /// - Returns: how many bytes `fill` says that it appended.
    mutating func endPacket<E: Error>(
        at start: Int, withData fill: (inout ByteBuffer) throws(E) -> Int
    ) throws(E) -> Int {
        writeInteger(UInt32(0))
        let data = writerIndex
        let count: Int
        do throws(E) {
            count = try fill(&self)
        } catch {
            moveWriterIndex(to: start)
            throw error
        }
        guard count > 0 else {
            moveWriterIndex(to: start)
            return 0
        }
        setInteger(UInt32(clamping: writerIndex - data), at: data - 4)
        setInteger(UInt32(writerIndex - start - 4), at: start)
        return count
    }

    /// Takes in what has come, without a copy where nothing is left of what came before.
    mutating func append(received more: ByteBuffer) {
        if readableBytes == 0 {
            self = more
        } else {
            discardReadBytes()
            writeImmutableBuffer(more)
        }
    }
}
