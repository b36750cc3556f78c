import CopyEngine
import Files
import TestSupport
import Testing

@testable import SCPCommand

@Suite("The options by which files are chosen")
struct ChoosingOptionsTests {
    private func parse(_ words: String...) throws -> CopyOptions { try CopyOptions(bytes(words)) }

    @Test("Sizes and ages of files to be copied")
    func choosing() throws {
        let filter = try parse("--min-size", "1.5K", "--max-size=2000000000", "--max-depth", "3", "a", "b").long.filter
        #expect(filter.minimumSize == 1_536 && filter.maximumSize == 2_000_000_000 && filter.maximumDepth == 3)
        let now = FileTime.now().seconds
        for (age, seconds) in [("90s", 90), ("10m", 600), ("2h", 7_200), ("3d", 259_200), ("1w", 604_800)] {
            let time = try #require(try parse("--newer-than", age, "a", "b").long.filter.newerThan)
            #expect((now...now + 60).contains(time.seconds + Int64(seconds)))
        }
        #expect(
            try parse("--older-than", "2026-01-31T12:00:00Z", "a", "b").long.filter.olderThan
                == FileTime(seconds: 1_769_860_800))
        let noon = try #require(try parse("--older-than", "2026-01-31T12:00", "a", "b").long.filter.olderThan)
        let midnight = try #require(try parse("--older-than", "2026-01-31", "a", "b").long.filter.olderThan)
        #expect(noon.seconds - midnight.seconds == 43_200)
    }

    @Test("A rate in Kbit or in bytes a second, the last of which counts")
    func rates() throws {
        #expect(try parse("-l", "8", "a", "b").bandwidth == 1_024)
        #expect(try parse("-l8", "--bwlimit", "1.5K", "a", "b").bandwidth == 1_536)
        #expect(try parse("--bwlimit=2M", "-l", "8", "a", "b").bandwidth == 1_024)
        #expect(try parse("--bwlimit=70000", "a", "b").bandwidth == 70_000)
    }

    @Test("Patterns count in the order given, those of a file among them")
    func patterns() throws {
        let directory = try TemporaryDirectory()
        try writeFile(directory.file("rules"), text: "# rules\n*.o\n")
        let rules = try parse(
            "--exclude", "*.tmp", "--include=keep.*", "--exclude-from", directory.file("rules"), "a", "b"
        ).long.filter.rules
        for (name, isLeftOut) in [("x.tmp", true), ("keep.tmp", false), ("keep.o", true), ("x", false)] {
            #expect(rules.leaveOut([Array(name.utf8)], isDirectory: false) == isLeftOut, "\(name)")
        }
    }

    @Test(
        "What makes no sense is one line",
        arguments: [
            (["--min-size", "x"], "--min-size x: a size such as 4096, 10K, 1.5M or 2G is wanted"),
            (["--max-size", "-1"], "--max-size -1: a size such as 4096, 10K, 1.5M or 2G is wanted"),
            (["--max-size", "9999999999G"], "--max-size 9999999999G: a size such as 4096, 10K, 1.5M or 2G is wanted"),
            (["--max-depth", "0"], "--max-depth 0: a number from 1 to 1000000 is wanted"),
            (["--exclude-from", "/none"], "--exclude-from /none: No such file or directory"),
            (["--exclude-from", "/"], "--exclude-from /: Is a directory"),
            (
                ["--newer-than", "2026-02-30"],
                "--newer-than 2026-02-30: an age such as 90s, 10m, 2h, 3d or 1w, or a date such as 2026-01-31 is wanted"
            ),
            (
                ["--older-than", "5y"],
                "--older-than 5y: an age such as 90s, 10m, 2h, 3d or 1w, or a date such as 2026-01-31 is wanted"
            ),
            (["--min-size=2", "--max-size=1"], "--min-size 2 contradicts --max-size 1: no file has such a size"),
            (
                ["--newer-than=1h", "--older-than=2026-01-31"],
                "--newer-than contradicts --older-than: no file is of such an age"
            ),
            (["--bwlimit", "0"], "--bwlimit 0: a rate such as 65536, 500K, 1.5M or 1G is wanted"),
            (["--bwlimit=fast"], "--bwlimit fast: a rate such as 65536, 500K, 1.5M or 1G is wanted"),
            (["--no-clobber", "--update"], "--update contradicts --no-clobber"),
            (["--skip-unchanged", "--update", "--skip-unchanged"], "--update contradicts --skip-unchanged"),
            (["--no-clobber", "--resume"], "--no-clobber contradicts --resume"),
            (["--resume", "--update"], "--update contradicts --resume"),
        ])
    func nonsense(words: [String], text: String) {
        do throws(CopyOptions.Fault) {
            _ = try CopyOptions(bytes(words + ["a", "b"]))
            Issue.record("taken")
        } catch {
            guard case .message(text) = error else {
                Issue.record("\(error)")
                return
            }
        }
    }
}
