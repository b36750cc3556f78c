import NIOCore
import SSHWire

/// What a client asks for (draft-ietf-secsh-filexfer-02 section 6). Paths and handles are bytes.
public enum SFTPRequest: Equatable, Sendable {
    case open(path: ByteBuffer, flags: SFTPOpenFlags, SFTPAttributes)
    case close(handle: ByteBuffer)
    /// Offset and length in bytes.
    case read(handle: ByteBuffer, offset: UInt64, length: UInt32)
    case write(handle: ByteBuffer, offset: UInt64, data: ByteBuffer)
    case lstat(path: ByteBuffer)
    case fstat(handle: ByteBuffer)
    case setstat(path: ByteBuffer, SFTPAttributes)
    case fsetstat(handle: ByteBuffer, SFTPAttributes)
    case opendir(path: ByteBuffer)
    case readdir(handle: ByteBuffer)
    case remove(path: ByteBuffer)
    case mkdir(path: ByteBuffer, SFTPAttributes)
    case rmdir(path: ByteBuffer)
    case realpath(path: ByteBuffer)
    case stat(path: ByteBuffer)
    case rename(from: ByteBuffer, to: ByteBuffer)
    case readlink(path: ByteBuffer)
    /// In OpenSSH's order, which is not the draft's: what the link holds, then where it is (PROTOCOL section 4.1).
    case symlink(target: ByteBuffer, path: ByteBuffer)
    /// A request of some maker's own, its fields still encoded.
    case extended(name: String, fields: ByteBuffer)

    /// The packet type.
    public var type: UInt8 {
        switch self {
        case .open: 3
        case .close: 4
        case .read: 5
        case .write: 6
        case .lstat: 7
        case .fstat: 8
        case .setstat: 9
        case .fsetstat: 10
        case .opendir: 11
        case .readdir: 12
        case .remove: 13
        case .mkdir: 14
        case .rmdir: 15
        case .realpath: 16
        case .stat: 17
        case .rename: 18
        case .readlink: 19
        case .symlink: 20
        case .extended: 200
        }
    }

    /// The path the request is about; nil where it has a handle instead, or fields of its own.
    package var path: ByteBuffer? {
        switch self {
        case .open(let path, _, _), .setstat(let path, _), .mkdir(let path, _): path
        case .lstat(let path), .opendir(let path), .remove(let path), .rmdir(let path), .realpath(let path),
            .stat(let path), .readlink(let path), .rename(let path, _), .symlink(_, let path):
            path
        case .close, .read, .write, .fstat, .fsetstat, .readdir, .extended: nil
        }
    }

    /// Whether it changes what is on the server's disk.
    package var isChange: Bool {
        switch self {
        case .open(_, let flags, _): !flags.isDisjoint(with: [.write, .append, .create, .truncate])
        case .write, .setstat, .fsetstat, .remove, .mkdir, .rmdir, .rename, .symlink: true
        case .extended(let name, _): SFTPExtension(rawValue: name)?.isChange ?? false
        default: false
        }
    }

    /// The packet's name in the draft.
    public var name: String { "SSH_FXP_" + (Self.names[type] ?? "?") }

    private static let names: [UInt8: String] = [
        3: "OPEN", 4: "CLOSE", 5: "READ", 6: "WRITE", 7: "LSTAT", 8: "FSTAT", 9: "SETSTAT", 10: "FSETSTAT",
        11: "OPENDIR", 12: "READDIR", 13: "REMOVE", 14: "MKDIR", 15: "RMDIR", 16: "REALPATH", 17: "STAT",
        18: "RENAME", 19: "READLINK", 20: "SYMLINK", 200: "EXTENDED",
    ]

    /// A request of a type, its fields empty; nil for a type that does not exist.
    private static func blank(_ type: UInt8) -> SFTPRequest? {
        let none = ByteBuffer()
        let attributes = SFTPAttributes()
        return switch type {
        case 3: .open(path: none, flags: [], attributes)
        case 4: .close(handle: none)
        case 5: .read(handle: none, offset: 0, length: 0)
        case 6: .write(handle: none, offset: 0, data: none)
        case 7: .lstat(path: none)
        case 8: .fstat(handle: none)
        case 9: .setstat(path: none, attributes)
        case 10: .fsetstat(handle: none, attributes)
        case 11: .opendir(path: none)
        case 12: .readdir(handle: none)
        case 13: .remove(path: none)
        case 14: .mkdir(path: none, attributes)
        case 15: .rmdir(path: none)
        case 16: .realpath(path: none)
        case 17: .stat(path: none)
        case 18: .rename(from: none, to: none)
        case 19: .readlink(path: none)
        case 20: .symlink(target: none, path: none)
        case 200: .extended(name: "", fields: none)
        default: nil
        }
    }

    /// Decodes the fields that follow the request's number.
    ///
    /// - Parameter isStrict: refuses bytes behind the last field.
    /// - Returns: nil for a type that does not exist.
    /// - Throws: `WireError`.
    package init?(type: UInt8, fields: ByteBuffer, isStrict: Bool = true) throws(WireError) {
        guard let blank = Self.blank(type) else { return nil }
        self = blank
        var decoder = FieldDecoder(fields)
        try code(&decoder)
        guard decoder.buffer.readableBytes == 0 || !isStrict else {
            throw .trailingBytes(message: name, count: decoder.buffer.readableBytes)
        }
    }

    /// Passes every field, in wire order, to `coder`.
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        switch self {
        case .open(var path, var flags, var attributes):
            try coder.string("filename", &path)
            try coder.uint32("pflags", &flags.rawValue)
            try attributes.code(&coder)
            self = .open(path: path, flags: flags, attributes)
        case .close(let handle): self = .close(handle: try Self.handle(handle, &coder))
        case .read(let handle, var offset, var length):
            let handle = try Self.handle(handle, &coder)
            try coder.uint64("offset", &offset)
            try coder.uint32("len", &length)
            self = .read(handle: handle, offset: offset, length: length)
        case .write(let handle, var offset, var data):
            let handle = try Self.handle(handle, &coder)
            try coder.uint64("offset", &offset)
            try coder.data("data", &data)
            self = .write(handle: handle, offset: offset, data: data)
        case .lstat(let path): self = .lstat(path: try Self.path(path, &coder))
        case .fstat(let handle): self = .fstat(handle: try Self.handle(handle, &coder))
        case .setstat(let path, var attributes):
            let path = try Self.path(path, &coder)
            try attributes.code(&coder)
            self = .setstat(path: path, attributes)
        case .fsetstat(let handle, var attributes):
            let handle = try Self.handle(handle, &coder)
            try attributes.code(&coder)
            self = .fsetstat(handle: handle, attributes)
        case .opendir(let path): self = .opendir(path: try Self.path(path, &coder))
        case .readdir(let handle): self = .readdir(handle: try Self.handle(handle, &coder))
        case .remove(let path): self = .remove(path: try Self.path(path, &coder))
        case .mkdir(let path, var attributes):
            let path = try Self.path(path, &coder)
            try attributes.code(&coder)
            self = .mkdir(path: path, attributes)
        case .rmdir(let path): self = .rmdir(path: try Self.path(path, &coder))
        case .realpath(let path): self = .realpath(path: try Self.path(path, &coder))
        case .stat(let path): self = .stat(path: try Self.path(path, &coder))
        case .rename(var from, var to):
            try coder.string("oldpath", &from)
            try coder.string("newpath", &to)
            self = .rename(from: from, to: to)
        case .readlink(let path): self = .readlink(path: try Self.path(path, &coder))
        case .symlink(var target, var path):
            try coder.string("targetpath", &target)
            try coder.string("linkpath", &path)
            self = .symlink(target: target, path: path)
        case .extended(var name, var fields):
            try coder.text("extended-request", &name)
            try coder.rest("fields", &fields)
            self = .extended(name: name, fields: fields)
        }
    }

    private static func path(_ path: ByteBuffer, _ coder: inout some FieldCoder) throws(WireError) -> ByteBuffer {
        var path = path
        try coder.string("path", &path)
        return path
    }

    /// What a handle may have in bytes (draft section 6.3).
    static let longestHandle = 256

    private static func handle(_ handle: ByteBuffer, _ coder: inout some FieldCoder) throws(WireError) -> ByteBuffer {
        var handle = handle
        try coder.string("handle", &handle)
        guard handle.readableBytes <= Self.longestHandle else {
            throw .invalid(field: "handle", reason: "more than \(Self.longestHandle) bytes")
        }
        return handle
    }
}

/// What a file is opened for (draft-ietf-secsh-filexfer-02 section 6.3).
public struct SFTPOpenFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let read = Self(rawValue: 1)
    public static let write = Self(rawValue: 2)
    public static let append = Self(rawValue: 4)
    /// Makes the file if there is none.
    public static let create = Self(rawValue: 8)
    /// Cuts an existing file to nothing.
    public static let truncate = Self(rawValue: 16)
    /// Refuses an existing file.
    public static let exclusive = Self(rawValue: 32)
}
