/// What a transfer has done so far, so that it can go on when its connection was lost and made again.
///
/// The transfer then goes through its sources once more from the beginning, and passes by what is settled. An entry
/// takes 16 bytes here, however long its path is.
///
/// `Target` is what was found out about the target before anything was changed there, which could not be found out again;
/// `Partial` is what is known of a file that was under way.
final class TransferLedger<Target, Partial> {
    /// Of the connections before this one.
    var summary = TransferSummary()
    var target: Target?
    /// Whether anything was done since this was last set to false.
    var hasProgressed = false
    /// Why the transfer cannot go on over another connection, if that is so.
    var isBound = false

    /// Of which nothing more is to be done, whether it was copied or not.
    private var settled: Set<PathDigest> = []
    /// Directories made here that have not got their attributes.
    private var made: Set<PathDigest> = []
    private var partial: [[UInt8]: Partial] = [:]
    /// Warnings of earlier connections, and of this one.
    private var told: Set<PathDigest> = []
    private var telling: Set<PathDigest> = []

    /// Nothing more is to be done of the file or directory that comes from `source`.
    func settle(_ source: [UInt8]) {
        let digest = PathDigest(source)
        settled.insert(digest)
        made.remove(digest)
        hasProgressed = true
    }

    func isSettled(_ source: [UInt8]) -> Bool { !settled.isEmpty && settled.contains(PathDigest(source)) }

    /// The directory for `source` was not there before.
    func note(made source: [UInt8]) { made.insert(PathDigest(source)) }

    func hasMade(_ source: [UInt8]) -> Bool { !made.isEmpty && made.contains(PathDigest(source)) }

    func leave(_ file: Partial, of source: [UInt8]) { partial[source] = file }

    /// What was left of a file when the last connection was lost.
    func take(_ source: [UInt8]) -> Partial? { partial.isEmpty ? nil : partial.removeValue(forKey: source) }

    /// Whether a warning is new, and not one that an earlier connection led to as well.
    func isNew(_ warning: String) -> Bool {
        let digest = PathDigest(Array(warning.utf8))
        telling.insert(digest)
        return !told.contains(digest)
    }

    /// The connection is over.
    func leave(_ summary: TransferSummary) {
        self.summary = summary
        told.formUnion(telling)
        telling = []
    }
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
