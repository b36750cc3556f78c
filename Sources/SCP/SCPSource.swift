import NIOCore

/// The sending end of the SCP protocol (`scp -f`, and the client of an upload), without input or output of its own.
///
/// The caller announces entries, and the machine appends their records to the buffer it is given. The data of a file
/// goes into the same buffer, so a small file, the zero byte behind it and the next file's records leave in one write.
///
/// Waiting is left to the caller, who must wait where the protocol cannot do without: for ``Event/ready`` at first,
/// and after ``begin(_:into:)`` until the sink has accepted or refused, for a sink that refuses a file would take its
/// data for records. A T record is not waited for, nor is the end of a file or directory: the sink reads on in order
/// whatever it answers. That makes one round trip for a file. A caller may wait for each answer all the same: a sink
/// that takes what it reads at a time for one record needs that.
///
/// Answers come in through ``receive(_:)`` and out of ``next()``, in the order of what they answer.
public struct SCPSource: Sendable {
    public enum Event: Equatable, Sendable {
        /// The sink is there.
        case ready
        /// The entry is wanted: its data, or its entries, may follow.
        case accepted(SCPEntry)
        /// The sink does without the entry, and says why. Go on with the next.
        case refused(SCPEntry, reason: [UInt8])
        /// The sink has the whole file.
        case finished(SCPEntry)
        /// The sink has read the whole file, but does not have it, and says why.
        case failed(SCPEntry, reason: [UInt8])
        /// The sink minds something that stops nothing: times, or the end of a directory.
        case warning([UInt8])
    }

    private enum Question {
        case start
        case times(SCPEntry)
        case entry(SCPEntry)
        case endOfFile(SCPEntry, sound: Bool)
        case endOfDirectory
    }

    private enum State {
        case starting
        case idle
        case asking(SCPEntry)
        case data(SCPEntry, left: Int64)
        case failed(SCPError)
    }

    private var state = State.starting
    private var questions: [Question] = [.start]
    private var answered = 0
    private var input = LineInput()

    /// How many directories are open.
    public private(set) var depth = 0

    /// Called for each record, in both directions.
    public var trace: SCPTrace?

    public init() {}

    /// Whether the sink still owes answers.
    public var isWaiting: Bool { answered < questions.count }

    /// Sends the T record of an entry by itself. ``begin(_:into:)`` is to follow, without the times, and may wait for the
    /// answer.
    ///
    /// - Throws: ``SCPError/outOfOrder(_:)`` before the sink is ready, or inside a file.
    public mutating func sendTimes(_ times: SCPTimes, of entry: SCPEntry, into buffer: inout ByteBuffer)
        throws(SCPError)
    {
        guard case .idle = state else { throw misuse("times announced while another entry is under way") }
        send(.times(times), into: &buffer)
        questions.append(.times(entry))
    }

    /// Announces a file or directory: T, if it has times, and C or D.
    ///
    /// - Throws: ``SCPError/outOfOrder(_:)`` before the sink is ready, or inside a file.
    public mutating func begin(_ entry: SCPEntry, into buffer: inout ByteBuffer) throws(SCPError) {
        guard case .idle = state else { throw misuse("entry announced while another is under way") }
        if let times = entry.times { try sendTimes(times, of: entry, into: &buffer) }
        send(entry.record, into: &buffer)
        questions.append(.entry(entry))
        state = .asking(entry)
    }

    /// Counts bytes of the file that the caller has put into the buffer.
    ///
    /// - Throws: ``SCPError/outOfOrder(_:)`` if these are more than were announced.
    public mutating func countData(_ count: Int) throws(SCPError) {
        guard case .data(let entry, let left) = state, count >= 0, Int64(count) <= left else {
            throw misuse("data nobody expects")
        }
        state = .data(entry, left: left - Int64(count))
    }

    /// Appends the zero byte that ends a file, or the message that what was sent is not the file.
    ///
    /// - Throws: ``SCPError/outOfOrder(_:)`` unless all announced bytes were sent.
    public mutating func endFile(failure: [UInt8]? = nil, into buffer: inout ByteBuffer) throws(SCPError) {
        guard case .data(let entry, 0) = state else { throw misuse("file ended before its last byte") }
        send(failure.map(SCPRecord.warning) ?? .ok, into: &buffer)
        questions.append(.endOfFile(entry, sound: failure == nil))
        state = .idle
    }

    /// Appends an E record.
    ///
    /// - Throws: ``SCPError/outOfOrder(_:)`` if no directory is open, or inside a file.
    public mutating func endDirectory(into buffer: inout ByteBuffer) throws(SCPError) {
        guard case .idle = state, depth > 0 else { throw misuse("directory ended that is not open") }
        depth -= 1
        send(.endDirectory, into: &buffer)
        questions.append(.endOfDirectory)
    }

    /// Appends a message about something that cannot be sent; the sink does not answer it.
    ///
    /// - Throws: ``SCPError/outOfOrder(_:)`` inside a file.
    public mutating func warn(_ text: [UInt8], into buffer: inout ByteBuffer) throws(SCPError) {
        guard case .idle = state else { throw misuse("warning inside a file") }
        send(.warning(text), into: &buffer)
    }

    /// Takes bytes from the sink.
    public mutating func receive(_ bytes: ByteBuffer) { input.append(bytes) }

    /// Takes the end of the sink's bytes, once ``next()`` has returned nil.
    ///
    /// - Throws: ``SCPError`` if the sink owes an answer or is in the middle of one.
    public func receiveEnd() throws(SCPError) {
        if case .failed(let error) = state { throw error }
        if !input.isEmpty { throw .unexpectedAnswer(input.unfinishedLine) }
        if case .data(let entry, _) = state { throw .endedBeforeAnswer(to: "the data of \(entry.name)") }
        guard isWaiting else { return }
        throw .endedBeforeAnswer(to: Self.describe(questions[answered]))
    }

    private static func describe(_ question: Question) -> String {
        switch question {
        case .start: "the start of the transfer"
        case .times(let entry): "the times of \(entry.name)"
        case .entry(let entry): "\(entry.kind == .directory ? "directory" : "file") \(entry.name)"
        case .endOfFile(let entry, _): "the end of \(entry.name)"
        case .endOfDirectory: "the end of a directory"
        }
    }

    /// The sink's next answer; nil until more bytes come.
    ///
    /// - Throws: ``SCPError``, the same one again if called again.
    public mutating func next() throws(SCPError) -> Event? {
        if case .failed(let error) = state { throw error }
        do {
            // An answer that says no more than that all is well with the times or the end of a directory is no event.
            while let record = try nextAnswer() {
                if let event = try match(record) { return event }
            }
            return nil
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private mutating func nextAnswer() throws(SCPError) -> SCPRecord? {
        guard let first = input.firstByte else { return nil }
        if first == 0 {
            _ = input.nextByte()
            trace?(.received, .ok)
            return .ok
        }
        // Text before the protocol need not have a line end to be waited for.
        guard first == 1 || first == 2 else { throw .unexpectedAnswer(try input.nextLine() ?? input.unfinishedLine) }
        guard let line = try input.nextLine() else { return nil }
        let record = try SCPRecord(line: line)
        trace?(.received, record)
        return record
    }

    private mutating func match(_ record: SCPRecord) throws(SCPError) -> Event? {
        let reason: [UInt8]?
        switch record {
        case .warning(let text): reason = text
        case .fatal(let text): throw .fatal(text)
        default: reason = nil
        }
        guard isWaiting else { throw .answerWithoutQuestion(reason ?? [0]) }
        let question = questions[answered]
        answered += 1
        if answered == questions.count {
            questions.removeAll(keepingCapacity: true)
            answered = 0
        }
        switch question {
        case .start:
            if let reason { throw .notReady(reason) }
            state = .idle
            return .ready
        case .times, .endOfDirectory: return reason.map(Event.warning)
        case .entry(let entry): return settle(entry, reason)
        case .endOfFile(let entry, let sound):
            if let reason { return .failed(entry, reason: reason) }
            return sound ? .finished(entry) : nil
        }
    }

    private mutating func settle(_ entry: SCPEntry, _ reason: [UInt8]?) -> Event {
        if let reason {
            state = .idle
            return .refused(entry, reason: reason)
        }
        switch entry.kind {
        case .file(let size): state = .data(entry, left: size)
        case .directory:
            depth += 1
            state = .idle
        }
        return .accepted(entry)
    }

    private mutating func send(_ record: SCPRecord, into buffer: inout ByteBuffer) {
        trace?(.sent, record)
        record.encode(into: &buffer)
    }

    private func misuse(_ what: String) -> SCPError { .outOfOrder(what) }
}
