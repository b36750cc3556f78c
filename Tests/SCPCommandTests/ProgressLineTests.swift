import Testing

@testable import SCPCommand

@Suite("The progress line")
struct ProgressLineTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        var name = "big.bin"
        var transferred: UInt64
        var total: UInt64?
        var elapsed: Duration = .seconds(1)
        var rate: Double
        var width = 80
        var isFinished = false
        var isStalled = false
        var line: String
        var testDescription: String { line }
    }

    /// What OpenSSH 9.2's scp wrote to a terminal for the same numbers, where it got to show them.
    static let samples = [
        Sample(
            transferred: 0, total: 20_000_000, rate: 0,
            line: "big.bin                                         0%    0     0.0KB/s   --:-- ETA"),
        Sample(
            transferred: 261_120, total: 20_000_000, rate: 254_566,
            line: "big.bin                                         1%  255KB 248.6KB/s   01:17 ETA"),
        Sample(
            transferred: 20_000_000, total: 20_000_000, elapsed: .milliseconds(2610), rate: 7_660_000, isFinished: true,
            line: "big.bin                                       100%   19MB   7.3MB/s   00:02    "),
        Sample(
            name: "empty", transferred: 0, total: 0, elapsed: .zero, rate: 0, isFinished: true,
            line: "empty                                         100%    0     0.0KB/s   00:00    "),
        Sample(
            name: "a long name with many characters so that it must be cut off", transferred: 500, total: 500,
            rate: 1.6e6,
            isFinished: true,
            line: "a long name with many characters so that it m 100%  500     1.5MB/s   00:01    "),
        Sample(
            name: "k", transferred: 12345, total: 12345, elapsed: .zero, rate: 31_037_850, width: 50, isFinished: true,
            line: "k               100%   12KB  29.6MB/s   00:00    "),
        Sample(
            name: "日本語の名前", transferred: 300_000, total: 300_000, elapsed: .zero, rate: 6_186_598, width: 50,
            isFinished: true, line: "日本語の名前    100%  293KB   5.9MB/s   00:00    "),
        Sample(
            transferred: 12_582_912, total: 48_000_000, rate: 3_565_158,
            line: "big.bin                                        26%   12MB   3.4MB/s   00:09 ETA"),
        Sample(
            transferred: 1 << 30, total: 1 << 40, rate: 100_000_000,
            line: "big.bin                                         0% 1024MB  95.4MB/s 3:03:04 ETA"),
        Sample(
            transferred: 5_000_000, total: 48_000_000, rate: 100, isStalled: true,
            line: "big.bin                                        10% 4883KB   0.1KB/s - stalled -"),
        Sample(
            transferred: 5_000_000, total: nil, rate: 1000,
            line: "big.bin                                        --% 4883KB   1.0KB/s   --:-- ETA"),
    ]

    @Test("It looks as OpenSSH's does", arguments: samples)
    func looks(sample: Sample) {
        let line = ProgressLine.render(
            name: sample.name, transferred: sample.transferred, total: sample.total, elapsed: sample.elapsed,
            rate: sample.rate, width: sample.width, isFinished: sample.isFinished, isStalled: sample.isStalled)
        #expect(line == sample.line)
    }

    @Test(
        "It is one column short of the terminal, whatever the numbers and the name",
        arguments: [20, 36, 37, 50, 80, 200])
    func width(columns: Int) {
        let numbers: [UInt64] = [0, 1, 9_999, 10_000, 10_239_999, 1 << 40, .max]
        for transferred in numbers {
            for total in numbers + [nil] {
                for rate in [0, 1, 1023.9, 1_023_948, 1_048_575, 1e12, 1e30, .infinity, .nan, -5] {
                    for name in ["", "a", "日本語の名前の長い長い長いもの", "e\u{301}", "🙂🙂🙂🙂🙂🙂🙂🙂"] {
                        let line = ProgressLine.render(
                            name: name, transferred: transferred, total: total, elapsed: .seconds(1), rate: rate,
                            width: columns, isFinished: false)
                        let used = line.unicodeScalars.reduce(0) { $0 + TerminalColumns.count($1) }
                        #expect(used == columns - 1, "\(line)")
                    }
                }
            }
        }
    }

    @Test("It never says 100% before the last byte has arrived")
    func almostThere() {
        let line = ProgressLine.render(
            name: "a", transferred: .max - 1, total: .max, elapsed: .zero, rate: 1, width: 80, isFinished: false)
        #expect(line.contains(" 99% "))
    }

    @Test("A terminal too narrow for anything gets nothing, and no trap", arguments: [-3, 0, 1, 2, 10])
    func narrow(columns: Int) {
        let line = ProgressLine.render(
            name: "a", transferred: 1, total: 2, elapsed: .zero, rate: 1, width: columns, isFinished: false)
        #expect(line.count == max(0, columns - 1))
    }

    @Test("A peer's name cannot steer the terminal")
    func hostileName() {
        let name = ProgressLine.printableName(Array("\u{1b}[2J\r\n\u{202e}x".utf8))
        #expect(!name.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202e })
        #expect(name.hasPrefix("\\033[2J"))
    }

    @Test("Columns are those a terminal uses")
    func columns() {
        let expected: [(Unicode.Scalar, Int)] = [
            ("a", 1), ("é", 1), ("\u{301}", 0), ("\u{200b}", 0), ("日", 2), ("한", 2), ("ｱ", 1), ("Ａ", 2), ("🙂", 2),
            ("ж", 1), ("→", 1),
        ]
        for (scalar, columns) in expected { #expect(TerminalColumns.count(scalar) == columns, "\(scalar)") }
    }
}
