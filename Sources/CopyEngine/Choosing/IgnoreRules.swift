import SCP

/// Rules by which names are left out, as gitignore(5) has them: the last rule that matches decides.
///
/// A pattern with a `/` at its beginning or in its middle is one for the whole path below the root, any other is one for a name at
/// whatever depth. A `/` at its end makes it one for directories alone, a `!` at its beginning takes in again what an earlier rule
/// left out. `**` stands for any number of directories where it is alone between two slashes.
///
/// Names are bytes. The time a rule takes is bounded by the product of the lengths of pattern and path, whatever the pattern.
public struct IgnoreRules: Sendable {
    private struct Rule: Sendable {
        enum Component: Sendable {
            case name(GlobPattern)
            /// `**`
            case directories
        }

        /// One for a name at whatever depth, or for the path from the root on.
        let components: [Component]
        let isAnchored: Bool
        let isForDirectories: Bool
        let takesIn: Bool
    }

    private var rules: [Rule] = []

    public init() {}

    public var isEmpty: Bool { rules.isEmpty }

    /// Adds a rule behind those there are.
    ///
    /// - Parameter takesIn: the rule takes in what it matches, and one with a `!` leaves it out.
    public mutating func add(_ pattern: [UInt8], takesIn: Bool = false) {
        var rest = pattern[...]
        let isNegated = rest.first == UInt8(ascii: "!")
        if isNegated { rest.removeFirst() }
        let isForDirectories = rest.last == UInt8(ascii: "/")
        if isForDirectories { rest.removeLast() }
        guard !rest.isEmpty else { return }
        let isAnchored = rest.contains(UInt8(ascii: "/"))
        if rest.first == UInt8(ascii: "/") { rest.removeFirst() }
        let components = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map {
            let isDirectories = isAnchored && $0.count > 1 && $0.allSatisfy { $0 == UInt8(ascii: "*") }
            return isDirectories ? Rule.Component.directories : .name(GlobPattern(Array($0)))
        }
        rules.append(
            Rule(
                components: components, isAnchored: isAnchored, isForDirectories: isForDirectories,
                takesIn: takesIn != isNegated))
    }

    /// Adds the rules of a file, one a line: empty lines and those that begin with `#` are none, and spaces at the end of a line count
    /// only behind a backslash.
    public mutating func add(linesOf text: [UInt8]) {
        var text = text[...]
        if text.starts(with: [0xef, 0xbb, 0xbf]) { text.removeFirst(3) }
        for line in text.split(separator: UInt8(ascii: "\n")) {
            var line = line
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if line.first == UInt8(ascii: "#") { continue }
            add(Array(Self.withoutTrailingSpaces(line)))
        }
    }

    private static func withoutTrailingSpaces(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var (end, index) = (line.startIndex, line.startIndex)
        while index < line.endIndex {
            let isEscape = line[index] == UInt8(ascii: "\\")
            if isEscape { index += 1 }
            if isEscape || line[index] != UInt8(ascii: " ") { end = min(index + 1, line.endIndex) }
            index += 1
        }
        return line[..<end]
    }

    /// Whether the rules leave out the last of these names, which lie one in the other below the root.
    ///
    /// An entry of a directory that is left out is for nobody to ask about.
    public func leaveOut(_ path: [[UInt8]], isDirectory: Bool) -> Bool {
        let name = Array(path.suffix(1))
        let decisive = rules.last {
            (isDirectory || !$0.isForDirectories) && Self.matches($0.components, $0.isAnchored ? path : name)
        }
        return decisive.map { !$0.takesIn } ?? false
    }

    /// Whether a whole path matches. The last `**` takes one name more whenever what follows it does not match: as with the stars of a
    /// name, no earlier one need be tried again.
    private static func matches(_ components: [Rule.Component], _ path: [[UInt8]]) -> Bool {
        var (component, position) = (0, 0)
        var retry: (component: Int, position: Int)?
        while true {
            if component == components.count, position == path.count { return true }
            if component < components.count, case .directories = components[component] {
                component += 1
                // At the end it stands for what is in a directory, and not for the directory.
                if component == components.count { return position < path.count }
                retry = (component, position)
            } else if component < components.count, position < path.count,
                case .name(let pattern) = components[component], pattern.matches(path[position])
            {
                component += 1
                position += 1
            } else if let start = retry, start.position < path.count {
                retry = (start.component, start.position + 1)
                (component, position) = (start.component, start.position + 1)
            } else {
                return false
            }
        }
    }
}
