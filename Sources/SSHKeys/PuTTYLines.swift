/// The lines of a `.ppk` file, made again where line ends were lost on the way.
struct PuTTYLines {
    let lines: [String]
    /// Whether the line ends are ours.
    private let isRestored: Bool

    init(_ text: String) {
        var body = Array(text.utf8).drop { $0 != UInt8(ascii: "P") }
        while let last = body.last, isBlank(last) || last == UInt8(ascii: "\"") { body.removeLast() }
        let bytes = PEMBody.restoringLineEnds(body)
        let split = bytes.split { $0 == 0x0a || $0 == 0x0d }.map { String(decoding: $0, as: UTF8.self) }
        isRestored = split.count < PuTTYKeyFile.names.count / 2
        lines = isRestored ? Self.restore(split.joined(separator: " ")) : split
    }

    /// Begins a line with each name that the format has, in the order it has them in, and breaks one behind a number of lines.
    private static func restore(_ text: String) -> [String] {
        var lines: [String] = []
        var rest = text.utf8[...]
        for name in PuTTYKeyFile.names {
            // A name without its field is one of another version's.
            guard let start = find("\(name):", in: rest) else { continue }
            lines += split(rest[..<start])
            rest = rest[start...]
        }
        return lines + split(rest)
    }

    private static func split(_ field: Substring.UTF8View) -> [String] {
        let line = String(decoding: field, as: UTF8.self).trimmed
        guard let colon = line.firstIndex(of: ":"), line[..<colon].hasSuffix("-Lines") else { return [line] }
        let words = line.utf8.split { isBlank($0) }.map { String(decoding: $0, as: UTF8.self) }
        return [words.prefix(2).joined(separator: " ")] + words.dropFirst(2)
    }

    private static func find(_ name: String, in text: Substring.UTF8View) -> Substring.UTF8View.Index? {
        var rest = text
        while !rest.isEmpty {
            if rest.starts(with: name.utf8) { return rest.startIndex }
            rest = rest.dropFirst()
        }
        return nil
    }

    /// How many of `lines` belong to a field that says how many follow it: if the line ends are ours, all up to the next field.
    func count(of lines: ArraySlice<String>, _ stated: Int) -> Int? {
        if isRestored { return lines.prefix { !$0.contains(":") }.count }
        return (0...lines.count).contains(stated) ? stated : nil
    }
}
