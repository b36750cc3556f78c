/// The options for a host, and what they came from.
public struct ResolvedConfiguration: Sendable {
    public internal(set) var options: ClientOptions
    /// As set, tokens and all.
    let raw: Settings
    /// With tokens replaced.
    let expanded: Settings
    /// The steps of reading the files, which `-v` tells.
    public let notes: [String]

    init(options: ClientOptions, raw: Settings, expanded: Settings, notes: [String]) {
        self.options = options
        self.raw = raw
        self.expanded = expanded
        self.notes = notes
    }

    /// The values of the keywords that are obeyed here, one line each in the form and the order of `ssh -G`.
    public var lines: [String] {
        KeywordTable.rows.flatMap { row in (row.shown?.values(self) ?? []).map { "\(row.label) \($0)" } }
    }

    /// A file's path, with a tilde for the home directory.
    func underTilde(_ path: String) -> String {
        path.hasPrefix(options.home + "/") ? "~" + path.dropFirst(options.home.count) : path
    }

    static func unique(_ words: [String]) -> [String] {
        words.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
