import NIOCore
import Platform

extension SystemCall {
    /// Appends up to `count` bytes from `offset` to the buffer; returns how many, less only at the end of the file.
    package static func read(
        _ descriptor: Int32, into buffer: inout ByteBuffer, count: Int, at offset: Int64
    ) throws(Failure) -> Int {
        var failure: Failure?
        let got = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
            do throws(Failure) {
                return try read(descriptor, into: .init(rebasing: space.prefix(count)), at: offset)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return got
    }
}

extension SystemCall.Failure {
    package func on(_ path: BytePath, _ operation: FileError.Operation) -> FileError {
        FileError(path: path, operation: operation, errno: number)
    }
}
