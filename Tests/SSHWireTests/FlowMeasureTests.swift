import TestSupport
import Testing

@testable import SSHWire

@Suite("Bytes under way by measure")
struct FlowMeasureTests {
    struct Path: CustomTestStringConvertible {
        var megabits: Double
        var milliseconds: Int
        /// Of the content and half a buffer, whichever TCP allows.
        var mebibytes: Int

        var testDescription: String { "\(milliseconds) ms, \(megabits) Mbit/s" }

        func download(limits: ClosedRange<Int> = FlowMeasure.usualLimits) -> SimulatedDownload {
            var download = SimulatedDownload(megabits: megabits, roundTrip: .milliseconds(milliseconds), limits: limits)
            download.queue = max(512 << 10, Int(download.content))
            return download
        }
    }

    static let paths = [
        Path(megabits: 100, milliseconds: 20, mebibytes: 32), Path(megabits: 1000, milliseconds: 20, mebibytes: 64),
        Path(megabits: 1000, milliseconds: 100, mebibytes: 64), Path(megabits: 100, milliseconds: 200, mebibytes: 32),
        Path(megabits: 10, milliseconds: 50, mebibytes: 8), Path(megabits: 1000, milliseconds: 1, mebibytes: 64),
    ]

    /// It holds 2.5 MB.
    static let middling = Path(megabits: 400, milliseconds: 50, mebibytes: 32)

    @Test("A download is as fast as with a great deal under way", arguments: paths)
    func speed(_ path: Path) {
        var measured = path.download()
        var fixed = path.download(limits: (32 << 20)...(32 << 20))
        let bytes = path.mebibytes << 20
        let time = measured.run(bytes: bytes)
        #expect(time <= fixed.run(bytes: bytes) * 1.03)
    }

    @Test("A server hoards no more than the link holds, and the least that is under way", arguments: paths)
    func hoarding(_ path: Path) {
        var download = path.download()
        download.run(atMost: .seconds(5))
        // What TCP carries is the lesser of the link's content and the sender's buffer.
        let carried = min(download.content, Double(download.sendBuffer))
        for _ in 0..<50 {
            download.run(atMost: .milliseconds(50))
            #expect(Double(download.flow.target) <= max(Double(1 << 20) * 1.1, 2.3 * carried))
            #expect(Double(download.hoarded) <= max(Double(1 << 20) * 1.1, 1.3 * carried))
        }
    }

    @Test("In a minute the amount does not creep up by its own queue", arguments: [paths[0], paths[3]])
    func noDrift(_ path: Path) {
        var download = path.download()
        download.run(atMost: .seconds(8))
        let early = download.flow.target
        var most = 0
        for _ in 0..<52 {
            download.run(atMost: .seconds(1))
            most = max(most, download.flow.target)
        }
        #expect(Double(most) <= Double(early) * 1.15)
        #expect(Double(download.received) >= 0.95 * download.bytesPerSecond * 58)
    }

    @Test("At the beginning the amount grows as fast as a TCP that doubles each round trip")
    func start() {
        var downloads = [FlowMeasure.usualLimits, (64 << 20)...(64 << 20)].map { limits in
            Path(megabits: 1000, milliseconds: 200, mebibytes: 64).download(limits: limits)
        }
        let times = downloads.indices.map { index in
            downloads[index].sendBuffer = 64 << 20
            return downloads[index].run(bytes: 64 << 20)
        }
        // Thirteen round trips, of which it may lose one.
        #expect(times[0] <= times[1] + .milliseconds(200))
        #expect(downloads[0].flow.target >= 25_000_000)
    }

    @Test("A longer way is found out")
    func longerWay() {
        var download = Self.middling.download()
        download.run(atMost: .seconds(6))
        download.roundTrip = .milliseconds(150)
        download.run(atMost: .seconds(20))
        let before = download.received
        download.run(atMost: .seconds(10))
        // 4 MiB of send buffer in 150 ms.
        #expect(Double(download.received - before) >= 0.9 * 10 * Double(4 << 20) / 0.15)
    }

    @Test("A slower and a faster link are followed")
    func followedRate() {
        var download = Self.middling.download()
        download.run(atMost: .seconds(5))
        #expect(download.flow.target > 4_000_000)
        download.bytesPerSecond /= 10
        download.run(atMost: .seconds(15))
        #expect(download.flow.target <= 1_200_000)
        download.bytesPerSecond *= 10
        download.run(atMost: .seconds(15))
        let before = download.received
        download.run(atMost: .seconds(1))
        #expect(download.flow.target >= Int(Double(download.received - before) * 0.05 * 1.8))
    }

    @Test(
        "A client that asks for little does not shrink what the link was found to hold",
        arguments: [0, 200_000, 1_000_000])
    func littleToAsk(_ appetite: Int) {
        var download = Self.middling.download()
        download.run(atMost: .seconds(4))
        let target = download.flow.target
        download.run(atMost: .seconds(5), appetite: appetite)
        #expect(download.flow.target >= target * 9 / 10)
    }

    @Test("Near servers get the least")
    func near() {
        var flow = FlowMeasure()
        var now = ContinuousClock.now
        for _ in 0..<20_000 {
            let mark = flow.ask(for: 32_768, at: now)
            now += .microseconds(100)
            flow.answer(mark, at: now)
        }
        #expect(flow.target == 1 << 20)
        #expect(flow.roundTrip == .microseconds(100))
    }

    @Test("Limits hold whatever is measured")
    func limits() {
        var fixed = Self.paths[1].download(limits: 524_288...524_288)
        fixed.run(atMost: .seconds(30))
        #expect(fixed.flow.target == 524_288)
        var capped = Self.paths[1].download(limits: 65_536...2_000_000)
        for _ in 0..<300 {
            capped.run(atMost: .milliseconds(100))
            #expect(capped.flow.target <= 2_000_000)
        }
        #expect(FlowMeasure(limits: -5...(-1)).target == 1)
    }

    @Test("Answers that are short, early, at once or never come do no harm")
    func oddAnswers() {
        var flow = FlowMeasure()
        let start = ContinuousClock.now
        var random = SeededGenerator(seed: 11)
        var marks: [FlowMeasure.Mark] = []
        for _ in 0..<20_000 {
            let now = start + .microseconds(Int64.random(in: -1000...1_000_000_000, using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let bytes = Int.random(in: -10...(1 << 40), using: &random)
                marks.append(flow.ask(for: bytes, at: now))
            case 2:
                marks.popLast().map { flow.answer($0, bytes: Int.random(in: -10...(1 << 40), using: &random), at: now) }
            default: marks.popLast().map { flow.forget($0) }
            }
            #expect(flow.underWay >= 0)
            #expect((1...FlowMeasure.usualLimits.upperBound).contains(flow.target))
        }
        for mark in marks { flow.forget(mark) }
        #expect(flow.underWay == 0)
        #expect(flow.room > 0)
    }

    @Test("Credit for a stream follows the same measure")
    func window() {
        // A peer at 125 MB/s and 40 ms that sends whatever it has credit for.
        var now = ContinuousClock.now
        var window = WindowMeasure(window: 1 << 20)
        var credit = 1 << 20
        var grants = Array(repeating: 0, count: 20)
        var data = Array(repeating: 0, count: 20)
        var received = 0
        var messages = 0
        for tick in 0..<3000 {
            now += .milliseconds(1)
            credit += grants.removeFirst()
            let sent = min(credit, 125_000)
            credit -= sent
            data.append(sent)
            let arrived = data.removeFirst()
            let grant = window.receive(arrived, at: now)
            grants.append(grant)
            if grant > 0 { messages += 1 }
            guard tick >= 1000 else { continue }
            received += arrived
            #expect(window.flow.target <= 11_000_000)
        }
        #expect(received >= 245_000_000)
        #expect(messages < 1500)
    }
}
