/// The mark that editors on Windows put in front of text in UTF-8. It says nothing about what follows.
package enum ByteOrderMark {
    private static let bytes: [UInt8] = [0xef, 0xbb, 0xbf]

    /// What follows the mark; all of it where there is none.
    package static func skipped<Text: Collection>(in text: Text) -> Text.SubSequence where Text.Element == UInt8 {
        text.dropFirst(text.starts(with: bytes) ? bytes.count : 0)
    }
}
