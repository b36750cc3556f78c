import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHProtocol

@Suite("Version exchange")
struct VersionTests {
    /// Feeds bytes to a fresh connection, whole or one at a time.
    private func feed(_ bytes: [UInt8], _ role: Role, oneByOne: Bool) -> Endpoint {
        let end = Endpoint(role, role == .client ? .quick : .server())
        end.attempt { try $0.start() }
        for piece in (oneByOne ? bytes.map { [$0] } : [bytes]) {
            end.attempt { try $0.receive(ByteBuffer(bytes: piece)) }
        }
        _ = end.handleEvents()
        return end
    }

    private func feed(_ text: String, _ role: Role = .client, oneByOne: Bool = false) -> Endpoint {
        feed(Array(text.utf8), role, oneByOne: oneByOne)
    }

    @Test(
        "Identifications of version 2 are taken, with or without comments and carriage returns",
        arguments: [
            "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "SSH-2.0-x\n", "SSH-1.99-OpenSSH_3.9\r\n",
            "SSH-2.0-" + String(repeating: "a", count: 245) + "\r\n",
        ], [false, true])
    func taken(_ line: String, _ oneByOne: Bool) {
        for role in [Role.client, .server] {
            let end = feed(line, role, oneByOne: oneByOne)
            guard case .identification(let text) = end.events.last else {
                Issue.record("\(end.events) \(String(describing: end.failure))")
                continue
            }
            #expect(text + "\r\n" == line || text + "\n" == line)
        }
    }

    @Test("Other versions are refused, and the peer is told", arguments: ["SSH-1.5-1.2.27\n", "SSH-2.1-x\n", "SSH-\n"])
    func otherVersions(_ line: String) {
        let end = feed(line)
        guard case .unsupportedVersion(let text) = end.failure else {
            Issue.record("\(String(describing: end.failure))")
            return
        }
        #expect(text.description + "\n" == line)
    }

    @Test("Lines before a server's identification are passed on, made printable", arguments: [false, true])
    func preamble(_ oneByOne: Bool) {
        let end = feed("Hello\r\n\r\n\u{1b}[2JSS\nSSH-2.0-x\r\n", oneByOne: oneByOne)
        let lines = end.events.compactMap { if case .preamble(let text) = $0 { text } else { nil } }
        #expect(lines == ["Hello", "", #"\033[2JSS"#])
        #expect(end.story.last == "identification")
    }

    @Test(
        "A client says nothing before its identification",
        arguments: ["Hello\r\nSSH-2.0-x\r\n", "GET / HTTP/1.1\r\n", "\n"])
    func clientPreamble(_ text: String) {
        for oneByOne in [false, true] {
            let end = feed(text, .server, oneByOne: oneByOne)
            guard case .notSSH = end.failure else {
                Issue.record("\(String(describing: end.failure))")
                continue
            }
        }
    }

    @Test("A server that never comes to the point is left", arguments: [false, true])
    func endlessPreamble(_ oneByOne: Bool) {
        let hostile = [
            String(repeating: "a\n", count: 1025), String(repeating: "\n", count: 2000),
            String(repeating: "b", count: 8192), "SSH-2.0-" + String(repeating: "c", count: 247),
        ]
        for text in hostile {
            let end = feed(text, oneByOne: oneByOne)
            guard case .notSSH(let line) = end.failure else {
                Issue.record("\(text.prefix(10)): \(String(describing: end.failure))")
                continue
            }
            #expect(line.description.utf8.count <= 400)
        }
        #expect(feed(String(repeating: "a\n", count: 1024), oneByOne: oneByOne).failure == nil)
    }

    @Test("Control bytes and other than ASCII in an identification are refused", arguments: ["\0", "\u{7}", "ä", "\r"])
    func badBytes(_ text: String) {
        guard case .notSSH = feed("SSH-2.0-a\(text)b\r\n").failure else {
            Issue.record("taken")
            return
        }
    }

    @Test("Random bytes do no more than throw")
    func garbage() {
        var random = SeededGenerator(seed: 21)
        for round in 0..<300 {
            for role in [Role.client, .server] {
                var bytes = random.bytes(Int.random(in: 1...600, using: &random))
                if round % 3 == 0 { bytes = Array("SSH-2.0-x\r\n".utf8) + bytes }
                let end = feed(bytes, role, oneByOne: round % 2 == 0)
                #expect(!end.connection.isAuthenticated)
            }
        }
    }

    @Test("Every part of an identification alone waits for the rest")
    func partial() {
        let line = Array("SSH-2.0-x\r\n".utf8)
        for length in 0..<line.count {
            for role in [Role.client, .server] {
                let end = feed(Array(line.prefix(length)), role, oneByOne: false)
                #expect(end.events.isEmpty)
                #expect(end.failure == nil)
            }
        }
    }

    @Test("Our identification and KEXINIT leave before the peer's come")
    func leavesAtOnce() throws {
        let end = Endpoint(.client, .quick)
        end.attempt { try $0.start() }
        let output = try #require(end.output())
        let text = String(decoding: output.readableBytesView, as: UTF8.self)
        #expect(text.hasPrefix("SSH-2.0-swift-scp_"))
        #expect(text.contains("kex-strict-c-v00@openssh.com"))
    }
}
