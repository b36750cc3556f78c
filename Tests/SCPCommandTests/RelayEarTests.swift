import Synchronization
import Testing

@testable import SCPCommand

@Suite("What is overheard of a copy between two others")
struct RelayEarTests {
    private final class Told: Sendable {
        let texts = Mutex<[String]>([])
        func add(_ text: [UInt8]) { texts.withLock { $0.append(String(decoding: text, as: UTF8.self)) } }
    }

    /// Who says what, in order; `whole` hands each in one piece, else byte by byte.
    private func hear(_ session: [(isSource: Bool, text: String)], whole: Bool) -> [String] {
        let told = Told()
        let ear = RelayEar { told.add($0) }
        for (isSource, text) in session {
            let pieces = whole ? [Array(text.utf8)] : text.utf8.map { [$0] }
            for piece in pieces {
                if isSource { ear.heardFromSource(piece) } else { ear.heardFromSink(piece) }
            }
        }
        return told.texts.withLock { $0 }
    }

    @Test("Messages of both are told, data that looks like one is not", arguments: [true, false])
    func messages(whole: Bool) {
        let told = hear(
            [
                (false, "\0"), (true, "T1 0 1 0\nD0755 0 d\n"), (false, "\0\0"),
                (true, "\u{1}scp: missing\n"), (true, "C0644 4 f\n"), (false, "\0"), (true, "\u{1}xy\n\0"),
                (false, "\0"), (true, "C0644 2 g\n"), (false, "\u{1}scp: denied\n"),
                (true, "C0644 0 empty\n"), (false, "\0"), (true, "\0"), (false, "\0"),
                (true, "C0644 3 h\n"), (false, "\0"), (true, "\u{2}\u{2}\n\u{1}scp: shrank\n"),
                (false, "\u{1}scp: times\n"), (true, "E\n"), (false, "\0"),
            ], whole: whole)
        #expect(told == ["scp: missing", "scp: denied", "scp: shrank", "scp: times"])
    }

    @Test("A sink that cannot start is told")
    func notReady() {
        #expect(hear([(false, "\u{2}scp: x: Not a directory\n")], whole: true) == ["scp: x: Not a directory"])
    }

    @Test(
        "What is not understood is not told, and does no harm",
        arguments: [
            "hello\n\u{1}no\n", "C0644 99999999999999999999 f\n\u{1}no\n", "C0644 -1 f\n\u{1}no\n", "C\n\u{1}no\n",
            "C0644 5 f\nearly\u{1}no\n", "\n\u{1}no\n", String(repeating: "T", count: 100_000) + "\n\u{1}no\n",
        ])
    func nonsense(text: String) {
        #expect(hear([(false, "\0"), (true, text)], whole: true) == [])
        #expect(hear([(false, "\0"), (true, text)], whole: false) == [])
    }
}
