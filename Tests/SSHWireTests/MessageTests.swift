import NIOCore
import SSHWire
import TestSupport
import Testing

@Suite("Messages")
struct MessageTests {
    @Test("Every message decodes to what was encoded", arguments: MessageSample.all)
    func roundTrip(_ sample: MessageSample) throws {
        for seed in 0..<50 as Range<UInt64> {
            let message = try sample.make(seed: seed)
            let payload = try message.encoded()
            #expect(payload.getInteger(at: 0, as: UInt8.self) == sample.type.number)
            let decoded = try sample.type.init(payload: payload)
            #expect(decoded.fields == message.fields)
            #expect(try decoded.encoded() == payload)
        }
    }

    @Test("Every truncation of a message is refused", arguments: MessageSample.all)
    func truncation(_ sample: MessageSample) throws {
        for seed in 0..<5 as Range<UInt64> {
            let message = try sample.make(seed: seed)
            let payload = try message.encoded()
            // What an open-ended field holds may be cut without a trace.
            let open = sample.isOpenEnded ? message.fields.last?.size ?? 0 : 0
            for length in 0..<(payload.readableBytes - open) {
                guard let cut = payload.getSlice(at: 0, length: length) else { continue }
                #expect(throws: WireError.self) { try sample.type.init(payload: cut) }
            }
        }
    }

    @Test("Bytes after the last field are refused", arguments: MessageSample.all.filter { !$0.isOpenEnded })
    func trailingBytes(_ sample: MessageSample) throws {
        var payload = try sample.make(seed: 1).encoded()
        payload.writeBytes([1, 2])
        #expect(throws: WireError.trailingBytes(message: sample.type.name, count: 2)) {
            try sample.type.init(payload: payload)
        }
    }

    @Test("A payload of another number is refused", arguments: MessageSample.all)
    func otherNumber(_ sample: MessageSample) throws {
        var payload = try sample.make(seed: 1).encoded()
        payload.setInteger(sample.type.number &+ 1, at: 0)
        #expect(throws: WireError.unexpectedMessage(expected: sample.type.number, found: sample.type.number &+ 1)) {
            try sample.type.init(payload: payload)
        }
        #expect(throws: WireError.unexpectedMessage(expected: sample.type.number, found: nil)) {
            try sample.type.init(payload: ByteBuffer())
        }
    }

    @Test("Random bytes after a message's number never do more than throw", arguments: MessageSample.all)
    func garbage(_ sample: MessageSample) {
        var random = SeededGenerator(seed: 99)
        for _ in 0..<300 {
            var payload = ByteBuffer(integer: sample.type.number)
            var body = random.buffer(upTo: 60)
            // Lengths that are nearly right go deeper than lengths of four random bytes.
            if Bool.random(using: &random), body.readableBytes >= 4 {
                body.setInteger(UInt32.random(in: 0...80, using: &random), at: 0)
            }
            payload.writeImmutableBuffer(body)
            guard let message = try? sample.type.init(payload: payload) else { continue }
            #expect(!message.fields.contains { $0.name.isEmpty })
        }
    }

    @Test("Sizes of the fields add up to the payload", arguments: MessageSample.all)
    func sizes(_ sample: MessageSample) throws {
        for seed in 0..<50 as Range<UInt64> {
            let message = try sample.make(seed: seed)
            #expect(try 1 + message.fields.map(\.size).reduce(0, +) == message.encoded().readableBytes)
        }
    }

    @Test("Counts that promise more than anybody sends are refused before anything is allocated for them")
    func hostileCounts() {
        var extensions = ByteBuffer(integer: ExtensionInfo.number)
        extensions.writeInteger(UInt32.max)
        #expect(throws: WireError.invalid(field: "nr-extensions", reason: "4294967295, at most 1024 are read")) {
            try ExtensionInfo(payload: extensions)
        }
        var answers = ByteBuffer(integer: UserAuthInfoResponse.number)
        answers.writeInteger(UInt32.max)
        #expect(throws: WireError.invalid(field: "num-responses", reason: "4294967295, at most 256 are read")) {
            try UserAuthInfoResponse(payload: answers)
        }
        var prompts = ByteBuffer(integer: UserAuthInfoRequest.number)
        for _ in 0..<3 { prompts.writeSSHString("") }
        prompts.writeInteger(UInt32.max)
        #expect(throws: WireError.invalid(field: "num-prompts", reason: "4294967295, at most 256 are read")) {
            try UserAuthInfoRequest(payload: prompts)
        }
    }

    @Test("A KEXINIT's cookie has 16 bytes")
    func cookie() {
        var message = KexInit()
        message.cookie = ByteBuffer(repeating: 0, count: 15)
        #expect(throws: WireError.invalid(field: "cookie", reason: "16 bytes wanted, 15 given")) {
            try message.encoded()
        }
    }

    @Test("A key request says whether a signature follows, and the signature follows only then")
    func signatureFlag() throws {
        let key = ByteBuffer(string: "key")
        for signature in [nil, ByteBuffer(string: "signature")] {
            let request = UserAuthRequest(
                user: "u", method: .publicKey(algorithm: "a", key: key, signature: signature))
            let decoded = try UserAuthRequest(payload: request.encoded())
            #expect(decoded.method == request.method)
        }
    }
}
