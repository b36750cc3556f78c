import Logging
import Platform
import TestSupport
import Testing

@testable import SCPDCommand

@Suite("Lines of scpd's log")
struct LogLineTests {
    @Test(
        "A value is one word, in quotation marks where it needs them",
        arguments: [
            ("plain", "plain"), ("/a/b.txt", "/a/b.txt"), ("", "\"\""), ("a b", "\"a b\""), ("a=b", "\"a=b\""),
            ("say \"x\"", #""say \"x\"""#), ("a\"b", #""a\"b""#), (#"a\b"#, #"a\b"#), (#"a\ b"#, #""a\\ b""#),
            (#"a\"b"#, #""a\\\"b""#), ("é", "é"), ("a\u{a0}b", "\"a\u{a0}b\""), ("\"\u{301}", "\"\\\"\u{301}\""),
        ])
    func quoting(value: String, word: String) {
        #expect(LogLines.quoted(value).unicodeScalars.elementsEqual(word.unicodeScalars))
    }

    @Test("A value that no path could be is cut")
    func length() {
        #expect(LogLines.quoted(String(repeating: "x", count: 1_000_000)).count == 4096)
        #expect(LogLines.quoted(String(repeating: "\u{1}", count: 1_000_000)).count <= 4 * 4096 + 2)
    }

    @Test("No value breaks its line, moves a terminal's cursor or ends its word")
    func control() {
        #expect(LogLines.quoted("a\nb") == #"a\012b"#)
        #expect(LogLines.quoted("a\u{1b}[2Jb") == #"a\033[2Jb"#)
        #expect(LogLines.quoted("a\nlogin user=root") == #""a\\012login user=root""#)
        #expect(!LogLines.quoted("a\u{2028}b\u{202e}").contains("\u{2028}"))
    }

    @Test("What happened comes first, and then what is to be known of it, in order")
    func line() {
        #expect(
            LogLines.text("login", ["user": "me", "address": "::1", "key": "a b"])
                == #"login address=::1 key="a b" user=me"#)
        #expect(LogLines.text("stopped", [:]) == "stopped")
        #expect(LogLines.text("two\nlines", [:]) == #"two\012lines"#)
    }

    @Test("Standard error is the journal's where systemd's name for it fits")
    func journal() throws {
        let directory = try TemporaryDirectory()
        try writeFile(directory.file("a"), text: "")
        let descriptor = open(directory.file("a"), O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var status = stat()
        #expect(fstat(descriptor, &status) == 0)
        #expect(LogLines.isJournal("\(status.st_dev):\(status.st_ino)", descriptor: descriptor))
        #expect(!LogLines.isJournal("\(status.st_dev):\(status.st_ino + 1)", descriptor: descriptor))
        #expect(!LogLines.isJournal("", descriptor: descriptor))
        #expect(!LogLines.isJournal(nil, descriptor: descriptor))
        #expect(!LogLines.isJournal("1:2", descriptor: -1))
    }
}
