import NIOCore

/// Makes packets before the first SSH_MSG_NEWKEYS: no cipher, no MAC, blocks of 8 bytes (RFC 4253 section 6).
package struct PlaintextSealer: PacketSealer {
    static let blockSize = 8
    private var padding = PaddingSource()

    package init() {}

    @discardableResult
    package mutating func seal(
        head: ByteBuffer, body: ByteBuffer?, sequenceNumber: UInt32, into output: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes {
        let layout = try PacketLayout(
            payloadLength: head.readableBytes + (body?.readableBytes ?? 0), blockSize: Self.blockSize,
            lengthCounts: true)
        layout.write(head: head, body: body, padding: &padding, trailer: 0, to: &output)
        return layout.sizes
    }
}

/// Takes packets before the first SSH_MSG_NEWKEYS.
package struct PlaintextOpener: PacketOpener {
    package init() {}

    package mutating func open(
        _ input: inout ByteBuffer, sequenceNumber: UInt32, into payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes? {
        guard let packetLength = input.getInteger(at: input.readerIndex, as: UInt32.self).map(Int.init) else {
            return nil
        }
        try PacketLayout.check(
            packetLength: packetLength, blockSize: PlaintextSealer.blockSize, lengthCounts: true)
        let size = PacketLayout.lengthSize + packetLength
        guard input.readableBytes >= size else { return nil }
        let opened = try input.withUnsafeReadableBytes { bytes throws(CryptoError) in
            try PacketLayout.extractPayload(
                from: UnsafeRawBufferPointer(rebasing: bytes[PacketLayout.lengthSize..<size]), into: &payload)
        }
        input.moveReaderIndex(forwardBy: size)
        return opened
    }
}
