import NIOCore
import SSHWire

/// An end of two pipes in memory.
package struct MemoryStream: ByteStream {
    package let input: MemoryPipe
    package let output: MemoryPipe
    private let cutsRandomly: Bool

    package init(input: MemoryPipe, output: MemoryPipe, cutsRandomly: Bool = false) {
        (self.input, self.output, self.cutsRandomly) = (input, output, cutsRandomly)
    }

    package func read() async throws -> ByteBuffer? {
        await input.read(randomly: cutsRandomly).map { ByteBuffer(bytes: $0) }
    }
    package func write(_ bytes: ByteBuffer) async throws { await output.write(Array(bytes.readableBytesView)) }
    package func finishWriting() async throws { await output.end() }

    /// Two ends, a client's and a server's.
    ///
    /// - Parameters:
    ///   - cutsRandomly: whether what is read comes in pieces of any size.
    ///   - budget: so many bytes pass from the first to the second before the connection breaks.
    package static func pair(
        cutsRandomly: Bool = false, budget: Int = .max
    ) -> (client: MemoryStream, server: MemoryStream) {
        let (there, back) = (MemoryPipe(budget: budget), MemoryPipe())
        return (
            MemoryStream(input: back, output: there, cutsRandomly: cutsRandomly),
            MemoryStream(input: there, output: back, cutsRandomly: cutsRandomly)
        )
    }
}
