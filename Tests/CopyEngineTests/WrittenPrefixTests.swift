import Files
import TestSupport
import Testing

@testable import CopyEngine

@Suite("What is written of a file, and what a transfer has done")
struct WrittenPrefixTests {
    @Test("Parts in any order, overlapping or not, make a prefix as long as there is no gap", arguments: 0..<50)
    func anyOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var prefix = WrittenPrefix(10)
        var isThere = [Bool](repeating: false, count: 200)
        for index in 0..<10 { isThere[index] = true }
        for _ in 0..<60 {
            let start = Int(random.next() % 180)
            let end = min(200, start + Int(random.next() % 20))
            prefix.add(Int64(start)..<Int64(end))
            for index in start..<end { isThere[index] = true }
            #expect(prefix.end == Int64(isThere.firstIndex(of: false) ?? 200))
        }
    }

    @Test("What is settled is known by its path, and a directory that was made is not made any more once it is settled")
    func ledger() {
        let ledger = CopyLedger()
        let (file, directory) = (BytePath("dir/file"), BytePath("dir"))
        ledger.note(made: directory)
        #expect(ledger.hasMade(directory) && !ledger.isSettled(directory) && !ledger.hasProgressed)
        ledger.settle(file)
        #expect(ledger.isSettled(file) && !ledger.isSettled(directory) && ledger.hasProgressed)
        ledger.settle(directory)
        #expect(ledger.isSettled(directory) && !ledger.hasMade(directory))
    }

    @Test("A warning is new as often as it comes over one connection, and not again over the next")
    func warnings() {
        let ledger = CopyLedger()
        func isNew(_ path: BytePath) -> Bool { ledger.isNew(CopyError(path, .source, .notRegular)) }
        #expect(isNew("a") && isNew("a"))
        ledger.leave(CopySummary())
        #expect(!isNew("a") && isNew("b"))
        ledger.leave(CopySummary())
        #expect(!isNew("a") && !isNew("b") && isNew("c"))
    }
}
