import SSHWire

/// All options of a command, in the groups in which help and manual show them.
package struct OptionTable<Settings>: Sendable {
    package struct Group: Sendable {
        package let title: String
        package let options: [CommandOption<Settings>]

        package init(_ title: String, _ options: [CommandOption<Settings>]) {
            self.title = title
            self.options = options
        }
    }

    package let groups: [Group]

    package init(_ groups: [Group]) { self.groups = groups }

    package var options: [CommandOption<Settings>] { groups.flatMap(\.options) }

    /// Those that people use.
    package var shown: [CommandOption<Settings>] { options.filter { !$0.isHidden } }

    package func option(letter: Character) -> CommandOption<Settings>? {
        options.first { $0.names.contains(.letter(letter)) }
    }

    package func option(word: String) -> CommandOption<Settings>? {
        options.first { $0.names.contains(.word(word)) }
    }

    // MARK: Suggestions

    /// What is wrong with a word that is no option, with the option that may have been meant.
    func unknown(word: String) -> OptionFault {
        let shown = "--" + Printable.excerpt(word, limit: 64)
        return OptionFault("unknown option \(shown)" + (nearest(to: word).map { ", did you mean \($0)?" } ?? ""))
    }

    /// The option whose name a word most resembles; nil where none does.
    package func nearest(to word: String) -> OptionName? {
        // Distances are not worth their time for a word that is none.
        guard (1...64).contains(word.utf8.count) else { return nil }
        let wanted = word.lowercased()
        let candidates = shown.flatMap { option in
            option.words.map { ($0, OptionName.word($0)) } + option.synonyms.map { ($0, option.names[0]) }
        }
        if let same = candidates.first(where: { $0.0 == wanted }) { return same.1 }
        let beginnings = candidates.filter { $0.0.hasPrefix(wanted) }
        if wanted.count >= 2, beginnings.count == 1 { return beginnings[0].1 }
        let best = candidates.map { (EditDistance.between(wanted, $0.0), $0) }.min { $0.0 < $1.0 }
        guard let best, best.0 <= max(1, min(wanted.count, best.1.0.count) / 3) else { return nil }
        return best.1.1
    }

    // MARK: Usage and help

    /// The lines that say how to call the command: letters together, then those with values.
    ///
    /// - Parameters:
    ///   - command: what it is called.
    ///   - tail: what follows the options.
    package func usage(_ command: String, _ tail: [String]) -> String {
        let flags = letters.filter { $0.value == nil }.map { String($0.letter) }.joined()
        let valued = letters.compactMap { letter, value in value.map { "[-\(letter) \($0.name)]" } }
        let words = shown.contains { $0.letters.isEmpty } ? ["[--option ...]"] : []
        let start = "usage: \(command)"
        return TextBlock.fill(
            (flags.isEmpty ? [] : ["[-\(flags)]"]) + valued + words + tail, first: start + " ",
            indent: start.count + 1)
    }

    /// The letters that people use, in the order in which they are shown.
    var letters: [(letter: Character, value: OptionValue?)] {
        shown.compactMap { option in option.letters.first.map { ($0, option.value) } }
            .sorted { Self.order($0.letter) < Self.order($1.letter) }
    }

    /// Digits first, then letters, the small behind the large.
    private static func order(_ letter: Character) -> String {
        letter.lowercased() + (letter.isLowercase ? "1" : "0")
    }

    /// A line or more for each option, in groups.
    package var help: String {
        groups.compactMap { group in
            let options = group.options.filter { !$0.isHidden }
            guard !options.isEmpty else { return nil }
            return ([group.title + ":"] + options.map(Self.help)).joined(separator: "\n")
        }.joined(separator: "\n\n")
    }

    private static func help(_ option: CommandOption<Settings>) -> String {
        let head =
            "  " + option.names.map(\.description).joined(separator: ", ") + (option.value.map { " " + $0.name } ?? "")
        let width = 26
        let padding = String(repeating: " ", count: max(0, width - head.count))
        let words = option.help.split(separator: " ").map(String.init)
        guard head.count < width - 1 else {
            return head + "\n" + TextBlock.fill(words, first: String(repeating: " ", count: width), indent: width)
        }
        return TextBlock.fill(words, first: head + padding, indent: width)
    }
}

/// Text in lines of at most 80 columns.
package enum TextBlock {
    package static let columns = 80

    /// Puts words behind `first`, and into lines below it that begin with so many blanks.
    package static func fill(_ words: [String], first: String, indent: Int) -> String {
        var lines = [first]
        var isEmpty = true
        for word in words {
            if !isEmpty, lines[lines.count - 1].count + 1 + word.count > columns {
                lines.append(String(repeating: " ", count: indent))
                isEmpty = true
            }
            lines[lines.count - 1] += (isEmpty ? "" : " ") + word
            isEmpty = false
        }
        return lines.joined(separator: "\n")
    }
}
