/// How many characters apart two words are.
package enum EditDistance {
    /// The number of characters to be put in, taken out, replaced, or exchanged with their neighbour, that makes one word of
    /// the other.
    package static func between(_ first: String, _ second: String) -> Int {
        let (a, b) = (Array(first), Array(second))
        // Row i holds the distances of the first i characters of `a` from each beginning of `b`.
        var rows = [Array(0...b.count)]
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(rows[i][j + 1], row[j]) + 1
                best = min(best, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
