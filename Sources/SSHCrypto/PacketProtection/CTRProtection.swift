import Crypto
import CryptoExtras
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// AES in counter mode, the counter going on from packet to packet (RFC 4344 section 4).
struct CTRKeystream: Sendable {
    static let blockSize = 16

    private let key: SymmetricKey
    private var counter: UInt128

    /// - Parameter keys: an initial vector of 16 bytes: the first counter, big-endian.
    init(keys: DirectionKeys) {
        key = keys.encryptionKey
        counter = keys.iv.reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// Encrypts or decrypts bytes at the present place of the keystream, without moving on.
    func apply(to bytes: UnsafeRawBufferPointer) throws(CryptoError) -> Data {
        let result = withUnsafeBytes(of: counter.bigEndian) { counter -> Data? in
            guard let nonce = try? AES._CTR.Nonce(nonceBytes: counter) else { return nil }
            return try? AES._CTR.encrypt(bytes, using: key, nonce: nonce)
        }
        guard let result else { throw .operationFailed("AES-CTR") }
        return result
    }

    /// Moves on over whole blocks.
    mutating func advance(bytes: Int) {
        counter &+= UInt128(truncatingIfNeeded: bytes / Self.blockSize)
    }
}

/// Makes packets with AES-CTR and a MAC, either over the plaintext (RFC 4253 section 6.4) or, for the `-etm` MACs, over
/// the ciphertext with the length left in the clear (OpenSSH's PROTOCOL section 1.5).
struct CTRSealer: PacketSealer {
    private var keystream: CTRKeystream
    private let mac: PacketMAC
    private var padding = PaddingSource()

    init(keystream: CTRKeystream, mac: PacketMAC) {
        self.keystream = keystream
        self.mac = mac
    }

    @discardableResult
    mutating func seal(
        head: ByteBuffer, body: ByteBuffer?, sequenceNumber: UInt32, into output: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes {
        let layout = try PacketLayout(
            payloadLength: head.readableBytes + (body?.readableBytes ?? 0), blockSize: CTRKeystream.blockSize,
            lengthCounts: !mac.encryptThenMAC)
        let start = output.writerIndex
        layout.write(head: head, body: body, padding: &padding, trailer: mac.length, to: &output)
        let packet = start..<output.writerIndex
        let encrypted = (mac.encryptThenMAC ? start + PacketLayout.lengthSize : start)..<packet.upperBound

        if !mac.encryptThenMAC { appendCode(of: packet, sequenceNumber, to: &output) }
        let ciphertext: Data
        do throws(CryptoError) {
            ciphertext = try output.withVeryUnsafeBytes { bytes throws(CryptoError) in
                try keystream.apply(to: UnsafeRawBufferPointer(rebasing: bytes[encrypted]))
            }
        } catch {
            output.moveWriterIndex(to: start)
            throw error
        }
        _ = ciphertext.withUnsafeBytes { output.setBytes($0, at: encrypted.lowerBound) }
        keystream.advance(bytes: encrypted.count)
        if mac.encryptThenMAC { appendCode(of: packet, sequenceNumber, to: &output) }
        return layout.sizes
    }

    private func appendCode(of packet: Range<Int>, _ sequenceNumber: UInt32, to output: inout ByteBuffer) {
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: mac.length) { free in
            // The writable bytes begin where the packet ends.
            guard let end = free.baseAddress else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: end - packet.count, count: packet.count)
            mac.withCode(sequenceNumber: sequenceNumber, packet: bytes) { free.copyMemory(from: $0) }
            return mac.length
        }
    }
}

/// Takes packets of AES-CTR and a MAC.
struct CTROpener: PacketOpener {
    private var keystream: CTRKeystream
    private let mac: PacketMAC
    /// The length of the packet that is coming in, known once its first block was decrypted.
    private var pendingLength: Int?

    init(keystream: CTRKeystream, mac: PacketMAC) {
        self.keystream = keystream
        self.mac = mac
    }

    mutating func open(
        _ input: inout ByteBuffer, sequenceNumber: UInt32, into payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes? {
        let opened =
            mac.encryptThenMAC
            ? try openCiphertextFirst(input, sequenceNumber, &payload)
            : try openPlaintextFirst(input, sequenceNumber, &payload)
        guard let opened else { return nil }
        input.moveReaderIndex(forwardBy: PacketLayout.lengthSize + opened.packetLength + mac.length)
        return opened
    }

    private mutating func openCiphertextFirst(
        _ input: ByteBuffer, _ sequenceNumber: UInt32, _ payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes? {
        guard let packetLength = input.getInteger(at: input.readerIndex, as: UInt32.self).map(Int.init) else {
            return nil
        }
        try PacketLayout.check(packetLength: packetLength, blockSize: CTRKeystream.blockSize, lengthCounts: false)
        let end = PacketLayout.lengthSize + packetLength
        guard input.readableBytes >= end + mac.length else { return nil }
        let plaintext = try input.withUnsafeReadableBytes { bytes throws(CryptoError) in
            let code = UnsafeRawBufferPointer(rebasing: bytes[end..<(end + mac.length)])
            let packet = UnsafeRawBufferPointer(rebasing: bytes[..<end])
            guard mac.isValid(code, sequenceNumber: sequenceNumber, packet: packet) else { throw .macMismatch }
            return try keystream.apply(to: UnsafeRawBufferPointer(rebasing: packet.dropFirst(PacketLayout.lengthSize)))
        }
        keystream.advance(bytes: packetLength)
        return try plaintext.withUnsafePlaintext { bytes throws(CryptoError) in
            try PacketLayout.extractPayload(from: bytes, into: &payload)
        }
    }

    private mutating func openPlaintextFirst(
        _ input: ByteBuffer, _ sequenceNumber: UInt32, _ payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes? {
        guard let packetLength = try decryptedLength(input) else { return nil }
        let end = PacketLayout.lengthSize + packetLength
        guard input.readableBytes >= end + mac.length else { return nil }
        let plaintext = try input.withUnsafeReadableBytes { bytes throws(CryptoError) in
            try keystream.apply(to: UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        }
        let opened = try plaintext.withUnsafePlaintext { packet throws(CryptoError) in
            let isValid = input.withUnsafeReadableBytes { bytes in
                mac.isValid(
                    UnsafeRawBufferPointer(rebasing: bytes[end..<(end + mac.length)]),
                    sequenceNumber: sequenceNumber, packet: packet)
            }
            guard isValid else { throw .macMismatch }
            return try PacketLayout.extractPayload(
                from: UnsafeRawBufferPointer(rebasing: packet.dropFirst(PacketLayout.lengthSize)), into: &payload)
        }
        keystream.advance(bytes: end)
        pendingLength = nil
        return opened
    }

    /// The packet's length, from its first block.
    ///
    /// A length that cannot be is reported as a wrong MAC: nothing here is authenticated yet, and which of the two went
    /// wrong is no one's business.
    private mutating func decryptedLength(_ input: ByteBuffer) throws(CryptoError) -> Int? {
        if let pendingLength { return pendingLength }
        guard input.readableBytes >= CTRKeystream.blockSize else { return nil }
        let block = try input.withUnsafeReadableBytes { bytes throws(CryptoError) in
            try keystream.apply(to: UnsafeRawBufferPointer(rebasing: bytes[..<CTRKeystream.blockSize]))
        }
        let length = block.prefix(PacketLayout.lengthSize).reduce(0) { $0 << 8 | Int($1) }
        do throws(CryptoError) {
            try PacketLayout.check(packetLength: length, blockSize: CTRKeystream.blockSize, lengthCounts: true)
        } catch {
            throw .macMismatch
        }
        pendingLength = length
        return length
    }
}
