import NIOCore
import SSHWire

/// How a request ended (draft-ietf-secsh-filexfer-02 section 7).
public struct SFTPStatusCode: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let ok = Self(rawValue: 0)
    public static let endOfFile = Self(rawValue: 1)
    public static let noSuchFile = Self(rawValue: 2)
    public static let permissionDenied = Self(rawValue: 3)
    public static let failure = Self(rawValue: 4)
    public static let badMessage = Self(rawValue: 5)
    public static let noConnection = Self(rawValue: 6)
    public static let connectionLost = Self(rawValue: 7)
    public static let unsupported = Self(rawValue: 8)
}

extension SFTPStatusCode: CustomStringConvertible {
    /// The words a person knows for it.
    public var description: String { name ?? "Unknown status \(rawValue)" }

    /// nil for a code that no draft has.
    var name: String? { Int(exactly: rawValue).flatMap { Self.names.indices.contains($0) ? Self.names[$0] : nil } }

    /// By their numbers. Those above 8 are of later drafts (draft-ietf-secsh-filexfer-13 section 9.1); servers send them in version 3
    /// all the same.
    private static let names = [
        "No error", "End of file", "No such file or directory", "Permission denied", "Failure", "Bad message",
        "No connection", "Connection lost", "Operation unsupported", "Invalid handle", "No such path",
        "File exists", "Write protected", "No medium", "No space left on device", "Quota exceeded",
        "Unknown user or group", "Locked by another", "Directory not empty", "Not a directory", "Invalid file name",
        "Too many levels of symbolic links", "Cannot be deleted", "Invalid parameter", "Is a directory",
        "Range locked by another", "Range cannot be locked", "File is being deleted", "File is corrupt",
        "Invalid owner", "Invalid group", "Range is not locked",
    ]
}

/// SSH_FXP_STATUS: how a request ended, in the server's words too.
public struct SFTPStatus: Error, Equatable, Sendable {
    public var code: SFTPStatusCode
    /// What the server says; it may be empty.
    public var message: ByteBuffer

    public init(_ code: SFTPStatusCode, message: String = "") {
        self.code = code
        self.message = ByteBuffer(string: message)
    }
}

extension SFTPStatus: CustomStringConvertible {
    /// The server's own words where they tell more than the code does.
    public var description: String {
        let words = Printable.text(message.readableBytesView)
        return (code == .failure || code.name == nil) && !words.isEmpty ? words : code.description
    }
}

/// What ended an SFTP session, or a request that could not be answered.
public enum SFTPError: Error, Equatable, Sendable {
    /// A packet's length is not one that this end has use for; in bytes.
    case packetLength(UInt32, limit: Int)
    /// A packet's fields are malformed.
    case malformed(packet: String, WireError)
    /// The server answered with something that is no answer to this request.
    case unexpectedReply(type: UInt8, to: String)
    /// The server answered a request that was never made, or twice.
    case unknownRequest(id: UInt32)
    /// The server speaks a version of the protocol that is not 3.
    case version(UInt32)
    /// More data came than was asked for; in bytes.
    case tooMuchData(received: Int, requested: Int)
    /// Something was to come of the server although nothing had been asked: a fault of this end.
    case nothingAsked
    /// The session's bytes ended while answers were due.
    case ended
    /// The session's bytes ended, or were something else, before the server said which version it speaks.
    case notSFTP([UInt8])
}

extension SFTPError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .packetLength(let length, let limit): "sftp packet of \(length) bytes, at most \(limit) expected"
        case .malformed(let packet, let error): "\(packet): \(error)"
        case .unexpectedReply(let type, let request): "sftp packet \(type) is no answer to \(request)"
        case .unknownRequest(let id): "sftp answer to request \(id), which was not made"
        case .version(let version): "sftp version \(version) is not supported"
        case .tooMuchData(let received, let requested): "sftp server sent \(received) bytes, asked for \(requested)"
        case .nothingAsked: "internal error: waiting for the sftp server with nothing asked"
        case .ended: "the sftp server ended the session"
        case .notSFTP(let bytes):
            bytes.isEmpty
                ? "the server has no sftp server (use -O for the scp protocol)"
                : "the server does not speak sftp (use -O for the scp protocol), but prints: \(Printable.text(bytes)) "
                    + "(log-in scripts of the shell there must be silent where there is no terminal)"
        }
    }
}
