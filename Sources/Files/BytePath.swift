import SSHWire

/// A path of the local file system: bytes, which need not be Unicode.
public struct BytePath: Hashable, Sendable {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public init(_ text: String) { bytes = Array(text.utf8) }

    private static let slash = UInt8(ascii: "/")

    /// The path without slashes at its end, of which the root keeps one.
    public var trimmed: BytePath {
        var end = bytes.count
        while end > 1, bytes[end - 1] == Self.slash { end -= 1 }
        return BytePath(Array(bytes[..<end]))
    }

    /// What follows the last slash, those at the end aside; empty for the root.
    public var lastComponent: [UInt8] {
        let path = trimmed.bytes
        guard let slash = path.lastIndex(of: Self.slash) else { return path }
        return Array(path[(slash + 1)...])
    }

    /// Whether the last component is the name of an entry of a directory, and not `.`, `..` or the root.
    package var hasName: Bool { ![[], Array(".".utf8), Array("..".utf8)].contains(lastComponent) }

    /// The directory the last component is in: `.` for a path without a slash.
    public var parent: BytePath {
        let path = trimmed.bytes
        guard let slash = path.lastIndex(of: Self.slash) else { return BytePath(".") }
        return slash == 0 ? BytePath("/") : BytePath(Array(path[..<slash])).trimmed
    }

    /// The path of another entry of the directory that the last component is in.
    public func sibling(_ name: [UInt8]) -> BytePath {
        let path = trimmed.bytes
        guard let slash = path.lastIndex(of: Self.slash) else { return BytePath(name) }
        return BytePath(path[...slash] + name)
    }

    /// The path of an entry of this directory.
    public func appending(_ name: [UInt8]) -> BytePath {
        if bytes.isEmpty { return BytePath(name) }
        return BytePath(bytes.last == Self.slash ? bytes + name : bytes + [Self.slash] + name)
    }
}

extension BytePath: CustomStringConvertible, ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self.init(value) }

    /// The path made printable.
    public var description: String { Printable.text(bytes) }
}
