import CZlib
import NIOCore

/// Compresses the payloads of one direction, each as a partial flush of one zlib stream (RFC 4253 section 6.2).
package final class PayloadCompressor {
    /// On the heap: zlib keeps a pointer back to it.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init() throws(CryptoError) {
        stream.initialize(to: z_stream())
        let status = deflateInit_(
            stream, Z_DEFAULT_COMPRESSION, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            stream.deallocate()
            throw .compressionFailed(Int(status))
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Appends the compressed form of a payload, which is `head` followed by `body`, to `output`.
    ///
    /// - Throws: `CryptoError.compressionFailed`.
    package func compress(head: ByteBuffer, body: ByteBuffer?, into output: inout ByteBuffer) throws(CryptoError) {
        try deflate(head, flush: body == nil ? Z_PARTIAL_FLUSH : Z_NO_FLUSH, into: &output)
        if let body { try deflate(body, flush: Z_PARTIAL_FLUSH, into: &output) }
    }

    private func deflate(_ bytes: ByteBuffer, flush: CInt, into output: inout ByteBuffer) throws(CryptoError) {
        var input = bytes
        let status: CInt = input.readWithUnsafeMutableReadableBytes { source in
            stream.pointee.next_in = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_in = UInt32(source.count)
            var status = Z_OK
            repeat {
                output.writeWithUnsafeMutableBytes(minimumWritableBytes: 1024) { room in
                    stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.pointee.avail_out = UInt32(room.count)
                    status = CZlib.deflate(stream, flush)
                    return room.count - Int(stream.pointee.avail_out)
                }
                // Output that fills its room may go on; a flush with nothing left to do says Z_BUF_ERROR, harmlessly.
            } while status == Z_OK && stream.pointee.avail_out == 0
            return (source.count - Int(stream.pointee.avail_in), status == Z_BUF_ERROR ? Z_OK : status)
        }
        guard status == Z_OK, input.readableBytes == 0 else { throw .compressionFailed(Int(status)) }
    }
}

/// Decompresses the payloads of one direction.
package final class PayloadDecompressor {
    /// The most that one payload may decompress to, in bytes: no more than a packet could have carried plainly.
    private static let largestPayload = 256 * 1024

    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init() throws(CryptoError) {
        stream.initialize(to: z_stream())
        let status = inflateInit_(stream, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            stream.deallocate()
            throw .compressionFailed(Int(status))
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Puts the decompressed form of a payload into `output`, cleared first.
    ///
    /// - Throws: `CryptoError.compressionFailed` for bytes that are no such stream, `.packetTooLong` for one that
    ///   swells beyond what a packet may hold.
    package func decompress(_ payload: ByteBuffer, into output: inout ByteBuffer) throws(CryptoError) {
        output.clear()
        var input = payload
        var isTooLong = false
        let status: CInt = input.readWithUnsafeMutableReadableBytes { source in
            stream.pointee.next_in = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_in = UInt32(source.count)
            var status = Z_OK
            repeat {
                output.writeWithUnsafeMutableBytes(minimumWritableBytes: 4096) { room in
                    stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.pointee.avail_out = UInt32(room.count)
                    status = inflate(stream, Z_SYNC_FLUSH)
                    return room.count - Int(stream.pointee.avail_out)
                }
                isTooLong = output.readableBytes > Self.largestPayload
            } while status == Z_OK && stream.pointee.avail_out == 0 && !isTooLong
            return (source.count - Int(stream.pointee.avail_in), status == Z_BUF_ERROR ? Z_OK : status)
        }
        guard !isTooLong else {
            throw .packetTooLong(length: output.readableBytes, limit: Self.largestPayload)
        }
        guard status == Z_OK, input.readableBytes == 0 else { throw .compressionFailed(Int(status)) }
    }
}
