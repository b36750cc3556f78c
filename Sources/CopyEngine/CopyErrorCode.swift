import Files
import Platform
import SFTP

extension CopyError {
    /// A word for the kind of thing that went wrong, the same in every release, for programs.
    public var code: String {
        switch cause {
        case .file(let error): error.cause.code
        case .status(let status, _), .listingEnded(let status): status.code.word
        case .notADirectory, .existsAndIsNoDirectory: "not-a-directory"
        case .notRegular: "not-regular"
        case .shrank: "shrank"
        case .grew: "grew"
        case .tildeNotUnderstood: "unsupported"
        case .unexpectedName: "unexpected-name"
        case .tooDeep: "too-deep"
        case .loop: "loop"
        case .timeUnknown: "time-unknown"
        case .listingTooLarge: "listing-too-large"
        case .namedLikePattern: "named-like-pattern"
        case .received: "incomplete"
        case .differs: "differs"
        case .notHashed, .notVerifiable, .noMeansToHash: "not-verifiable"
        case .peer: "peer"
        case .nothingReceived: "nothing-received"
        case .commandEnded: "command-failed"
        case .cancelled: "cancelled"
        case .sameFile: "same-file"
        case .wishRefused: "wish-refused"
        }
    }
}

extension FileError.Cause {
    /// See ``CopyError/code``.
    public var code: String {
        switch self {
        case .system(let number): Self.words[number] ?? "system-error"
        case .notRegular: "not-regular"
        case .shrank: "shrank"
        case .grew: "grew"
        case .linkAppeared, .directoryReplaced, .fileReplaced: "replaced"
        case .unnamed: "unnamed"
        case .sameFile: "same-file"
        case .intoItself: "into-itself"
        case .tooDeep: "too-deep"
        case .incomplete: "incomplete"
        case .leadsOut: "leads-out"
        case .readOnly: "read-only"
        }
    }

    private static let words: [Int32: String] = [
        ENOENT: "no-such-file", EACCES: "permission-denied", EPERM: "permission-denied", ENOSPC: "no-space",
        EDQUOT: "quota-exceeded", EROFS: "read-only", EISDIR: "is-a-directory", ENOTDIR: "not-a-directory",
        EIO: "io-error", EMFILE: "too-many-open-files", ENFILE: "too-many-open-files", ELOOP: "loop",
        ENAMETOOLONG: "name-too-long", EFBIG: "too-large", EEXIST: "exists",
    ]
}

extension SFTPStatusCode {
    /// See ``CopyError/code``.
    fileprivate var word: String { Self.words[rawValue] ?? "failure" }

    /// Those above 8 are of later drafts (draft-ietf-secsh-filexfer-13 section 9.1).
    private static let words: [UInt32: String] = [
        2: "no-such-file", 3: "permission-denied", 8: "unsupported", 10: "no-such-file", 11: "exists", 12: "read-only",
        14: "no-space", 15: "quota-exceeded", 19: "not-a-directory", 21: "loop", 24: "is-a-directory",
    ]
}
