import Files

/// Which files of the sources are copied; all of them, where nothing is set.
///
/// What is left out is no error. A directory that the copy begins with is always entered: the rules are about what is in it.
public struct CopyFilter: Sendable {
    /// By name (`--exclude`, `--include`, `--exclude-from`). A directory that is left out is not entered.
    public var rules = IgnoreRules()
    /// 1 for the files directly in the sources, 2 for those one directory below as well (`--max-depth`).
    public var maximumDepth: Int?
    /// In bytes (`--min-size`, `--max-size`).
    public var minimumSize: Int64?
    public var maximumSize: Int64?
    /// Modified after this, or before that (`--newer-than`, `--older-than`).
    public var newerThan: FileTime?
    public var olderThan: FileTime?

    public init() {}

    package var isEmpty: Bool { rules.isEmpty && maximumDepth == nil && !asksForStatus }

    /// Whether the source has to tell when files were modified.
    var asksForTimes: Bool { newerThan != nil || olderThan != nil }

    /// Whether more than a file's name decides.
    var asksForStatus: Bool { asksForTimes || minimumSize != nil || maximumSize != nil }

    /// Whether a name is left out, whatever is behind it.
    ///
    /// - Parameters:
    ///   - path: the names below the root, one in the other.
    ///   - isDirectory: nil if that is not known yet.
    func leavesOut(_ path: [[UInt8]], isDirectory: Bool?) -> Bool {
        if isDirectory != false, !(maximumDepth.map { path.count >= $0 } ?? false),
            !rules.leaveOut(path, isDirectory: true)
        {
            return false
        }
        return isDirectory == true || rules.leaveOut(path, isDirectory: false)
    }

    /// Whether a file is left out by what it is. A file of whose time nothing is known is not.
    func leavesOut(size: Int64, modified: FileTime?) -> Bool {
        if let minimumSize, size < minimumSize { return true }
        if let maximumSize, size > maximumSize { return true }
        guard let modified else { return false }
        if let newerThan, modified <= newerThan { return true }
        if let olderThan, modified >= olderThan { return true }
        return false
    }
}
