/// One direction of bytes in memory: a writer waits while more than the limit is unread.
package actor MemoryPipe {
    private var buffered: [[UInt8]] = []
    private var count = 0
    private var ended = false
    private var reader: CheckedContinuation<Void, Never>?
    private var writer: CheckedContinuation<Void, Never>?
    private let limit: Int
    /// Bytes after which the pipe breaks, as a connection does.
    private var budget: Int

    package init(limit: Int = 1 << 20, budget: Int = .max) {
        self.limit = limit
        self.budget = budget
    }

    package func write(_ bytes: [UInt8]) async {
        let bytes = Array(bytes.prefix(budget))
        budget -= bytes.count
        if !bytes.isEmpty { buffered.append(bytes) }
        count += bytes.count
        if budget == 0 { ended = true }
        wakeReader()
        while count > limit, !ended { await withCheckedContinuation { writer = $0 } }
    }

    package func end() {
        ended = true
        wakeReader()
        wakeWriter()
    }

    /// The next piece, cut at random if the reader is to see cuts everywhere; nil after the end.
    package func read(randomly: Bool = false) async -> [UInt8]? {
        while buffered.isEmpty {
            if ended { return nil }
            await withCheckedContinuation { reader = $0 }
        }
        var first = buffered.removeFirst()
        if randomly, first.count > 1 {
            let length = Int.random(in: 1..<first.count)
            buffered.insert(Array(first[length...]), at: 0)
            first = Array(first[..<length])
        }
        count -= first.count
        wakeWriter()
        return first
    }

    private func wakeReader() {
        reader?.resume()
        reader = nil
    }

    private func wakeWriter() {
        writer?.resume()
        writer = nil
    }
}
