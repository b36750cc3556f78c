import TestSupport
import Testing

/// The fuzzing targets without a fuzzer: their seeds, and what comes of a few changes to them, the same in every run.
@Suite("Input of any kind is refused or taken, and traps nothing")
struct ReplayTests {
    @Test("Seeds and changed seeds", arguments: FuzzTarget.all.map(\.name))
    func replay(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let seeds = target.seeds()
        #expect(!seeds.isEmpty)
        for seed in seeds { target.run(seed) }
        target.run([])
        guard !seeds.isEmpty else { return }
        var random = SeededGenerator(seed: 15)
        for _ in 0..<target.tries {
            var bytes = seeds[Int.random(in: seeds.indices, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) { change(&bytes, &random) }
            target.run(bytes)
        }
    }

    private func change(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let byte =
            [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &random)]
            .randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes.insert(byte, at: place)
        case 1 where place < bytes.count: bytes.remove(at: place)
        case 2: bytes.removeSubrange(place...)
        case 3: bytes.insert(contentsOf: bytes.suffix(from: place), at: place)
        default: if place < bytes.count { bytes[place] = byte }
        }
    }
}
