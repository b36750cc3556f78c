import NIOCore

/// The receiving end of the SCP protocol (`scp -t`, and the client of a download), without input or output of its own.
///
/// Bytes from the source go in through ``receive(_:)``; ``next()`` returns what they mean, one event at a time, and
/// ``takeOutput()`` the bytes to send. After ``Event/entry(_:)`` the caller owes ``accept()`` or ``refuse(_:)``, after
/// ``Event/endOfFile(_:failure:)`` and ``Event/endOfDirectory(_:)`` it owes ``finish(failure:)``; until then ``next()``
/// returns nil.
///
/// ```swift
/// var sink = SCPSink(options: .init(recursive: true, request: try SCPRequest(path: path, recursive: true)))
/// sink.start()
/// while let bytes = try await stream.read() {
///     sink.receive(bytes)
///     while let event = try sink.next() { handle(event) }
///     if let output = sink.takeOutput() { try await stream.write(output) }
/// }
/// try sink.receiveEnd()
/// ```
///
/// The source is not trusted: each name, number and order of records is checked, and the first that is wrong is
/// thrown as ``SCPError`` and told to the source as a fatal error, after which nothing else is read.
public struct SCPSink: Sendable {
    public struct Options: Sendable {
        /// Whether directories are taken (`-r`).
        public var recursive: Bool
        /// What the names at the top level must match; nil takes every name (`-T`, and the server side).
        public var request: SCPRequest?
        /// How many directories may be open at once. 1,000 is deeper than any path the kernel takes in one piece.
        public var maximumDepth: Int

        public init(recursive: Bool = false, request: SCPRequest? = nil, maximumDepth: Int = 1_000) {
            self.recursive = recursive
            self.request = request
            self.maximumDepth = maximumDepth
        }
    }

    public enum Event: Equatable, Sendable {
        /// A file or directory is about to come, if accepted.
        case entry(SCPEntry)
        /// Bytes of the accepted file, never none.
        case data(ByteBuffer)
        /// All bytes of the file came. `failure` is the source's word that they are not what was to be sent.
        case endOfFile(SCPEntry, failure: [UInt8]?)
        /// The directory's last entry came; its attributes can be set.
        case endOfDirectory(SCPEntry)
        /// Something could not be sent; the source goes on with what follows.
        case warning([UInt8])
    }

    private enum State {
        case record(times: SCPTimes?)
        case decision(SCPEntry)
        case data(SCPEntry, size: Int64, left: Int64)
        case endOfFile(SCPEntry)
        case finishing(SCPEntry)
        case failed(SCPError)
    }

    private let options: Options
    private var state = State.record(times: nil)
    private var directories: [SCPEntry] = []
    private var isFirstLine = true
    private var input = LineInput()
    private var output = ByteBuffer()

    /// Called for each record, in both directions.
    public var trace: SCPTrace?

    public init(options: Options = Options()) { self.options = options }

    /// How many directories are open.
    public var depth: Int { directories.count }

    /// Tells the source that the sink is ready.
    public mutating func start() { send(.ok) }

    /// Tells the source that nothing can be taken at all, and why.
    public mutating func refuseToStart(_ reason: [UInt8]) {
        send(.warning(reason))
        state = .failed(.notReady(reason))
    }

    /// Takes bytes from the source.
    public mutating func receive(_ bytes: ByteBuffer) { input.append(bytes) }

    /// Takes the end of the source's bytes, once ``next()`` has returned nil.
    ///
    /// - Throws: ``SCPError`` if something was still to come.
    public func receiveEnd() throws(SCPError) {
        switch state {
        case .failed(let error): throw error
        case .data(let entry, let size, let left):
            throw .endedInFile(name: entry.name.bytes, received: size - left, size: size)
        case .endOfFile(let entry):
            guard case .file(let size) = entry.kind else { return }
            throw .endedInFile(name: entry.name.bytes, received: size, size: size)
        case .record(let times):
            if !input.isEmpty {
                let line = input.unfinishedLine
                throw isFirstLine ? .notARecord(line) : .endedInRecord(line)
            }
            if times != nil { throw .timesWithoutEntry(next: nil) }
        case .decision, .finishing: break
        }
        if let directory = directories.last { throw .endedInDirectory(name: directory.name.bytes) }
    }

    /// What to send, nil if nothing.
    public mutating func takeOutput() -> ByteBuffer? {
        guard output.readableBytes > 0 else { return nil }
        defer { output = ByteBuffer() }
        return output
    }

    /// What the received bytes mean next; nil until more come or the caller has decided.
    ///
    /// - Throws: ``SCPError``, the same one again if called again.
    public mutating func next() throws(SCPError) -> Event? {
        do {
            return try nextEvent()
        } catch {
            if case .failed = state { throw error }
            if case .fatal = error {} else { send(.fatal(Array("scp: \(error)".utf8))) }
            state = .failed(error)
            throw error
        }
    }

    private mutating func nextEvent() throws(SCPError) -> Event? {
        switch state {
        case .failed(let error): throw error
        case .decision, .finishing: return nil
        case .data(let entry, let size, let left):
            guard let slice = input.nextSlice(limit: left) else { return nil }
            let rest = left - Int64(slice.readableBytes)
            state = rest == 0 ? .endOfFile(entry) : .data(entry, size: size, left: rest)
            return .data(slice)
        case .endOfFile(let entry): return try nextEndOfFile(entry)
        case .record(let times):
            // One turn for each record that is no event.
            var times = times
            while let line = try nextLine() {
                let record = try parse(line)
                if let event = try handle(record, &times) { return event }
            }
            return nil
        }
    }

    /// Text before the first record need not have a line end to be waited for.
    private mutating func nextLine() throws(SCPError) -> [UInt8]? {
        if isFirstLine, let first = input.firstByte, first > 2, first != UInt8(ascii: "\n"),
            !SCPRecord.letters.contains(first)
        {
            throw .notARecord(try input.nextLine() ?? input.unfinishedLine)
        }
        return try input.nextLine()
    }

    private mutating func parse(_ line: [UInt8]) throws(SCPError) -> SCPRecord {
        let record = try SCPRecord(line: line)
        isFirstLine = false
        trace?(.received, record)
        return record
    }

    private mutating func handle(_ record: SCPRecord, _ times: inout SCPTimes?) throws(SCPError) -> Event? {
        switch record {
        case .warning(let text):
            times = nil
            state = .record(times: nil)
            return .warning(text)
        case .fatal(let text): throw .fatal(text)
        case .times(let new):
            guard times == nil else { throw .timesWithoutEntry(next: record.kind) }
            times = new
            state = .record(times: new)
            send(.ok)
            return nil
        case .file(let mode, let size, let name):
            return try begin(SCPEntry(kind: .file(size: size), name: name, mode: mode, times: times))
        case .directory(let mode, let name):
            return try begin(SCPEntry(kind: .directory, name: name, mode: mode, times: times))
        case .endDirectory:
            guard times == nil else { throw .timesWithoutEntry(next: record.kind) }
            guard let directory = directories.popLast() else { throw .endWithoutDirectory }
            state = .finishing(directory)
            return .endOfDirectory(directory)
        case .ok: throw .notARecord([0])
        }
    }

    private mutating func begin(_ entry: SCPEntry) throws(SCPError) -> Event {
        if entry.kind == .directory {
            guard options.recursive else { throw .directoryNotRequested(entry.name.bytes) }
            guard directories.count < options.maximumDepth else {
                throw .directoriesTooDeep(limit: options.maximumDepth)
            }
        }
        if directories.isEmpty, let request = options.request, !request.matches(entry.name) {
            throw .nameNotRequested(entry.name.bytes)
        }
        state = .decision(entry)
        return .entry(entry)
    }

    private mutating func nextEndOfFile(_ entry: SCPEntry) throws(SCPError) -> Event? {
        guard let first = input.firstByte else { return nil }
        switch first {
        case 0:
            _ = input.nextByte()
            trace?(.received, .ok)
            state = .finishing(entry)
            return .endOfFile(entry, failure: nil)
        case 1, 2:
            guard let line = try input.nextLine() else { return nil }
            let record = try parse(line)
            if case .fatal(let text) = record { throw .fatal(text) }
            state = .finishing(entry)
            return .endOfFile(entry, failure: Array(line.dropFirst()))
        default: throw .missingEndOfFile(name: entry.name.bytes, found: first)
        }
    }

    /// Takes the entry: its data or its entries come next.
    public mutating func accept() {
        guard case .decision(let entry) = state else { return }
        send(.ok)
        switch entry.kind {
        case .directory:
            directories.append(entry)
            state = .record(times: nil)
        case .file(let size):
            state = size == 0 ? .endOfFile(entry) : .data(entry, size: size, left: size)
        }
    }

    /// Does without the entry; the source goes on with the one after it.
    public mutating func refuse(_ reason: [UInt8]) {
        guard case .decision = state else { return }
        send(.warning(reason))
        state = .record(times: nil)
    }

    /// Answers for a file whose bytes, or a directory whose entries, have all come.
    ///
    /// - Parameter failure: why it could not be kept, or its attributes not be set; nil if all is well.
    public mutating func finish(failure: [UInt8]? = nil) {
        guard case .finishing = state else { return }
        send(failure.map(SCPRecord.warning) ?? .ok)
        state = .record(times: nil)
    }

    private mutating func send(_ record: SCPRecord) {
        trace?(.sent, record)
        record.encode(into: &output)
    }
}
