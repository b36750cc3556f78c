import NIOCore
import Platform
import SSHWire

/// A byte stream over two blocking descriptors, such as the standard input and output of `scp -t`.
///
/// It blocks the thread it is used on: use it on a ``DiskExecutor``.
public struct DescriptorStream: ByteStream {
    private let input: Int32
    private let output: Int32
    private let closesOutput: Bool

    /// - Parameter closesOutput: closes `output` in ``finishWriting()``; it must not be used after that.
    public init(input: Int32, output: Int32, closesOutput: Bool) {
        self.input = input
        self.output = output
        self.closesOutput = closesOutput
    }

    /// As much as a pipe holds; larger buffers would be fresh pages at each read.
    private static let readSize = 64 * 1024

    public func read() async throws -> ByteBuffer? {
        var buffer = ByteBuffer()
        var failure: SystemCall.Failure?
        let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.readSize) { space in
            do throws(SystemCall.Failure) {
                return try SystemCall.run { systemRead(input, space.baseAddress, space.count) }
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure.on("standard input", .read) }
        return count > 0 ? buffer : nil
    }

    public func write(_ bytes: ByteBuffer) async throws {
        var bytes = bytes
        while bytes.readableBytes > 0 {
            let count = try bytes.withUnsafeReadableBytes { rest in
                do throws(SystemCall.Failure) {
                    return try SystemCall.run { SystemCall.write(output, rest) }
                } catch {
                    throw error.on("standard output", .write)
                }
            }
            bytes.moveReaderIndex(forwardBy: count)
        }
    }

    public func finishWriting() async throws {
        if closesOutput { _ = SystemCall.close(output) }
    }
}

private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, bytes, count)
}
