import SSHWire
import Testing

@testable import CommandOptions

private let table = OptionTable<[String]>([
    .init("Letters", [.flag("r"), .flag("p"), .flag("q"), .flag("v"), .valued("P"), .valued("o"), .valued("i")]),
    .init("Words", [.flag("flag"), .valued("count"), .flag("V", "version"), .flag("hidden", isHidden: true)]),
])

extension CommandOption<[String]> {
    fileprivate static func flag(_ names: OptionName..., isHidden: Bool = false) -> Self {
        .init(names, help: "help of \(names[0])", isHidden: isHidden) { (settings, _) in
            settings.append(names[0].description)
        }
    }

    fileprivate static func valued(_ name: OptionName) -> Self {
        .init([name], value: .init("VALUE"), help: "help") { (settings, value) throws(OptionFault) in
            if value == "bad" { throw OptionFault("not good") }
            settings.append("\(name)=\(value)")
        }
    }
}

@Suite("The words of a command line")
struct CommandArgumentsTests {
    private func bytes(_ words: [String]) -> [[UInt8]] { words.map { Array($0.utf8) } }

    /// What the options of a command line set, and its operands behind a bar.
    private func parse(_ words: String...) throws -> [String] {
        let parsed = try CommandArguments(bytes(words), table)
        var settings: [String] = []
        for given in parsed.given { try given.apply(to: &settings) }
        return settings + ["|"] + parsed.operands.map { String(decoding: $0, as: UTF8.self) }
    }

    private func fault(_ words: String...) -> String? {
        do {
            let parsed = try CommandArguments(bytes(words), table)
            var settings: [String] = []
            for given in parsed.given { try given.apply(to: &settings) }
            return nil
        } catch {
            return error.text
        }
    }

    @Test("Flags stand together, before an option with its value attached")
    func together() throws {
        #expect(try parse("-rpP22", "a", "b") == ["-r", "-p", "-P=22", "|", "a", "b"])
    }

    @Test("A value may be a word of its own, even one that begins with a dash")
    func separate() throws {
        #expect(try parse("-P", "22", "-o", "-x", "a") == ["-P=22", "-o=-x", "|", "a"])
        #expect(try parse("-oPort=22") == ["-o=Port=22", "|"])
        #expect(try parse("-P", "--", "a") == ["-P=--", "|", "a"])
        #expect(try parse("-P", "") == ["-P=", "|"])
    }

    @Test("Options end at -- and at the first operand; a dash alone is an operand")
    func end() throws {
        #expect(try parse("-r", "--", "-p", "--") == ["-r", "|", "-p", "--"])
        #expect(try parse("a", "-r") == ["|", "a", "-r"])
        #expect(try parse("-", "-r") == ["|", "-", "-r"])
        #expect(try parse("", "-r") == ["|", "", "-r"])
        #expect(try parse() == ["|"])
    }

    @Test("Long options stand among the others, in the order typed, their values behind = or in a word of their own")
    func long() throws {
        #expect(
            try parse("-r", "--count=3", "--flag", "-P22", "--count", "--", "--", "--flag")
                == ["-r", "--count=3", "--flag", "-P=22", "--count=--", "|", "--flag"])
        #expect(try parse("-P", "--flag") == ["-P=--flag", "|"])
        #expect(try parse("--count=", "--count=a=b") == ["--count=", "--count=a=b", "|"])
        #expect(try parse("a", "--flag") == ["|", "a", "--flag"])
        #expect(try parse("-V", "--version") == ["-V", "-V", "|"])
    }

    @Test("What is unknown, and a value that is missing, unwanted or wrong, are named")
    func faults() {
        #expect(fault("-rx") == "unknown option -- x")
        #expect(fault("-rP") == "option requires an argument -- P")
        #expect(fault("--count") == "--count needs a value: VALUE")
        #expect(fault("--flag=1") == "--flag takes no value")
        #expect(fault("--count", "bad") == "--count bad: not good")
        #expect(fault("-Pbad") == "not good")
        #expect(fault("--=x") == "unknown option --")
        #expect(throws: OptionFault("unknown option -- \u{ff}")) { try CommandArguments([[45, 0xff]], table) }
    }

    @Test(
        "An unknown word is named whole, with the nearest there is",
        arguments: [
            ("--flog", "unknown option --flog, did you mean --flag?"),
            ("--fla", "unknown option --fla, did you mean --flag?"),
            ("--verison", "unknown option --verison, did you mean --version?"),
            ("--hiden", "unknown option --hiden"), ("--qqqq", "unknown option --qqqq"),
            ("--a\u{1b}[m", #"unknown option --a\033[m"#),
        ])
    func unknown(word: String, text: String) { #expect(fault(word) == text) }

    @Test("A word without an end is cut, and compared with nothing")
    func longWord() {
        #expect(fault("--" + String(repeating: "x", count: 100_000))?.count ?? 0 < 100)
    }
}

@Suite("What is made of a table of options")
struct OptionTableTests {
    @Test("Usage has letters together, large before small, then those with values")
    func usage() {
        #expect(table.usage("x", ["file"]) == "usage: x [-pqrVv] [-i VALUE] [-o VALUE] [-P VALUE] [--option ...] file")
    }

    @Test("Help has every option but those that are hidden, broken into lines of 80 columns")
    func help() {
        let help = table.help
        #expect(help.hasPrefix("Letters:\n  -r                      help of -r\n"))
        #expect(help.contains("\n\nWords:\n  --flag"))
        #expect(help.contains("  -V, --version           help of -V"))
        #expect(!help.contains("hidden"))
        let long = CommandOption<[String]>(
            "long", value: .init("A_VALUE_WITH_A_LONG_NAME"), help: String(repeating: "word ", count: 40)
        ) { _, _ in }
        let lines = OptionTable([.init("T", [long])]).help.split(separator: "\n")
        #expect(lines.count == 6 && lines.allSatisfy { $0.count <= 80 }, "\(lines)")
    }

    @Test(
        "Distances count what is put in, taken out, replaced and exchanged",
        arguments: [
            ("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3), ("ab", "b", 1),
        ])
    func distances(first: String, second: String, distance: Int) {
        #expect(EditDistance.between(first, second) == distance)
        #expect(EditDistance.between(second, first) == distance)
    }
}
