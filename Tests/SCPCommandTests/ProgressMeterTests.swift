import Synchronization
import Testing

@testable import SCPCommand

@Suite("The progress meter")
struct ProgressMeterTests {
    final class Paper: ProgressScreen {
        let text = Mutex("")
        let columns = Mutex(60)
        let foreground = Mutex(true)
        var width: Int { columns.withLock { $0 } }
        var isForeground: Bool { foreground.withLock { $0 } }
        func write(_ text: String) { self.text.withLock { $0 += text } }
        /// What was drawn, line by line, and then forgotten.
        func take() -> [String] {
            text.withLock { text in
                defer { text = "" }
                return text.split(separator: "\r", omittingEmptySubsequences: true).map(String.init)
            }
        }
    }

    private let paper = Paper()
    private let start = ContinuousClock.now

    private func name(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("A file that is withdrawn leaves no line, and goes on in another where it was")
    func withdrawn() {
        let meter = ProgressMeter(screen: paper)
        let file = meter.begin(name: name("a"), total: 4096, startingAt: 0, now: start)
        file.advance(by: 1024)
        _ = paper.take()
        file.withdraw()
        #expect(paper.take() == [String(repeating: " ", count: 59)])
        meter.tick(now: start + .seconds(1))
        file.finish()
        #expect(paper.take() == [])
        _ = meter.begin(name: name("a"), total: 4096, startingAt: 1024, now: start + .seconds(2))
        #expect(paper.take() == ["a                          25% 1024     0.0KB/s   --:-- ETA"])
    }

    @Test("A file's line is drawn at its beginning, at each tick and at its end")
    func oneFile() {
        let meter = ProgressMeter(screen: paper)
        let file = meter.begin(name: name("a"), total: 4096, startingAt: 0, now: start)
        #expect(paper.take() == ["a                           0%    0     0.0KB/s   --:-- ETA"])
        file.advance(by: 1024)
        meter.tick(now: start + .seconds(1))
        #expect(paper.take() == ["a                          25% 1024     1.0KB/s   00:03 ETA"])
        file.advance(by: 3072)
        meter.finish(file, now: start + .seconds(4))
        #expect(paper.take() == ["a                         100% 4096     1.0KB/s   00:04    \n"])
        file.finish()
        meter.tick(now: start + .seconds(5))
        #expect(paper.take() == [])
    }

    @Test("Nothing that moves for five seconds is a stall, until it moves again")
    func stall() {
        let meter = ProgressMeter(screen: paper)
        let file = meter.begin(name: name("a"), total: 4096, startingAt: 0, now: start)
        file.advance(by: 1)
        for second in 1...5 { meter.tick(now: start + .seconds(second)) }
        #expect(paper.take().allSatisfy { !$0.contains("stalled") })
        meter.tick(now: start + .seconds(6))
        #expect(paper.take().joined().contains("- stalled -"))
        file.advance(by: 1)
        meter.tick(now: start + .seconds(7))
        #expect(paper.take().allSatisfy { !$0.contains("stalled") })
    }

    @Test("What was there before a resumed copy counts for the percentage, not for the rate")
    func resumed() {
        let meter = ProgressMeter(screen: paper)
        let file = meter.begin(name: name("a"), total: 4096, startingAt: 2048, now: start)
        file.advance(by: 1024)
        meter.tick(now: start + .seconds(1))
        #expect(paper.take().last == "a                          75% 3072     1.0KB/s   00:01 ETA")
    }

    @Test("Of many small files each has its last line alone")
    func smallFiles() {
        let meter = ProgressMeter(screen: paper)
        let files = (0..<3).map { meter.begin(name: name("f\($0)"), total: 1, startingAt: 0, now: start) }
        _ = paper.take()
        for file in files {
            file.advance(by: 1)
            meter.finish(file, now: start + .milliseconds(10))
        }
        let lines = paper.take()
        #expect(lines.count == 3)
        for (index, line) in lines.enumerated() { #expect(line.hasPrefix("f\(index) ") && line.hasSuffix("\n")) }
    }

    @Test("In the background nothing is drawn, and the width is asked for anew each time")
    func background() {
        let meter = ProgressMeter(screen: paper)
        paper.foreground.withLock { $0 = false }
        let file = meter.begin(name: name("a"), total: 1, startingAt: 0, now: start)
        meter.tick(now: start + .seconds(1))
        #expect(paper.take() == [])
        paper.foreground.withLock { $0 = true }
        paper.columns.withLock { $0 = 44 }
        meter.tick(now: start + .seconds(2))
        #expect(paper.take().map(\.count) == [43])
        meter.finish(file, now: start + .seconds(3))
    }

    @Test("A message takes the line's place")
    func message() {
        let meter = ProgressMeter(screen: paper)
        let file = meter.begin(name: name("a"), total: 1, startingAt: 0, now: start)
        _ = paper.take()
        meter.withoutLine { paper.write("scp: b: no such file\n") }
        #expect(paper.take() == [String(repeating: " ", count: 59), "scp: b: no such file\n"])
        meter.withoutLine { paper.write("scp: c: no such file\n") }
        #expect(paper.take() == ["scp: c: no such file\n"])
        meter.finish(file, now: start)
    }

    @Test("Bytes counted from many threads are all counted")
    func threads() async {
        let meter = ProgressMeter(screen: paper)
        let file = meter.begin(name: name("a"), total: 80_000, startingAt: 0, now: start)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<10_000 { file.advance(by: 1) } } }
        }
        #expect(file.transferred == 80_000)
        file.finish()
    }

    @Test("There is no meter where there is no terminal")
    func noTerminal() {
        #expect(ProgressMeter(descriptor: -1) == nil)
    }
}
