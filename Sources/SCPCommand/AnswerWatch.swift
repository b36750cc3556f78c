import FileTransfer
import NIOCore
import SSHNIO
import SSHWire
import Synchronization

/// Sees whether a server has said anything on the streams of a copy: one that closes a stream before its first word has
/// nothing behind it; one that closes it later has failed.
final class AnswerWatch: Sendable {
    private let answered = Mutex(false)
    private let channels = Mutex<[SSHChannel]>([])

    var hasAnswer: Bool { answered.withLock { $0 } }

    /// Opens the same streams, watched, and held to a rate.
    func opener(_ open: @escaping SFTPOpener, limit: RateLimit?) -> SFTPOpener {
        {
            let stream = try await open()
            if !self.hasAnswer, let channel = stream as? SSHChannel { self.channels.withLock { $0.append(channel) } }
            return Stream(base: limit?.limiting(stream) ?? stream, watch: self)
        }
    }

    /// Waits until the channels opened are closed at both ends: Dropbear closes a channel that is opened before.
    func settle() async {
        for channel in channels.withLock({ $0 }) {
            channel.close()
            await channel.waitForClose()
        }
    }

    private struct Stream: ByteStream {
        let base: any ByteStream
        let watch: AnswerWatch

        func read() async throws -> ByteBuffer? {
            let bytes = try await base.read()
            if bytes != nil { watch.answered.withLock { $0 = true } }
            return bytes
        }

        func write(_ bytes: ByteBuffer) async throws { try await base.write(bytes) }
        func finishWriting() async throws { try await base.finishWriting() }
    }
}
