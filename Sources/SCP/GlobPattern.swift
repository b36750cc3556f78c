/// A shell pattern for one path component, as in fnmatch(3): `*`, `?`, `[a-z]`, `[!a]`, `[[:alpha:]]`, `\`.
///
/// Names are bytes. `?` and a bracket match one byte, or one UTF-8 sequence where `?` meets one.
package struct GlobPattern: Sendable {
    private enum Element {
        case byte(UInt8)
        case any
        case run
        case set(ByteSet)
    }

    private let elements: [Element]

    package init(_ pattern: [UInt8]) {
        var elements: [Element] = []
        var index = 0
        // The search for the end of a bracket is not begun again: many that have none would take the square of the time.
        var isUnclosed = false
        while index < pattern.count {
            switch pattern[index] {
            case UInt8(ascii: "*"):
                if case .run = elements.last { break }
                elements.append(.run)
            case UInt8(ascii: "?"): elements.append(.any)
            case UInt8(ascii: "\\") where index + 1 < pattern.count:
                index += 1
                elements.append(.byte(pattern[index]))
            case UInt8(ascii: "[") where !isUnclosed:
                if let (set, end) = ByteSet.parse(pattern, from: index + 1) {
                    elements.append(.set(set))
                    index = end
                } else {
                    isUnclosed = true
                    elements.append(.byte(pattern[index]))
                }
            default: elements.append(.byte(pattern[index]))
            }
            index += 1
        }
        self.elements = elements
    }

    /// Whether the whole of `name` matches. Takes time in the order of the product of both lengths at most.
    package func matches(_ name: [UInt8]) -> Bool {
        var (element, position) = (0, 0)
        var retry: (element: Int, position: Int)?
        while true {
            if element < elements.count, case .run = elements[element] {
                element += 1
                retry = (element, position)
            } else if element == elements.count, position == name.count {
                return true
            } else if element < elements.count, let width = width(elements[element], at: position, of: name) {
                element += 1
                position += width
            } else if let start = retry, start.position < name.count {
                // The last star takes one byte more.
                retry = (start.element, start.position + 1)
                (element, position) = (start.element, start.position + 1)
            } else {
                return false
            }
        }
    }

    /// How many bytes at `position` the element takes; nil if it does not match.
    private func width(_ element: Element, at position: Int, of name: [UInt8]) -> Int? {
        guard position < name.count else { return nil }
        let byte = name[position]
        switch element {
        case .byte(let wanted): return byte == wanted ? 1 : nil
        case .set(let set): return set.contains(byte) ? 1 : nil
        case .run: return nil
        case .any:
            var decoder = UTF8()
            var bytes = name[position...].makeIterator()
            guard byte >= 0x80, case .scalarValue(let scalar) = decoder.decode(&bytes) else { return 1 }
            return UTF8.width(scalar)
        }
    }
}

/// The bytes a bracket expression stands for.
struct ByteSet: Sendable {
    private var members: Set<UInt8> = []
    private var negated = false

    func contains(_ byte: UInt8) -> Bool { members.contains(byte) != negated }

    /// Reads what follows `[`; returns the set and where its `]` stands, nil if there is none.
    static func parse(_ pattern: [UInt8], from start: Int) -> (set: ByteSet, end: Int)? {
        var set = ByteSet()
        var index = start
        if index < pattern.count, pattern[index] == UInt8(ascii: "!") || pattern[index] == UInt8(ascii: "^") {
            set.negated = true
            index += 1
        }
        let first = index
        while index < pattern.count {
            if pattern[index] == UInt8(ascii: "]"), index > first { return (set, index) }
            if let (members, end) = namedClass(pattern, at: index) {
                set.members.formUnion(members)
                index = end
                continue
            }
            if pattern[index] == UInt8(ascii: "\\"), index + 1 < pattern.count { index += 1 }
            let low = pattern[index]
            if index + 2 < pattern.count, pattern[index + 1] == UInt8(ascii: "-"),
                pattern[index + 2] != UInt8(ascii: "]")
            {
                index += 2
                if pattern[index] == UInt8(ascii: "\\"), index + 1 < pattern.count { index += 1 }
                if low <= pattern[index] { set.members.formUnion(low...pattern[index]) }
            } else {
                set.members.insert(low)
            }
            index += 1
        }
        return nil
    }

    private static let classes: [(name: String, contains: @Sendable (UInt8) -> Bool)] = [
        ("alpha", { isLetter($0) }),
        ("digit", { isDigit($0) }),
        ("alnum", { isLetter($0) || isDigit($0) }),
        ("upper", { (0x41...0x5a).contains($0) }),
        ("lower", { (0x61...0x7a).contains($0) }),
        ("xdigit", { isDigit($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) }),
        ("space", { $0 == 0x20 || (0x09...0x0d).contains($0) }),
        ("blank", { $0 == 0x20 || $0 == 0x09 }),
        ("cntrl", { $0 < 0x20 || $0 == 0x7f }),
        ("print", { (0x20...0x7e).contains($0) }),
        ("graph", { (0x21...0x7e).contains($0) }),
        ("punct", { (0x21...0x7e).contains($0) && !isLetter($0) && !isDigit($0) }),
    ]

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    /// `[:name:]` at `start`; returns its members and where the text goes on.
    private static func namedClass(_ pattern: [UInt8], at start: Int) -> (members: [UInt8], end: Int)? {
        let rest = pattern[start...]
        guard rest.starts(with: "[:".utf8) else { return nil }
        for entry in classes where rest.starts(with: "[:\(entry.name):]".utf8) {
            return ((0...UInt8.max).filter(entry.contains), start + entry.name.utf8.count + 4)
        }
        return nil
    }
}
