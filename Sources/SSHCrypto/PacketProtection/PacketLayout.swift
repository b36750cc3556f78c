import NIOCore

/// The layout of a packet before encryption: `packet_length`, `padding_length`, payload, padding (RFC 4253 section 6).
struct PacketLayout {
    static let lengthSize = 4
    private static let minimumPadding = 4

    let packetLength: Int
    let paddingLength: Int
    var sizes: PacketSizes { PacketSizes(packetLength: packetLength, paddingLength: paddingLength) }

    /// The layout for a payload to be sent, with the least padding allowed.
    ///
    /// - Parameter lengthCounts: whether the length field is part of what must fill whole blocks: yes where it is
    ///   encrypted with the rest, no for AEAD ciphers and encrypt-then-MAC.
    init(payloadLength: Int, blockSize: Int, lengthCounts: Bool) throws(CryptoError) {
        let counted = 1 + payloadLength + (lengthCounts ? Self.lengthSize : 0)
        var padding = blockSize - counted % blockSize
        if padding < Self.minimumPadding { padding += blockSize }
        paddingLength = padding
        packetLength = 1 + payloadLength + padding
        guard packetLength <= PacketProtection.maximumPacketLength else {
            throw .packetTooLong(length: packetLength, limit: PacketProtection.maximumPacketLength)
        }
    }

    /// Checks the length a peer's packet claims, before anything is allocated for it.
    static func check(packetLength: Int, blockSize: Int, lengthCounts: Bool) throws(CryptoError) {
        guard packetLength <= PacketProtection.maximumPacketLength else {
            throw .packetTooLong(length: packetLength, limit: PacketProtection.maximumPacketLength)
        }
        guard packetLength > minimumPadding else {
            throw .packetTooShort(length: packetLength, minimum: 1 + minimumPadding)
        }
        guard (packetLength + (lengthCounts ? lengthSize : 0)) % blockSize == 0 else {
            throw .packetNotWholeBlocks(length: packetLength, blockSize: blockSize)
        }
    }

    /// Puts the payload of a decrypted packet into `payload`.
    ///
    /// - Parameter plaintext: all of the packet after the length field: `padding_length`, payload, padding.
    static func extractPayload(
        from plaintext: UnsafeRawBufferPointer, into payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes {
        guard let first = plaintext.first else { throw .packetTooShort(length: 0, minimum: 1 + minimumPadding) }
        let padding = Int(first)
        guard padding >= minimumPadding, 1 + padding <= plaintext.count else {
            throw .invalidPadding(paddingLength: padding, packetLength: plaintext.count)
        }
        payload.clear()
        // The length of the padding is copied along and stepped over: copies between aligned places are many times
        // faster than others on some processors.
        payload.writeBytes(UnsafeRawBufferPointer(rebasing: plaintext[..<(plaintext.count - padding)]))
        payload.moveReaderIndex(forwardBy: 1)
        return PacketSizes(packetLength: plaintext.count, paddingLength: padding)
    }

    /// Appends the packet in the clear.
    ///
    /// - Parameter trailer: bytes that will follow, to be made room for along with the packet.
    func write(
        head: ByteBuffer, body: ByteBuffer?, padding: inout PaddingSource, trailer: Int, to output: inout ByteBuffer
    ) {
        output.reserveCapacity(minimumWritableBytes: Self.lengthSize + packetLength + trailer)
        output.writeInteger(UInt32(truncatingIfNeeded: packetLength))
        output.writeInteger(UInt8(truncatingIfNeeded: paddingLength))
        output.writeImmutableBuffer(head)
        if let body { output.writeImmutableBuffer(body) }
        padding.write(paddingLength, to: &output)
    }
}
