/// How much of a file is known to be written from its beginning on, when its parts are written in any order.
struct WrittenPrefix {
    /// All bytes before this one are there.
    private(set) var end: Int64
    /// Parts behind a gap, in order; neighbours are one.
    private var ahead: [Range<Int64>] = []

    /// - Parameter start: what was there before.
    init(_ start: Int64 = 0) { end = start }

    /// These bytes are written.
    mutating func add(_ part: Range<Int64>) {
        guard part.upperBound > end else { return }
        if part.lowerBound > end { return insert(part) }
        end = part.upperBound
        while let next = ahead.first, next.lowerBound <= end {
            end = max(end, next.upperBound)
            ahead.removeFirst()
        }
    }

    private mutating func insert(_ part: Range<Int64>) {
        // Mostly the newest is the last.
        let index = (ahead.lastIndex { $0.lowerBound <= part.lowerBound }).map { $0 + 1 } ?? 0
        ahead.insert(part, at: index)
        var first = index
        if first > 0, ahead[first - 1].upperBound >= part.lowerBound { first -= 1 }
        var (merged, last) = (ahead[first], first)
        while last < ahead.count, ahead[last].lowerBound <= merged.upperBound {
            merged = merged.lowerBound..<max(merged.upperBound, ahead[last].upperBound)
            last += 1
        }
        ahead.replaceSubrange(first..<last, with: [merged])
    }
}
