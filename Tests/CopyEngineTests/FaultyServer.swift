import NIOCore
import SFTP
import SSHWire
import Synchronization
import TestSupport

/// What an SFTP server does otherwise than OpenSSH's: each was met in servers that people use.
enum ServerQuirk: Hashable, Sendable {
    /// It has so many files and directories open at a time, and calls one more a failure.
    case holds(Int)
    /// From the third on, the handle of a file is one that is still open (Erlang's daemon).
    case repeatsHandles
    /// Bytes of a file are taken only one after another (object stores).
    case writesInOrder
    /// What is opened for writing is emptied, whatever the flags.
    case emptiesOnOpening
    /// READ at the end of a file is a failure.
    case failsAtEnd
    /// The account may write and make directories, and do nothing that reads.
    case refusesToRead
    /// Nobody may set attributes.
    case refusesAttributes
    /// Answers come as they are ready.
    case answersInAnyOrder
}

/// OpenSSH's sftp-server behind a filter that gives it one fault, and takes away its extensions.
///
/// A request that is to be refused goes on as one that changes nothing, so that the refusal comes in its order.
final class FaultyServer: ByteStream {
    private let base: any ByteStream
    private let filter: Mutex<FaultyServerFilter>
    /// How long each batch of answers is held up.
    private let delay: Duration

    init(_ base: any ByteStream, _ quirk: ServerQuirk, delay: Duration = .zero) {
        self.base = base
        self.delay = delay
        filter = Mutex(FaultyServerFilter(quirk))
    }

    /// How often the fault showed.
    var shown: Int { filter.withLock { $0.shown } }

    nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws {
        try await base.write(filter.withLock { $0.requests(bytes) })
    }

    nonisolated(nonsending) func read() async throws -> ByteBuffer? {
        while let bytes = try await base.read() {
            let answers = filter.withLock { $0.answers(bytes) }
            if answers.readableBytes == 0 { continue }
            if delay > .zero { try await Task.sleep(for: delay) }
            return answers
        }
        return nil
    }

    nonisolated(nonsending) func finishWriting() async throws { try await base.finishWriting() }
}
