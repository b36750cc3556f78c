import Testing

@testable import LinkEmulator

@Suite struct LinkQueueTests {
    /// After all that any test puts in.
    private let later: UInt64 = 1 << 40

    @Test func aPacketTakesItsBytesTimeAndTheDelay() throws {
        var queue = LinkQueue(try #require(LinkSettings("delay=10,rate=100,queue=512")), seed: 1)
        for _ in 0..<2 { queue.put(plain(1000), at: 5_000_000) }
        // 1000 bytes take 80 µs at 100 Mbit/s; the second waits for the first.
        #expect(queue.due == 15_080_000)
        #expect(queue.next(at: 15_079_999) == nil)
        #expect(queue.next(at: 15_080_000)?.count == 1010)
        #expect(queue.due == 15_160_000)
        #expect(queue.next(at: 20_000_000) != nil)
        #expect(queue.due == nil)
        #expect(queue.counts.late == 4_840_000)
    }

    @Test func anIdleLinkDoesNotSaveItsTime() throws {
        var queue = LinkQueue(try #require(LinkSettings("delay=1,rate=8,queue=512")), seed: 1)
        queue.put(plain(1000), at: 0)
        queue.put(plain(1000), at: 1_000_000_000)
        _ = queue.next(at: 2_000_000)
        #expect(queue.due == 1_002_000_000)
    }

    @Test func whatDoesNotFitIntoTheQueueIsDropped() throws {
        var queue = LinkQueue(try #require(LinkSettings("rate=8,queue=4")), seed: 1)
        for _ in 0..<10 { queue.put(plain(1024), at: 0) }
        #expect(queue.counts.dropped == 6)
        #expect(queue.counts.deepest == 4096)
        // A byte is sent in a microsecond, so that there is room for one more.
        queue.put(plain(1024), at: 1_024_000)
        #expect(queue.counts.dropped == 6)
    }

    @Test func lossTakesItsShareOfSegmentsAlsoInsideOfAPacket() throws {
        var queue = LinkQueue(try #require(LinkSettings("loss=10,rate=1000")), seed: 7)
        let bytes = TunnelPacketTests.bytes(segments: 40)
        try bytes.withUnsafeBytes {
            let packet = try #require(TunnelPacket($0))
            for _ in 0..<500 { queue.put(packet, at: 0) }
        }
        #expect(queue.counts.segments == 20_000)
        #expect((1800...2200).contains(queue.counts.lost))
        var payload = 0
        while let packet = queue.next(at: later) { payload += packet.count - 10 - 40 }
        #expect(payload == (20_000 - queue.counts.lost) * 1448)
    }

    @Test func aPacketIsCutIntoBundlesOfTheRate() throws {
        var queue = LinkQueue(try #require(LinkSettings("rate=1000,queue=512")), seed: 1)
        try TunnelPacketTests.bytes(segments: 25).withUnsafeBytes { queue.put(try #require(TunnelPacket($0)), at: 0) }
        var sizes: [Int] = []
        while let packet = queue.next(at: later) { sizes.append((packet.count - 50) / 1448) }
        #expect(sizes == [10, 10, 5])
    }

    @Test func manyPacketsKeepTheirOrder() throws {
        var queue = LinkQueue(try #require(LinkSettings("delay=1")), seed: 1)
        var taken = 0
        for size in 1...5000 {
            queue.put(plain(size), at: 0)
            if size % 3 == 0 {
                taken += 1
                #expect(queue.next(at: later)?.count == taken + 10)
            }
        }
        while let packet = queue.next(at: later) {
            taken += 1
            #expect(packet.count == taken + 10)
        }
        #expect(taken == 5000)
    }

    @Test(arguments: ["delay", "delay=", "delay=-1", "loss=101", "rate=x", "speed=1", "queue=1e9"])
    func settingsThatAreNoneAreRefused(_ text: String) {
        #expect(LinkSettings(text) == nil)
    }

    @Test func laterSettingsReplaceEarlierOnes() {
        #expect(LinkSettings("rate=1000,loss=1,rate=20,loss=0") == LinkSettings("rate=20"))
    }

    /// A packet that is not TCP's, of as many bytes.
    private func plain(_ count: Int) -> TunnelPacket {
        let bytes = UnsafeRawBufferPointer(start: Self.zeros.baseAddress, count: count + TunnelPacket.prefixSize)
        guard let packet = TunnelPacket(bytes) else { preconditionFailure("too short") }
        return packet
    }

    private nonisolated(unsafe) static let zeros: UnsafeRawBufferPointer = {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 1)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        return UnsafeRawBufferPointer(buffer)
    }()
}
