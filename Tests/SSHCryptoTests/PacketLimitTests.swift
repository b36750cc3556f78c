import NIOCore
import SSHCrypto
import Testing

@Suite("Packet limits")
struct PacketLimitTests {
    private static let limit = PacketProtection.maximumPacketLength

    @Test("a payload over the limit is not sealed and leaves the output alone", arguments: Protection.all)
    func sealTooLong(_ protection: Protection) throws {
        var sealer = try protection.makeSealer()
        var output = ByteBuffer(string: "before")
        let payload = ByteBuffer(repeating: 0, count: Self.limit)
        #expect(throws: CryptoError.self) {
            try sealer.seal(head: payload, body: payload, sequenceNumber: 0, into: &output)
        }
        #expect(String(buffer: output) == "before")
    }

    @Test("the largest packet passes", arguments: Protection.all)
    func largest(_ protection: Protection) throws {
        // 256 KiB less the length field where it counts as part of the blocks, less padding_length and 4 to 8 of padding.
        let size = Self.limit - 32
        var sealer = try protection.makeSealer()
        var opener = try protection.makeOpener()
        var stream = ByteBuffer()
        var payload = ByteBuffer()
        try sealer.seal(head: ByteBuffer(repeating: 5, count: size), body: nil, sequenceNumber: 0, into: &stream)
        #expect(try opener.open(&stream, sequenceNumber: 0, into: &payload) != nil)
        #expect(payload.readableBytes == size)
    }

    @Test(
        "a length in the clear is refused from its four bytes: too long, too short, not whole blocks",
        arguments: Protection.all.filter { $0.cipher.mode == .gcm || $0.mac?.encryptThenMAC == true })
    func clearLength(_ protection: Protection) throws {
        let cases: [(UInt32, CryptoError)] = [
            (.max, .packetTooLong(length: Int(UInt32.max), limit: Self.limit)),
            (UInt32(Self.limit) + 16, .packetTooLong(length: Self.limit + 16, limit: Self.limit)),
            (0, .packetTooShort(length: 0, minimum: 5)),
            (4, .packetTooShort(length: 4, minimum: 5)),
            (17, .packetNotWholeBlocks(length: 17, blockSize: protection.cipher.blockSize)),
        ]
        for (length, error) in cases {
            var opener = try protection.makeOpener()
            var input = ByteBuffer(integer: length)
            var payload = ByteBuffer()
            #expect(throws: error) { try opener.open(&input, sequenceNumber: 0, into: &payload) }
        }
    }

    @Test("so is one before there are keys")
    func plaintextLength() throws {
        let cases: [(UInt32, CryptoError)] = [
            (.max, .packetTooLong(length: Int(UInt32.max), limit: Self.limit)),
            (0, .packetTooShort(length: 0, minimum: 5)),
            (13, .packetNotWholeBlocks(length: 13, blockSize: 8)),
        ]
        for (length, error) in cases {
            var opener = PlaintextOpener()
            var input = ByteBuffer(integer: length)
            var payload = ByteBuffer()
            #expect(throws: error) { try opener.open(&input, sequenceNumber: 0, into: &payload) }
        }
    }

    @Test(
        "an encrypted length is refused as soon as it can be read",
        arguments: Protection.all.filter {
            $0.cipher.mode != .gcm && !$0.cipher.isChained && $0.mac?.encryptThenMAC != true
        })
    func encryptedLength(_ protection: Protection) throws {
        let needed = protection.cipher.mode == .ctr ? 16 : 4
        var sealed = try protection.seal([UInt8](repeating: 1, count: 100))
        // The top bit of the length.
        sealed[0] ^= 0x80
        var payload = ByteBuffer()
        for count in 0..<needed {
            var opener = try protection.makeOpener()
            var input = ByteBuffer(bytes: sealed[..<count])
            #expect(try opener.open(&input, sequenceNumber: 7, into: &payload) == nil)
        }
        var opener = try protection.makeOpener()
        var input = ByteBuffer(bytes: sealed[..<needed])
        #expect(throws: CryptoError.self) { try opener.open(&input, sequenceNumber: 7, into: &payload) }
    }

    @Test(
        "padding shorter than 4 bytes or longer than the packet is refused", arguments: [0, 1, 3, 12, 255] as [UInt8])
    func padding(_ length: UInt8) throws {
        var input = ByteBuffer(integer: UInt32(12))
        input.writeInteger(length)
        input.writeRepeatingByte(0, count: 11)
        var payload = ByteBuffer()
        var opener = PlaintextOpener()
        #expect(throws: CryptoError.invalidPadding(paddingLength: Int(length), packetLength: 12)) {
            try opener.open(&input, sequenceNumber: 0, into: &payload)
        }
        #expect(payload.readableBytes == 0)
    }

    @Test("all padding and no payload is a packet with an empty payload")
    func emptyPayload() throws {
        var input = ByteBuffer(integer: UInt32(12))
        input.writeInteger(UInt8(11))
        input.writeRepeatingByte(0, count: 11)
        var payload = ByteBuffer()
        var opener = PlaintextOpener()
        let opened = try opener.open(&input, sequenceNumber: 0, into: &payload)
        #expect(opened == PacketSizes(packetLength: 12, paddingLength: 11))
        #expect(payload.readableBytes == 0)
    }

    @Test(
        "a chained cipher says nothing of a bad length or MAC before the longest packet could have come in",
        arguments: Protection.all.filter { $0.cipher.isChained && $0.mac?.encryptThenMAC == false })
    func silence(_ protection: Protection) throws {
        let sealed = try protection.seal(Array("a payload".utf8))
        let longest = 4 + Self.limit + (protection.mac?.length ?? 0)
        // The first bit of the length; the last bit of the code.
        for bit in [0, sealed.count * 8 - 1] {
            var input = ByteBuffer(bytes: sealed)
            input.setInteger(sealed[bit / 8] ^ (0x80 >> UInt8(bit % 8)), at: bit / 8)
            var opener = try protection.makeOpener()
            var payload = ByteBuffer()
            for count in stride(from: sealed.count, to: longest, by: 50_001) {
                input.writeRepeatingByte(1, count: count - input.readableBytes)
                #expect(try opener.open(&input, sequenceNumber: 7, into: &payload) == nil)
            }
            input.writeRepeatingByte(1, count: longest - 1 - input.readableBytes)
            #expect(try opener.open(&input, sequenceNumber: 7, into: &payload) == nil)
            input.writeRepeatingByte(1, count: 1)
            #expect(throws: CryptoError.macMismatch) {
                try opener.open(&input, sequenceNumber: 7, into: &payload)
            }
            #expect(payload.readableBytes == 0)
        }
    }
}
