/// Text that may hold a peer's bytes. It can be shown and nothing else, and only printable and cut: whatever error, event
/// or line of a log carries it, no control character of the peer's reaches a terminal, and no message of a megabyte.
///
/// A string literal becomes one with what is interpolated in it, so an error says in one go what was wrong and what the
/// peer's word for it was.
public struct PeerText: Hashable, Sendable {
    /// So much of a text is shown, in bytes of the peer's and in characters.
    public static let usualLimit = 1024

    /// Safe to be shown.
    private let shown: String

    /// - Parameter keepingNewlines: leaves newline and tab as they are, for a text of several lines.
    public init(_ bytes: some Collection<UInt8>, limit: Int = usualLimit, keepingNewlines: Bool = false) {
        let whole = Printable.text(bytes.prefix(limit), keepingNewlines: keepingNewlines)
        let scalars = whole.unicodeScalars
        let isCut = bytes.count > limit || scalars.count > limit
        shown = isCut ? String(String.UnicodeScalarView(scalars.prefix(limit))) + "…" : whole
    }

    public init(_ text: String, limit: Int = usualLimit) { self.init(text.utf8, limit: limit) }

    /// Names with commas between them.
    public init(list names: some Collection<String>, limit: Int = usualLimit) {
        var bytes: [UInt8] = []
        for name in names where bytes.count <= limit {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
            bytes += Array(name.utf8)
        }
        self.init(bytes, limit: limit)
    }

    public var isEmpty: Bool { shown.isEmpty }
}

extension PeerText: CustomStringConvertible, CustomDebugStringConvertible {
    /// The text, printable and of bounded length.
    public var description: String { shown }
    public var debugDescription: String { "\"\(shown)\"" }
}

extension PeerText: ExpressibleByStringInterpolation {
    public init(stringLiteral text: String) { self.init(text) }
}
