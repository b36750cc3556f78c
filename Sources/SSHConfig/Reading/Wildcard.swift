import SSHKeys

/// Patterns as ssh_config(5) compares them with names: `*` and `?`, and letters in their own case.
enum Wildcard {
    /// Whether one pattern covers the whole of a name.
    static func covers(_ name: String, pattern: String) -> Bool {
        HostPattern.covers(pattern: Array(pattern.utf8), name: Array(name.utf8))
    }

    /// Whether a list with commas covers a name: one of its patterns does, and none after a `!`.
    static func covers(_ name: String, list: String) -> Bool {
        var isCovered = false
        for word in list.split(separator: ",", omittingEmptySubsequences: false) {
            let isNegated = word.hasPrefix("!")
            guard covers(name, pattern: String(isNegated ? word.dropFirst() : word)) else { continue }
            if isNegated { return false }
            isCovered = true
        }
        return isCovered
    }
}
