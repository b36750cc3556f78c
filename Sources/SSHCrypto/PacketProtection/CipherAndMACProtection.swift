import NIOCore
import Platform

/// Makes packets with a cipher and a MAC, the latter either over the plaintext (RFC 4253 section 6.4) or, for the `-etm`
/// MACs, over the ciphertext with the length left in the clear (OpenSSH's PROTOCOL section 1.5).
struct CipherAndMACSealer: PacketSealer {
    private var cipher: PacketCipher
    private let mac: PacketMAC
    private var padding = PaddingSource()

    init(cipher: PacketCipher, mac: PacketMAC) {
        self.cipher = cipher
        self.mac = mac
    }

    @discardableResult
    mutating func seal(
        head: ByteBuffer, body: ByteBuffer?, sequenceNumber: UInt32, into output: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes {
        let layout = try PacketLayout(
            payloadLength: head.readableBytes + (body?.readableBytes ?? 0), blockSize: cipher.blockSize,
            lengthCounts: !mac.encryptThenMAC)
        let start = output.writerIndex
        layout.write(head: head, body: body, padding: &padding, trailer: mac.length, to: &output)
        let packet = start..<output.writerIndex
        let encrypted = (mac.encryptThenMAC ? start + PacketLayout.lengthSize : start)..<packet.upperBound

        if !mac.encryptThenMAC { appendCode(of: packet, sequenceNumber, to: &output) }
        let ciphertext: Data
        do throws(CryptoError) {
            ciphertext = try output.withVeryUnsafeBytes { bytes throws(CryptoError) in
                try cipher.encrypt(UnsafeRawBufferPointer(rebasing: bytes[encrypted]))
            }
        } catch {
            output.moveWriterIndex(to: start)
            throw error
        }
        ciphertext.withUnsafeBytes {
            output.setBytes($0, at: encrypted.lowerBound)
            cipher.advance(over: $0)
        }
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

/// Takes packets of a cipher and a MAC.
struct CipherAndMACOpener: PacketOpener {
    private var cipher: PacketCipher
    private let mac: PacketMAC
    /// The length of the packet that is coming in, known once its first block was decrypted.
    private var pendingLength: Int?
    /// Whether a packet was found wrong that is not to be reported yet.
    private var isSpoiled = false

    init(cipher: PacketCipher, mac: PacketMAC) {
        self.cipher = cipher
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
        try PacketLayout.check(packetLength: packetLength, blockSize: cipher.blockSize, lengthCounts: false)
        let end = PacketLayout.lengthSize + packetLength
        guard input.readableBytes >= end + mac.length else { return nil }
        let plaintext = try input.withUnsafeReadableBytes { bytes throws(CryptoError) in
            let code = UnsafeRawBufferPointer(rebasing: bytes[end..<(end + mac.length)])
            let packet = UnsafeRawBufferPointer(rebasing: bytes[..<end])
            guard mac.isValid(code, sequenceNumber: sequenceNumber, packet: packet) else { throw .macMismatch }
            let ciphertext = UnsafeRawBufferPointer(rebasing: packet.dropFirst(PacketLayout.lengthSize))
            let plaintext = try cipher.decrypt(ciphertext)
            cipher.advance(over: ciphertext)
            return plaintext
        }
        return try plaintext.withUnsafePlaintext { bytes throws(CryptoError) in
            try PacketLayout.extractPayload(from: bytes, into: &payload)
        }
    }

    private mutating func openPlaintextFirst(
        _ input: ByteBuffer, _ sequenceNumber: UInt32, _ payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes? {
        if isSpoiled { return try refuse(input) }
        guard let packetLength = try decryptedLength(input) else { return nil }
        let end = PacketLayout.lengthSize + packetLength
        guard input.readableBytes >= end + mac.length else { return nil }
        let plaintext = try input.withUnsafeReadableBytes { bytes throws(CryptoError) in
            try cipher.decrypt(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        }
        let opened = try plaintext.withUnsafePlaintext { packet throws(CryptoError) -> PacketSizes? in
            let isValid = input.withUnsafeReadableBytes { bytes in
                mac.isValid(
                    UnsafeRawBufferPointer(rebasing: bytes[end..<(end + mac.length)]),
                    sequenceNumber: sequenceNumber, packet: packet)
            }
            guard isValid else { return nil }
            return try PacketLayout.extractPayload(
                from: UnsafeRawBufferPointer(rebasing: packet.dropFirst(PacketLayout.lengthSize)), into: &payload)
        }
        guard let opened else { return try refuse(input) }
        input.withUnsafeReadableBytes { cipher.advance(over: UnsafeRawBufferPointer(rebasing: $0[..<end])) }
        pendingLength = nil
        return opened
    }

    /// Ends the connection over a wrong packet.
    ///
    /// With a chained cipher, only when as much has come in as the longest packet takes. Who replays a block of ciphertext
    /// as the first of a packet would otherwise learn from the time of the refusal what the block says: it is read as a
    /// length (CVE-2008-5161).
    private mutating func refuse(_ input: ByteBuffer) throws(CryptoError) -> PacketSizes? {
        isSpoiled = true
        let longest = PacketLayout.lengthSize + PacketProtection.maximumPacketLength + mac.length
        guard !cipher.isChained || input.readableBytes >= longest else { return nil }
        throw .macMismatch
    }

    /// The packet's length, from its first block; nil while there is none to go on with.
    ///
    /// A length that cannot be is reported as a wrong MAC: nothing here is authenticated yet, and which of the two went
    /// wrong is no one's business.
    private mutating func decryptedLength(_ input: ByteBuffer) throws(CryptoError) -> Int? {
        if let pendingLength { return pendingLength }
        guard input.readableBytes >= cipher.blockSize else { return nil }
        let block = try input.withUnsafeReadableBytes { bytes throws(CryptoError) in
            try cipher.decrypt(UnsafeRawBufferPointer(rebasing: bytes[..<cipher.blockSize]))
        }
        let length = block.prefix(PacketLayout.lengthSize).reduce(0) { $0 << 8 | Int($1) }
        do throws(CryptoError) {
            try PacketLayout.check(packetLength: length, blockSize: cipher.blockSize, lengthCounts: true)
        } catch {
            _ = try refuse(input)
            return nil
        }
        pendingLength = length
        return length
    }
}
