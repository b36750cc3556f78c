import Files
import NIOPosix

/// Threads on which files of this machine are hashed, beside the copy's own.
final class HashThreads {
    private static let count = 2

    private var executor: DiskExecutor?

    deinit { executor?.stop() }

    /// The hash of an open file; nil where there is none, or it cannot be read.
    func hash(_ file: LocalFile?, first count: Int64?) -> HashTask {
        guard let file, let copy = try? file.duplicate() else { return Task { nil } }
        let executor = executor ?? DiskExecutor(threads: Self.count)
        self.executor = executor
        let (descriptor, path, status) = (copy.release(), file.path, file.status)
        return Task.detached(executorPreference: executor) {
            let file = LocalFile(descriptor: descriptor, path: path, status: status)
            do {
                return try file.hash(first: count)
            } catch is FileError {
                return nil
            }
        }
    }
}
