import CopyEngine
import FileServer
import NIOCore
import SSHWire

@testable import SCP
@testable import SFTP
@testable import SSHConfig

extension FuzzTarget {
    static let files: [FuzzTarget] = [
        FuzzTarget(name: "sftp-server", seeds: SFTPBytes.requests, run: SFTPBytes.serve),
        FuzzTarget(name: "sftp-client", seeds: SFTPBytes.answers, run: SFTPBytes.ask),
        FuzzTarget(name: "scp-sink", seeds: SCPBytes.records, run: SCPBytes.sink),
        FuzzTarget(name: "scp-source", seeds: SCPBytes.answers, run: SCPBytes.source),
        FuzzTarget(name: "command-lines", seeds: CommandLines.seeds) { bytes in
            _ = try? RemoteCommandLine.parse(bytes)
        },
        FuzzTarget(name: "globs", seeds: Patterns.seeds, run: Patterns.run),
        FuzzTarget(name: "ssh-config", seeds: ConfigurationText.seeds, run: ConfigurationText.run),
    ]
}

private enum SFTPBytes {
    private static func packet(_ body: [UInt8]) -> [UInt8] {
        [0, 0, UInt8(truncatingIfNeeded: body.count >> 8), UInt8(truncatingIfNeeded: body.count)] + body
    }

    @Sendable static func requests() -> [[UInt8]] {
        let start = packet([1, 0, 0, 0, 3])
        let text = ByteBuffer(string: "a")
        let all: [SFTPRequest] = [
            .open(path: text, flags: SFTPOpenFlags(rawValue: 26), SFTPAttributes()), .close(handle: text),
            .read(handle: text, offset: 0, length: 100), .write(handle: text, offset: 5, data: text),
            .opendir(path: text), .rename(from: text, to: text), .extended(name: "limits@openssh.com", fields: text),
        ]
        var session = SFTPSession<Int>()
        for request in all { session.send(request, 0) }
        return [session.output.bytes, start] + (1...20).map { start + packet([$0] + [UInt8](repeating: 0, count: 12)) }
    }

    @Sendable static func serve(_ bytes: [UInt8]) {
        var session = SFTPServerSession()
        var left = 0
        for part in [bytes.prefix(bytes.count / 3), bytes.dropFirst(bytes.count / 3)] {
            session.receive(ByteBuffer(bytes: part))
            do {
                while let event = try session.next() {
                    switch event {
                    case .request(let id, _): session.sendStatus(id, .unsupported)
                    case .write(_, _, _, let count):
                        precondition(left == 0, "a WRITE inside another")
                        left = count
                    case .data(let data, let isLast):
                        left -= data.readableBytes
                        precondition(left >= 0 && (left == 0) == isLast, "\(left) bytes are left")
                    }
                }
            } catch { return }
        }
    }

    @Sendable static func answers() -> [[UInt8]] {
        var server = SFTPServerSession()
        server.receive(ByteBuffer(bytes: packet([1, 0, 0, 0, 3])))
        _ = try? server.next()
        let text = ByteBuffer(string: "a")
        server.send(0, .handle(text))
        server.send(1, .data(text))
        server.send(2, .attributes(SFTPAttributes()))
        server.sendStatus(3, .ok)
        let start = packet([2, 0, 0, 0, 3])
        return [server.output.bytes, start]
            + (101...105).map { start + packet([$0, 0, 0, 0, 1, 0, 0, 0, 1, 7, 7, 7, 7]) }
    }

    @Sendable static func ask(_ bytes: [UInt8]) {
        var session = SFTPSession<Int>()
        let text = ByteBuffer(string: "a")
        let requests: [SFTPRequest] = [
            .open(path: text, flags: SFTPOpenFlags(rawValue: 1), SFTPAttributes()),
            .read(handle: text, offset: 0, length: 10), .lstat(path: text), .close(handle: text),
            .readdir(handle: text), .realpath(path: text), .extended(name: "limits@openssh.com", fields: ByteBuffer()),
        ]
        for (tag, request) in requests.enumerated() { session.send(request, tag) }
        var got = 0
        for part in [bytes.prefix(bytes.count / 3), bytes.dropFirst(bytes.count / 3)] {
            session.receive(ByteBuffer(bytes: part))
            do {
                while let event = try session.next() {
                    switch event {
                    case .started: break
                    case .reply(let tag, _): precondition(requests.indices.contains(tag), "an answer to nothing")
                    case .data(let tag, let data, _, _):
                        got += data.readableBytes
                        precondition(tag == 1 && got <= 10, "\(got) bytes for 10")
                    }
                }
            } catch { return }
        }
    }
}

private enum SCPBytes {
    @Sendable static func records() -> [[UInt8]] {
        [
            "T1 0 2 0\nC0644 3 a\nabc\u{0}E\n", "D0755 0 d\nC0600 0 b\n\u{0}E\n", "\u{1}scp: warning\n\u{2}fatal\n",
            "C0644 99999999999999999999 a\n", "C0644 3 ../a\nabc\u{0}", "D0755 0 \\^J\n",
        ].map { [0] + Array($0.utf8) } + [[1] + Array("D0755 0 d\nD0755 0 e\nE\nE\n".utf8)]
    }

    @Sendable static func sink(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        var sink = SCPSink(options: .init(recursive: input.choice(2) == 1))
        sink.start()
        var depth = 0
        for part in [input.rest.prefix(bytes.count / 3), input.rest.dropFirst(bytes.count / 3)] {
            sink.receive(ByteBuffer(bytes: part))
            do {
                while let event = try sink.next() {
                    switch event {
                    case .entry(let entry):
                        let name = entry.name.bytes
                        precondition(
                            !name.isEmpty && !name.contains(0x2f) && !name.contains(0) && name != [0x2e]
                                && name != [0x2e, 0x2e], "a name that leaves the target")
                        if entry.kind == .directory { depth += 1 }
                        sink.accept()
                    case .endOfFile: sink.finish()
                    case .endOfDirectory: depth -= 1
                    case .data, .warning: break
                    }
                    precondition(depth >= 0 && depth <= 1000, "depth \(depth)")
                    _ = sink.takeOutput()
                }
            } catch { return }
        }
        try? sink.receiveEnd()
    }

    @Sendable static func answers() -> [[UInt8]] {
        [
            [0, 0, 0, 0, 0], [0, 1] + Array("scp: no\n".utf8), [0, 0, 2] + Array("fatal\n".utf8),
            Array("shell says\n".utf8),
        ]
    }

    @Sendable static func source(_ bytes: [UInt8]) {
        var source = SCPSource()
        guard let name = try? SCPName([0x61]) else { return }
        let entry = SCPEntry(kind: .file(size: 1), name: name, mode: 0o644)
        source.receive(ByteBuffer(bytes: bytes))
        var output = ByteBuffer()
        do {
            while let event = try source.next() {
                switch event {
                case .ready: try source.begin(entry, into: &output)
                case .accepted:
                    try source.countData(1)
                    try source.endFile(into: &output)
                case .refused, .finished, .failed: try source.begin(entry, into: &output)
                case .warning: break
                }
            }
            try source.receiveEnd()
        } catch {}
    }
}

private enum CommandLines {
    @Sendable static func seeds() -> [[UInt8]] {
        [
            "scp -t -- 'a b'", "scp -rpf ~/x*/{a,b}[c-d]", "/usr/lib/openssh/sftp-server -R -d %u",
            "scp -v -d -t \"$HOME\"",
            "scp -f a\\ b '' \"c\\\"\"",
        ].map { Array($0.utf8) }
    }
}

private enum Patterns {
    @Sendable static func seeds() -> [[UInt8]] {
        [
            ("!/a/**/b\n#c\n*.o \\ \n**/d/", "a/x/b"), ("a*b?[!c-e]", "axxbyz"), ("[[:alpha:]]\\*{a,b{c,d}}", "x*bc"),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaa"),
        ].map {
            FuzzInput.joined([], [Array($0.0.utf8), Array($0.1.utf8)])
        }
    }

    @Sendable static func run(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        guard let pattern = input.piece(), let name = input.piece() else { return }
        _ = GlobPattern(pattern).matches(name)
        var rules = IgnoreRules()
        rules.add(linesOf: pattern)
        _ = rules.leaveOut(name.split(separator: UInt8(ascii: "/")).map(Array.init), isDirectory: false)
        guard let words = try? BraceExpansion.expand(pattern, limit: 100) else { return }
        precondition(words.count <= 100, "\(words.count) words")
    }
}

private enum ConfigurationText {
    @Sendable static func seeds() -> [[UInt8]] {
        [
            "Host h !x *.net\n Port 22\nUser = \"me\"\nMatch host h exec \"true %h\" user a,b\n ProxyJump a@b:1,c\n",
            "Match localnetwork 10.0.0.0/8 canonical final\nCiphers +aes128-ctr\nKexAlgorithms ^curve25519-sha256\n",
            "Include /x\nSetEnv A=\"b c\"\nIdentityFile ~/%u/%%\nRekeyLimit 1G 1h\nControlPersist 5m\nIPQoS af21 0x10\n",
            "CanonicalizeHostname always\nCanonicalDomains net\nCanonicalizePermittedCNAMEs *.a:*.b\n",
        ].map { Array($0.utf8) }
    }

    @Sendable static func run(_ bytes: [UInt8]) {
        let configuration = ClientConfiguration(files: .usual, environment: Environment(file: bytes))
        _ = try? configuration.options(for: "h")
        var settings = ClientConfiguration(files: .usual, environment: Environment(file: []))
        guard (try? settings.set(String(decoding: bytes, as: UTF8.self))) != nil else { return }
        _ = try? settings.options(for: "h")
    }

    /// A machine on which every file holds the input.
    private struct Environment: ConfigurationEnvironment {
        let file: [UInt8]
        var account: LocalAccount { LocalAccount(name: "me", home: "/home/me") }
        var userID: UInt32 { 1000 }
        var hostName: String { "here.example.net" }
        func variable(_ name: String) -> String? { name == "HOME" ? "/home/me" : nil }
        func home(of user: String) -> String? { user.isEmpty ? "/home/me" : nil }
        func read(_ path: String, isChecked: Bool) throws(ConfigurationFileFailure) -> [UInt8] { file }
        func files(matching pattern: String) -> [String] { [pattern] }
        func succeeds(_ command: String) throws(ConfigurationCommandFailure) -> Bool { command.count % 2 == 0 }
        func localAddresses() -> [String] { ["10.0.0.1", "2001:db8::1"] }
        func numericAddress(_ host: String, family: AddressFamily) -> String? { host == "h" ? nil : host }
        func canonicalName(of host: String, family: AddressFamily) -> String? { host.hasPrefix("h") ? "h.b" : nil }
    }
}
