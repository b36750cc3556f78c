/// What is to be changed of a file; nil leaves it. An owner is changed only where the process may, to what it is already
/// without an error.
public struct FileChanges: Equatable, Sendable {
    /// In bytes.
    public var size: Int64?
    /// Permission bits: 0o7777.
    public var mode: UInt16?
    public var owner: (user: UInt32, group: UInt32)?
    public var times: (accessed: FileTime, modified: FileTime)?

    public init(size: Int64? = nil, mode: UInt16? = nil, times: (accessed: FileTime, modified: FileTime)? = nil) {
        (self.size, self.mode, self.times) = (size, mode, times)
    }

    /// Takes over what later changes set.
    package mutating func merge(_ later: FileChanges) {
        size = later.size ?? size
        mode = later.mode ?? mode
        owner = later.owner ?? owner
        times = later.times ?? times
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.size == right.size && left.mode == right.mode && left.owner?.user == right.owner?.user
            && left.owner?.group == right.owner?.group && left.times?.accessed == right.times?.accessed
            && left.times?.modified == right.times?.modified
    }
}
