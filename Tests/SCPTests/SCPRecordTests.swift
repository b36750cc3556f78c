import NIOCore
import TestSupport
import Testing

@testable import SCP

func name(_ text: String) throws -> SCPName { try SCPName(Array(text.utf8)) }

@Suite("SCP records")
struct SCPRecordTests {
    @Test("are the bytes OpenSSH sends")
    func encoding() throws {
        let times = SCPTimes(modified: SCPTime(seconds: 1_183_828_267), accessed: SCPTime(seconds: 1_183_828_268))
        let cases: [(SCPRecord, String)] = [
            (.times(times), "T1183828267 0 1183828268 0\n"),
            (.file(mode: 0o644, size: 299, name: try name("group")), "C0644 299 group\n"),
            (.file(mode: 0o6755, size: 0, name: try name("a b")), "C6755 0 a b\n"),
            (.directory(mode: 0o755, name: try name("d")), "D0755 0 d\n"),
            (.endDirectory, "E\n"),
            (.ok, "\0"),
            (.warning(bytes("x\ny")), "\u{1}x y\n"),
            (.fatal(bytes("gone")), "\u{2}gone\n"),
        ]
        for (record, text) in cases { #expect(record.encoded == bytes(text)) }
    }

    @Test("leave nothing behind once they were read, though their bytes always end inside a line")
    func boundedInput() throws {
        var input = LineInput()
        let line = bytes(String(repeating: "x", count: 1000) + "\n")
        input.append(ByteBuffer(bytes: line.prefix(500)))
        for _ in 0..<2_000 {
            input.append(ByteBuffer(bytes: line.dropFirst(500) + line.prefix(500)))
            #expect(try input.nextLine()?.count == 1000)
        }
        #expect(input.capacity < 1 << 20)
    }

    @Test("come back from their own bytes, whatever the name")
    func roundTrip() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let count = Int.random(in: 1...60, using: &random)
            let raw = (0..<count).map { _ in UInt8.random(in: 1...255, using: &random) }
            guard let name = try? SCPName(raw) else { continue }
            let size = Int64.random(in: 0...Int64.max, using: &random) >> Int64.random(in: 0..<63, using: &random)
            let mode = UInt16.random(in: 0...0o7777, using: &random)
            let seconds = Int64.random(in: 0...Int64.max, using: &random)
            let time = SCPTime(seconds: seconds, microseconds: Int32.random(in: 0...999_999, using: &random))
            let records: [SCPRecord] = [
                .file(mode: mode, size: size, name: name), .directory(mode: mode, name: name),
                .times(SCPTimes(modified: time, accessed: time)),
            ]
            for record in records {
                let line = record.encoded
                #expect(line.filter { $0 == 10 }.count == 1)
                #expect(try SCPRecord(line: Array(line.dropLast())) == record)
            }
        }
    }

    @Test(
        "that are malformed are refused with what is wrong",
        arguments: [
            "", "x", "C", "C0644", "C0644 ", "C644 1 a", "C0844 1 a", "C00644 1 a", "C-644 1 a", "C0644 -1 a",
            "C0644  1 a", "C0644 1", "C0644 1 ", "C0644 x a", "C0644 9223372036854775808 a",
            "C0644 99999999999999999999999999 a", "C0644 1 a/b", "C0644 1 .", "C0644 1 ..", "C0644 1 /", "C0644 1 a\0b",
            "D0755 a", "D0755 0 ", "D0755 0 ../x", "T", "T1", "T1 0", "T1 0 1", "T1 0 1 ", "T1 0 1 0 ", "T-1 0 1 0",
            "T1 1000000 1 0", "T1 0 99999999999999999999 0", "T1 x 1 0", "E0", "EE", "\0\0", "bash: scp: not found",
            "Cannot do that", "Done", "This is fine", "C0644 1 \\^J/..",
        ])
    func malformed(line: String) {
        #expect(throws: SCPError.self) { try SCPRecord(line: bytes(line)) }
    }

    @Test("cut short are never taken for a whole one with another meaning")
    func truncation() throws {
        for text in ["C0644 12 x", "D0755 0 x", "T1 2 3 4"] {
            for count in 0..<text.utf8.count {
                #expect(throws: SCPError.self, "\(text) cut to \(count)") {
                    try SCPRecord(line: Array(bytes(text).prefix(count)))
                }
            }
        }
    }

    @Test("are refused when longer than the limit")
    func tooLong() {
        let line = bytes("C0644 1 ") + [UInt8](repeating: 97, count: SCPRecord.maximumLineLength)
        #expect(throws: SCPError.lineTooLong(limit: SCPRecord.maximumLineLength)) { try SCPRecord(line: line) }
    }

    @Test("describe themselves with printable names")
    func descriptions() throws {
        let file = SCPRecord.file(mode: 0o644, size: 12, name: try SCPName([97, 27, 255]))
        #expect(file.description == "SCP file (C): mode 0644, size 12 bytes, name \"a\\033\\377\"")
        let time = SCPTime(seconds: 5, microseconds: 1_500)
        #expect(
            SCPRecord.times(SCPTimes(modified: time, accessed: SCPTime(seconds: 6))).description
                == "SCP timestamps (T): modified 5.001500, accessed 6")
    }
}

@Suite("SCP names")
struct SCPNameTests {
    // Encodings as vis(3) of OpenSSH 9.2 and 10.5 makes them with VIS_NL.
    @Test("with a newline travel in the visual encoding, all others as they are")
    func encoding() throws {
        #expect(try name("a\nb").wireForm == bytes("a\\^Jb"))
        #expect(try name("a\\\n").wireForm == bytes("a\\\\\\^J"))
        #expect(try name("a\\b").wireForm == bytes("a\\b"))
        #expect(
            try SCPName([10, 0xe9, 0x80, 0xa0, 0xff, 0x7f, 9, 32, 27]).wireForm
                == bytes("\\^J\\M-i\\M^@\\240\\M^?\\^?\t \\^["))
    }

    @Test("in the visual encoding come back, and only if it is that encoding throughout")
    func decoding() throws {
        for byte in UInt8.min...UInt8.max where byte != 0 && byte != UInt8(ascii: "/") {
            let original = try SCPName([byte, 10, byte])
            #expect(try SCPName(wireForm: original.wireForm) == original)
        }
        for text in ["a\\^Ib", "\\^J\\", "\\^J\\x", "\\^Jé", "\\^J\\M", "\\^J\\-a", "\\^J\\^j", "a\\nb", "\\^J\\24"] {
            #expect(try SCPName(wireForm: bytes(text)).bytes == bytes(text))
        }
    }
}

@Suite("SCP requests")
struct SCPRequestTests {
    private func matches(_ path: String, _ candidate: String, recursive: Bool = false) throws -> Bool {
        try SCPRequest(path: bytes(path), recursive: recursive).matches(try name(candidate))
    }

    @Test(
        "match the names a shell would have made of them",
        arguments: [
            ("file", "file"), ("/a/b/file", "file"), ("dir/", "dir"), ("*.txt", "a.txt"), ("d/*", "x"), ("?", "é"),
            ("[a-c]x", "bx"), ("[!a-c]x", "dx"), ("[]]", "]"), ("[[:digit:]]*", "1a"), ("{a,b}.c", "b.c"),
            ("{d/a,e/b}", "b"), ("x{1,{2,3}}", "x3"), ("a{}b", "a{}b"), ("\\*", "*"), ("a\\ b", "a b"), ("[", "["),
            ("a{b", "a{b"), ("a}b", "a}b"), ("*a*b*c", "xaybzc"), ("{,x}a", "a"), ("?*", "ab"),
        ])
    func matching(path: String, candidate: String) throws {
        #expect(try matches(path, candidate))
    }

    @Test(
        "do not match any other",
        arguments: [
            ("file", ".bashrc"), ("file", "file2"), ("file", "fil"), ("*.txt", "a.txt.sh"), ("{a,b}", "c"),
            ("[a-c]", "d"), ("\\*", "x"), ("?", "ab"), ("d/", "e"), (".", "x"), ("~", "x"), ("a*b*c", "acb"),
        ])
    func refusing(path: String, candidate: String) throws {
        #expect(try !matches(path, candidate))
    }

    @Test("restrict nothing with -r where the remote shell may make any name of the path")
    func recursion() throws {
        for path in ["~", ".", "..", "d/..", "$HOME", "`pwd`", "'a b'", ""] {
            #expect(try matches(path, "anything", recursive: true))
        }
        #expect(try !matches("d", "anything", recursive: true))
    }

    @Test("with braces that multiply without end are refused, and many stars end soon")
    func limits() throws {
        let braces = String(repeating: "{a,b}", count: 20)
        #expect(throws: SCPError.self) { try SCPRequest(path: bytes(braces), recursive: false) }
        #expect(try !matches(String(repeating: "a*", count: 50) + "c", String(repeating: "a", count: 250)))
    }
}
