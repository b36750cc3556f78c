import Files
import SFTP
import SSHWire

/// What could not be copied, or not as it should be: which path, at which end, and why.
public struct CopyError: Error, Equatable, Sendable {
    public enum End: Equatable, Sendable {
        case source
        case target
    }

    public enum Cause: Equatable, Sendable {
        /// A file or directory of this machine.
        case file(FileError)
        /// A server would not do something with a path; `operation` says what, where the path alone does not.
        case status(SFTPStatus, operation: String? = nil)
        case notADirectory
        /// What stands where a directory should be made is none.
        case existsAndIsNoDirectory
        case notRegular
        /// The file ended before the size that its server had told; both in bytes.
        case shrank(bytes: Int64, of: Int64)
        /// The file had more bytes at its end than were announced.
        case grew(bytes: Int64)
        /// `~user` can only be told by a server that knows the extension for it.
        case tildeNotUnderstood
        /// A listing or a record holds a name that leads elsewhere.
        case unexpectedName([UInt8])
        case tooDeep(limit: Int)
        /// A symbolic link leads back to a directory it lies in.
        case loop
        /// The listing broke off.
        case listingEnded(SFTPStatus)
        /// Times of modification decide, and the server does not tell this file's.
        case timeUnknown
        /// More is listed, or matches a pattern, than is held in memory, in bytes.
        case listingTooLarge(limit: Int)
        /// A file of this name was not copied: as a pattern, the name stands for others.
        case namedLikePattern
        /// Not all of the file came; in bytes.
        case received(bytes: Int64)
        /// The hashes at both ends differ.
        case differs(source: FileHash, target: FileHash)
        /// Nobody can tell the hash at this end.
        case notHashed
        /// Only regular files can be verified.
        case notVerifiable
        /// No means to hash files at this end.
        case noMeansToHash
        /// What the other end said; it names the path itself.
        case peer([UInt8])
        /// The remote command ended without a file or a word.
        case nothingReceived
        /// The remote command failed without a word.
        case commandEnded(RemoteCommandEnd)
        /// The copy was cancelled before all of it was copied.
        case cancelled
        /// Source and target are one file.
        case sameFile
        /// This end cannot do what was wished.
        case wishRefused(String, reason: String)
    }

    /// The path as the user gave it, or as it follows from that.
    public var path: BytePath
    public var end: End
    public var cause: Cause

    public init(_ path: BytePath, _ end: End, _ cause: Cause) {
        self.path = path
        self.end = end
        self.cause = cause
    }

    init(_ error: FileError, _ end: End) { self.init(error.path, end, .file(error)) }
}

extension CopyError: CustomStringConvertible {
    /// `path: reason`, as OpenSSH words it where it knows the like.
    public var description: String {
        switch cause {
        case .file(let error): "\(error)"
        case .status(let status, let operation?): "\(path): \(operation): \(status)"
        case .status(let status, nil): "\(path): \(status)"
        case .notADirectory: "\(path): Not a directory"
        case .existsAndIsNoDirectory: "\(path): exists but is not a directory"
        case .notRegular: "\(path): not a regular file"
        case .shrank(let bytes, let size): "\(path): file shrank while it was copied: \(bytes) of \(size) bytes read"
        case .grew(let bytes): "\(path): file grew while it was copied: \(bytes) bytes copied"
        case .tildeNotUnderstood:
            "\(path): the server cannot expand ~user paths over sftp (use -O for the scp protocol)"
        case .unexpectedName(let name): "\(path): unexpected filename: \(Printable.text(name))"
        case .tooDeep(let limit): "\(path): directories nested deeper than \(limit)"
        case .loop: "\(path): Too many levels of symbolic links"
        case .listingEnded(let status): "\(path): listing broke off: \(status)"
        case .timeUnknown: "\(path): the server does not tell when it was modified"
        case .listingTooLarge(let limit): "\(path): listing is larger than \(limit >> 20) MiB"
        case .namedLikePattern: "\(path): taken for a pattern; the file of that name was not copied (quote it with \\)"
        case .received(let bytes): "\(path): \(bytes) bytes received"
        case .differs(let source, let target):
            "\(path): verification failed: SHA-256 \(source) at the source, \(target) at the target"
        case .notHashed: "\(path): verification failed: the \(end == .source ? "source" : "target") cannot hash it"
        case .notVerifiable: "\(path): verification failed: not a regular file"
        case .noMeansToHash: "the server has no means to hash files: what is copied from it cannot be verified"
        case .peer(let text): Printable.text(text.starts(with: "scp: ".utf8) ? text.dropFirst(5) : text[...])
        case .nothingReceived: "\(path): the server's scp ended without sending anything"
        case .commandEnded(.status(let status)): "\(path): the server's scp ended with status \(status)"
        case .commandEnded(.signal(let name)):
            "\(path): the server's scp was ended by signal \(Printable.text(name.utf8))"
        case .cancelled: "\(path): not all of it was copied, as the copy was cancelled"
        case .sameFile: "\(path): source and target are the same file"
        case .wishRefused(let wish, let reason): "\(wish): \(reason)"
        }
    }
}

/// What is done, for a person who wants to know (`-v`).
public enum CopyNote: Sendable {
    /// What a server is asked to run.
    case command([UInt8])
    case hashing(by: String)
    case noMeansToHash
    /// What is at the target differs, or cannot be hashed: the file is copied from its beginning.
    case copiedAnew(BytePath, cannotBeHashed: Bool)
    /// So many bytes are at the target and are not copied again.
    case resumed(BytePath, at: Int64, of: Int64)
    /// The server does less than it should: the copy goes on with less at a time.
    case reduced(ServerFault)
    case verified(Int)
    /// A filter leaves it out.
    case leftOut(BytePath)
    /// What is at the target stays.
    case skipped(BytePath)
    /// One more connection to a host is made; `reason` says why.
    case connecting(host: String, reason: String)
    /// It was refused or lost; the copy goes on with those there are.
    case noFurtherConnection(host: String, reason: String)
}

extension CopyNote: CustomStringConvertible {
    public var description: String {
        switch self {
        case .command(let command): "Sending command: \(Printable.text(command))"
        case .hashing(let name): "files are hashed by the server's \(name)"
        case .noMeansToHash: "the server has no means to hash files"
        case .copiedAnew(let path, false): "\(path): what is there differs, is copied anew"
        case .copiedAnew(let path, true): "\(path): cannot be hashed, is copied anew"
        case .resumed(let path, let bytes, let size): "\(path): \(bytes) of \(size) bytes are there"
        case .reduced(let fault): "\(fault)"
        case .connecting(let host, let reason): "\(host): one more connection, \(reason)"
        case .noFurtherConnection(let host, let reason): "\(host): no further connection: \(reason)"
        case .leftOut(let path): "\(path): left out"
        case .skipped(let path): "\(path): skipped"
        case .verified(let count): "verified \(count) \(count == 1 ? "file" : "files")"
        }
    }
}

/// What a server does otherwise than the protocol has it, so that less is asked of it at a time.
public enum ServerFault: Error, Equatable, Sendable {
    /// A handle came that was still open: what was written may have gone to another file.
    case repeatedHandle
    /// Bytes are taken only one after another.
    case writesInOrder
    /// A file that is opened for writing once more is emptied, whatever the flags.
    case emptiesOnOpening
}

extension ServerFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .repeatedHandle: "the server gave out a handle that was still open: one file at a time from now on"
        case .emptiesOnOpening: "the server empties a file that is opened twice: one channel for each file from now on"
        case .writesInOrder: "the server takes a file's bytes only in order: one channel for each file from now on"
        }
    }
}
