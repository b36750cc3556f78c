/// Manual pages: a template in mdoc(7), and what the table of options says in the places it leaves for that.
package enum ManualPage {
    /// Fills a template in.
    ///
    /// - Parameters:
    ///   - template: has `@SYNOPSIS@` and `@OPTIONS@` on lines of their own.
    ///   - table: the options.
    package static func fill<Settings>(_ template: String, _ table: OptionTable<Settings>) -> String {
        template.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            switch line {
            case "@SYNOPSIS@": synopsis(table)
            case "@OPTIONS@": options(table)
            default: String(line)
            }
        }.joined(separator: "\n")
    }

    /// `.Op` for each option with a letter, and one for the rest.
    private static func synopsis<Settings>(_ table: OptionTable<Settings>) -> String {
        let letters = table.letters
        let flags = letters.filter { $0.value == nil }.map { String($0.letter) }.joined()
        var lines = flags.isEmpty ? [] : [".Op Fl \(flags)"]
        for (letter, value) in letters { if let value { lines.append(".Op Fl \(letter) Ar \(value.name)") } }
        for option in table.shown where option.letters.isEmpty {
            lines.append(".Op \(option.names.map(name).joined())" + (option.value.map { " Ar \($0.name)" } ?? ""))
        }
        return lines.joined(separator: "\n")
    }

    private static func options<Settings>(_ table: OptionTable<Settings>) -> String {
        var lines: [String] = []
        for group in table.groups where group.options.contains(where: { !$0.isHidden }) {
            lines += [".Ss \(group.title)", ".Bl -tag -width Ds"]
            for option in group.options where !option.isHidden {
                let value = option.value.map { " Ar \($0.name)" } ?? ""
                lines.append(".It \(option.names.map { name($0) + value }.joined(separator: " , "))")
                lines.append(option.manual ?? sentence(option.help))
            }
            lines.append(".El")
        }
        return lines.joined(separator: "\n")
    }

    private static func name(_ name: OptionName) -> String {
        switch name {
        case .letter(let letter): "Fl \(letter)"
        case .word(let word): "Fl Fl \(word)"
        }
    }

    /// The words of a help text as sentences, a line or more for each.
    private static func sentence(_ help: String) -> String {
        guard let first = help.first else { return "" }
        let text = escape(first.uppercased() + help.dropFirst() + (help.hasSuffix(".") ? "" : "."))
        var lines: [String] = []
        var line: [String] = []
        for word in text.split(separator: " ").map(String.init) {
            line.append(word)
            guard word.hasSuffix(".") else { continue }
            lines.append(TextBlock.fill(line, first: "", indent: 0))
            line = []
        }
        return lines.joined(separator: "\n")
    }

    /// Text that roff takes for text.
    package static func escape(_ text: String) -> String {
        let escaped = text.split(separator: " ", omittingEmptySubsequences: false).map { word in
            let plain = word.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\e")
            return plain.hasPrefix("-")
                ? plain.split(separator: "-", omittingEmptySubsequences: false)
                    .joined(separator: "\\-") : plain
        }.joined(separator: " ")
        return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped
    }
}
