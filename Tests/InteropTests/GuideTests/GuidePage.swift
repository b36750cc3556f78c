import TestSupport
import Testing

/// A page of the documentation, and the blocks of it that are run.
struct GuidePage: CustomTestStringConvertible, Sendable {
    /// Where the project's files are.
    static let project = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")

    /// A command of a page, as it stands there.
    struct Command {
        var line: Int
        var text: String

        /// 0, unless a comment behind it says `status N`.
        var status: Int {
            let comment = text.components(before: "# status ").after
            return Int(comment.prefix { $0.isNumber }) ?? 0
        }
    }

    /// Below the project.
    let path: String
    let lines: [String]

    var testDescription: String { path }

    init(_ path: String) throws {
        self.path = path
        lines = try readText("\(Self.project)/\(path)").split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }

    /// README.md and the pages below docs.
    static func all() throws -> [GuidePage] {
        let names = listDirectory("\(project)/docs").map { String(decoding: $0, as: UTF8.self) }
        return try ["README.md"].map(GuidePage.init)
            + names.filter { $0.hasSuffix(".md") }.sorted().map { try GuidePage("docs/\($0)") }
    }

    /// The lines of the blocks with a tag, each with its number.
    private func lines(ofBlocks tag: String) -> [(number: Int, text: String)] {
        var found: [(number: Int, text: String)] = []
        var fence: String?
        for (index, line) in lines.enumerated() {
            let text = String(line.drop { $0 == " " })
            if text.hasPrefix("```") {
                fence = fence == nil ? text : nil
            } else if fence == "```\(tag)" {
                found.append((index + 1, line))
            }
        }
        return found
    }

    /// The commands of its `sh` blocks, in their order. A backslash at a line's end makes the next one a part of it.
    var commands: [Command] {
        var commands: [Command] = []
        var isContinued = false
        for (number, text) in lines(ofBlocks: "sh") where isContinued || !text.isEmpty {
            if isContinued {
                commands[commands.count - 1].text += "\n" + text
            } else {
                commands.append(Command(line: number, text: text))
            }
            isContinued = text.hasSuffix("\\")
        }
        return commands
    }

    /// What its blocks say that belongs into `~/.ssh/config`.
    var configuration: String { lines(ofBlocks: "ssh-config").map { $0.text + "\n" }.joined() }

    /// The cells of its tables, row by row, without the lines that are a heading's.
    var rows: [[String]] {
        lines.filter { $0.hasPrefix("| ") }.map { line in
            line.split(separator: "|").map { $0.trimmed }
        }
    }

    /// The targets of its links.
    var links: [String] {
        lines.flatMap { line in
            line.components(of: "](").dropFirst().map { String($0.prefix { $0 != ")" }) }
        }
    }

    /// The anchors that its headings have.
    var anchors: Set<String> {
        Set(
            lines.filter { $0.hasPrefix("#") }.map { line in
                line.drop { $0 == "#" || $0 == " " }.lowercased().compactMap { character -> String? in
                    if character == " " { return "-" }
                    return character.isLetter || character.isNumber || "-_".contains(character)
                        ? String(character) : nil
                }.joined()
            })
    }
}

extension StringProtocol {
    /// The parts between occurrences of a text.
    func components(of separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }

    /// What is before the first occurrence of a text, and what is behind it.
    func components(before separator: String) -> (before: String, after: String) {
        guard let range = self[...].firstRange(of: separator) else { return (String(self), "") }
        return (String(self[..<range.lowerBound]), String(self[range.upperBound...]))
    }

    /// The texts between backquotes.
    var quoted: [String] {
        components(of: "`").enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
    }

    var trimmed: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
