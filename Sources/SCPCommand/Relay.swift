import NIOCore
import SSHWire
import Synchronization

/// Carries the bytes of a remote source and a remote sink to each other until both have ended.
///
/// - Parameter tell: receives what either of them says went wrong, which each tells the other alone.
enum Relay {
    static func run(
        from source: any ByteStream, to sink: any ByteStream, tell: @escaping @Sendable ([UInt8]) -> Void
    ) async throws {
        let ear = RelayEar(tell: tell)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await carry(from: source, to: sink) { ear.heardFromSource($0) } }
            group.addTask { try await carry(from: sink, to: source) { ear.heardFromSink($0) } }
            try await group.waitForAll()
        }
    }

    /// Bytes are heard before they are passed on: whatever answers them is heard later.
    private static func carry(
        from source: any ByteStream, to sink: any ByteStream, _ hear: (ByteBufferView) -> Void
    ) async throws {
        while let bytes = try await source.read() {
            hear(bytes.readableBytesView)
            try await sink.write(bytes)
        }
        try await sink.finishWriting()
    }
}

/// Listens to an SCP session of two others for their messages (`\1` and `\2`). What it does not understand makes it
/// deaf; the session does not depend on it.
final class RelayEar: Sendable {
    private let session = Mutex(Session())
    private let tell: @Sendable ([UInt8]) -> Void

    init(tell: @escaping @Sendable ([UInt8]) -> Void) { self.tell = tell }

    func heardFromSource(_ bytes: some Collection<UInt8>) {
        for message in session.withLock({ $0.heardFromSource(bytes) }) { tell(message) }
    }

    func heardFromSink(_ bytes: some Collection<UInt8>) {
        for message in session.withLock({ $0.heardFromSink(bytes) }) { tell(message) }
    }
}

private struct Session {
    /// What the source's next bytes are.
    private enum Expectation {
        case record
        case data(Int)
        case endOfData
        /// Nothing until the sink has answered the record of a file of this size.
        case verdict(Int)
        case deaf
    }

    private static let longestLine = 64 * 1024

    private var expectation = Expectation.record
    private var record: [UInt8] = []
    private var answer: [UInt8] = []
    /// The sizes of files, or nil for all else, to which the sink still owes an answer: the first is its readiness.
    private var unanswered: [Int?] = [nil]

    /// - Returns: messages of the source.
    mutating func heardFromSource(_ bytes: some Collection<UInt8>) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var rest = bytes[...]
        while let first = rest.first {
            switch expectation {
            case .data(let count):
                let part = rest.prefix(count)
                rest = rest.dropFirst(part.count)
                expectation = part.count == count ? .endOfData : .data(count - part.count)
            case .endOfData where first == 0:
                rest = rest.dropFirst()
                unanswered.append(nil)
                expectation = .record
            case .record, .endOfData:
                rest = rest.dropFirst()
                if let line = Self.take(first, into: &record) { heard(line, &messages) }
                if record.count > Self.longestLine { expectation = .deaf }
            case .verdict, .deaf:
                expectation = .deaf
                return messages
            }
        }
        return messages
    }

    private mutating func heard(_ line: [UInt8], _ messages: inout [[UInt8]]) {
        switch line.first {
        case 1, 2:
            messages.append(Array(line.dropFirst()))
            // In place of the byte that ends a file's data, a message is answered; elsewhere it is not.
            if case .endOfData = expectation { unanswered.append(nil) }
            expectation = .record
        case UInt8(ascii: "C"):
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
            guard fields.count == 3, let size = Int(String(decoding: fields[1], as: UTF8.self)), size >= 0 else {
                expectation = .deaf
                return
            }
            unanswered.append(size)
            expectation = .verdict(size)
        case UInt8(ascii: "T"), UInt8(ascii: "D"), UInt8(ascii: "E"):
            unanswered.append(nil)
        default:
            expectation = .deaf
        }
    }

    /// - Returns: messages of the sink.
    mutating func heardFromSink(_ bytes: some Collection<UInt8>) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        for byte in bytes {
            if answer.isEmpty, byte == 0 {
                answered(isAccepted: true)
            } else if let line = Self.take(byte, into: &answer) {
                messages.append(Array(line.dropFirst()))
                answered(isAccepted: false)
            } else if answer.count > Self.longestLine {
                answer = []
            }
        }
        return messages
    }

    private mutating func answered(isAccepted: Bool) {
        guard !unanswered.isEmpty else { return }
        let question = unanswered.removeFirst()
        guard let size = question, case .verdict = expectation else { return }
        expectation = !isAccepted ? .record : size == 0 ? .endOfData : .data(size)
    }

    /// Adds a byte to a line; returns the line, without its newline, when it is complete.
    private static func take(_ byte: UInt8, into line: inout [UInt8]) -> [UInt8]? {
        guard byte == UInt8(ascii: "\n") else {
            line.append(byte)
            return nil
        }
        defer { line = [] }
        return line
    }
}
