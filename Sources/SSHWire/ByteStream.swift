import NIOCore

/// A two-way, flow-controlled stream of bytes: an SSH channel, or a pair of pipes.
///
/// Bytes cross it in batches, not packets: a read returns all that has come, a write takes a block of any size. Both run where
/// their caller does, so that a batch that is there already costs no change of threads.
public protocol ByteStream: Sendable {
    /// Returns what has arrived, waiting until there is something; nil after the peer's end of data.
    ///
    /// - Throws: what ended the stream before its time.
    nonisolated(nonsending) func read() async throws -> ByteBuffer?

    /// Sends bytes in order. Returns at once while the stream's buffer has room, else when it has again.
    ///
    /// - Throws: what ended the stream, if it has ended.
    nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws

    /// Tells the peer that no more bytes follow; reading goes on.
    nonisolated(nonsending) func finishWriting() async throws

    /// Asks whether there is anybody left to write to, as long work for an answer does now and then. What the peer sent
    /// before it went can still be read.
    ///
    /// - Throws: what ended the stream, if that is known.
    func checkOpen() throws
}

extension ByteStream {
    public func checkOpen() throws {}
}
