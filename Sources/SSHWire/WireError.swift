/// What was wrong with bytes that should have been an RFC 4251 data type or a message, and in which field.
public enum WireError: Error, Equatable, Sendable {
    /// A field claims or needs more bytes than there are.
    case truncated(field: PeerText, needed: Int, available: Int)
    /// A field holds a value its type or its message forbids.
    case invalid(field: PeerText, reason: PeerText)
    /// A message goes on after its last field.
    case trailingBytes(message: String, count: Int)
    /// A payload starts with another number than the message that was to be decoded.
    case unexpectedMessage(expected: UInt8, found: UInt8?)
}

extension WireError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncated(let field, let needed, let available):
            "\(field): \(needed) bytes needed, \(available) left"
        case .invalid(let field, let reason):
            "\(field): \(reason)"
        case .trailingBytes(let message, let count):
            "\(message): \(count) bytes after the last field"
        case .unexpectedMessage(let expected, let found):
            "message \(expected) expected, \(found.map(String.init) ?? "an empty payload") found"
        }
    }
}
