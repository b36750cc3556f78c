import Crypto
import NIOCore
import SSHCrypto
import TestSupport
import Testing

@Suite("Packet protection")
struct PacketProtectionTests {
    @Test("what is sealed opens again, whatever the size and however it is split", arguments: Protection.all)
    func roundTrip(_ protection: Protection) throws {
        var random = SeededGenerator(seed: 11)
        var sealer = try protection.makeSealer()
        var opener = try protection.makeOpener()
        try exchange(&sealer, &opener, using: &random)
    }

    @Test("so it does before there are keys")
    func plaintextRoundTrip() throws {
        var random = SeededGenerator(seed: 12)
        var sealer: any PacketSealer = PlaintextSealer()
        var opener: any PacketOpener = PlaintextOpener()
        try exchange(&sealer, &opener, using: &random)
    }

    /// Seals payloads of many sizes into one stream and opens it, fed in pieces of random sizes.
    private func exchange(
        _ sealer: inout any PacketSealer, _ opener: inout any PacketOpener, using random: inout SeededGenerator
    ) throws {
        let sizes = Array(1...40) + (0..<12).map { _ in Int.random(in: 1...70_000, using: &random) }
        // The sequence number passes its wrap-around on the way.
        var sequenceNumber = UInt32.max - 20
        var stream = ByteBuffer()
        var payloads: [[UInt8]] = []
        for size in sizes {
            let payload = random.bytes(size)
            let cut = Int.random(in: 0...size, using: &random)
            let body = cut == size ? nil : ByteBuffer(bytes: payload[cut...])
            try sealer.seal(
                head: ByteBuffer(bytes: payload[..<cut]), body: body, sequenceNumber: sequenceNumber, into: &stream)
            payloads.append(payload)
            sequenceNumber &+= 1
        }

        var input = ByteBuffer()
        var payload = ByteBuffer(string: "left from before")
        var opened = 0
        sequenceNumber = UInt32.max - 20
        while let piece = stream.readSlice(
            length: min(stream.readableBytes, Int.random(in: 1...9_000, using: &random))),
            piece.readableBytes > 0
        {
            input.writeImmutableBuffer(piece)
            while let sizes = try opener.open(&input, sequenceNumber: sequenceNumber, into: &payload) {
                try #require(Array(payload.readableBytesView) == payloads[opened])
                #expect(sizes.packetLength == 1 + payloads[opened].count + sizes.paddingLength)
                opened += 1
                sequenceNumber &+= 1
            }
        }
        #expect(opened == payloads.count)
        #expect(input.readableBytes == 0)
    }

    @Test("packets fill whole blocks and padding is 4 bytes at least", arguments: Protection.all)
    func layout(_ protection: Protection) throws {
        var opener = try protection.makeOpener()
        var sealer = try protection.makeSealer()
        let lengthCounts = !protection.authenticatesCiphertext
        let codeLength = protection.mac?.length ?? 16
        for size in 1...64 {
            var sealed = ByteBuffer()
            try sealer.seal(
                head: ByteBuffer(repeating: 1, count: size), body: nil, sequenceNumber: 0, into: &sealed)
            let total = sealed.readableBytes
            var payload = ByteBuffer()
            let opened = try #require(try opener.open(&sealed, sequenceNumber: 0, into: &payload))
            #expect((4...255).contains(opened.paddingLength))
            #expect((opened.packetLength + (lengthCounts ? 4 : 0)) % protection.cipher.blockSize == 0)
            #expect(total == 4 + opened.packetLength + codeLength)
        }
    }

    @Test("any single flipped bit is refused, or leaves the packet incomplete", arguments: Protection.all)
    func flippedBits(_ protection: Protection) throws {
        let sealed = try protection.seal(Array("a payload to be damaged".utf8))
        for bit in 0..<(sealed.count * 8) {
            var damaged = sealed
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            var opener = try protection.makeOpener()
            var input = ByteBuffer(bytes: damaged)
            var payload = ByteBuffer()
            let result = Result { try opener.open(&input, sequenceNumber: 7, into: &payload) }
            switch result {
            case .success(let opened): #expect(opened == nil, "bit \(bit)")
            case .failure(let error as CryptoError):
                // A damaged length in the clear may be refused for what it says.
                let isLength = bit < 32 && protection.authenticatesCiphertext
                #expect(isLength || error == .macMismatch, "bit \(bit)")
            case .failure(let error): Issue.record(error)
            }
            #expect(payload.readableBytes == 0)
            #expect(input.readableBytes == sealed.count)
        }
    }

    @Test("a truncated packet is waited for, nothing taken", arguments: Protection.all)
    func truncations(_ protection: Protection) throws {
        let sealed = try protection.seal(Array("a payload to be cut".utf8))
        var opener = try protection.makeOpener()
        var payload = ByteBuffer()
        for count in 0..<sealed.count {
            var input = ByteBuffer(bytes: sealed[..<count])
            #expect(try opener.open(&input, sequenceNumber: 7, into: &payload) == nil)
            #expect(input.readableBytes == count)
        }
        var input = ByteBuffer(bytes: sealed)
        #expect(try opener.open(&input, sequenceNumber: 7, into: &payload) != nil)
        #expect(String(buffer: payload) == "a payload to be cut")
    }

    @Test("the sequence number is authenticated", arguments: Protection.all.filter { $0.cipher.mode != .gcm })
    func wrongSequenceNumber(_ protection: Protection) throws {
        var input = ByteBuffer(bytes: try protection.seal(Array("replayed".utf8), sequenceNumber: 7))
        var opener = try protection.makeOpener()
        var payload = ByteBuffer()
        // ChaCha20's length hangs on the number too, so that a wrong one may read as a length that cannot be.
        #expect(throws: CryptoError.self) {
            // A length that happens to be plausible makes the packet incomplete; zeros complete it.
            input.writeRepeatingByte(0, count: PacketProtection.maximumPacketLength)
            _ = try opener.open(&input, sequenceNumber: 8, into: &payload)
        }
        #expect(payload.readableBytes == 0)
    }

    @Test("a replayed AES-GCM packet is refused")
    func replay() throws {
        let protection = Protection(cipher: try #require(.named("aes256-gcm@openssh.com")), mac: nil)
        let sealed = try protection.seal([1, 2, 3])
        var input = ByteBuffer(bytes: sealed + sealed)
        var opener = try protection.makeOpener()
        var payload = ByteBuffer()
        #expect(try opener.open(&input, sequenceNumber: 7, into: &payload) != nil)
        #expect(throws: CryptoError.macMismatch) { try opener.open(&input, sequenceNumber: 7, into: &payload) }
    }

    @Test("appends to what the output holds, and shares no storage with a copy of it", arguments: Protection.all)
    func appends(_ protection: Protection) throws {
        var sealer = try protection.makeSealer()
        var output = ByteBuffer(string: "before")
        let copy = output
        try sealer.seal(head: ByteBuffer(bytes: [9]), body: nil, sequenceNumber: 0, into: &output)
        #expect(output.readString(length: 6) == "before")
        #expect(String(buffer: copy) == "before")
        var payload = ByteBuffer()
        var opener = try protection.makeOpener()
        #expect(try opener.open(&output, sequenceNumber: 0, into: &payload) != nil)
        #expect(Array(payload.readableBytesView) == [9])
    }

    @Test("padding differs from packet to packet")
    func randomPadding() throws {
        var sealer = PlaintextSealer()
        var seen: Set<[UInt8]> = []
        // Enough packets for the pool of random bytes to be refilled several times.
        for _ in 0..<3_000 {
            var output = ByteBuffer()
            try sealer.seal(head: ByteBuffer(bytes: [1]), body: nil, sequenceNumber: 0, into: &output)
            seen.insert(Array(output.readableBytesView.suffix(10)))
        }
        #expect(seen.count == 3_000)
    }

    @Test("keys of the wrong length and a missing MAC are refused", arguments: Protection.all)
    func wrongKeys(_ protection: Protection) throws {
        let (cipher, mac) = (protection.cipher, protection.mac)
        let keys = protection.keys()
        let shortKey = DirectionKeys(
            iv: keys.iv, encryptionKey: SymmetricKey(size: .init(bitCount: 8)), integrityKey: keys.integrityKey)
        let longIV = DirectionKeys(
            iv: keys.iv + [0], encryptionKey: keys.encryptionKey, integrityKey: keys.integrityKey)
        for bad in [shortKey, longIV] {
            #expect(throws: CryptoError.self) { try PacketProtection.makeSealer(cipher: cipher, mac: mac, keys: bad) }
            #expect(throws: CryptoError.self) { try PacketProtection.makeOpener(cipher: cipher, mac: mac, keys: bad) }
        }
        if let mac {
            let noIntegrityKey = DirectionKeys(
                iv: keys.iv, encryptionKey: keys.encryptionKey, integrityKey: SymmetricKey(data: [UInt8]()))
            #expect(throws: CryptoError.keyLength(algorithm: mac.name, expected: mac.keyLength, found: 0)) {
                try PacketProtection.makeSealer(cipher: cipher, mac: mac, keys: noIntegrityKey)
            }
            #expect(throws: CryptoError.macMissing(cipher: cipher.name)) {
                try PacketProtection.makeOpener(cipher: cipher, mac: nil, keys: keys)
            }
        }
    }
}
