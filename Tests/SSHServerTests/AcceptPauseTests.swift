import NIOCore
import NIOEmbedded
import Platform
import Synchronization
import Testing

@testable import SSHServer

@Suite("A pause in accepting")
struct AcceptPauseTests {
    /// What the channel was told last about reading on; nil for nothing.
    private func reads(_ channel: EmbeddedChannel) -> Bool? {
        channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
    }

    @Test(
        "begins when descriptors or memory are short, and ends after a while",
        arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
    func pause(number: Int32) throws {
        let channel = EmbeddedChannel()
        let told = Mutex<[Int32]>([])
        try channel.pipeline.syncOperations.addHandler(AcceptPause { number in told.withLock { $0.append(number) } })
        for _ in 0..<3 { channel.pipeline.fireErrorCaught(IOError(errnoCode: number, reason: "accept")) }
        #expect(reads(channel) == false)
        #expect(told.withLock { $0 } == [number])
        channel.embeddedEventLoop.advanceTime(by: AcceptPause.duration)
        #expect(reads(channel) == true)
        channel.pipeline.fireErrorCaught(IOError(errnoCode: number, reason: "accept"))
        #expect(reads(channel) == false)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test("is not made for other errors, which go on")
    func otherErrors() throws {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(AcceptPause { _ in Issue.record("a pause") })
        channel.pipeline.fireErrorCaught(IOError(errnoCode: ECONNABORTED, reason: "accept"))
        #expect(reads(channel) == nil)
        #expect(throws: IOError.self) { try channel.throwIfErrorCaught() }
        _ = try channel.finish(acceptAlreadyClosed: true)
    }
}

@Suite("A flood of like events")
struct RepeatedLinesTests {
    private let kind = RepeatedLines.Kind(words: "connections refused", reason: "too many")

    @Test("is one line at once, and one for each period")
    func flood() {
        var lines = RepeatedLines()
        #expect(lines.note(kind, from: [1]) == .tell)
        for number in 0..<5000 { #expect(lines.note(kind, from: [UInt8(number % 7)]) == .count) }
        let first = lines.end(of: kind)
        #expect(first?.count == 5000 && first?.networks.count == 7)
        // The next period has begun: what comes in it waits for its end.
        #expect(lines.note(kind, from: [1]) == .count)
        #expect(lines.end(of: kind)?.count == 1)
        #expect(lines.end(of: kind) == nil)
        #expect(lines.kinds.isEmpty)
        #expect(lines.note(kind, from: [1]) == .tell)
    }

    @Test("of one kind hides none of another, and remembers so many networks and no more")
    func kinds() {
        var lines = RepeatedLines()
        #expect(lines.note(kind, from: []) == .tell)
        #expect(lines.note(.init(words: "connections wait", reason: "too many"), from: []) == .tell)
        for number in 0..<3000 { _ = lines.note(kind, from: [UInt8(number & 255), UInt8(number >> 8)]) }
        #expect(lines.end(of: kind)?.networks.count == RepeatedLines.mostNetworks)
    }
}
