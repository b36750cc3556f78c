import SSHKeys

/// A list of algorithms as ssh_config(5) writes it: names with wildcards, alone or after `+`, `-` or `^`.
enum AlgorithmList {
    /// Applies what the user wrote to the defaults.
    ///
    /// - Parameters:
    ///   - text: `a,b` replaces the defaults, `+a` appends to them, `-a` takes away, `^a` puts first.
    ///   - all: every name there is.
    /// - Throws: `ClientError.badOption` for a name that does not exist, or a list that leaves nothing.
    static func resolve(
        _ text: String?, option: String, defaults: [String], all: [String]
    ) throws(ClientError) -> [String] {
        guard let text, let first = text.first else { return defaults }
        let isChange = "+-^".contains(first)
        let patterns = (isChange ? text.dropFirst() : text[...]).split(separator: ",").map { HostPattern($0) }
        func matches(_ names: [String]) -> [String] {
            var found: [String] = []
            for pattern in patterns {
                for name in names where pattern.covers(name) && !found.contains(name) { found.append(name) }
            }
            return found
        }
        if first != "-", let stranger = patterns.first(where: { pattern in !all.contains { pattern.covers($0) } }) {
            throw .badOption(name: option, reason: "no algorithm is called '\(stranger.text)'")
        }
        let named = matches(all)
        let result: [String] =
            switch first {
            case "+": defaults + named.filter { !defaults.contains($0) }
            case "^": named + defaults.filter { !named.contains($0) }
            case "-": defaults.filter { !named.contains($0) }
            default: named
            }
        guard !result.isEmpty else { throw .badOption(name: option, reason: "'\(text)' leaves no algorithm") }
        return result
    }
}
