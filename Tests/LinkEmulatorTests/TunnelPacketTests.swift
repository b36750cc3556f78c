import Testing

@testable import LinkEmulator

@Suite struct TunnelPacketTests {
    /// A packet of so many segments of 1448 bytes, the last of them `last`: identification 7, sequence number 0xFFFFFF00,
    /// flags CWR, ACK, PSH and FIN.
    static func bytes(segments: Int, last: Int = 1448) -> [UInt8] {
        let payload = (segments - 1) * 1448 + last
        let total = 40 + payload
        var bytes: [UInt8] = [1, 1, 50, 0, 0xA8, 0x05, 30, 0, 16, 0]
        bytes += [
            0x45, 0, UInt8(total >> 8), UInt8(total & 0xFF), 0, 7, 0x40, 0, 64, 6, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2,
        ]
        bytes += [0, 22, 0, 80, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 1, 0x50, 0x99, 1, 0, 0, 0, 0, 0]
        return bytes + (0..<payload).map { UInt8(truncatingIfNeeded: $0 / 1448) }
    }

    @Test func segmentsAreCountedAndMeasured() throws {
        try Self.bytes(segments: 3, last: 100).withUnsafeBytes {
            let packet = try #require(TunnelPacket($0))
            #expect(packet.segmentCount == 3)
            #expect((0..<3).map(packet.size(ofSegment:)) == [1488, 1488, 140])
        }
    }

    @Test func theWholePacketStaysAsItIs() throws {
        let bytes = Self.bytes(segments: 3)
        bytes.withUnsafeBytes { #expect(TunnelPacket($0)?.packet(of: 0..<3) == bytes) }
    }

    @Test func theFirstSegmentKeepsCWRAndLosesPSHAndFIN() throws {
        let first = try part(0..<1)
        #expect(first.count == 10 + 40 + 1448)
        #expect(first[1] == 0)  // no more to be cut
        #expect(Array(first[4..<6]) == [0, 0])
        #expect(Array(first[12..<14]) == [0x05, 0xD0])  // 1488
        #expect(Array(first[14..<16]) == [0, 7])
        #expect(first[10 + 20 + 13] == 0x90)
        #expect(first[50...].allSatisfy { $0 == 0 })
        #expect(checksumIsRight(first))
    }

    @Test func segmentsInTheMiddleStayTogether() throws {
        let middle = try part(1..<3)
        #expect(middle.count == 10 + 40 + 2 * 1448)
        #expect(middle[1] == 1)
        #expect(Array(middle[14..<16]) == [0, 8])
        // 0xFFFFFF00 + 1448 comes round.
        #expect(Array(middle[34..<38]) == [0, 0, 0x04, 0xA8])
        #expect(middle[43] == 0x10)
        #expect(checksumIsRight(middle))
    }

    @Test func theLastSegmentKeepsPSHAndFIN() throws {
        let last = try part(3..<4)
        #expect(last.count == 10 + 40 + 10)
        #expect(last[43] == 0x19)
        #expect(last[50...].allSatisfy { $0 == 3 })
        #expect(checksumIsRight(last))
    }

    @Test func otherPacketsAreOneSegment() throws {
        var bytes = Self.bytes(segments: 4)
        bytes[1] = 0
        try bytes.withUnsafeBytes {
            let packet = try #require(TunnelPacket($0))
            #expect(packet.segmentCount == 1)
            #expect(packet.size(ofSegment: 0) == bytes.count - 10)
            #expect(packet.packet(of: 0..<1) == bytes)
        }
    }

    @Test func shortPacketsAreNone() throws {
        for count in 0...10 {
            [UInt8](repeating: 1, count: count).withUnsafeBytes { #expect(TunnelPacket($0) == nil) }
        }
        for count in 11..<60 {
            Array(Self.bytes(segments: 2)[..<count]).withUnsafeBytes {
                #expect(TunnelPacket($0)?.segmentCount == 1)
            }
        }
    }

    private func part(_ segments: Range<Int>) throws -> [UInt8] {
        try Self.bytes(segments: 4, last: 10).withUnsafeBytes { try #require(TunnelPacket($0)).packet(of: segments) }
    }

    /// RFC 791, 3.1: the one's complement sum of the header is all ones.
    private func checksumIsRight(_ packet: [UInt8]) -> Bool {
        var sum: UInt32 = 0
        for offset in stride(from: 10, to: 30, by: 2) {
            sum += UInt32(packet[offset]) << 8 | UInt32(packet[offset + 1])
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + sum >> 16 }
        return sum == 0xFFFF
    }
}
