/// Files that are open, or being opened, and what is in them.
struct OpenFiles {
    /// With so much in open files, in bytes, or several times what may be under way, the next one is opened when one of them is
    /// done: more would not make a copy quicker, and one that is cancelled would leave them empty.
    private static let bytesLimit: Int64 = 16 << 20
    private static let windows: Int64 = 4

    private(set) var count = 0
    /// In bytes, as far as that counts.
    private var bytes: Int64 = 0

    mutating func add(_ job: FileJob) { change(job, 1) }
    mutating func remove(_ job: FileJob) { change(job, -1) }

    private mutating func change(_ job: FileJob, _ change: Int) {
        count += change
        bytes += Int64(change) * min(max(0, job.size), 1 << 32)
    }

    /// Whether one more is worth it.
    ///
    /// - Parameter window: how much may be under way on a lane, in bytes.
    func mayGrow(window: @autoclosure () -> Int) -> Bool {
        if count < 2 || bytes < Self.bytesLimit { return true }
        return bytes < Int64(window()) * Self.windows
    }
}
