import NIOCore
import SSHWire
import TestSupport
import Testing

@Suite("Traces and printable text")
struct TraceTests {
    @Test("A trace names the message, its number, and each field with type, size and value")
    func fields() throws {
        let payload = try ChannelRequest(
            recipientChannel: 3, kind: .exec(command: ByteBuffer(string: "scp -t /tmp")), wantReply: true
        ).encoded()
        #expect(
            MessageTrace().describe(payload) == [
                "SSH_MSG_CHANNEL_REQUEST (98), payload 29 bytes",
                "recipient channel: uint32, 4 bytes: 3",
                "request type: string, 8 bytes: \"exec\"",
                "want reply: boolean, 1 bytes: true",
                "command: string, 15 bytes: \"scp -t /tmp\"",
            ])
    }

    @Test("Every message is described", arguments: MessageSample.all)
    func described(_ sample: MessageSample) throws {
        var trace = MessageTrace()
        let families: [MessageTrace.KeyExchangeFamily] = [.ecdh, .dh, .groupExchange]
        let methods: [MessageTrace.AuthenticationFamily] = [.publicKey, .password, .keyboardInteractive]
        let payload = try sample.make(seed: 3).encoded()
        var found = false
        for family in families {
            for method in methods {
                trace.keyExchange = family
                trace.authentication = method
                let lines = trace.describe(payload)
                found = found || (lines.first?.hasPrefix("\(sample.type.name) (\(sample.type.number))") ?? false)
            }
        }
        #expect(found)
    }

    static let secret = Array("hunter2-Sesam-öffne-dich".utf8)

    static let secretMessages: [(any Message, MessageTrace.AuthenticationFamily)] = [
        (UserAuthRequest(user: "u", method: .password(ByteBuffer(bytes: secret), new: nil)), .password),
        (
            UserAuthRequest(
                user: "u", method: .password(ByteBuffer(bytes: secret), new: ByteBuffer(bytes: secret))), .password
        ),
        (
            UserAuthRequest(user: "u", method: .other(name: "token@example.org", fields: ByteBuffer(bytes: secret))),
            .publicKey
        ),
        (UserAuthInfoResponse(answers: [ByteBuffer(bytes: secret), ByteBuffer()]), .keyboardInteractive),
        (ChannelData(recipientChannel: 1, data: ByteBuffer(bytes: secret)), .publicKey),
    ]

    @Test("Neither a password nor an answer nor file data is in a trace, as text or as hexadecimal", arguments: 0..<5)
    func secrets(_ index: Int) throws {
        let (message, family) = Self.secretMessages[index]
        let payload = try message.encoded()
        var trace = MessageTrace()
        trace.authentication = family
        // Whole, and cut or gone on after its end: a message that cannot be decoded tells no more.
        var longer = payload
        longer.writeBytes([0])
        var variants = [payload, longer]
        for length in 1..<payload.readableBytes {
            if let cut = payload.getSlice(at: 0, length: length) { variants.append(cut) }
        }
        for variant in variants {
            let text = trace.describe(variant).joined(separator: "\n")
            #expect(text.contains(type(of: message).name))
            #expect(Self.leaks(text) == false, "\(text)")
        }
    }

    /// Whether four bytes in a row of the secret can be read in `text`.
    private static func leaks(_ text: String) -> Bool {
        (0...(secret.count - 4)).contains { start in
            let piece = secret[start..<(start + 4)]
            return text.contains(Printable.text(piece))
                || text.lowercased().contains(Printable.hex(piece))
                || text.contains("\(Array(piece))".dropFirst().dropLast())
        }
    }

    @Test("Error data of a channel is described by its size alone")
    func extendedData() throws {
        var message = ChannelExtendedData()
        message.dataType = 1
        message.data = ByteBuffer(bytes: Self.secret)
        let lines = MessageTrace().describe(try message.encoded())
        #expect(lines.last == "data: string, \(4 + Self.secret.count) bytes: (\(Self.secret.count) bytes of data)")
    }

    @Test("Unknown and empty payloads are described too")
    func unknown() {
        #expect(MessageTrace().describe(ByteBuffer()) == ["empty payload"])
        #expect(MessageTrace().describe(ByteBuffer(bytes: [200, 1])) == ["message 200, payload 2 bytes (unknown)"])
    }

    @Test(
        "What a terminal could act on is escaped",
        arguments: [
            ("a\u{1b}[31mb", #"a\033[31mb"#), ("\u{0}\n\t\u{7f}", #"\000\012\011\177"#),
            ("\u{202e}txt", #"\342\200\256txt"#), ("\u{200b}", #"\342\200\213"#), ("\u{2028}", #"\342\200\250"#),
            ("\u{9b}", #"\302\233"#), ("\u{e000}", #"\356\200\200"#), ("grün 日本 🙂", "grün 日本 🙂"),
        ])
    func escapes(_ text: String, _ shown: String) {
        #expect(Printable.text(text.utf8) == shown)
    }

    @Test(
        "Emoji that a joiner makes one of stay, and a joiner anywhere else is seen",
        arguments: ["👩‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👩🏽‍🚀", "❤️‍🔥", "🧑‍⚕️ a"])
    func joinedEmoji(text: String) { #expect(Printable.text(text.utf8) == text) }

    @Test(
        "A joiner that joins no emoji is escaped",
        arguments: [
            ("a\u{200d}b", #"a\342\200\215b"#), ("👩\u{200d}", #"👩\342\200\215"#), ("\u{200d}👩", #"\342\200\215👩"#),
            ("👩\u{200d}\u{200d}💻", #"👩\342\200\215\342\200\215💻"#), ("1\u{200d}👩", #"1\342\200\215👩"#),
            ("👩\u{200d}1", #"👩\342\200\2151"#), ("👩\u{200d}\u{1b}", #"👩\342\200\215\033"#),
            ("👩 \u{200d}💻", #"👩 \342\200\215💻"#), ("\u{fe0f}\u{200d}💻", "\u{fe0f}" + #"\342\200\215💻"#),
        ])
    func strayJoiner(text: String, shown: String) { #expect(Printable.text(text.utf8) == shown) }

    @Test("What looks like a key is never a name in a message; what does not is")
    func names() {
        for name in [
            "ssh-ed25519", "aes256-gcm@openssh.com", "rot13", "IdentityFil", "DSA PRIVATE KEY", "1.2.840.113549.3.7",
        ] {
            #expect(Printable.name(name) == "\"\(name)\"")
        }
        for word in [
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", "fofSti7yWCK01WZHgpMw", "WxccRtpvKHak", "AAAAB3Nz+", "a b",
            "a\u{1b}", "ü",
        ] {
            #expect(Printable.name(word) == "a word of \(word.utf8.count) bytes")
        }
        #expect(Printable.name(String(repeating: "a-", count: 33)) == "a word of 66 bytes")
    }

    @Test("An excerpt ends between characters")
    func excerpts() {
        #expect(Printable.excerpt("abc", limit: 3) == "abc")
        #expect(Printable.excerpt("abcd", limit: 3) == "abc…")
        #expect(Printable.excerpt("aü", limit: 2) == "a…")
        #expect(Printable.excerpt("\u{1b}[m日本", limit: 5) == #"\033[m…"#)
    }

    @Test("Invalid UTF-8 is escaped byte by byte, and what is valid around it stays")
    func invalidUTF8() {
        #expect(Printable.text(hex("61 ff 62")) == #"a\377b"#)
        #expect(Printable.text(hex("c0 80")) == #"\300\200"#)
        #expect(Printable.text(hex("ed a0 80")) == #"\355\240\200"#)
        #expect(Printable.text(hex("e6 97")) == #"\346\227"#)
        #expect(Printable.text(hex("f0 9f 99 41")) == #"\360\237\231A"#)
    }

    @Test("Newlines and tabs stay where they are asked for")
    func newlines() {
        #expect(Printable.text("a\n\tb\r".utf8, keepingNewlines: true) == "a\n\tb\\015")
    }

    @Test("No random bytes put a control character into printable text")
    func random() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<500 {
            let text = Printable.text(random.bytes(24))
            #expect(text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        }
    }

    @Test("Hexadecimal is cut after its limit")
    func hexadecimal() {
        #expect(Printable.hex([0, 0xab]) == "00ab")
        #expect(Printable.hex([1, 2, 3], limit: 2) == "0102…")
        #expect(Printable.bytes([0x41]) == "\"A\"")
        #expect(Printable.bytes([0x41, 0]) == "4100")
    }
}
