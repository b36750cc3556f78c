import Files
import NIOCore
import Platform

/// Copies the contents of a local file to another, a step at a time: in the kernel where that can, else by a block.
struct LocalCopier {
    private var block = ByteBuffer()

    /// Bytes between two reports of progress.
    private static let kernelBlock: Int64 = 16 << 20

    /// Copies from `offset` on.
    ///
    /// - Returns: how many bytes further the copy is, those of holes included, and whether that is the end of the file, wherever
    ///   that is by now.
    mutating func copy(
        _ source: LocalFile, to target: NewFile, at offset: Int64
    ) throws(FileError) -> (count: Int, isEnd: Bool) {
        if target.isNew, offset < source.status.size {
            let count = try copyInKernel(source, target.file, at: offset)
            if count > 0 { return (count, false) }
        }
        block.clear(minimumCapacity: BlockPool.blockSize)
        let count = try source.read(into: &block, count: BlockPool.blockSize, at: offset)
        if count > 0 { try target.file.write(block, at: offset) }
        return (count, count == 0)
    }

    /// Lets the kernel copy what is data and leave out what is hole.
    ///
    /// - Returns: 0 on a file system that cannot.
    private func copyInKernel(
        _ source: LocalFile, _ target: LocalFile, at offset: Int64
    ) throws(FileError) -> Int {
        let size = source.status.size
        var end = size
        if source.status.allocated < size {
            do throws(SystemCall.Failure) {
                let data = try SystemCall.data(in: source.descriptor, from: offset)
                if data > offset { return Int(min(size, data) - offset) }
                end = min(size, try SystemCall.hole(in: source.descriptor, from: offset))
            } catch {
                // Nothing but a hole is left, or nobody can tell.
                return error.isBehindTheEnd ? Int(size - offset) : 0
            }
        }
        do throws(SystemCall.Failure) {
            return try SystemCall.copyRange(
                from: source.descriptor, to: target.descriptor, count: Int(min(end - offset, Self.kernelBlock)),
                at: offset)
        } catch {
            if error.keepsFromWriting { throw error.on(target.path, .write) }
            return 0
        }
    }
}
