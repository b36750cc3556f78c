/// A server on the way to another one (`ProxyJump`, `-J`).
public struct JumpHost: Sendable, Equatable {
    public var user: String?
    public var host: String
    public var port: Int?

    public init(user: String? = nil, host: String, port: Int? = nil) {
        self.user = user
        self.host = host
        self.port = port
    }

    /// Takes `[user@]host[:port]` or `ssh://[user@]host[:port]`.
    ///
    /// - Returns: nil for what makes no sense.
    init?(_ text: some StringProtocol) {
        let text = String(text)
        let parts: HostAddress?
        if text.hasPrefix("ssh://") {
            parts = HostAddress(uri: Array(text.utf8.dropFirst(6)))
            guard parts?.path == nil else { return nil }
        } else {
            parts = HostAddress(Array(text.utf8))
        }
        guard let parts, HostAddress.isValidHost(parts.host), parts.user.map(HostAddress.isValidUser) ?? true else {
            return nil
        }
        self.init(user: parts.user, host: parts.host, port: parts.port)
    }

    /// Jump hosts with commas between them, in the order they are visited; `none` for none.
    static func list(_ text: String) throws(Keyword.Fault) -> [JumpHost] {
        // The argument is the rest of a line, which may end in a comment.
        var text = text.prefix { $0 != "#" }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        if text.lowercased() == "none" { return [] }
        return try text.split(separator: ",", omittingEmptySubsequences: false).map { (word) throws(Keyword.Fault) in
            guard let jump = JumpHost(word) else { throw Keyword.Fault(reason: "invalid jump host \"\(word)\"") }
            return jump
        }
    }

    /// The same with the tokens of its names replaced.
    ///
    /// - Throws: `Expansion.Fault`.
    func expanded(_ expand: (String) throws(Expansion.Fault) -> String) throws(Expansion.Fault) -> JumpHost {
        var result = self
        result.host = try expand(host)
        if let user { result.user = try expand(user) }
        return result
    }

    /// As ssh_config writes it.
    package var text: String {
        let isAddress = host.contains(":") || host.allSatisfy { $0 == "." || ($0.isASCII && $0.isNumber) }
        return (user.map { "\($0)@" } ?? "") + (isAddress ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
    }
}

/// The parts of `[user@]host[:port]`, and of what follows the scheme of a URI.
package struct HostAddress: Sendable, Equatable {
    package var user: String?
    package var host: String
    package var port: Int?
    /// What follows the first slash of a URI, decoded; nil where there is nothing.
    package var path: [UInt8]?

    /// Takes `[user@]host[:port]`; the host may be in brackets.
    init?(_ text: [UInt8]) {
        var rest = text[...]
        if let at = rest.lastIndex(of: UInt8(ascii: "@")) {
            guard at > rest.startIndex else { return nil }
            user = String(decoding: rest[..<at], as: UTF8.self)
            rest = rest[(at + 1)...]
        }
        guard let (host, separator) = Self.takeHost(&rest), separator != UInt8(ascii: "/") else { return nil }
        self.host = host
        guard takePort(rest) else { return nil }
    }

    /// Takes `[user[;parameters]@]host[:port][/path]`, the user and the path percent-encoded.
    package init?(uri text: [UInt8]) {
        var rest = text[...]
        if let at = rest.firstIndex(of: UInt8(ascii: "@")) {
            let name = rest[..<at].prefix { $0 != UInt8(ascii: ";") }
            guard !name.isEmpty, let decoded = Self.decode(name) else { return nil }
            user = String(decoding: decoded, as: UTF8.self)
            rest = rest[(at + 1)...]
        }
        let isBracketed = rest.first == UInt8(ascii: "[")
        guard let (host, separator) = Self.takeHost(&rest) else { return nil }
        guard isBracketed || (try? Canonicalization.domain(host)) != nil else { return nil }
        self.host = host
        if separator == UInt8(ascii: ":"), !rest.isEmpty {
            let number = rest.prefix { $0 != UInt8(ascii: "/") }
            guard !number.isEmpty, takePort(number) else { return nil }
            rest = rest.dropFirst(number.count + 1)
        }
        if !rest.isEmpty {
            guard let decoded = Self.decode(rest) else { return nil }
            path = decoded
        }
    }

    /// Takes the host off the front, and the `:` or `/` behind it.
    private static func takeHost(_ rest: inout ArraySlice<UInt8>) -> (host: String, separator: UInt8?)? {
        var host: ArraySlice<UInt8>
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = rest[..<end].dropFirst()
            rest = rest[(end + 1)...]
        } else {
            host = rest.prefix { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/") }
            rest = rest.dropFirst(host.count)
        }
        guard !host.isEmpty else { return nil }
        let separator = rest.first
        guard separator == nil || separator == UInt8(ascii: ":") || separator == UInt8(ascii: "/") else { return nil }
        rest = rest.dropFirst()
        return (String(decoding: host, as: UTF8.self), separator)
    }

    /// An empty text is no port; anything else must be one.
    private mutating func takePort(_ text: ArraySlice<UInt8>) -> Bool {
        guard !text.isEmpty else { return true }
        guard text.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(String(decoding: text, as: UTF8.self)),
            (1...65535).contains(number)
        else { return false }
        port = number
        return true
    }

    /// Undoes percent-encoding; nil for what is none, and for an encoded NUL.
    private static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var rest = text
        while let byte = rest.first {
            rest = rest.dropFirst()
            switch byte {
            case UInt8(ascii: "+"):
                result.append(0x20)
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                guard digits.count == 2, let high = hexadecimal(digits[digits.startIndex]),
                    let low = hexadecimal(digits[digits.startIndex + 1]), high | low != 0
                else { return nil }
                result.append(high << 4 | low)
                rest = rest.dropFirst(2)
            default:
                result.append(byte)
            }
        }
        return result
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    // MARK: Names that a shell would read more into

    /// Whether ssh takes a host name from its command line.
    package static func isValidHost(_ name: String) -> Bool {
        name.utf8.first != UInt8(ascii: "-")
            && !name.utf8.contains { isControl($0) || $0 == 0x20 || "'`\"$\\;&<>|(){},".utf8.contains($0) }
    }

    /// Whether ssh takes a user name from its command line.
    package static func isValidUser(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "\\") else { return false }
        for (index, byte) in bytes.enumerated() {
            if isControl(byte) || "'`\";&<>|(){}".utf8.contains(byte) { return false }
            if byte == 0x20, index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "-") { return false }
        }
        return true
    }

    private static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7f }
}
