import NIOCore
import TestSupport
import Testing

@testable import SCP

@Suite("The SCP source")
struct SCPSourceTests {
    private var file: SCPEntry {
        get throws { SCPEntry(kind: .file(size: 2), name: try name("a"), mode: 0o644) }
    }

    private func ready() throws -> SCPSource {
        var source = SCPSource()
        source.receive(ByteBuffer(bytes: [0]))
        #expect(try source.next() == .ready)
        return source
    }

    private func answer(_ source: inout SCPSource, _ text: String) throws -> SCPSource.Event? {
        source.receive(ByteBuffer(string: text))
        return try source.next()
    }

    @Test("sends times with the file, waits for its answer, and the next file's records behind its end")
    func pipelining() throws {
        var source = try ready()
        var buffer = ByteBuffer()
        var first = try file
        first.times = SCPTimes(modified: SCPTime(seconds: 1), accessed: SCPTime(seconds: 2))
        try source.begin(first, into: &buffer)
        #expect(String(buffer: buffer) == "T1 0 2 0\nC0644 2 a\n")
        // The answer to T is no event, that to C is.
        #expect(try answer(&source, "\0") == nil)
        #expect(try answer(&source, "\0") == .accepted(first))
        buffer.clear()
        buffer.writeString("xy")
        try source.countData(2)
        try source.endFile(into: &buffer)
        let second = SCPEntry(kind: .directory, name: try name("d"), mode: 0o700)
        try source.begin(second, into: &buffer)
        #expect(String(buffer: buffer) == "xy\0D0700 0 d\n")
        #expect(try answer(&source, "\0\0") == .finished(first))
        #expect(try source.next() == .accepted(second))
        try source.endDirectory(into: &buffer)
        #expect(source.isWaiting)
        #expect(try answer(&source, "\0") == nil)
        #expect(!source.isWaiting)
        try source.receiveEnd()
    }

    @Test("knows which file a refusal or failure is about")
    func refusals() throws {
        var source = try ready()
        var buffer = ByteBuffer()
        try source.begin(try file, into: &buffer)
        #expect(try answer(&source, "\u{1}scp: a: Permission") == nil)
        #expect(try answer(&source, " denied\n") == .refused(try file, reason: bytes("scp: a: Permission denied")))
        try source.begin(try file, into: &buffer)
        #expect(try answer(&source, "\0") == .accepted(try file))
        try source.countData(2)
        try source.endFile(into: &buffer)
        #expect(try answer(&source, "\u{1}full\n") == .failed(try file, reason: bytes("full")))
        // A file the source itself broke off is not finished, whatever the sink says.
        try source.begin(try file, into: &buffer)
        #expect(try answer(&source, "\0") == .accepted(try file))
        try source.countData(2)
        buffer.clear()
        try source.endFile(failure: bytes("a: Input/output error"), into: &buffer)
        #expect(String(buffer: buffer) == "\u{1}a: Input/output error\n")
        #expect(try answer(&source, "\0") == nil)
        #expect(!source.isWaiting)
    }

    @Test("ends at what no sink should say")
    func hostile() throws {
        var source = try ready()
        #expect(throws: SCPError.answerWithoutQuestion([0])) { try answer(&source, "\0") }
        #expect(throws: SCPError.answerWithoutQuestion([0])) { try source.next() }
        source = try ready()
        #expect(throws: SCPError.fatal(bytes("no"))) { try answer(&source, "\u{2}no\n") }
        source = SCPSource()
        #expect(throws: SCPError.notReady(bytes("x: Not a directory"))) {
            try answer(&source, "\u{1}x: Not a directory\n")
        }
        source = SCPSource()
        #expect(throws: SCPError.unexpectedAnswer(bytes("Hello"))) { try answer(&source, "Hello\n") }
        source = SCPSource()
        #expect(throws: SCPError.lineTooLong(limit: SCPRecord.maximumLineLength)) {
            try answer(&source, "\u{1}" + String(repeating: "x", count: SCPRecord.maximumLineLength))
        }
    }

    @Test("notices that the sink went away with answers owed")
    func earlyEnd() throws {
        var source = SCPSource()
        #expect(throws: SCPError.self) { try source.receiveEnd() }
        source = try ready()
        try source.receiveEnd()
        var buffer = ByteBuffer()
        try source.begin(try file, into: &buffer)
        #expect(throws: SCPError.endedBeforeAnswer(to: "file a")) { try source.receiveEnd() }
        #expect(try answer(&source, "\u{1}half") == nil)
        #expect(throws: SCPError.unexpectedAnswer(bytes("\u{1}half"))) { try source.receiveEnd() }
    }

    @Test("does not let its caller break the order of records")
    func misuse() throws {
        var buffer = ByteBuffer()
        var source = SCPSource()
        #expect(throws: SCPError.self) { try source.begin(try file, into: &buffer) }
        source = try ready()
        #expect(throws: SCPError.self) { try source.endDirectory(into: &buffer) }
        #expect(throws: SCPError.self) { try source.countData(1) }
        try source.begin(try file, into: &buffer)
        #expect(throws: SCPError.self) { try source.countData(1) }
        #expect(throws: SCPError.self) { try source.begin(try file, into: &buffer) }
        _ = try answer(&source, "\0")
        #expect(throws: SCPError.self) { try source.countData(3) }
        #expect(throws: SCPError.self) { try source.endFile(into: &buffer) }
    }

    @Test("traces each record both ways")
    func trace() throws {
        let lines = Collected()
        var source = SCPSource()
        source.trace = { lines.add("\($0) \($1)") }
        _ = try answer(&source, "\0")
        var buffer = ByteBuffer()
        try source.begin(try file, into: &buffer)
        #expect(
            lines.all == [
                "received SCP acknowledgement (0): ok",
                "sent SCP file (C): mode 0644, size 2 bytes, name \"a\"",
            ])
    }
}
