/// `a{b,c}` into `ab` and `ac`, as csh does: nested, `{}` and lone braces left alone, `\` taking the
/// next byte literally.
package enum BraceExpansion {
    package enum Failure: Error {
        /// More alternatives than allowed.
        case tooMany
        /// Braces in braces, or one after another, that take too long.
        case tooLong
    }

    /// The most bytes that all expansions of a pattern may have together.
    private static let mostBytes = 8 << 20
    /// The most bytes that are copied on the way there: braces with one alternative make nothing but work.
    private static let mostCopied = 4 * mostBytes

    package static func expand(_ pattern: [UInt8], limit: Int) throws(Failure) -> [[UInt8]] {
        var done: [[UInt8]] = []
        var open = [pattern]
        var copied = 0
        while let next = open.popLast() {
            guard let brace = firstBrace(next) else {
                done.append(next)
                continue
            }
            for alternative in brace.alternatives.reversed() {
                var expanded = Array(next[..<brace.start])
                expanded += next[alternative]
                expanded += next[(brace.end + 1)...]
                copied += expanded.count
                open.append(expanded)
            }
            // None of them is longer than the pattern.
            let most = min(limit, mostBytes / pattern.count)
            guard done.count + open.count <= most else { throw .tooMany }
            guard copied <= mostCopied else { throw .tooLong }
        }
        return done
    }

    private struct Brace {
        var start: Int
        var end = 0
        var alternatives: [Range<Int>] = []
    }

    /// Where the first outermost pair of braces stands, and what it chooses from.
    private static func firstBrace(_ pattern: [UInt8]) -> Brace? {
        var brace: Brace?
        var level = 0
        var inBracket = false
        var partStart = 0
        var index = 0
        while index < pattern.count {
            switch pattern[index] {
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "["): inBracket = true
            case UInt8(ascii: "]"): inBracket = false
            case UInt8(ascii: "{") where !inBracket:
                if index + 1 < pattern.count, pattern[index + 1] == UInt8(ascii: "}") {
                    index += 1
                    break
                }
                if brace == nil {
                    brace = Brace(start: index)
                    partStart = index + 1
                }
                level += 1
            case UInt8(ascii: ",") where !inBracket && level == 1:
                brace?.alternatives.append(partStart..<index)
                partStart = index + 1
            case UInt8(ascii: "}") where !inBracket:
                if level == 0 { break }
                level -= 1
                if level == 0 {
                    brace?.alternatives.append(partStart..<index)
                    brace?.end = index
                    return brace
                }
            default: break
            }
            index += 1
        }
        return nil
    }
}
