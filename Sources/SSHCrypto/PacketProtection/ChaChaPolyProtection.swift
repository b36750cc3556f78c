import Crypto
import CryptoExtras
import NIOCore
import Platform

/// The two ChaCha20 keys of chacha20-poly1305@openssh.com and what is done with them (OpenSSH's
/// PROTOCOL.chacha20poly1305).
///
/// The nonce is the packet's sequence number as 8 bytes; OpenSSH's ChaCha20 has a counter of 64 bits before it, whose
/// upper half stays zero for packets of this size, which makes both together the 96-bit nonce of RFC 8439.
package struct ChaChaPolyKeys: Sendable {
    static let blockSize = 8
    private static let half = 32

    private let payloadKey: SymmetricKey
    private let lengthKey: SymmetricKey

    /// - Parameter key: 64 bytes: the key of the payload, then the key of the length.
    package init(_ key: SymmetricKey) {
        (payloadKey, lengthKey) = key.withUnsafeBytes { bytes in
            (SymmetricKey(data: bytes.prefix(Self.half)), SymmetricKey(data: bytes.dropFirst(Self.half)))
        }
    }

    /// Encrypts or decrypts the length field.
    func applyToLength(_ length: UInt32, sequenceNumber: UInt32) throws(CryptoError) -> UInt32 {
        let result = try withUnsafeBytes(of: length.bigEndian) { bytes throws(CryptoError) in
            try Self.chacha20(bytes, key: lengthKey, counter: 0, sequenceNumber: sequenceNumber)
        }
        return result.withUnsafeBytes { UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self)) }
    }

    /// Encrypts or decrypts all that follows the length field.
    func applyToPayload(_ bytes: UnsafeRawBufferPointer, sequenceNumber: UInt32) throws(CryptoError) -> Data {
        try Self.chacha20(bytes, key: payloadKey, counter: 1, sequenceNumber: sequenceNumber)
    }

    /// The tag over the encrypted length and payload, its two halves little-endian on the wire.
    func tag(
        of packet: UnsafeRawBufferPointer, sequenceNumber: UInt32
    ) throws(CryptoError) -> (low: UInt64, high: UInt64) {
        let zeros: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let key = try withUnsafeBytes(of: zeros) { bytes throws(CryptoError) in
            try Self.chacha20(bytes, key: payloadKey, counter: 0, sequenceNumber: sequenceNumber)
        }
        let tag = key.withUnsafeBytes { key -> (low: UInt64, high: UInt64)? in
            guard var poly = Poly1305(key: key) else { return nil }
            return poly.tag(of: packet)
        }
        guard let tag else { throw .operationFailed("Poly1305") }
        return tag
    }

    /// Encrypts a text that has no length before it, as key files do (OpenSSH's PROTOCOL.key), and makes its tag of 16 bytes.
    package func seal(_ plaintext: [UInt8]) throws(CryptoError) -> (ciphertext: [UInt8], tag: [UInt8]) {
        let ciphertext = try ByteBuffer(bytes: plaintext).withUnsafeReadableBytes { bytes throws(CryptoError) in
            Array(try applyToPayload(bytes, sequenceNumber: 0))
        }
        return (ciphertext, try fileTag(of: ciphertext))
    }

    /// Opens what ``seal(_:)`` made.
    ///
    /// - Throws: ``CryptoError/macMismatch``
    package func open(_ ciphertext: [UInt8], tag: [UInt8]) throws(CryptoError) -> [UInt8] {
        let wanted = try fileTag(of: ciphertext)
        guard tag.count == wanted.count, zip(wanted, tag).reduce(0, { $0 | ($1.0 ^ $1.1) }) == 0 else {
            throw .macMismatch
        }
        return try ByteBuffer(bytes: ciphertext).withUnsafeReadableBytes { bytes throws(CryptoError) in
            Array(try applyToPayload(bytes, sequenceNumber: 0))
        }
    }

    private func fileTag(of ciphertext: [UInt8]) throws(CryptoError) -> [UInt8] {
        let tag = try ByteBuffer(bytes: ciphertext).withUnsafeReadableBytes { bytes throws(CryptoError) in
            try self.tag(of: bytes, sequenceNumber: 0)
        }
        return withUnsafeBytes(of: (tag.low.littleEndian, tag.high.littleEndian)) { Array($0) }
    }

    private static func chacha20(
        _ bytes: UnsafeRawBufferPointer, key: SymmetricKey, counter: UInt32, sequenceNumber: UInt32
    ) throws(CryptoError) -> Data {
        let nonceWords = (UInt32(0), UInt32(0), sequenceNumber.bigEndian)
        let result = withUnsafeBytes(of: nonceWords) { nonce -> Data? in
            guard let counter = try? Insecure.ChaCha20CTR.Counter(offset: counter),
                let nonce = try? Insecure.ChaCha20CTR.Nonce(data: nonce)
            else { return nil }
            return try? Insecure.ChaCha20CTR.encrypt(bytes, using: key, counter: counter, nonce: nonce)
        }
        guard let result else { throw .operationFailed("ChaCha20") }
        return result
    }
}

/// Makes packets with chacha20-poly1305@openssh.com: the length encrypted on its own, a tag of 16 bytes behind the packet.
struct ChaChaPolySealer: PacketSealer {
    private let keys: ChaChaPolyKeys
    private var padding = PaddingSource()

    init(key: SymmetricKey) { keys = ChaChaPolyKeys(key) }

    @discardableResult
    mutating func seal(
        head: ByteBuffer, body: ByteBuffer?, sequenceNumber: UInt32, into output: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes {
        let layout = try PacketLayout(
            payloadLength: head.readableBytes + (body?.readableBytes ?? 0), blockSize: ChaChaPolyKeys.blockSize,
            lengthCounts: false)
        let start = output.writerIndex
        layout.write(head: head, body: body, padding: &padding, trailer: Poly1305.tagLength, to: &output)
        do throws(CryptoError) {
            try encrypt(start..<output.writerIndex, sequenceNumber, in: &output)
        } catch {
            output.moveWriterIndex(to: start)
            throw error
        }
        return layout.sizes
    }

    /// Encrypts a packet where it lies and appends its tag.
    private func encrypt(
        _ packet: Range<Int>, _ sequenceNumber: UInt32, in output: inout ByteBuffer
    ) throws(CryptoError) {
        let body = packet.lowerBound + PacketLayout.lengthSize
        let length = UInt32(truncatingIfNeeded: packet.upperBound - body)
        output.setInteger(
            try keys.applyToLength(length, sequenceNumber: sequenceNumber), at: packet.lowerBound)
        let ciphertext = try output.withVeryUnsafeBytes { bytes throws(CryptoError) in
            try keys.applyToPayload(
                UnsafeRawBufferPointer(rebasing: bytes[body..<packet.upperBound]), sequenceNumber: sequenceNumber)
        }
        _ = ciphertext.withUnsafeBytes { output.setBytes($0, at: body) }
        let tag = try output.withVeryUnsafeBytes { bytes throws(CryptoError) in
            try keys.tag(of: UnsafeRawBufferPointer(rebasing: bytes[packet]), sequenceNumber: sequenceNumber)
        }
        output.writeInteger(tag.low, endianness: .little)
        output.writeInteger(tag.high, endianness: .little)
    }
}

/// Takes packets of chacha20-poly1305@openssh.com.
struct ChaChaPolyOpener: PacketOpener {
    private let keys: ChaChaPolyKeys
    /// The length of the packet that is coming in, once decrypted.
    private var pendingLength: Int?

    init(key: SymmetricKey) { keys = ChaChaPolyKeys(key) }

    mutating func open(
        _ input: inout ByteBuffer, sequenceNumber: UInt32, into payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes? {
        guard let packetLength = try decryptedLength(input, sequenceNumber) else { return nil }
        let end = PacketLayout.lengthSize + packetLength
        guard input.readableBytes >= end + Poly1305.tagLength else { return nil }

        let plaintext = try input.withUnsafeReadableBytes { bytes throws(CryptoError) in
            let packet = UnsafeRawBufferPointer(rebasing: bytes[..<end])
            let tag = try keys.tag(of: packet, sequenceNumber: sequenceNumber)
            let low = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self))
            let high = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: end + 8, as: UInt64.self))
            guard (tag.low ^ low) | (tag.high ^ high) == 0 else { throw .macMismatch }
            return try keys.applyToPayload(
                UnsafeRawBufferPointer(rebasing: packet.dropFirst(PacketLayout.lengthSize)),
                sequenceNumber: sequenceNumber)
        }
        let opened = try plaintext.withUnsafePlaintext { bytes throws(CryptoError) in
            try PacketLayout.extractPayload(from: bytes, into: &payload)
        }
        input.moveReaderIndex(forwardBy: end + Poly1305.tagLength)
        pendingLength = nil
        return opened
    }

    private mutating func decryptedLength(
        _ input: ByteBuffer, _ sequenceNumber: UInt32
    ) throws(CryptoError) -> Int? {
        if let pendingLength { return pendingLength }
        guard let field = input.getInteger(at: input.readerIndex, as: UInt32.self) else { return nil }
        let length = Int(try keys.applyToLength(field, sequenceNumber: sequenceNumber))
        try PacketLayout.check(packetLength: length, blockSize: ChaChaPolyKeys.blockSize, lengthCounts: false)
        pendingLength = length
        return length
    }
}
