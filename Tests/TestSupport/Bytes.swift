/// The bytes of a text, as of a path.
package func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Bytes out of hexadecimal digits; anything else between them is skipped.
package func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// Bytes that do not compress and hold no long runs.
package func noise(_ count: Int) -> [UInt8] {
    var state = UInt64(count) &* 0x9e37_79b9_7f4a_7c15 | 1
    return (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state >> 32)
    }
}
