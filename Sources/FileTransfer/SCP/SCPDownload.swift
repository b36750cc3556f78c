import Files
import NIOCore
import SCP
import SSHWire

/// Receives files and directory trees from an SCP source: the client of a download.
///
/// ```swift
/// let request = try SCPRequest(path: remotePath, recursive: true)
/// let download = SCPDownload(stream: channel, options: .init(recursive: true, request: request), observer: observer)
/// let summary = try await download.run(into: "photos")
/// ```
///
/// The source is not trusted: see ``SCPSink`` for what it may send, and nothing outside the target is touched.
/// Existing files are overwritten in place; runs of zeros become holes.
public struct SCPDownload: Sendable {
    public struct Options: Sendable {
        /// Takes directories (`-r`).
        public var recursive: Bool
        /// Sets modes and times as they are sent (`-p`).
        public var preserve: Bool
        /// The target must be a directory that exists (`-d`).
        public var targetMustBeDirectory: Bool
        /// What was asked for; nil takes any name (`-T`).
        public var request: SCPRequest?

        public init(
            recursive: Bool = false, preserve: Bool = false, targetMustBeDirectory: Bool = false,
            request: SCPRequest? = nil
        ) {
            self.recursive = recursive
            self.preserve = preserve
            self.targetMustBeDirectory = targetMustBeDirectory
            self.request = request
        }
    }

    private let stream: any ByteStream
    private let options: Options
    private let observer: any TransferObserver

    public init(
        stream: any ByteStream, options: Options = Options(), observer: any TransferObserver = SilentObserver()
    ) {
        self.stream = stream
        self.options = options
        self.observer = observer
    }

    /// Takes what the source sends until it ends.
    ///
    /// - Returns: what was received. What could not be is counted in ``TransferSummary/errors`` and was a warning.
    /// - Throws: ``FileError`` if the target is not as it must be, ``SCPError`` if the source breaks the protocol or
    ///   ends before its time, or the stream's error.
    public func run(into target: BytePath) async throws -> TransferSummary {
        let (stream, options, observer) = (stream, options, observer)
        return try await DiskExecutor.run {
            try await SCPDownloadSession.run(stream: stream, options: options, observer: observer) {
                () throws(FileError) in
                try LocalTreeWriter(
                    target: target,
                    options: .init(preserve: options.preserve, targetMustBeDirectory: options.targetMustBeDirectory))
            }
        }
    }
}

private func message(_ error: FileError) -> [UInt8] { Array("scp: \(error)".utf8) }

/// One end of a session that writes what comes where a writer puts it.
private struct SCPDownloadSession {
    /// The file whose data is coming.
    private struct Current {
        var transfer: FileInTransfer
        var file: NewFile
        var offset: Int64 = 0
        var failure: FileError?
    }

    private let stream: any ByteStream
    private let options: SCPDownload.Options
    private let observer: any TransferObserver
    private var sink: SCPSink
    private var summary = TransferSummary()
    private var current: Current?
    /// Files begun so far.
    private var started = 0
    private var turn = Turn()

    /// Takes what the source sends until it ends. Why no writer could be made is told to the source.
    ///
    /// - Throws: as ``SCPDownload/run(into:)`` does.
    static func run(
        stream: any ByteStream, options: SCPDownload.Options, observer: any TransferObserver,
        makeWriter: () throws(FileError) -> LocalTreeWriter
    ) async throws -> TransferSummary {
        var session = Self(stream: stream, options: options, observer: observer)
        return try await session.run(makeWriter)
    }

    private init(stream: any ByteStream, options: SCPDownload.Options, observer: any TransferObserver) {
        self.stream = stream
        self.options = options
        self.observer = observer
        sink = SCPSink(options: .init(recursive: options.recursive, request: options.request))
        if observer.wantsTrace {
            sink.trace = { observer.trace("\($0 == .sent ? "send" : "received") \($1)") }
        }
    }

    private mutating func run(_ makeWriter: () throws(FileError) -> LocalTreeWriter) async throws -> TransferSummary {
        let writer: LocalTreeWriter
        do throws(FileError) {
            writer = try makeWriter()
        } catch {
            sink.refuseToStart(message(error))
            try await flush()
            throw error
        }
        do {
            sink.start()
            try await flush()
            try await receiveAll(writer)
        } catch {
            // The source may be gone, which is then no news.
            try? await flush()
            abandonCurrent(showing: error)
            throw error
        }
        try await stream.finishWriting()
        return summary
    }

    private mutating func receiveAll(_ writer: LocalTreeWriter) async throws {
        while let bytes = try await stream.read() {
            try Task.checkCancellation()
            sink.receive(bytes)
            var handled = 0
            while let event = try sink.next() {
                try await turn.pass()
                handle(event, writer)
                handled += 1
                // A source that sends nothing but records that are refused shall not fill the memory with warnings.
                if handled % 64 == 0 { try await flush() }
            }
            try await flush()
        }
        try sink.receiveEnd()
    }

    private mutating func flush() async throws {
        if let output = sink.takeOutput() { try await stream.write(output) }
    }

    private mutating func handle(_ event: SCPSink.Event, _ writer: LocalTreeWriter) {
        switch event {
        case .entry(let entry): begin(entry, writer)
        case .data(let bytes): write(bytes)
        case .endOfFile(let entry, let failure): finish(entry, sourceFailure: failure)
        case .endOfDirectory: leaveDirectory(writer)
        case .warning(let text): warn(peerMessage(text))
        }
    }

    private mutating func begin(_ entry: SCPEntry, _ writer: LocalTreeWriter) {
        do throws(FileError) {
            let name = entry.name.bytes
            switch entry.kind {
            case .directory:
                try writer.enterDirectory(name, attributes: Self.attributes(entry))
                summary.directories += 1
            case .file(let size):
                let transfer = FileInTransfer(number: started, path: writer.path(of: name), size: size)
                current = Current(transfer: transfer, file: try writer.createFile(name, mode: entry.mode))
                started += 1
                observer.fileStarted(transfer)
            }
            sink.accept()
        } catch {
            warn("\(error)")
            sink.refuse(message(error))
        }
    }

    private static func attributes(_ entry: SCPEntry) -> FileAttributes {
        func time(_ time: SCPTime) -> FileTime {
            FileTime(seconds: time.seconds, nanoseconds: Int64(time.microseconds) * 1_000)
        }
        return FileAttributes(
            mode: entry.mode, modified: entry.times.map { time($0.modified) },
            accessed: entry.times.map { time($0.accessed) })
    }

    private mutating func write(_ bytes: ByteBuffer) {
        guard var file = current else { return }
        // After a failure the rest is read all the same: the source goes on to the end of the file.
        if file.failure == nil {
            do throws(FileError) {
                try file.file.write(bytes, at: file.offset)
                summary.bytes += Int64(bytes.readableBytes)
            } catch {
                file.failure = error
            }
        }
        file.offset += Int64(bytes.readableBytes)
        current = file
        observer.bytesTransferred(bytes.readableBytes, of: file.transfer)
    }

    private mutating func finish(_ entry: SCPEntry, sourceFailure: [UInt8]?) {
        guard let file = current else { return sink.finish() }
        current = nil
        var failure = file.failure
        if failure == nil {
            var attributes = Self.attributes(entry)
            // A file that is not what it should be does not get the times of what it should be.
            if sourceFailure != nil { (attributes.modified, attributes.accessed) = (nil, nil) }
            do throws(FileError) {
                try file.file.finish(size: file.offset, attributes: attributes)
            } catch {
                failure = error
            }
        }
        if let sourceFailure { warn(peerMessage(sourceFailure)) }
        if let failure { warn("\(failure)") }
        let isComplete = failure == nil && sourceFailure == nil
        if isComplete { summary.files += 1 }
        observer.fileFinished(file.transfer, isComplete: isComplete)
        sink.finish(failure: failure.map(message))
    }

    private mutating func leaveDirectory(_ writer: LocalTreeWriter) {
        do throws(FileError) {
            try writer.leaveDirectory()
            sink.finish()
        } catch {
            warn("\(error)")
            sink.finish(failure: message(error))
        }
    }

    /// Says of a file whose data stopped coming what there is of it.
    private mutating func abandonCurrent(showing error: any Error) {
        guard let file = current else { return }
        current = nil
        if case SCPError.endedInFile = error {} else { warn("\(file.transfer.path): \(file.offset) bytes received") }
        observer.fileFinished(file.transfer, isComplete: false)
    }

    private mutating func warn(_ text: String) {
        summary.errors += 1
        observer.warning(text)
    }
}
