import NIOCore
import SSHClient
import SSHConfig
import SSHKeys
import SSHNIO
import SSHProtocol
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import SSHServer

/// Lets in one key and the certificates of one authority, and notes whether it was asked about proved keys.
private final class Lists: LoginPolicy {
    let key: PublicKey
    let authority: PublicKey
    let asked = Mutex<[Bool]>([])

    init(key: PublicKey, authority: PublicKey) { (self.key, self.authority) = (key, authority) }

    func check(key offered: OfferedKey, of attempt: LoginAttempt) async -> KeyVerdict {
        asked.withLock { $0.append(offered.isProved) }
        let isListed = offered.certificate.map { $0.authority == authority } ?? (offered.key == key)
        return isListed ? .accepted() : .refused("on no list")
    }
}

@Suite("The door: how a client is let in", .timeLimit(.minutes(hangMinutes)))
struct AuthenticationConversationTests {
    private func connected(
        _ policy: any LoginPolicy, change: @Sendable (inout LoginConversation.Options) -> Void = { _ in }
    ) async throws -> (DoorServer, RawClient) {
        let server = try await DoorServer(policy, change: change)
        return (server, try await RawClient(server))
    }

    private func finish(_ server: DoorServer, _ client: RawClient) async {
        await client.transport.close()
        await server.stop()
    }

    @Test("The right password lets in; a wrong one does not, and the log tells neither")
    func password() async throws {
        var (server, client) = try await connected(StaticPolicy(users: ["me": .password("open sesame")]))
        #expect(try await client.ask(.none) == .failure(["password", "keyboard-interactive"], partial: false))
        #expect(try await client.password("wrong one").isFailure)
        #expect(try await client.password("").isFailure)
        #expect(try await client.password("open sesame") == .success)
        let login = try await server.outcome()
        #expect(login.user == "me" && login.address == "127.0.0.1" && login.method == "password" && login.key == nil)
        #expect(server.reasons == ["wrong password", "wrong password"])
        #expect(server.events.last?.outcome == .accepted && server.events.last?.failures == 2)
        let log = server.events.map { "\($0)" }.joined()
        #expect(!log.contains("sesame") && !log.contains("wrong one"))
        await finish(server, client)
    }

    @Test("Questions and answers ask for the password; who goes without an answer is not let in")
    func keyboardInteractive() async throws {
        var (server, client) = try await connected(StaticPolicy(users: ["me": .password("x")])) { $0.maxAttempts = 4 }
        let method = AuthenticationMethod.keyboardInteractive(submethods: "")
        #expect(try await client.ask(method) == .questions("", ["Password: "]))
        #expect(try await client.reply(["y"]).isFailure)
        #expect(try await client.ask(method) == .questions("", ["Password: "]))
        #expect(try await client.reply(["x"]) == .success)
        #expect(try await server.outcome().method == "keyboard-interactive")
        await client.transport.close()

        var other = try await RawClient(server)
        #expect(try await other.ask(method) == .questions("", ["Password: "]))
        await other.transport.close()
        await #expect(throws: TransportError.self) { _ = try await server.outcome() }
        await server.stop()
    }

    @Test(
        "Our own client logs in with a password, whichever way it is asked for",
        arguments: ["password", "keyboard-interactive"])
    func ownClient(_ method: String) async throws {
        struct Answering: UserInterface {
            func ask(_ question: String) async -> String? { "x" }
            func askSecret(_ prompt: String) async -> [UInt8]? { Array("x".utf8) }
            func tell(_ text: String) {}
        }
        let server = try await DoorServer(StaticPolicy(users: ["me": .password("x")])) { $0.banner = "Hello\n" }
        var options = ClientOptions(host: "127.0.0.1")
        options.port = server.port
        options.user = "me"
        options.noHostAuthenticationForLocalhost = true
        options.identityFiles = []
        options.agentSocket = nil
        options.preferredAuthentications = [method]
        let client = try await SSHClient.connect(options, interface: Answering())
        #expect(try await server.outcome().method == method)
        await client.close()
        await server.stop()
    }

    @Test("A key that is known is welcomed when offered and lets in when signed with", arguments: [false, true])
    func key(_ bound: Bool) async throws {
        let (key, other) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ecdsaP256))
        var (server, client) = try await connected(StaticPolicy(users: ["me": .keys([key.publicKey])]))
        #expect(try await client.offer(other.publicKey).isFailure)
        #expect(try await client.sign(other, bound: bound).isFailure)
        #expect(try await client.offer(key.publicKey) == .keyAcceptable)
        #expect(try await client.sign(key, bound: bound) == .success)
        let login = try await server.outcome()
        #expect(login.method == "publickey" && login.key == "ED25519 \(key.publicKey.fingerprint())")
        #expect(server.events.map(\.failures) == [1, 2, 2])
        #expect(server.events.first?.key == "ECDSA \(other.publicKey.fingerprint())")
        await finish(server, client)
    }

    @Test("A false signature, a key of another user and SHA-1 are refused")
    func falseKeys() async throws {
        let (key, rsa) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.rsa, bits: 2048))
        let keys = [key.publicKey, rsa.publicKey]
        var (server, client) = try await connected(StaticPolicy(users: ["me": .keys(keys), "you": .keys([])]))
        let false1 = try await client.prove(key.publicKey.blob, "ssh-ed25519") { data in
            try key.sign(Array(data.readableBytesView) + [0], algorithm: "ssh-ed25519")
        }
        #expect(false1.isFailure)
        #expect(try await client.sign(rsa, algorithm: "ssh-rsa").isFailure)
        #expect(server.reasons == [#"the "ssh-ed25519" signature is wrong"#, "signatures by ssh-rsa are not taken"])
        #expect(try await client.sign(rsa, algorithm: "rsa-sha2-256") == .success)
        await client.transport.close()
        var other = try await RawClient(server)
        #expect(try await other.sign(key, as: "you").isFailure)
        #expect(try await other.sign(key, as: "you").isFailure)
        await finish(server, other)
    }

    @Test("Two steps are both needed, in their order; the first is a partial success and no failure")
    func steps() async throws {
        let key = try PrivateKey.generate(.ed25519)
        let user = StaticPolicy.User.both(keys: [key.publicKey], password: "x")
        var (server, client) = try await connected(StaticPolicy(users: ["me": user]))
        #expect(try await client.password("x") == .failure(["publickey"], partial: false))
        #expect(try await client.sign(key) == .failure(["password", "keyboard-interactive"], partial: true))
        #expect(try await client.sign(key).isFailure)
        #expect(try await client.password("y").isFailure)
        #expect(try await client.password("x") == .success)
        let login = try await server.outcome()
        #expect(login.method == "publickey,password" && login.key != nil)
        #expect(server.events.map(\.failures) == [1, 1, 2, 3, 3])
        await finish(server, client)
    }

    @Test("One key is not good for two steps")
    func twoKeys() async throws {
        struct TwoKeys: LoginPolicy {
            func steps(for attempt: LoginAttempt) async -> [[LoginMethod]] { [[], [.publicKey, .publicKey]] }
            func check(key: OfferedKey, of attempt: LoginAttempt) async -> KeyVerdict { .accepted() }
        }
        let (first, second) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ed25519))
        var (server, client) = try await connected(TwoKeys())
        #expect(try await client.sign(first) == .failure(["publickey"], partial: true))
        #expect(try await client.offer(first.publicKey).isFailure)
        #expect(try await client.sign(first).isFailure)
        #expect(try await client.sign(second) == .success)
        #expect(try await server.outcome().method == "publickey,publickey")
        await finish(server, client)
    }

    @Test("After too many failures the client is sent away with the reason", arguments: [1, 2, 6])
    func tooMany(_ most: Int) async throws {
        var (server, client) = try await connected(StaticPolicy(users: ["me": .password("x")])) {
            $0.maxAttempts = most
        }
        #expect(try await client.ask(.none).isFailure)
        for _ in 1..<most { #expect(try await client.password("y").isFailure) }
        #expect(try await client.password("y") == .disconnected(2, "Too many authentication failures"))
        await #expect(throws: LoginError.tooManyFailures(most)) { _ = try await server.outcome() }
        #expect(server.events.last?.outcome == .disconnected(reason: "Too many authentication failures"))
        await finish(server, client)
    }

    @Test("A signature is verified only for a key that some list names, and what is listed must be signed well")
    func verification() async throws {
        let (key, stranger) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ed25519))
        let (authority, forger) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ed25519))
        let policy = Lists(key: key.publicKey, authority: authority.publicKey)
        var (server, client) = try await connected(policy) { $0.maxAttempts = 20 }
        let wrong = try key.sign(Array("something else".utf8), algorithm: "ssh-ed25519")
        #expect(try await client.prove(stranger.publicKey.blob, "ssh-ed25519") { _ in wrong }.isFailure)
        #expect(server.reasons.last == "on no list")
        #expect(try await client.prove(key.publicKey.blob, "ssh-ed25519") { _ in wrong }.isFailure)
        #expect(server.reasons.last?.contains("signature") == true)
        // A certificate that names an authority which has not signed it, offered and used.
        let real = try CertificateContent().certificate(for: key.publicKey, by: authority)
        var bytes = real.blobBytes
        bytes[bytes.count - 1] ^= 1
        let spoilt = try Certificate(unverified: ByteBuffer(bytes: bytes))
        #expect(try await client.offer(key.publicKey, spoilt).isFailure)
        #expect(try await client.sign(key, spoilt).isFailure)
        #expect(server.reasons.last?.contains("signature") == true)
        let others = try CertificateContent().certificate(for: key.publicKey, by: forger)
        #expect(try await client.sign(key, others).isFailure)
        #expect(server.reasons.last == "on no list")
        #expect(policy.asked.withLock { $0 } == [Bool](repeating: false, count: 5))
        #expect(try await client.offer(key.publicKey, real) == .keyAcceptable)
        #expect(try await client.sign(key, real) == .success)
        #expect(policy.asked.withLock { $0.last } == true)
        await finish(server, client)
    }

    @Test("Asking for nothing counts as a failure from the second time on, unknown methods and unread keys always")
    func nothing() async throws {
        var (server, client) = try await connected(StaticPolicy(users: [:])) { $0.maxAttempts = 4 }
        #expect(try await client.ask(.none).isFailure)
        #expect(try await client.ask(.none).isFailure)
        #expect(try await client.ask(.other(name: "hostbased\u{1b}", fields: ByteBuffer())).isFailure)
        let garbage = ByteBuffer(string: "garbage")
        #expect(try await client.ask(.publicKey(algorithm: "x", key: garbage, signature: nil)).isFailure)
        #expect(try await client.ask(.none) == .disconnected(2, "Too many authentication failures"))
        #expect(server.events.map(\.method) == ["none", "hostbased\\033", "publickey", "none", "none"])
        await finish(server, client)
    }

    @Test("Welcomed questions about a key are no failures, but they have an end")
    func endlessQuestions() async throws {
        let key = try PrivateKey.generate(.ed25519).publicKey
        var (server, client) = try await connected(StaticPolicy(users: ["me": .keys([key])])) { $0.maxRequests = 12 }
        for _ in 0..<12 { #expect(try await client.offer(key) == .keyAcceptable) }
        #expect(try await client.offer(key) == .disconnected(2, "Too many authentication requests"))
        await #expect(throws: LoginError.tooManyRequests(13)) { _ = try await server.outcome() }
        await finish(server, client)
    }

    @Test("A client that changes the user's name is sent away, and so is one that composes it otherwise")
    func userChange() async throws {
        for (first, second) in [("me", "root"), ("e\u{301}", "\u{e9}")] {
            var (server, client) = try await connected(StaticPolicy(users: ["me": .password("x")]))
            #expect(try await client.ask(.none, as: first).isFailure)
            let answer = try await client.password("x", as: second)
            #expect(answer == .disconnected(2, "Change of username not allowed"))
            await #expect(throws: LoginError.userChanged) { _ = try await server.outcome() }
            await finish(server, client)
        }
    }

    @Test(
        "Names that would be dangerous in a path or a log reach no policy",
        arguments: [
            "", ".", "..", "a/b", "../me", "a\0b", "a\nb", "a\u{1b}[2J", "a\u{202e}b",
            String(repeating: "a", count: 256),
        ])
    func unsoundNames(_ name: String) async throws {
        struct Everybody: LoginPolicy {
            func check(password: LoginSecret, of attempt: LoginAttempt) async -> PasswordVerdict { .accepted() }
        }
        var (server, client) = try await connected(Everybody())
        #expect(try await client.password("x", as: name).isFailure)
        #expect(server.reasons == ["not a user's name"])
        #expect(server.events.allSatisfy { $0.user.unicodeScalars.allSatisfy { $0.value >= 0x20 } })
        await finish(server, client)
    }

    @Test("The banner comes once, before the first answer")
    func banner() async throws {
        var (server, client) = try await connected(StaticPolicy(users: [:])) { $0.banner = "Keep out\n" }
        #expect(try await client.ask(.none).isFailure)
        #expect(client.banners == ["Keep out\n"])
        #expect(try await client.password("x").isFailure)
        #expect(client.banners == ["Keep out\n"])
        await finish(server, client)
    }

    /// A program's own policy: a token besides the password, and a password that must be changed.
    private struct Own: LoginPolicy {
        struct Token: LoginQuestions {
            var round = 0
            mutating func next(answers: [LoginSecret]) async -> LoginQuestionStep {
                round += 1
                switch round {
                case 1: return .ask(instruction: "two things", prompts: [LoginPrompt("Color: "), LoginPrompt("Pet: ")])
                case 2: return .ask(prompts: [])
                default: return .accepted(LoginPermissions(isReadOnly: true))
                }
            }
        }
        func check(password: LoginSecret, of attempt: LoginAttempt) async -> PasswordVerdict {
            password.bytes == Array("old".utf8) ? .mustBeChanged(prompt: "It is old.") : .refused("no")
        }
        func change(
            password: LoginSecret, to new: LoginSecret, of attempt: LoginAttempt
        ) async -> PasswordVerdict {
            password.bytes == Array("old".utf8) && new.count > 3 ? .accepted() : .refused("too short")
        }
        func keyboardInteractive(for attempt: LoginAttempt) async -> any LoginQuestions {
            attempt.user == "me" ? Token() : PasswordQuestions(policy: self, attempt: attempt)
        }
    }

    @Test("A policy may ask in as many rounds as it likes, and what it grants arrives")
    func rounds() async throws {
        var (server, client) = try await connected(Own())
        #expect(
            try await client.ask(.keyboardInteractive(submethods: ""))
                == .questions("two things", ["Color: ", "Pet: "]))
        #expect(try await client.reply(["red", "cat"]) == .questions("", []))
        #expect(try await client.reply([]) == .success)
        #expect(try await server.outcome().permissions == LoginPermissions(isReadOnly: true))
        await finish(server, client)
    }

    @Test("A password that must be changed lets in with the new one only")
    func change() async throws {
        var (server, client) = try await connected(Own())
        #expect(try await client.password("old") == .changeRequested("It is old."))
        #expect(try await client.password("old", new: "new").isFailure)
        #expect(try await client.password("old", new: "newer") == .success)
        await client.transport.close()
        var other = try await RawClient(server)
        let method = AuthenticationMethod.keyboardInteractive(submethods: "")
        #expect(try await other.ask(method, as: "you") == .questions("", ["Password: "]))
        #expect(try await other.reply(["old"]) == .questions("It is old.", ["New password: ", "New password again: "]))
        #expect(try await other.reply(["newer", "newest"]).isFailure)
        #expect(try await other.ask(method, as: "you") == .questions("", ["Password: "]))
        _ = try await other.reply(["old"])
        #expect(try await other.reply(["newer", "newer"]) == .success)
        await finish(server, other)
    }

    @Test("Questions left unanswered for another request count as a failure")
    func abandoned() async throws {
        var (server, client) = try await connected(StaticPolicy(users: ["me": .password("x")])) { $0.maxAttempts = 2 }
        // The client of this package does not leave questions unanswered, so the request goes past it.
        #expect(try await client.ask(.keyboardInteractive(submethods: "")) == .questions("", ["Password: "]))
        let request = UserAuthRequest(user: "me", method: .password(ByteBuffer(string: "y"), new: nil))
        #expect(try await client.inject(request) == .disconnected(2, "Too many authentication failures"))
        #expect(server.reasons.first == "the questions were left unanswered")
        await finish(server, client)
    }

    @Test("Too few answers are a failure, not a fault of the connection")
    func tooFewAnswers() async throws {
        var (server, client) = try await connected(StaticPolicy(users: ["me": .password("x")]))
        #expect(try await client.ask(.keyboardInteractive(submethods: "")) == .questions("", ["Password: "]))
        #expect(try await client.inject(UserAuthInfoResponse(answers: [])).isFailure)
        #expect(server.reasons == ["0 answers to 1 questions"])
        #expect(try await client.password("x") == .success)
        await finish(server, client)
    }

    @Test("A security key must be touched, and must verify its owner where that is demanded")
    func securityKeys() async throws {
        struct Demanding: LoginPolicy {
            let presence: OwnerPresence
            func check(key: OfferedKey, of attempt: LoginAttempt) async -> KeyVerdict { .accepted(presence: presence) }
        }
        let key = SoftSecurityKey()
        let blob = try key.publicKey.blob
        let cases: [(OwnerPresence, UInt8, Bool)] = [
            (.touched, 0, false), (.touched, 1, true), (.touched, 4, false), (.notNeeded, 0, true),
            (.verified, 1, false), (.verified, 4, false), (.verified, 5, true),
        ]
        for (presence, flags, isLetIn) in cases {
            var (server, client) = try await connected(Demanding(presence: presence))
            let answer = try await client.prove(blob, SoftSecurityKey.algorithm) { try key.sign($0, flags: flags) }
            #expect((answer == .success) == isLetIn, "\(presence) \(flags)")
            await finish(server, client)
        }
        let plain = try PrivateKey.generate(.ed25519)
        var (server, client) = try await connected(Demanding(presence: .verified))
        #expect(try await client.sign(plain).isFailure)
        await finish(server, client)
    }

    @Test("A client that says nothing, or goes, ends the conversation with an error")
    func silence() async throws {
        let impatient = try await DoorServer(StaticPolicy(users: [:]), deadline: 1)
        // On a busy machine the time may be over before the keys are there.
        let silent = try? await RawClient(impatient)
        await #expect(throws: TransportError.self) { _ = try await impatient.outcome() }
        await silent?.transport.close()
        await impatient.stop()

        let server = try await DoorServer(StaticPolicy(users: [:]))
        let gone = try await RawClient(server)
        await gone.transport.close()
        await #expect(throws: TransportError.self) { _ = try await server.outcome() }
        await server.stop()
    }

    @Test("A failure is told after a time that is the same whatever was found, and later where there is a penalty")
    func time() async throws {
        struct Slow: LoginPolicy {
            func check(password: LoginSecret, of attempt: LoginAttempt) async -> PasswordVerdict {
                if attempt.user == "known" { try? await Task.sleep(for: .milliseconds(60)) }
                return .refused("no")
            }
        }
        let clock = ContinuousClock()
        for user in ["known", "unknown"] {
            var (server, client) = try await connected(Slow()) { $0.failureTime = .milliseconds(200) }
            let start = clock.now
            let answer = try await client.password("x", as: user)
            let taken = clock.now - start
            #expect(answer.isFailure)
            #expect(taken >= .milliseconds(200))
            await finish(server, client)
        }
        var (server, client) = try await connected(Slow()) {
            $0.penalty = { _, failures in .milliseconds(100 * failures) }
        }
        _ = try await client.password("x")
        let start = clock.now
        _ = try await client.password("x")
        let taken = clock.now - start
        #expect(taken >= .milliseconds(200))
        await finish(server, client)
    }
}
