/// What a copy by SFTP is to do.
public struct SFTPOptions: Sendable {
    /// Copies directories (`-r`).
    public var recursive: Bool
    /// Sets modes and times, in whole seconds (`-p`).
    public var preserve: Bool
    /// The target is a directory, as there are several sources. One that is missing is made on a server, and is an
    /// error on this machine and between two servers.
    public var targetMustBeDirectory: Bool
    /// Goes on behind what is at the target of a file, if that is the same as the source's beginning by its hash
    /// (`--resume`). A small file is copied again, unless it has the same size and time and `preserve` is set.
    public var resume = false
    /// Compares every file's hash at the target with the source's once it is copied (`--verify`).
    public var verify = false
    /// How much is asked of the server at a time (`-X`).
    public var tuning = SFTPTuning()
    /// An upload of one small file opens the target while it asks whether that is a directory, which saves a round trip. Only for
    /// a server that is known to fail to open a directory for writing.
    public var opensAhead = false

    public init(recursive: Bool = false, preserve: Bool = false, targetMustBeDirectory: Bool = false) {
        self.recursive = recursive
        self.preserve = preserve
        self.targetMustBeDirectory = targetMustBeDirectory
    }
}

/// How much is asked of an SFTP server at a time (`scp -X`); nil is for what suits the server and the way to it.
public struct SFTPTuning: Equatable, Sendable {
    /// The most bytes in a READ or WRITE; a server's own limit counts too.
    public var bufferSize: Int?
    /// The most READs or WRITEs of a session that may be unanswered.
    public var requests: Int?
    /// The most bytes that READs have asked for and that have not come.
    package var bytesUnderWay: Int?

    public init(bufferSize: Int? = nil, requests: Int? = nil) {
        self.bufferSize = bufferSize
        self.requests = requests
    }

    /// Bytes in a READ or WRITE to a server that takes `limit`.
    func blockSize(_ limit: Int) -> Int {
        max(1, min(limit, bufferSize ?? limit, max(512, (bytesUnderWay ?? limit) / 2)))
    }

    /// Whether one more request may be sent while `count` are unanswered.
    func hasRoom(unanswered count: Int) -> Bool { requests.map { count < $0 } ?? true }
}
