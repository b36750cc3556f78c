import Crypto
import NIOCore
import Platform

/// The nonce of AES-GCM: 4 fixed bytes and a counter of 8 that each packet moves on by one (RFC 5647 section 7.1).
struct GCMNonce: Sendable {
    private var bytes: [UInt8]

    /// - Parameter iv: 12 bytes.
    init(iv: [UInt8]) { bytes = iv }

    /// The nonce for the next packet.
    mutating func next() throws(CryptoError) -> AES.GCM.Nonce {
        guard let nonce = try? AES.GCM.Nonce(data: bytes) else { throw .operationFailed("AES-GCM nonce") }
        for index in bytes.indices.reversed().prefix(8) {
            bytes[index] &+= 1
            if bytes[index] != 0 { break }
        }
        return nonce
    }
}

/// Makes packets with AES-GCM: the length in the clear but authenticated, a tag of 16 bytes behind the packet.
struct GCMSealer: PacketSealer {
    static let blockSize = 16
    static let tagLength = 16
    private static let nonceLength = 12

    private let key: SymmetricKey
    private var nonce: GCMNonce
    private var padding = PaddingSource()

    init(keys: DirectionKeys) {
        key = keys.encryptionKey
        nonce = GCMNonce(iv: keys.iv)
    }

    @discardableResult
    mutating func seal(
        head: ByteBuffer, body: ByteBuffer?, sequenceNumber: UInt32, into output: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes {
        let layout = try PacketLayout(
            payloadLength: head.readableBytes + (body?.readableBytes ?? 0), blockSize: Self.blockSize,
            lengthCounts: false)
        let nonce = try nonce.next()
        let start = output.writerIndex
        layout.write(head: head, body: body, padding: &padding, trailer: Self.tagLength, to: &output)
        // The plaintext lies in the output already; the ciphertext takes its place.
        let box = output.withVeryUnsafeBytes { bytes -> AES.GCM.SealedBox? in
            let body = start + PacketLayout.lengthSize
            return try? AES.GCM.seal(
                UnsafeRawBufferPointer(rebasing: bytes[body..<(body + layout.packetLength)]), using: key,
                nonce: nonce, authenticating: UnsafeRawBufferPointer(rebasing: bytes[start..<body]))
        }
        output.moveWriterIndex(to: start + PacketLayout.lengthSize)
        guard let combined = box?.combined else {
            output.moveWriterIndex(to: start)
            throw .operationFailed("AES-GCM encryption")
        }
        _ = combined.withUnsafeBytes { combined in
            output.writeBytes(UnsafeRawBufferPointer(rebasing: combined.dropFirst(Self.nonceLength)))
        }
        return layout.sizes
    }
}

/// Takes packets of AES-GCM.
struct GCMOpener: PacketOpener {
    private let key: SymmetricKey
    private var nonce: GCMNonce

    init(keys: DirectionKeys) {
        key = keys.encryptionKey
        nonce = GCMNonce(iv: keys.iv)
    }

    mutating func open(
        _ input: inout ByteBuffer, sequenceNumber: UInt32, into payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes? {
        guard let packetLength = input.getInteger(at: input.readerIndex, as: UInt32.self).map(Int.init) else {
            return nil
        }
        try PacketLayout.check(packetLength: packetLength, blockSize: GCMSealer.blockSize, lengthCounts: false)
        let end = PacketLayout.lengthSize + packetLength
        guard input.readableBytes >= end + GCMSealer.tagLength else { return nil }

        let nonce = try nonce.next()
        let plaintext = input.withUnsafeReadableBytes { bytes -> Data? in
            let ciphertext = UnsafeRawBufferPointer(rebasing: bytes[PacketLayout.lengthSize..<end])
            let tag = UnsafeRawBufferPointer(rebasing: bytes[end..<(end + GCMSealer.tagLength)])
            guard let box = try? AES.GCM.SealedBox(nonce: nonce, ciphertext: ciphertext, tag: tag) else { return nil }
            return try? AES.GCM.open(
                box, using: key,
                authenticating: UnsafeRawBufferPointer(rebasing: bytes[..<PacketLayout.lengthSize]))
        }
        guard let plaintext else { throw .macMismatch }
        let opened = try Self.extract(plaintext, into: &payload)
        input.moveReaderIndex(forwardBy: end + GCMSealer.tagLength)
        return opened
    }

    private static func extract(_ plaintext: Data, into payload: inout ByteBuffer) throws(CryptoError) -> PacketSizes {
        try plaintext.withUnsafePlaintext { bytes throws(CryptoError) in
            try PacketLayout.extractPayload(from: bytes, into: &payload)
        }
    }
}
