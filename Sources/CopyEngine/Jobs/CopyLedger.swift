import Files

/// What a copy has done so far, so that it can resume when its connection was lost and made again.
///
/// The copy then goes through its sources once more from the beginning, and passes by what is settled. An entry takes 16 bytes
/// here, however long its path is.
final class CopyLedger {
    /// Of the connections before this one.
    var summary = CopySummary()
    /// Where the copy goes, as it was before the copy changed anything there.
    var placement: SFTPPlacement?
    var tree: TargetTree?
    /// What the patterns among the sources stood for.
    var matches: [(path: BytePath, name: [UInt8])]?
    /// Whether there was a connection before this one.
    private(set) var isAgain = false
    /// Whether anything was done since this was last set to false.
    var hasProgressed = false
    /// Why the copy cannot resume over another connection, if that is so: a device has got what cannot be taken back.
    var isBound = false

    /// Of which nothing more is to be done, whether it was copied or not.
    private var settled: Set<PathDigest> = []
    /// Directories made here that have not got their attributes.
    private var made: Set<PathDigest> = []
    /// Files that are to be copied whatever is at the target by now: it may be what an earlier connection left.
    private var decided: Set<PathDigest> = []
    private var partial: [BytePath: PartialFile] = [:]
    /// Problems of earlier connections, and of this one.
    private var told: Set<PathDigest> = []
    private var telling: Set<PathDigest> = []

    /// Nothing more is to be done of the file or directory that comes from `source`.
    func settle(_ source: BytePath) {
        let digest = PathDigest(source.bytes)
        settled.insert(digest)
        made.remove(digest)
        if !decided.isEmpty { decided.remove(digest) }
        hasProgressed = true
    }

    /// The file or directory that comes from `source` is left out.
    ///
    /// - Returns: false if an earlier connection has left it out as well.
    func leaveOut(_ source: BytePath) -> Bool { settled.insert(PathDigest(source.bytes)).inserted }

    /// The file that comes from `source` is to be copied once more.
    func unsettle(_ source: BytePath) { settled.remove(PathDigest(source.bytes)) }

    func isSettled(_ source: BytePath) -> Bool { !settled.isEmpty && settled.contains(PathDigest(source.bytes)) }

    /// The directory for `source` was not there before.
    func note(made source: BytePath) { made.insert(PathDigest(source.bytes)) }

    func hasMade(_ source: BytePath) -> Bool { !made.isEmpty && made.contains(PathDigest(source.bytes)) }

    /// The file that comes from `source` is copied.
    func decide(for source: BytePath) { decided.insert(PathDigest(source.bytes)) }

    func hasDecided(for source: BytePath) -> Bool { !decided.isEmpty && decided.contains(PathDigest(source.bytes)) }

    func leave(_ file: PartialFile, of source: BytePath) { partial[source] = file }

    /// What was left of a file when the last connection was lost.
    func take(_ source: BytePath) -> PartialFile? { partial.isEmpty ? nil : partial.removeValue(forKey: source) }

    /// Files that were under way are copied from their beginning.
    func forgetPartial() { partial = [:] }

    /// Whether a problem is new, and not one that an earlier connection led to as well.
    func isNew(_ problem: CopyError) -> Bool {
        let digest = PathDigest(Array("\(problem)".utf8))
        telling.insert(digest)
        return !told.contains(digest)
    }

    /// The connection is over.
    func leave(_ summary: CopySummary) {
        self.summary = summary
        isAgain = true
        told.formUnion(telling)
        telling = []
    }
}

/// What is left at the target of a file whose copy was cut off.
struct PartialFile {
    /// Bytes from the beginning on that are known to be at the target.
    let written: Int64
    let source: FileMark
    /// The file at the target as it was left, where that can be seen again.
    var target: FileMark?
}

/// What tells that a file is the one it was.
struct FileMark: Equatable {
    let size: Int64
    let modified: Int64?
    /// On this machine.
    var identity: FileStatus.Identity?

    init(_ status: FileStatus) {
        (size, modified, identity) = (status.size, status.modified.seconds, status.identity)
    }

    init(size: Int64, modified: Int64?) { (self.size, self.modified) = (size, modified) }
}

/// Stands for a path: 128 bits of a hash whose seed is this process's own.
struct PathDigest: Hashable {
    private let first: Int
    private let second: Int

    init(_ path: [UInt8]) {
        var hasher = Hasher()
        path.withUnsafeBytes { hasher.combine(bytes: $0) }
        var other = hasher
        other.combine(0)
        first = hasher.finalize()
        second = other.finalize()
    }
}
