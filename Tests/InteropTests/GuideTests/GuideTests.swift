import Platform
import TestSupport
import Testing

@Suite("The guides", .timeLimit(.minutes(hangMinutes)))
struct GuideTests {
    /// Pages whose commands must not go unnoticed if their blocks get another tag.
    private static let guides = [
        "README.md", "docs/first-copy.md", "docs/keys-and-agents.md", "docs/jump-hosts.md", "docs/use-cases.md",
        "docs/coming-from.md", "docs/choosing.md", "docs/resume.md", "docs/events.md",
        "docs/safe-writing.md",
    ]

    @Test("Each command of a page does what it should, one after another", arguments: guides)
    func commands(path: String) async throws {
        let page = try GuidePage(path)
        try #require(!page.commands.isEmpty)
        let finished = try await GuideWorld(page).run(page.commands)
        #expect(finished.succeeded, "\(path): \(finished)")
    }

    @Test("A command that fails is noticed, with its line, and one that is to fail is not")
    func failing() async throws {
        let world = try await GuideWorld(GuidePage("docs/README.md"))
        let commands = ["scp nosuch host: # status 1", "true", "scp nosuch host:"]
        let finished = try await world.run(
            commands.enumerated().map { GuidePage.Command(line: $0.offset + 1, text: $0.element) })
        #expect(finished.status == .exited(1), "\(finished)")
        #expect(finished.errorText.hasSuffix("line 3: exit status 1, not 0\n"), "\(finished)")
    }

    @Test("All pages with such commands are run")
    func complete() throws {
        let pages = try GuidePage.all().filter { !$0.commands.isEmpty }.map(\.path)
        #expect(Set(pages) == Set(Self.guides))
    }

    @Test("The map names every page")
    func map() throws {
        let links = Set(try GuidePage("docs/README.md").links)
        for page in try GuidePage.all() where page.path.hasPrefix("docs/") && page.path != "docs/README.md" {
            #expect(links.contains(String(page.path.dropFirst(5))), "\(page.path)")
        }
    }

    @Test("Every link leads to a file, and to a heading of it")
    func links() throws {
        for page in try GuidePage.all() {
            let folder = page.path.hasPrefix("docs/") ? "docs/" : ""
            for link in page.links where !link.contains(":") {
                let (file, anchor) = link.components(before: "#")
                let path = file.isEmpty ? page.path : folder + file
                guard path.hasSuffix(".md") else {
                    #expect(access("\(GuidePage.project)/\(path)", F_OK) == 0, "\(page.path): \(link)")
                    continue
                }
                let target = try? GuidePage(path)
                #expect(target != nil, "\(page.path): \(link)")
                #expect(anchor.isEmpty || target?.anchors.contains(anchor) == true, "\(page.path): \(link)")
            }
        }
    }

    @Test("The words that the pages take for options of scp are some")
    func options() async throws {
        let help = try await run(scpBinary(), ["--help"]).success().outputText
        let cells = try GuidePage("docs/coming-from.md").rows.compactMap { $0.last }
        let words = cells.flatMap(\.quoted).flatMap { $0.split(separator: " ") }.filter { $0.hasPrefix("--") }
        #expect(words.count > 15)
        for word in Set(words) { #expect(help.contains("\(word) ") || help.contains("\(word)\n"), "\(word)") }
    }

    /// What is said by the system, a resolver or a shell, in the messages that the pages name.
    private static let saidByOthers: Set<String> = [
        "Name or service not known", "Address family for hostname not supported", "Connection refused",
        "Connection timed out", "No route to host", "Network is unreachable", "No such file or directory",
        "No space left on device", "Disk quota exceeded", "command not found",
    ]

    @Test("Every message that has a remedy is one that the sources have")
    func messages() async throws {
        let sources = try await run(
            "find", ["\(GuidePage.project)/Sources", "-name", "*.swift", "-exec", "cat", "{}", "+"]
        )
        .success().outputText.components(of: "\\").joined()
        let messages = try GuidePage("docs/troubleshooting.md").rows.compactMap { $0.first }.flatMap(\.quoted)
        #expect(messages.count > 50)
        for message in messages {
            for part in Self.parts(of: message) where !Self.saidByOthers.contains(part) {
                let isThere = sources.contains(part)
                #expect(isThere, "\(message): \(part)")
            }
        }
    }

    /// The parts of a message that are the same in each of its kind: what is between its colons, semicolons and placeholders.
    private static func parts(of message: String) -> [String] {
        var parts = [""]
        for word in message.components(of: "\\").joined().split(separator: " ") {
            let isPlaceholder =
                word.contains("…") || word.contains { $0.isNumber } || word.contains("@")
                || word.filter(\.isLetter).count == 1
            if isPlaceholder {
                parts.append("")
            } else {
                parts[parts.count - 1] += " " + word
                if word.hasSuffix(":") || word.hasSuffix(";") { parts.append("") }
            }
        }
        return parts.map { part in
            var text = part.trimmed[...]
            while let last = text.last, ":;,.(".contains(last) { text.removeLast() }
            return String(text)
        }.filter { $0.count >= 8 }
    }
}
