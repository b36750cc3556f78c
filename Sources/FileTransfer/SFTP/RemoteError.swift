import NIOCore
import SFTP
import SSHWire

/// What a server would not do with a path.
public struct RemoteError: Error, Equatable, Sendable {
    public enum Reason: Equatable, Sendable {
        case status(SFTPStatus)
        case notADirectory
        case notRegular
        /// The file ended before the size the server had told; both in bytes.
        case shrank(bytes: Int64, of: Int64)
        /// `~user` can only be told by a server that knows the extension for it.
        case tildeNotUnderstood
    }

    /// The path as the user gave it, or as it follows from that.
    public var path: [UInt8]
    public var reason: Reason
}

extension RemoteError: CustomStringConvertible {
    /// `path: reason`.
    public var description: String {
        let path = Printable.text(path)
        return switch reason {
        case .status(let status): "\(path): \(status)"
        case .notADirectory: "\(path): Not a directory"
        case .notRegular: "\(path): not a regular file"
        case .shrank(let bytes, let size): "\(path): file shrank while it was copied: \(bytes) of \(size) bytes read"
        case .tildeNotUnderstood:
            "\(path): the server cannot expand ~user paths over sftp (use -O for the scp protocol)"
        }
    }
}

extension SFTPLink {
    /// A path as the server understands it.
    ///
    /// - Throws: ``RemoteError`` for a `~user` that means nothing to the server.
    mutating func expand(_ path: [UInt8], tag: (Int) -> Tag, index: (Tag) -> Int?) async throws -> [UInt8] {
        if let plain = RemotePath.withoutTilde(path) { return plain }
        if !session.hasStarted {
            try await flush()
            while !session.hasStarted {
                if try next() == nil { try await wait() }
            }
        }
        guard session.server.has(.expandPath) else { throw RemoteError(path: path, reason: .tildeNotUnderstood) }
        var fields = ByteBuffer()
        fields.writeSSHString(path)
        let request = SFTPRequest.extended(name: SFTPExtension.expandPath.rawValue, fields: fields)
        switch try await ask([request], tag: tag, index: index).first {
        case .names(let names):
            guard let name = names.first else { break }
            return Array(name.name.readableBytesView)
        case .status(let status): throw RemoteError(path: path, reason: .status(status))
        default: break
        }
        throw RemoteError(path: path, reason: .status(SFTPStatus(.badMessage)))
    }
}
