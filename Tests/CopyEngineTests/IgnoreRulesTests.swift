import CopyEngine
import TestSupport
import Testing

@Suite("Rules as gitignore has them", .timeLimit(.minutes(hangMinutes)))
struct IgnoreRulesTests {
    /// Whether the rules leave out a path, or a directory it lies in; a slash at its end makes it a directory.
    private func leaveOut(_ rules: IgnoreRules, _ path: String) -> Bool {
        let names = path.split(separator: "/").map { Array($0.utf8) }
        return names.indices.contains { index in
            rules.leaveOut(Array(names[...index]), isDirectory: index + 1 < names.count || path.hasSuffix("/"))
        }
    }

    private func leaveOut(_ patterns: [String], _ path: String) -> Bool {
        var rules = IgnoreRules()
        for pattern in patterns { rules.add(Array(pattern.utf8)) }
        return leaveOut(rules, path)
    }

    @Test(
        "What a pattern matches",
        arguments: [
            ("*.o", ["a.o", "b/c/a.o", "a.o/b", ".o"], ["a.oo", "o", "a.o.c"]),
            ("/a", ["a", "a/b"], ["b/a"]),
            ("a/b", ["a/b", "a/b/c"], ["c/a/b", "a/c/b"]),
            ("a/", ["a/", "a/b", "c/a/b"], ["a", "c/a"]),
            ("/a/", ["a/", "a/b"], ["a", "c/a/b"]),
            ("**/a", ["a", "b/a", "b/c/a"], ["ab"]),
            ("a/**", ["a/b", "a/b/c"], ["a", "a/", "c/a/b"]),
            ("a/**/b", ["a/b", "a/c/b", "a/c/d/b"], ["ab", "a/cb", "c/a/b"]),
            ("**/a/**/b", ["a/b", "c/a/d/e/b"], ["b", "a"]),
            ("a**b", ["ab", "axb", "c/axb"], ["a/b"]),
            ("***/a", ["a", "b/c/a"], ["ab"]),
            ("a/*", ["a/b", "a/b/c"], ["a"]),
            ("*", ["a", ".a", "a/b"], []),
            ("**", ["a", "a/b"], []),
            ("/*", ["a", "a/b"], []),
            ("a?c", ["abc", "aäc"], ["ac", "a/c"]),
            ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
            ("[!a]x", ["bx"], ["ax"]),
            ("\\!a", ["!a"], ["a"]),
            ("\\#a", ["#a"], ["a"]),
            ("a\\*", ["a*"], ["ab"]),
            ("a//b", [], ["a/b"]),
            ("/", [], ["a"]),
            ("", [], ["a"]),
            ("!", [], ["a"]),
        ])
    func patterns(pattern: String, matched: [String], unmatched: [String]) {
        for path in matched { #expect(leaveOut([pattern], path), "\(pattern) \(path)") }
        for path in unmatched { #expect(!leaveOut([pattern], path), "\(pattern) \(path)") }
    }

    @Test("The last rule that matches decides")
    func order() {
        #expect(!leaveOut(["*.o", "!keep.o"], "keep.o"))
        #expect(leaveOut(["!keep.o", "*.o"], "keep.o"))
        #expect(leaveOut(["a/", "!a/b"], "a/b"))
        #expect(!leaveOut(["a/*", "!a/b"], "a/b"))
    }

    @Test("A rule that takes in is one that leaves out, negated")
    func takingIn() {
        var rules = IgnoreRules()
        rules.add(Array("*".utf8))
        rules.add(Array("*.txt".utf8), takesIn: true)
        rules.add(Array("!a.txt".utf8), takesIn: true)
        #expect(leaveOut(rules, "b") && !leaveOut(rules, "b.txt") && leaveOut(rules, "a.txt"))
    }

    @Test("Lines of a file: comments, blanks, spaces and line ends")
    func lines() {
        var rules = IgnoreRules()
        rules.add(linesOf: [0xef, 0xbb, 0xbf] + Array("a\n# b\n\n  \nc  \r\nd\\ \ne\\\\ \n!f\ng h".utf8))
        for path in ["a", "c", "d ", "e\\", "g h"] { #expect(leaveOut(rules, path), "\(path)") }
        for path in ["b", "# b", " ", "c ", "d", "e", "f", "!f", "g"] { #expect(!leaveOut(rules, path), "\(path)") }
    }

    @Test("Names need not be UTF-8")
    func bytes() {
        var rules = IgnoreRules()
        rules.add([0xff, UInt8(ascii: "*")])
        #expect(rules.leaveOut([[0xff, 0xfe]], isDirectory: false))
        #expect(!rules.leaveOut([[0xfe, 0xff]], isDirectory: false))
    }

    @Test("Patterns that are made to take long do not")
    func hostile() {
        let stars = String(repeating: "*a", count: 200) + "b"
        let directories = String(repeating: "**/a/", count: 200) + "b"
        let name = String(repeating: "a", count: 250)
        let path = String(repeating: "a/", count: 400) + "a"
        #expect(!leaveOut([stars], name))
        #expect(!leaveOut([directories], path))
    }

    @Test("git leaves out the same", .enabled(if: findProgram("git") != nil))
    func git() async throws {
        let directory = try TemporaryDirectory("scp-test-ignore")
        let names = ["a", "b", "ab", "a.o"]
        var paths: [String] = []
        for first in names {
            for second in names { for third in names { paths.append("\(first)/d\(second)/\(third)") } }
        }
        let tree = directory.file("tree")
        try makeTree(.files(paths), at: tree)
        let folders = Set(
            paths.flatMap { path in
                let parts = path.split(separator: "/")
                return ["\(parts[0])/", "\(parts[0])/\(parts[1])/"]
            })
        let all = paths + folders.sorted()
        _ = try await run("git", ["init", "-q", tree]).success()
        var random = SeededGenerator(seed: 7)
        let components = [
            "a", "b", "da", "d*", "*", "?b", "[ab]", "[!a]*", "*.o", "a*o", "**", "**", "***", "\\a", "\\d[a-b]", "",
        ]
        for _ in 0..<120 {
            let patterns = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                // A `**` beside other letters git takes for one between slashes if nothing but letters is before it.
                let body = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                    components.randomElement(using: &random) ?? "a"
                }
                return (Int.random(in: 0..<4, using: &random) == 0 ? "!" : "") + body.joined(separator: "/")
            }
            try writeFile(tree + "/.git/info/exclude", text: patterns.joined(separator: "\n") + "\n")
            try writeFile(
                tree + "/.git/list",
                text: all.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }.joined(separator: "\n"))
            let output = try await run(
                "/bin/sh",
                ["-c", #"cd "$0" && git check-ignore --no-index --stdin -v -n <.git/list; true"#, tree]
            ).success()
            let lines = output.outputText.split(separator: "\n")
            try #require(lines.count == all.count)
            for (path, line) in zip(all, lines) {
                // `file:line:pattern`, a tab and the path; empty fields where nothing matches.
                let rule = line.split(separator: "\t")[0].split(separator: ":", omittingEmptySubsequences: false)
                let isIgnored = rule.count > 2 && !rule[2].isEmpty && !rule[2].hasPrefix("!")
                #expect(leaveOut(patterns, path) == isIgnored, "\(patterns) \(path): \(line)")
            }
        }
    }
}
