import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import Testing

@testable import SSHProtocol

@Suite("Authentication")
struct AuthenticationTests {
    /// The last proof the server was shown.
    private func proof(_ pair: JoinedPair) -> AuthenticationAttempt.Proof? {
        pair.server.events.compactMap { if case .authenticationRequested(let attempt) = $0 { attempt } else { nil } }
            .last?.proof
    }

    /// The request cannot be understood, or its signature is not the key's over this session.
    private func expectNothingProved(_ pair: JoinedPair) {
        switch proof(pair) {
        case .unusableKey: break
        case .publicKey(let signed): #expect(throws: KeyError.self) { try signed.verified() }
        default: Issue.record("\(String(describing: proof(pair)))")
        }
    }

    private func publicKeyMethod(
        _ pair: JoinedPair, _ key: PrivateKey, _ algorithm: String, bound: Bool = false,
        change: (inout ByteBuffer) -> Void = { _ in }
    ) throws -> AuthenticationMethod {
        let session = try #require(pair.client.connection.sessionID)
        let hostKey = try #require(pair.client.connection.hostKey?.blob)
        var data = AuthenticationSignature.signedData(
            sessionID: session, user: "tester", algorithm: algorithm, key: key.publicKey.blob,
            hostKey: bound ? hostKey : nil)
        change(&data)
        let signature = try key.sign(data.readableBytesView, algorithm: algorithm)
        return bound
            ? .hostBoundPublicKey(
                algorithm: algorithm, key: key.publicKey.blob, hostKey: hostKey, signature: signature)
            : .publicKey(algorithm: algorithm, key: key.publicKey.blob, signature: signature)
    }

    @Test(
        "A right signature of every kind of key lets the client in",
        arguments: SignatureAlgorithm.all.filter { !$0.name.hasPrefix("sk-") }.map(\.name), [false, true])
    func signed(_ algorithm: String, _ bound: Bool) throws {
        let type = try #require(SignatureAlgorithm.named(algorithm)?.keyType)
        let key = try PrivateKey.generate(type, bits: 2048)
        let pair = JoinedPair.keyed()
        let method = try publicKeyMethod(pair, key, algorithm, bound: bound)
        pair.client.attempt { try $0.authenticate(user: "tester", method) }
        pair.run()
        guard case .publicKey(let signed) = proof(pair) else {
            Issue.record("\(String(describing: proof(pair)))")
            return
        }
        let shown = try signed.verified()
        #expect(shown.key == key.publicKey)
        #expect(shown.algorithm == algorithm)
        #expect(shown.certificate == nil)
        #expect(pair.client.connection.isAuthenticated)
    }

    @Test("A signature over anything else proves nothing", arguments: [false, true])
    func falseSignature(_ bound: Bool) throws {
        let key = try PrivateKey.generate(.ed25519)
        for index in [0, 4, 40, 70] {
            let pair = JoinedPair.keyed()
            let method = try publicKeyMethod(pair, key, "ssh-ed25519", bound: bound) {
                $0.setInteger(($0.getInteger(at: index, as: UInt8.self) ?? 0) ^ 1, at: index)
            }
            pair.client.attempt { try $0.authenticate(user: "tester", method) }
            pair.run()
            expectNothingProved(pair)
        }
    }

    @Test("A signature for another user, another key, another host or with another algorithm's name proves nothing")
    func transplanted() throws {
        let (key, other) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ed25519))
        let methods: [(JoinedPair) throws -> (String, AuthenticationMethod)] = [
            { ("root", try self.publicKeyMethod($0, key, "ssh-ed25519")) },
            { pair in
                guard case .publicKey(let name, _, let signature) = try self.publicKeyMethod(pair, key, "ssh-ed25519")
                else { return ("", .none) }
                return ("tester", .publicKey(algorithm: name, key: other.publicKey.blob, signature: signature))
            },
            { pair in
                guard
                    case .hostBoundPublicKey(let name, let blob, _, let signature) = try self.publicKeyMethod(
                        pair, key, "ssh-ed25519", bound: true)
                else { return ("", .none) }
                return (
                    "tester",
                    .hostBoundPublicKey(
                        algorithm: name, key: blob, hostKey: other.publicKey.blob, signature: signature)
                )
            },
            { pair in
                guard case .publicKey(_, let blob, let signature) = try self.publicKeyMethod(pair, key, "ssh-ed25519")
                else { return ("", .none) }
                return ("tester", .publicKey(algorithm: "rsa-sha2-256", key: blob, signature: signature))
            },
            { pair in
                guard case .publicKey(let name, let blob, _) = try self.publicKeyMethod(pair, key, "ssh-ed25519")
                else { return ("", .none) }
                return ("tester", .publicKey(algorithm: name, key: blob, signature: ByteBuffer()))
            },
        ]
        for make in methods {
            let pair = JoinedPair.keyed()
            let (user, method) = try make(pair)
            pair.client.attempt { try $0.authenticate(user: user, method) }
            pair.run()
            expectNothingProved(pair)
        }
    }

    @Test("A key that is only offered proves nothing, and the client hears that it would do")
    func offered() throws {
        let key = try PrivateKey.generate(.ed25519)
        let pair = JoinedPair.keyed()
        pair.server.acts = { connection, event in
            guard case .authenticationRequested(let attempt) = event,
                case .publicKeyOffered(let shown) = attempt.proof
            else { return false }
            try connection.acknowledge(shown)
            return true
        }
        pair.client.attempt {
            try $0.authenticate(
                user: "tester", .publicKey(algorithm: "ssh-ed25519", key: key.publicKey.blob, signature: nil))
        }
        pair.run()
        #expect(pair.client.story.last == "publicKeyAcceptable")
        #expect(!pair.client.connection.isAuthenticated)
        let method = try publicKeyMethod(pair, key, "ssh-ed25519")
        pair.client.attempt { try $0.authenticate(user: "tester", method) }
        pair.run()
        #expect(pair.client.connection.isAuthenticated)
    }

    @Test("A server that accepts another key than the one asked about is at fault")
    func otherKeyAccepted() throws {
        let (key, other) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ed25519))
        let pair = JoinedPair.keyed()
        pair.server.acts = { connection, event in
            guard case .authenticationRequested = event else { return false }
            try connection.acknowledge(
                ShownKey(key: other.publicKey, certificate: nil, algorithm: "ssh-ed25519", securityKey: nil))
            return true
        }
        pair.client.attempt {
            try $0.authenticate(
                user: "tester", .publicKey(algorithm: "ssh-ed25519", key: key.publicKey.blob, signature: nil))
        }
        pair.run()
        guard case .violation = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
    }

    @Test("A password arrives, and so does its change")
    func password() throws {
        let pair = JoinedPair.keyed()
        let (old, new) = (ByteBuffer(string: "old"), ByteBuffer(string: "new"))
        pair.server.acts = { connection, event in
            guard case .authenticationRequested(let attempt) = event, case .password(_, nil) = attempt.proof else {
                return false
            }
            try connection.requestPasswordChange(prompt: "expired")
            return true
        }
        pair.client.attempt { try $0.authenticate(user: "tester", .password(old, new: nil)) }
        pair.run()
        guard case .passwordChangeRequested(let prompt) = pair.client.events.last else {
            Issue.record("\(pair.client.story)")
            return
        }
        #expect(prompt == ByteBuffer(string: "expired"))
        pair.client.attempt { try $0.authenticate(user: "tester", .password(old, new: new)) }
        pair.run()
        guard case .password(old, new: .some(new)) = proof(pair) else {
            Issue.record("\(String(describing: proof(pair)))")
            return
        }
        #expect(pair.client.connection.isAuthenticated)
    }

    private func questions(_ texts: [String]) -> UserAuthInfoRequest {
        var request = UserAuthInfoRequest()
        request.prompts = texts.map { .init(text: ByteBuffer(string: $0), echo: false) }
        return request
    }

    @Test("Questions are put and answered in as many rounds as the server likes")
    func keyboardInteractive() throws {
        let pair = JoinedPair.keyed()
        var answers: [[ByteBuffer]] = []
        pair.server.acts = { connection, event in
            switch event {
            case .authenticationRequested:
                try connection.requestInformation(self.questions(["Password: ", "Token: "]))
            case .informationGiven(let given):
                answers.append(given)
                if answers.count == 1 {
                    try connection.requestInformation(self.questions([]))
                } else {
                    try connection.acceptAuthentication()
                }
            default: return false
            }
            return true
        }
        pair.client.acts = { connection, event in
            guard case .informationRequested(let request) = event else { return false }
            try connection.answer(request.prompts.map { ByteBuffer(string: "to " + String(buffer: $0.text)) })
            return true
        }
        pair.client.attempt { try $0.authenticate(user: "tester", .keyboardInteractive(submethods: "")) }
        pair.run()
        #expect(pair.client.connection.isAuthenticated)
        #expect(answers == [[ByteBuffer(string: "to Password: "), ByteBuffer(string: "to Token: ")], []])
    }

    @Test("Answers to no question, or another number of them, are refused and harm nothing")
    func answersOutOfTurn() {
        let pair = JoinedPair.keyed()
        #expect(throws: ConnectionError.self) { try pair.client.connection.answer([]) }
        pair.server.acts = { connection, event in
            guard case .authenticationRequested = event else { return false }
            try connection.requestInformation(self.questions(["a", "b"]))
            return true
        }
        #expect(throws: Never.self) {
            try pair.client.connection.authenticate(user: "tester", .keyboardInteractive(submethods: ""))
        }
        pair.run()
        #expect(throws: ConnectionError.self) { try pair.client.connection.answer([ByteBuffer()]) }
        #expect(throws: Never.self) { try pair.client.connection.answer([ByteBuffer(), ByteBuffer()]) }
        #expect(throws: ConnectionError.self) { try pair.client.connection.answer([ByteBuffer(), ByteBuffer()]) }
        #expect(pair.client.connection.failure == nil)
    }

    @Test("Questions upon questions without waiting for answers end the connection")
    func questionsUponQuestions() {
        let pair = JoinedPair.keyed()
        pair.server.acts = { connection, event in
            guard case .authenticationRequested = event else { return false }
            try connection.requestInformation(self.questions(["a"]))
            return true
        }
        pair.client.attempt { try $0.authenticate(user: "tester", .keyboardInteractive(submethods: "")) }
        pair.run()
        pair.inject(questions(["b"]), from: pair.server)
        pair.run()
        guard case .violation = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
    }

    @Test("Refusals name what may be tried, partial successes say so, and another try is possible")
    func partialSuccess() {
        let pair = JoinedPair.keyed()
        var tries = 0
        pair.server.acts = { connection, event in
            guard case .authenticationRequested = event else { return false }
            tries += 1
            if tries < 3 {
                try connection.rejectAuthentication(
                    methods: ["publickey", "password"], partialSuccess: tries == 2)
            } else {
                try connection.acceptAuthentication()
            }
            return true
        }
        for expected in [false, true] {
            pair.client.attempt { try $0.authenticate(user: "tester", .none) }
            pair.run()
            guard case .authenticationFailed(["publickey", "password"], expected) = pair.client.events.last else {
                Issue.record("\(pair.client.story)")
                return
            }
        }
        pair.client.attempt { try $0.authenticate(user: "tester", .none) }
        pair.run()
        #expect(pair.client.connection.isAuthenticated)
    }

    @Test("Verbs out of turn throw and leave the connection as it was")
    func outOfTurn() throws {
        let pair = JoinedPair.keyed()
        let key = try PrivateKey.generate(.ed25519).publicKey
        #expect(throws: ConnectionError.self) { try pair.server.connection.acceptAuthentication() }
        #expect(throws: ConnectionError.self) { try pair.server.connection.rejectAuthentication(methods: []) }
        let shown = ShownKey(key: key, certificate: nil, algorithm: "", securityKey: nil)
        #expect(throws: ConnectionError.self) { try pair.server.connection.acknowledge(shown) }
        #expect(throws: ConnectionError.self) { try pair.server.connection.requestPasswordChange(prompt: "") }
        #expect(throws: ConnectionError.self) { try pair.server.connection.authenticate(user: "tester", .none) }
        #expect(throws: ConnectionError.self) { try pair.client.connection.acceptHostKey() }
        #expect(throws: ConnectionError.self) { try pair.client.connection.openChannel() }
        #expect(throws: ConnectionError.self) { try pair.client.connection.globalRequest("x", wantReply: true) }
        pair.client.attempt { try $0.authenticate(user: "tester", .none) }
        #expect(throws: ConnectionError.self) { try pair.client.connection.authenticate(user: "tester", .none) }
        pair.run()
        #expect(throws: ConnectionError.self) { try pair.client.connection.authenticate(user: "tester", .none) }
        #expect(pair.client.connection.failure == nil)
        #expect(pair.server.connection.failure == nil)
        #expect(pair.client.connection.isAuthenticated)
    }

    @Test("Requests after success are ignored, whatever they ask")
    func afterSuccess() {
        let pair = JoinedPair.authenticated()
        pair.inject(UserAuthRequest(user: "root", method: .none), from: pair.client)
        pair.run()
        #expect(pair.server.failure == nil)
        #expect(pair.server.story.count { $0 == "authenticationRequested" } == 1)
    }

    @Test("Messages of the connection protocol before success end the connection")
    func early() {
        // One CHANNEL_OPEN is forgiven: EarlySessionTests.
        for message in [ChannelData(), GlobalRequest(request: "x", wantReply: true)] as [any Message] {
            let pair = JoinedPair.keyed()
            pair.inject(message, from: pair.client)
            pair.run()
            guard case .unexpected(type(of: message).number, _) = pair.server.failure else {
                Issue.record("\(String(describing: pair.server.failure))")
                continue
            }
        }
    }

    @Test("A success, a refusal or a question nobody asked for ends the connection")
    func unasked() {
        let messages: [any Message] = [
            UserAuthSuccess(), UserAuthFailure(methods: [], partialSuccess: false), UserAuthInfoRequest(),
            ServiceAccept(service: "ssh-userauth"),
        ]
        for message in messages {
            let pair = JoinedPair.keyed()
            pair.inject(message, from: pair.server)
            pair.run()
            #expect(pair.client.failure != nil)
            #expect(!pair.client.connection.isAuthenticated)
        }
    }

    @Test("What a client sends behind its request waits for the verdict, up to a limit")
    func pipelined() {
        let pair = JoinedPair.keyed()
        pair.server.acts = { _, event in if case .authenticationRequested = event { true } else { false } }
        pair.client.attempt { try $0.authenticate(user: "tester", .none) }
        pair.inject(
            ChannelOpen(type: .session, senderChannel: 5, initialWindowSize: 100, maximumPacketSize: 100),
            from: pair.client)
        pair.run()
        #expect(!pair.server.story.contains("channelOffered"))
        #expect(pair.server.connection.isPaused)
        pair.server.attempt { try $0.acceptAuthentication() }
        pair.run()
        #expect(pair.server.story.contains("channelOffered"))

        let flooded = JoinedPair.keyed()
        flooded.server.acts = { _, event in if case .authenticationRequested = event { true } else { false } }
        flooded.client.attempt { try $0.authenticate(user: "tester", .none) }
        for _ in 0..<100 {
            var message = Ignore()
            message.data = ByteBuffer(repeating: 0, count: 30_000)
            flooded.inject(message, from: flooded.client)
        }
        flooded.run()
        guard case .violation = flooded.server.failure else {
            Issue.record("\(String(describing: flooded.server.failure))")
            return
        }
    }

    @Test("Banners reach the client")
    func banner() {
        let pair = JoinedPair.keyed()
        pair.server.attempt { try $0.sendBanner("Welcome") }
        pair.run()
        guard case .banner(ByteBuffer(string: "Welcome")) = pair.client.events.last else {
            Issue.record("\(pair.client.story)")
            return
        }
    }

    @Test("Another service, or the same twice, is refused with the reason for it", arguments: ["ssh-connection", "x"])
    func otherService(_ name: String) {
        let pair = JoinedPair.keyed()
        pair.inject(ServiceRequest(service: name), from: pair.client)
        pair.run()
        guard case .disconnected(.serviceNotAvailable, _) = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
    }
}

func ~= (pattern: ByteBuffer?, value: ByteBuffer?) -> Bool { pattern == value }
func ~= (pattern: [String], value: [String]) -> Bool { pattern == value }
