import NIOCore
import TestSupport
import Testing

@testable import SCP

@Suite("The SCP sink")
struct SCPSinkTests {
    /// A sink, what it said, and what it told its caller, who takes everything.
    final class Harness {
        var sink: SCPSink
        var events: [SCPSink.Event] = []
        var sent: [UInt8] = []
        var refuses = false
        var error: SCPError?

        init(recursive: Bool = true, request: String? = nil, depth: Int = 1_000) throws {
            let request = try request.map { try SCPRequest(path: bytes($0), recursive: recursive) }
            sink = SCPSink(options: .init(recursive: recursive, request: request, maximumDepth: depth))
            sink.start()
            collect()
        }

        func receive(_ text: [UInt8]) {
            sink.receive(ByteBuffer(bytes: text))
            do throws(SCPError) {
                while let event = try sink.next() {
                    events.append(event)
                    switch event {
                    case .entry: refuses ? sink.refuse(bytes("no")) : sink.accept()
                    case .endOfFile, .endOfDirectory: sink.finish()
                    case .data, .warning: break
                    }
                }
            } catch {
                self.error = error
            }
            collect()
        }

        func receive(_ text: String) { receive(bytes(text)) }

        func end() {
            do throws(SCPError) {
                try sink.receiveEnd()
            } catch {
                self.error = error
            }
        }

        private func collect() {
            if let output = sink.takeOutput() { sent += Array(output.readableBytesView) }
        }
    }

    private func file(_ text: String, size: Int64, times: SCPTimes? = nil) throws -> SCPEntry {
        SCPEntry(kind: .file(size: size), name: try name(text), mode: 0o644, times: times)
    }

    @Test("takes a tree and answers each record")
    func tree() throws {
        let harness = try Harness()
        #expect(harness.sent == [0])
        harness.receive("T1 0 2 0\nD0755 0 d\n")
        #expect(harness.sent == [0, 0, 0])
        harness.receive("C0644 3 a\nabc\0C0600 0 b\n\0E\n")
        #expect(harness.sent == [UInt8](repeating: 0, count: 8))
        harness.end()
        #expect(harness.error == nil)
        let times = SCPTimes(modified: SCPTime(seconds: 1), accessed: SCPTime(seconds: 2))
        let directory = SCPEntry(kind: .directory, name: try name("d"), mode: 0o755, times: times)
        let (a, b) = (
            try file("a", size: 3), SCPEntry(kind: .file(size: 0), name: try name("b"), mode: 0o600)
        )
        #expect(
            harness.events == [
                .entry(directory), .entry(a), .data(ByteBuffer(string: "abc")), .endOfFile(a, failure: nil),
                .entry(b), .endOfFile(b, failure: nil), .endOfDirectory(directory),
            ])
    }

    @Test("means the same however the bytes are cut")
    func anyCut() throws {
        let script = bytes("T1 5 2 6\nD0755 0 d\nC0644 3 a\nabc\0T9 0 9 0\nC0644 0 b\n\0\u{1}oops\nE\n")
        let whole = try Harness()
        whole.receive(script)
        for cut in 1..<script.count {
            let parts = try Harness()
            parts.receive(Array(script[..<cut]))
            parts.receive(Array(script[cut...]))
            #expect(parts.error == nil)
            #expect(parts.sent == whole.sent)
            let withoutData = { (events: [SCPSink.Event]) in
                events.filter { if case .data = $0 { false } else { true } }
            }
            #expect(withoutData(parts.events) == withoutData(whole.events))
        }
    }

    @Test("notices every early end of the source's bytes")
    func everyTruncation() throws {
        let script = bytes("T1 5 2 6\nD0755 0 d\nC0644 3 a\nabc\0E\n")
        for count in 1..<script.count {
            let harness = try Harness()
            harness.receive(Array(script.prefix(count)))
            #expect(harness.error == nil)
            harness.end()
            #expect(harness.error != nil, "cut after \(count) bytes")
        }
        let harness = try Harness()
        harness.receive("C0644 10 a\nabc")
        harness.end()
        #expect(harness.error == .endedInFile(name: bytes("a"), received: 3, size: 10))
        #expect(harness.error?.description == "lost connection: a: 3 of 10 bytes received")
    }

    @Test("waits for its caller's word before it reads on")
    func decisions() throws {
        var sink = SCPSink()
        sink.receive(ByteBuffer(string: "C0644 1 a\nx\0"))
        #expect(try sink.next() == .entry(try file("a", size: 1)))
        #expect(try sink.next() == nil)
        #expect(sink.takeOutput() == nil)
        sink.accept()
        #expect(try sink.next() == .data(ByteBuffer(string: "x")))
        #expect(try sink.next() == .endOfFile(try file("a", size: 1), failure: nil))
        #expect(try sink.next() == nil)
        sink.finish(failure: bytes("disk full"))
        #expect(sink.takeOutput() == ByteBuffer(string: "\0\u{1}disk full\n"))
    }

    @Test("goes on after an entry it does without")
    func refusal() throws {
        let harness = try Harness()
        harness.refuses = true
        harness.receive("C0644 1 a\n")
        harness.refuses = false
        harness.receive("C0644 1 b\nx\0")
        #expect(harness.error == nil)
        #expect(harness.sent == bytes("\0\u{1}no\n\0\0"))
    }

    @Test("passes on the source's warnings and failures, and ends at its fatal errors")
    func messages() throws {
        let harness = try Harness()
        harness.receive("\u{1}scp: x: gone\nC0644 2 a\nab\u{1}a: Input/output error\n")
        #expect(harness.events.first == .warning(bytes("scp: x: gone")))
        #expect(
            harness.events.last == .endOfFile(try file("a", size: 2), failure: bytes("a: Input/output error")))
        harness.receive("\u{2}stop\n")
        #expect(harness.error == .fatal(bytes("stop")))
    }

    @Test(
        "refuses what no honest source sends",
        arguments: [
            ("E\n", SCPError.endWithoutDirectory),
            ("\n", .emptyLine),
            ("Welcome to Ubuntu\n", .notARecord(Array("Welcome to Ubuntu".utf8))),
            ("T1 0 1 0\nE\n", .timesWithoutEntry(next: "E")),
            ("T1 0 1 0\nT1 0 1 0\n", .timesWithoutEntry(next: "T")),
            ("C0644 0 a\nC0644 0 b\n", .missingEndOfFile(name: [97], found: UInt8(ascii: "C"))),
            ("C0644 1 a\nxy", .missingEndOfFile(name: [97], found: UInt8(ascii: "y"))),
            ("C0644 1 ../a\n", .unexpectedName(Array("../a".utf8))),
            ("D0755 0 ..\n", .unexpectedName(Array("..".utf8))),
            ("D0755 0 d\nE\nE\n", .endWithoutDirectory),
            ("\0", .notARecord([0])),
        ])
    func hostile(script: String, expected: SCPError) throws {
        let harness = try Harness()
        harness.receive(script == "\0" ? "\0\n" : script)
        #expect(harness.error == expected)
        // The source is told, and nothing is read after that.
        #expect(harness.sent.contains(2))
        harness.receive("C0644 0 z\n")
        #expect(harness.error == expected)
    }

    @Test("takes no directory without -r, none too deep, and no name that was not asked for")
    func limits() throws {
        let flat = try Harness(recursive: false)
        flat.receive("D0755 0 d\n")
        #expect(flat.error == .directoryNotRequested(bytes("d")))

        let deep = try Harness(depth: 3)
        deep.receive("D0755 0 1\nD0755 0 2\nD0755 0 3\n")
        #expect(deep.error == nil)
        deep.receive("D0755 0 4\n")
        #expect(deep.error == .directoriesTooDeep(limit: 3))

        let other = try Harness(recursive: false, request: "/tmp/*.txt")
        other.receive("C0644 1 a.txt\nx\0")
        #expect(other.error == nil)
        other.receive("C0644 1 .bashrc\n")
        #expect(other.error == .nameNotRequested(bytes(".bashrc")))

        let tree = try Harness(request: "d")
        tree.receive("D0755 0 d\nC0644 0 anything\n\0E\n")
        #expect(tree.error == nil)
        tree.receive("D0755 0 .ssh\n")
        #expect(tree.error == .nameNotRequested(bytes(".ssh")))
    }

    @Test("refuses a line without end before it fills the memory")
    func endlessLine() throws {
        let harness = try Harness()
        harness.receive(bytes("C0644 1 ") + [UInt8](repeating: 97, count: SCPRecord.maximumLineLength))
        #expect(harness.error == .lineTooLong(limit: SCPRecord.maximumLineLength))
    }

    @Test("survives random bytes")
    func noise() throws {
        var random = SystemRandomNumberGenerator()
        let alphabet = bytes("CDTE0123456789 \n\0\u{1}\u{2}a/.\\^J")
        var failures = 0
        for _ in 0..<2_000 {
            let harness = try Harness()
            for _ in 0..<4 {
                harness.receive((0..<20).map { _ in alphabet.randomElement(using: &random) ?? 0 })
            }
            harness.end()
            if harness.error != nil { failures += 1 }
        }
        #expect(failures > 1_000)
    }
}
