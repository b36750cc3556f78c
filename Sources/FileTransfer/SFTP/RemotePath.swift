import Files
import NIOCore
import SFTP

/// Paths on a server: bytes with slashes between the components.
enum RemotePath {
    private static let slash = UInt8(ascii: "/")
    private static let tilde = UInt8(ascii: "~")

    /// The path of an entry of a directory.
    static func appending(_ name: [UInt8], to directory: [UInt8]) -> [UInt8] {
        directory.isEmpty || directory.last == slash ? directory + name : directory + [slash] + name
    }

    /// What a path means to the server, whose idea of a relative path is one below the user's home directory.
    ///
    /// - Returns: nil where the server must be asked: `~user`.
    static func withoutTilde(_ path: [UInt8]) -> [UInt8]? {
        guard path.first == tilde else { return path.isEmpty ? [UInt8(ascii: ".")] : path }
        let rest = path.dropFirst()
        guard rest.isEmpty || rest.first == slash else { return nil }
        let relative = Array(rest.drop { $0 == slash })
        return relative.isEmpty ? [UInt8(ascii: ".")] : relative
    }
}
