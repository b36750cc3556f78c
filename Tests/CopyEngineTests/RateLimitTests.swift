import CopyEngine
import NIOCore
import SSHWire
import Synchronization
import TestSupport
import Testing

@Suite("A rate limit", .timeLimit(.minutes(hangMinutes)))
struct RateLimitTests {
    /// Gives zeros without end, and remembers when bytes passed.
    private final class Meter: ByteStream {
        let passed = Mutex<[(time: ContinuousClock.Instant, count: Int)]>([])

        func read() async throws -> ByteBuffer? { ByteBuffer(repeating: 0, count: 100_000) }
        func write(_ bytes: ByteBuffer) async throws { record(bytes.readableBytes) }
        func finishWriting() async throws {}

        func record(_ count: Int) { passed.withLock { $0.append((.now, count)) } }
    }

    /// 100,000 bytes in a second.
    private let limit = RateLimit(kilobitsPerSecond: 781)
    private let bytesPerSecond = 781 * 128

    /// - Parameter start: when the first byte was asked for.
    private func check(_ meter: Meter, since start: ContinuousClock.Instant) {
        let passed = meter.passed.withLock { $0 }
        var total = 0
        for entry in passed {
            total += entry.count
            // At no moment more than the rate allows, a tenth of a second aside.
            let allowed = Double(bytesPerSecond) * ((entry.time - start) / .seconds(1) + 0.15)
            #expect(Double(total) <= allowed)
        }
        #expect(passed.count > 5)
    }

    @Test("Writes pass in small portions, never faster than the rate")
    func writes() async throws {
        let meter = Meter()
        let start = ContinuousClock.now
        let stream = limit.limiting(meter)
        try await stream.write(ByteBuffer(repeating: 7, count: 30_000))
        for _ in 0..<100 { try await stream.write(ByteBuffer(repeating: 7, count: 300)) }
        check(meter, since: start)
        #expect(meter.passed.withLock { $0.reduce(0) { $0 + $1.count } } == 60_000)
        #expect(ContinuousClock.now - start > .milliseconds(400))
    }

    @Test("Reads pass in small portions, never faster than the rate")
    func reads() async throws {
        let meter = Meter()
        let start = ContinuousClock.now
        let stream = limit.limiting(meter)
        var total = 0
        while total < 60_000 {
            let count = try await stream.read()?.readableBytes ?? 0
            meter.record(count)
            total += count
        }
        check(meter, since: start)
    }

    @Test("Two streams share the rate; the two ways do not")
    func shares() async throws {
        let (one, other) = (Meter(), Meter())
        let start = ContinuousClock.now
        let (limit, bytes) = (limit, ByteBuffer(repeating: 7, count: 30_000))
        async let first: Void = limit.limiting(one).write(bytes)
        async let second: Void = limit.limiting(other).write(bytes)
        _ = try await limit.limiting(Meter()).read()
        _ = try await (first, second)
        #expect(ContinuousClock.now - start > .milliseconds(400))
    }
}
