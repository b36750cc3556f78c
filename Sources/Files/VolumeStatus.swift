/// What statvfs(3) tells; sizes in blocks of ``fragmentSize`` bytes.
public struct VolumeStatus: Equatable, Sendable {
    public var blockSize: UInt64 = 0
    public var fragmentSize: UInt64 = 0
    public var blocks: UInt64 = 0
    public var freeBlocks: UInt64 = 0
    public var availableBlocks: UInt64 = 0
    public var files: UInt64 = 0
    public var freeFiles: UInt64 = 0
    public var availableFiles: UInt64 = 0
    public var identifier: UInt64 = 0
    public var isReadOnly = false
    public var ignoresSetUserID = false
    public var longestName: UInt64 = 255

    public init() {}
}
