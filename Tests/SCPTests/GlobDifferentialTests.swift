import TestSupport
import Testing

@testable import SCP

@Suite("Patterns as OpenSSH's sftp takes them", .timeLimit(.minutes(hangMinutes)))
struct GlobDifferentialTests {
    @Test("Random patterns match the names that sftp lists")
    func random() async throws {
        let directory = try TemporaryDirectory("scp-test-glob")
        let letters = ["a", "b", "-", "]", "!"]
        let pairs = letters.flatMap { first in letters.map { first + $0 } }
        let names = ["[", "[a", "a[b]", "*"] + letters + pairs + pairs.map { $0 + "a" }
        for name in names { try writeFile(directory.file(name), text: "") }

        var random = SeededGenerator(seed: 15)
        let patterns = (0..<400).map { _ in
            (0..<Int.random(in: 1...6, using: &random)).map { _ in
                ["a", "b", "-", "]", "!", "*", "?", "[", "["].randomElement(using: &random) ?? "a"
            }.joined()
        }
        let batch = patterns.map { "-ls -1 -- \($0)\n" }.joined()
        try writeFile(directory.file(".batch"), text: batch)
        let server = try #require(
            ["/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/libexec/openssh/sftp-server"]
                .first { (try? readFile($0)) != nil })
        let listed = try await run(
            "sftp", ["-q", "-b", directory.file(".batch"), "-D", server], directory: directory.path
        ).success()

        // Each command is written before what it lists.
        var found: [[String]] = []
        for line in listed.outputText.split(separator: "\n") {
            if line.hasPrefix("sftp> ") { found.append([]) } else { found[found.count - 1].append(String(line)) }
        }
        try #require(found.count == patterns.count)
        for (pattern, listed) in zip(patterns, found) {
            let matched = names.filter { GlobPattern(Array(pattern.utf8)).matches(Array($0.utf8)) }
            #expect(Set(matched) == Set(listed), "pattern \(pattern)")
        }
    }
}
