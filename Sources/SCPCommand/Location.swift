import SSHClient
import SSHConfig

/// A source or a target as typed: a local path, `[user@]host:path`, or `scp://[user@]host[:port][/path]`.
enum Location: Equatable {
    case local([UInt8])
    case remote(Remote)
    /// What looks remote but names nothing that could be reached, with the reason.
    case invalid(String)

    struct Remote: Equatable {
        var user: String?
        var host: String
        /// The port that a URI names.
        var port: Int?
        /// The path there; `.` where none was typed.
        var path: [UInt8]

        func isSameHost(as other: Remote) -> Bool { user == other.user && host == other.host && port == other.port }
    }

    /// Takes an argument apart the way scp(1) does: a colon makes it remote unless a slash comes before it, the
    /// argument starts with the colon, or the colon is inside the brackets of an IPv6 address.
    init(_ argument: [UInt8]) {
        guard let colon = Self.colon(argument) else {
            self = .local(argument)
            return
        }
        let typed = String(decoding: argument, as: UTF8.self)
        let remote: Remote
        if argument.starts(with: "scp://".utf8) {
            guard let parts = HostAddress(uri: Array(argument.dropFirst(6))) else {
                self = .invalid("\(typed): invalid uri")
                return
            }
            remote = Remote(user: parts.user, host: parts.host, port: parts.port, path: parts.path ?? Self.here)
        } else {
            remote = Self.remote(argument, colon)
        }
        if let user = remote.user, !Self.isUserName(user) {
            self = .invalid("\(user): invalid user name")
        } else {
            self = .remote(remote)
        }
    }

    private static let here = [UInt8(ascii: ".")]

    private static func remote(_ argument: [UInt8], _ colon: Int) -> Remote {
        var host = argument[..<colon]
        var user: String?
        if let at = host.lastIndex(of: UInt8(ascii: "@")) {
            // Nothing before the @ names nobody.
            if at > host.startIndex { user = String(decoding: host[..<at], as: UTF8.self) }
            host = host[(at + 1)...]
        }
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") { host = host.dropFirst().dropLast() }
        let path = argument[(colon + 1)...]
        return Remote(
            user: user, host: String(decoding: host, as: UTF8.self), path: path.isEmpty ? here : Array(path))
    }

    /// Whether scp(1) takes a user's name: ASCII, without quotes, blanks and number signs.
    private static func isUserName(_ name: String) -> Bool {
        !name.utf8.contains { $0 >= 0x80 || "'\"` #".utf8.contains($0) }
    }

    /// Where the colon between host and path stands; nil for a local path.
    static func colon(_ argument: [UInt8]) -> Int? {
        guard let first = argument.first, first != UInt8(ascii: ":") else { return nil }
        var isBracketed = first == UInt8(ascii: "[")
        for (index, byte) in argument.enumerated() {
            let next = index + 1 < argument.count ? argument[index + 1] : 0
            switch byte {
            case UInt8(ascii: "@") where next == UInt8(ascii: "["):
                isBracketed = true
            case UInt8(ascii: "]") where next == UInt8(ascii: ":") && isBracketed:
                return index + 1
            case UInt8(ascii: ":") where !isBracketed:
                return index
            case UInt8(ascii: "/"):
                return nil
            default:
                continue
            }
        }
        return nil
    }
}
