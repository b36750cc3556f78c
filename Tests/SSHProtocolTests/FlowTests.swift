import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import TestSupport
import Testing

@testable import SSHProtocol

@Suite("Flow of channel data")
struct FlowTests {
    private func random(_ count: Int, seed: UInt64) -> ByteBuffer {
        var random = SeededGenerator(seed: seed)
        return ByteBuffer(bytes: random.bytes(count))
    }

    @Test(
        "Data both ways larger than the windows arrives whole, whatever the sizes of windows and pieces",
        arguments: [1, 100, 5_000, 40_000, 2 << 20], [nil, 1...9000])
    func bothWays(_ window: Int, _ pieces: ClosedRange<Int>?) {
        let (pair, id) = JoinedPair.withChannel(
            client: .quick.with { $0.receiveWindow = window }, server: .server().with { $0.receiveWindow = window })
        pair.pieces = pieces
        let size = window < 1000 ? 3_000 : 400_000
        let (up, down) = (random(size, seed: 1), random(size + 77, seed: 2))
        pair.client.attempt { try $0.write(id, up) }
        pair.server.attempt { try $0.write(id, down) }
        #expect(pair.run())
        #expect(pair.server.data[id] == up)
        #expect(pair.client.data[id] == down)
        #expect(pair.client.unsentBytes(id) == 0)
        #expect(pair.client.failure == nil && pair.server.failure == nil)
    }

    @Test("Blocks of every size keep their order, and small ones share packets")
    func coalescing() {
        let (pair, id) = JoinedPair.withChannel()
        var expected = ByteBuffer()
        var random = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            let size = [0, 1, 30, 300, 4096, 4097, 40_000].randomElement(using: &random) ?? 0
            let block = ByteBuffer(bytes: random.bytes(size))
            expected.writeImmutableBuffer(block)
            pair.client.attempt { try $0.write(id, block) }
        }
        let before = pair.client.connection.transport.outbound.counter.sequenceNumber
        pair.run()
        let packets = Int(pair.client.connection.transport.outbound.counter.sequenceNumber - before)
        #expect(pair.server.data[id] == expected)
        #expect(packets < 3 * expected.readableBytes / 2 / 32_768)
    }

    @Test("Nothing more leaves than the window admits, and what waits is told")
    func window() {
        let (pair, id) = JoinedPair.withChannel(
            server: .server().with { $0.receiveWindow = 1000 })
        pair.server.reads = false
        pair.client.attempt { try $0.write(id, random(2500, seed: 1)) }
        #expect(pair.client.unsentBytes(id) == 2500)
        #expect(!pair.client.connection.isStalled(id))
        pair.run()
        #expect(pair.client.unsentBytes(id) == 1500)
        #expect(pair.client.connection.isStalled(id))
        #expect(pair.server.failure == nil)
        pair.server.attempt { try pair.server.read(&$0, id) }
        pair.run()
        #expect(pair.client.unsentBytes(id) == 500)
        pair.server.reads = true
        pair.server.attempt { try pair.server.read(&$0, id) }
        pair.run()
        #expect(pair.server.data[id]?.readableBytes == 2500)
        #expect(!pair.client.connection.isStalled(id))
    }

    @Test("A channel that is closed here still grants what it drops, so that the peer does not wait for ever")
    func droppedData() {
        let (pair, id) = JoinedPair.withChannel(
            client: .quick.with { $0.receiveWindow = 1000 }, server: .server().with { $0.receiveWindow = 1000 })
        // The server reads nothing until it has written all; the client wants to close, behind data that waits.
        pair.server.reads = false
        pair.client.attempt { connection in
            try connection.write(id, random(3000, seed: 1))
            connection.close(id)
        }
        pair.server.attempt { try $0.write(id, random(5000, seed: 2)) }
        pair.run()
        #expect(pair.server.unsentBytes(id) == 0)
        pair.server.reads = true
        pair.server.attempt { try pair.server.read(&$0, id) }
        pair.run()
        #expect(pair.client.story.last == "channelClosed")
        #expect(pair.server.data[id]?.readableBytes == 3000)
    }

    @Test("The peer never has more on its way and unread than the window's size, and more is refused")
    func bound() {
        var window = ReceiveWindow(size: 6000)
        var random = SeededGenerator(seed: 1)
        for _ in 0..<5000 {
            let count = Int.random(in: 0...window.remaining, using: &random)
            let fits = window.received(count)
            #expect(fits)
            _ = window.read(Int.random(in: 0...(window.unread + 10), using: &random), at: .now)
            #expect(window.remaining >= 0 && window.unread >= 0)
            #expect(window.remaining + window.unread <= window.size)
        }
        let fits = window.received(window.remaining + 1)
        #expect(!fits)
    }

    @Test("A window that is read never closes for good", arguments: [1, 2, 7, 8, 9, 100])
    func neverStalls(_ size: Int) {
        var window = ReceiveWindow(size: size)
        var total = 0
        for _ in 0..<1000 {
            let count = window.remaining
            #expect(count > 0)
            guard count > 0, window.received(count) else { return }
            total += count
            _ = window.read(count, at: .now)
        }
        #expect(total >= 1000)
    }

    @Test("A window that follows the rate stays within its size and never closes for good", arguments: [1, 20, 50])
    func measured(_ milliseconds: Int) {
        var window = ReceiveWindow(size: 24 << 20, isMeasured: true)
        var now = ContinuousClock.now
        // What is on its way there and back, in milliseconds; the peer delivers up to 100 MB/s, and from the middle on ten times
        // slower and later, so that the shortest time is looked for anew.
        var (grants, data) = ([Int](repeating: 0, count: milliseconds), [Int](repeating: 0, count: milliseconds))
        var (credit, unreported, received, peak) = (window.remaining, 0, 0, 0)
        for tick in 0..<30_000 {
            now += .milliseconds(1)
            if tick == 15_000 {
                grants += [Int](repeating: 0, count: milliseconds)
                data += [Int](repeating: 0, count: milliseconds)
            }
            grants.append(0)
            credit += grants.removeFirst()
            let sent = min(credit, tick < 15_000 ? 100_000 : 10_000)
            credit -= sent
            data.append(sent)
            let arrived = data.removeFirst()
            guard window.received(arrived) else {
                Issue.record("more than was granted came")
                return
            }
            unreported += arrived
            received += arrived
            if unreported >= window.batch {
                grants[grants.count - 1] += Int(window.read(unreported, at: now))
                unreported = 0
            }
            #expect(window.remaining + window.unread <= window.size)
            peak = max(peak, window.remaining + window.unread)
        }
        // All but the beginning at the full rate, with about as much under way as the link holds.
        #expect(received > 1_500_000_000 * 9 / 10)
        #expect(peak < max(4 << 20, milliseconds * 2 * 100_000 * 4))
    }

    @Test("A command's window follows the rate, that of a subsystem is wide from the beginning")
    func kinds() throws {
        let client = ConnectionConfiguration.quick.with { $0.receiveWindow = ReceiveWindow.usualSize }
        for (requests, size) in [
            ([ChannelRequestKind.exec(command: ByteBuffer(string: "scp -f x"))], 1 << 20),
            ([.environment(name: "LANG", value: "C"), .subsystem(name: "sftp")], ReceiveWindow.usualSize),
        ] {
            let pair = JoinedPair.authenticated(client: client)
            pair.client.attempt { _ = try $0.openChannel(requests: requests) }
            pair.run()
            #expect(pair.server.connection.channels.channels.first?.sendWindow == size)
        }
        // What was opened before it was known for what.
        let (pair, id) = JoinedPair.withChannel(client: client)
        #expect(pair.server.connection.channels.channels.first?.sendWindow == 1 << 20)
        pair.client.attempt { try $0.request(id, .subsystem(name: "sftp"), wantReply: true) }
        pair.run()
        #expect(pair.server.connection.channels.channels.first?.sendWindow == ReceiveWindow.usualSize)
    }

    @Test("Between our own ends packets are larger, to others they are not")
    func largePackets() {
        for isOurs in [true, false] {
            let (pair, id) = JoinedPair.withChannel(
                client: .quick.with { if !isOurs { $0.softwareVersion = "OpenSSH_9.2" } },
                server: .server().with { $0.ownMaximumPacketSize = 128 * 1024 })
            pair.inject(
                ChannelData(recipientChannel: 0, data: ByteBuffer(repeating: 7, count: 128 * 1024)), from: pair.client)
            pair.run()
            #expect((pair.server.failure == nil) == isOurs)
            if isOurs { #expect(pair.server.data[id]?.readableBytes == 128 * 1024) }
        }
    }

    @Test("Many channels at once get their turns")
    func fairness() throws {
        let pair = JoinedPair.authenticated()
        let ids = try (0..<20).map { _ in try pair.client.connection.openChannel() }
        pair.run()
        let data = random(1 << 20, seed: 4)
        for id in ids { pair.client.attempt { try $0.write(id, data) } }
        pair.outputLimit = 64 * 1024
        var least = 0
        var most = 0
        for _ in 0..<60 {
            pair.run(rounds: 1)
            let sizes = ids.map { pair.server.data[$0]?.readableBytes ?? 0 }
            (least, most) = (sizes.min() ?? 0, sizes.max() ?? 0)
            #expect(most - least <= 2 * 32 * 1024)
        }
        #expect(least > 0)
        pair.run()
        for id in ids { #expect(pair.server.data[id] == data) }
    }

    @Test("One stalled channel holds up no other")
    func independence() throws {
        let pair = JoinedPair.authenticated()
        let (stalled, other) = (try pair.client.connection.openChannel(), try pair.client.connection.openChannel())
        pair.run()
        pair.server.acts = { _, event in
            if case .channelReadable(stalled) = event { true } else { false }
        }
        let data = random(5 << 20, seed: 4)
        pair.client.attempt { try $0.write(stalled, data) }
        pair.client.attempt { try $0.write(other, data) }
        pair.run()
        #expect(pair.server.data[other] == data)
        #expect(pair.client.connection.isStalled(stalled))
    }

    @Test("A peer that takes packets of one byte gets packets of one byte")
    func tinyPackets() {
        let (pair, id) = JoinedPair.withChannel(
            server: .server().with {
                $0.maximumPacketSize = 1
                $0.ownMaximumPacketSize = 1
            })
        pair.client.attempt { try $0.write(id, ByteBuffer(string: "hello")) }
        pair.run()
        #expect(pair.server.data[id] == ByteBuffer(string: "hello"))
        #expect(pair.server.failure == nil)
    }

    @Test("What is taken is about what was asked for, and nothing is taken twice")
    func outputLimit() throws {
        let (pair, id) = JoinedPair.withChannel()
        pair.client.attempt { try $0.write(id, random(1 << 20, seed: 1)) }
        let output = try #require(try pair.client.connection.takeOutput(limit: 100_000))
        #expect((100_000..<140_000).contains(output.readableBytes))
        #expect(pair.client.unsentBytes(id) < (1 << 20) - 98_000)
    }
}
