import Crypto
import Files
import NIOCore
import SSHWire

/// A program on a server that hashes files one after another: a loop of its shell around whichever of the usual programs is
/// there.
///
/// It reads two lines for each file, how many bytes of it (or `all`) and its path, and answers with a line that holds the
/// hash. Any number of files may be asked for before the first answer.
actor HashProgram {
    /// For `sh`, whatever shell it is given to: without single quotes, exclamation marks, backslashes and newlines, which
    /// shells read in different ways.
    static let command =
        "sh -c '" + """
            exec 2>/dev/null; \
            if command -v sha256sum >/dev/null; then p=sha256sum; \
            elif command -v shasum >/dev/null; then p="shasum -a 256"; \
            elif command -v sha256 >/dev/null; then p="sha256 -q"; \
            elif command -v openssl >/dev/null; then p="openssl dgst -sha256"; \
            else exit 1; fi; \
            echo "\(greeting) $p"; \
            while IFS= read -r n && IFS= read -r f; do \
            if [ ! -r "$f" ]; then echo unreadable; \
            elif [ "$n" = all ]; then $p <"$f" || echo unreadable; \
            else head -c "$n" <"$f" | $p; fi; done
            """ + "'"

    private static let greeting = "swift-scp-hashes-with"
    /// Output before the greeting, of a shell's start-up files, in bytes.
    private static let chatterLimit = 64 << 10
    private static let lineLimit = 4096

    /// What it hashes with.
    nonisolated let name: String
    private let stream: any ByteStream
    private var unread: ByteBuffer
    private var unsent = ByteBuffer()
    private var isSending = false
    private var isReceiving = false
    private var waiting = CircularBuffer<Waiter<FileHash?>>()
    private var receiving: Task<Void, Never>?
    private var failure: (any Error)?

    private init(name: String, stream: any ByteStream, unread: ByteBuffer) {
        self.name = name
        self.stream = stream
        self.unread = unread
    }

    /// Begins to use what runs at the other end of a stream.
    ///
    /// - Parameter stream: of ``command``, or of whatever the server runs in its place.
    /// - Returns: nil if that is not what it should be, or finds no program on the server, or one that hashes nothing right.
    /// - Throws: what ended the stream.
    static func begin(on stream: any ByteStream) async throws -> HashProgram? {
        // Something else than a shell, as an SFTP server, may wait for words until it gets some.
        try await stream.write(ByteBuffer(string: "all\n/dev/null\n"))
        var unread = ByteBuffer()
        var name: String?
        var seen = 0
        while seen < chatterLimit {
            while let line = takeLine(&unread) {
                seen += line.count
                guard name != nil else {
                    let words = String(decoding: line, as: UTF8.self)
                    if words.hasPrefix(greeting + " ") { name = String(words.dropFirst(greeting.count + 1)) }
                    continue
                }
                guard let name, FileHash(printed: line) == FileHash(SHA256().finalize()) else { return nil }
                return HashProgram(name: Printable.text(name.utf8), stream: stream, unread: unread)
            }
            guard unread.readableBytes < lineLimit, let bytes = try await stream.read() else { return nil }
            unread.writeImmutableBuffer(bytes)
        }
        return nil
    }

    private static func takeLine(_ buffer: inout ByteBuffer) -> [UInt8]? {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = buffer.readBytes(length: end - buffer.readerIndex)
        buffer.moveReaderIndex(forwardBy: 1)
        return line
    }

    /// The hash of a file's first `count` bytes, or of all of it.
    ///
    /// - Parameter path: from the root, as the server's shell knows it.
    /// - Returns: nil if the program cannot tell, as of a file it may not read.
    /// - Throws: what ended the stream.
    func hash(of path: [UInt8], first count: Int64?) async throws -> FileHash? {
        if path.contains(UInt8(ascii: "\n")) || path.contains(0) { return nil }
        if let failure { throw failure }
        let waiter = Waiter<FileHash?>()
        waiting.append(waiter)
        unsent.writeString(count.map { "\($0)\n" } ?? "all\n")
        unsent.writeBytes(path)
        unsent.writeString("\n")
        Task { await self.send() }
        if !isReceiving { receiving = Task { await self.receive() } }
        return try await waiter.wait()
    }

    /// Ends it; what it has not answered by now is not waited for.
    func close() async {
        try? await stream.finishWriting()
        receiving?.cancel()
    }

    private func send() async {
        guard !isSending else { return }
        isSending = true
        defer { isSending = false }
        do {
            while unsent.readableBytes > 0 {
                let block = unsent
                unsent = ByteBuffer()
                try await stream.write(block)
            }
        } catch {
            end(error)
        }
    }

    private func receive() async {
        guard !isReceiving else { return }
        isReceiving = true
        defer { isReceiving = false }
        do {
            while !waiting.isEmpty {
                if let line = Self.takeLine(&unread) {
                    waiting.popFirst()?.resume(returning: FileHash(printed: line))
                } else if unread.readableBytes < Self.lineLimit, let bytes = try await stream.read() {
                    // Or the answers of a whole tree would be kept.
                    if unread.readerIndex > Self.lineLimit { unread.discardReadBytes() }
                    unread.writeImmutableBuffer(bytes)
                } else {
                    end(nil)
                }
            }
        } catch {
            end(error)
        }
    }

    /// - Parameter error: nil if it has ended, or says what it should not: then it can tell nothing more.
    private func end(_ error: (any Error)?) {
        failure = failure ?? error ?? Ended()
        let left = waiting
        waiting = CircularBuffer()
        for waiter in left {
            if let error { waiter.resume(throwing: error) } else { waiter.resume(returning: nil) }
        }
    }

    private struct Ended: Error {}
}
