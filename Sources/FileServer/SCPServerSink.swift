import Files
import NIOCore
import SCP
import SSHWire

/// The server's end of an SCP upload, `scp -t`: writes what comes where a writer puts it.
///
/// What goes wrong is told to the client in the protocol.
package struct SCPServerSink<Writer: SCPTargetWriter> {
    /// The file whose data is coming.
    private struct Current {
        var transfer: SCPFileTransfer
        var file: Writer.File
        var offset: Int64 = 0
        var failure: FileError?
    }

    private let stream: any ByteStream
    private let log: SCPFileLog?
    private var sink: SCPSink
    private var current: Current?
    private var isComplete = true
    private var turn = Turn()

    /// Takes what the source sends until it ends. Why no writer could be made is told to the source.
    ///
    /// - Parameters:
    ///   - recursive: takes directories.
    ///   - trace: is given a line for each record; printable.
    /// - Returns: whether all was received and kept.
    /// - Throws: `FileError` if no writer could be made, `SCPError` if the source breaks the protocol or ends before its
    ///   time, or the stream's error; `CancellationError`.
    package static func run(
        stream: any ByteStream, recursive: Bool, trace: (@Sendable (String) -> Void)? = nil,
        makeWriter: () throws(FileError) -> Writer
    ) async throws -> Bool {
        var session = Self(stream: stream, recursive: recursive, log: nil)
        if let trace { session.sink.trace = { trace("\($0 == .sent ? "send" : "received") \($1)") } }
        return try await session.run(makeWriter)
    }

    static func run(
        stream: any ByteStream, recursive: Bool, log: SCPFileLog, makeWriter: () throws(FileError) -> Writer
    ) async throws -> Bool {
        var session = Self(stream: stream, recursive: recursive, log: log)
        return try await session.run(makeWriter)
    }

    private init(stream: any ByteStream, recursive: Bool, log: SCPFileLog?) {
        self.stream = stream
        self.log = log
        sink = SCPSink(options: .init(recursive: recursive, request: nil))
    }

    private mutating func run(_ makeWriter: () throws(FileError) -> Writer) async throws -> Bool {
        let writer: Writer
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
            abandonCurrent(for: error)
            throw error
        }
        try await stream.finishWriting()
        return isComplete
    }

    private mutating func receiveAll(_ writer: Writer) async throws {
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

    // MARK: Records

    private mutating func handle(_ event: SCPSink.Event, _ writer: Writer) {
        switch event {
        case .entry(let entry): begin(entry, writer)
        case .data(let bytes): write(bytes)
        case .endOfFile(let entry, let failure): finish(entry, sourceFailure: failure)
        case .endOfDirectory: leaveDirectory(writer)
        case .warning: isComplete = false
        }
    }

    private mutating func begin(_ entry: SCPEntry, _ writer: Writer) {
        do throws(FileError) {
            let name = entry.name.bytes
            switch entry.kind {
            case .directory: try writer.enterDirectory(name, attributes: Self.attributes(entry))
            case .file:
                let file = try writer.createFile(name, mode: entry.mode)
                let transfer = SCPFileTransfer(path: writer.path(of: name))
                current = Current(transfer: transfer, file: file)
                log?.opened(transfer)
            }
            sink.accept()
        } catch {
            isComplete = false
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
        // After a failure the rest is read all the same: the source sends it to the end of the file.
        if file.failure == nil {
            do throws(FileError) {
                try file.file.write(bytes, at: file.offset)
            } catch {
                file.failure = error
            }
        }
        file.offset += Int64(bytes.readableBytes)
        file.transfer.bytes += UInt64(bytes.readableBytes)
        current = file
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
        if let reason = failure.map({ "\($0)" }) ?? sourceFailure.map({ peerMessage($0) }) {
            isComplete = false
            log?.closed(file.transfer, .failed(reason))
        } else {
            log?.closed(file.transfer, .complete)
        }
        sink.finish(failure: failure.map(message))
    }

    private mutating func leaveDirectory(_ writer: Writer) {
        do throws(FileError) {
            try writer.leaveDirectory()
            sink.finish()
        } catch {
            isComplete = false
            sink.finish(failure: message(error))
        }
    }

    /// A file whose data stopped coming.
    private mutating func abandonCurrent(for error: any Error) {
        guard let file = current else { return }
        current = nil
        if case SCPError.endedInFile = error {
            log?.closed(file.transfer, .interrupted)
        } else {
            log?.closed(file.transfer, .failed("\(file.transfer.path): \(file.offset) bytes received"))
        }
    }
}

private func message(_ error: FileError) -> [UInt8] { Array("scp: \(error)".utf8) }
