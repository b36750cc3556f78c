import NIOCore
import NIOPosix
import SSHKeys
import SSHWire
import TestSupport
import Testing

@testable import SSHClient
@testable import SSHConfig

/// Says the same to whoever connects and asks something.
private final class FakeAgent: Sendable {
    let path: String
    private let directory: TemporaryDirectory
    private let channel: any NIOCore.Channel

    /// - Parameter answer: the bytes of every answer; nil for hanging up instead.
    init(_ answer: [UInt8]?) async throws {
        directory = try TemporaryDirectory("scp-test-fake-agent")
        path = directory.file("agent")
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answerer(answer))
                }
            }
            .bind(unixDomainSocketPath: path).get()
    }

    deinit { channel.close(promise: nil) }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let answer: [UInt8]?
        init(_ answer: [UInt8]?) { self.answer = answer }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let answer else { return context.close(promise: nil) }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
        }
    }
}

@Suite("An agent's answers", .timeLimit(.minutes(hangMinutes)))
struct AgentTests {
    /// An answer with its length.
    private func framed(_ body: [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeSSHString(body)
        return Array(buffer.readableBytesView)
    }

    private func identities(_ keys: [(blob: ByteBuffer, comment: String)]) -> [UInt8] {
        var body = ByteBuffer()
        body.writeInteger(12 as UInt8)
        body.writeInteger(UInt32(keys.count))
        for key in keys {
            body.writeSSHString(key.blob)
            body.writeSSHString(key.comment)
        }
        return Array(body.readableBytesView)
    }

    @Test("Every answer that is cut short, or is none, is a typed error")
    func malformed() async throws {
        let key = try PrivateKey.generate(.ed25519)
        let whole = identities([(key.publicKey.blob, "mine")])
        var answers: [[UInt8]?] = [nil, [0, 0, 0, 0], [255, 255, 255, 255, 12], framed([99]), framed([6])]
        answers += stride(from: 0, to: whole.count, by: 7).map { framed(Array(whole.prefix($0))) }
        for answer in answers {
            let agent = try await FakeAgent(answer)
            let client = try await AgentClient.connected(to: agent.path)
            await #expect(throws: AgentClient.Fault.self, "\(answer ?? [])") { try await client.identities() }
        }
    }

    @Test("An agent that talks nonsense, or is not there, is passed over; the files' keys are still there")
    func passedOver() async throws {
        let keys = try await TestKeys.ofThisRun()
        let nonsense = try await FakeAgent(framed([12, 255, 255, 255, 255]))
        for path in [nonsense.path, "/none/such", String(repeating: "x", count: 200)] {
            var options = ClientOptions(host: "h", account: LocalAccount(name: "me", home: "/none"))
            options.agentSocket = path
            options.identityFiles = [keys.clientKey(.ed25519)]
            let told = Collected()
            let list = IdentityList(
                options: options, interface: SilentInterface { told.add($0) }, log: ClientLog(verbosity: 0) { _ in })
            #expect(await list.load().map(\.name) == [keys.clientKey(.ed25519)])
            #expect(told.all.isEmpty)
        }
    }

    @Test("An agent that never answers has as long as ConnectTimeout says; then the files' keys are offered")
    func silent() async throws {
        let keys = try await TestKeys.ofThisRun()
        let agent = try await FakeAgent([])
        var options = ClientOptions(host: "h", account: LocalAccount(name: "me", home: "/none"))
        options.agentSocket = agent.path
        options.connectTimeout = 1
        options.identityFiles = [keys.clientKey(.ed25519)]
        let told = Collected()
        let list = IdentityList(
            options: options, interface: SilentInterface { told.add($0) }, log: ClientLog(verbosity: 0) { _ in })
        #expect(await list.load().map(\.name) == [keys.clientKey(.ed25519)])
        #expect(told.all == ["the agent at \(agent.path) has not answered for 1 s; its keys are not used"])
    }

    @Test("Keys that were named come before those of an agent that were not, and before all that nobody named")
    func order() async throws {
        let keys = try await TestKeys.ofThisRun()
        let held = try [PrivateKey.generate(.ed25519), .generate(.ecdsaP256)]
        let agent = try await FakeAgent(framed(identities(held.map { ($0.publicKey.blob, "held") })))
        var options = ClientOptions(host: "h", account: LocalAccount(name: "me", home: "/none"))
        options.agentSocket = agent.path
        options.identityFiles = [keys.clientKey(.ed25519)]
        func names() async -> [String] {
            let log = ClientLog(verbosity: 0) { _ in }
            return await IdentityList(options: options, interface: SilentInterface(), log: log).load().map(\.name)
        }
        #expect(await names() == [keys.clientKey(.ed25519), "held", "held"])
        options.identitiesOnly = true
        #expect(await names() == [keys.clientKey(.ed25519)])
        let directory = try TemporaryDirectory()
        try directory.makeDirectory(".ssh")
        try writeFile(directory.file(".ssh/id_ed25519"), readFile(keys.clientKey(.ed25519)), mode: 0o600)
        options = ClientOptions(host: "h", account: LocalAccount(name: "me", home: directory.path))
        options.agentSocket = agent.path
        #expect(await names() == ["held", "held", directory.file(".ssh/id_ed25519")])
    }

    @Test("Of an agent's keys those of unknown types and broken ones are left out")
    func someUnknown() async throws {
        let key = try PrivateKey.generate(.ecdsaP256)
        var strange = ByteBuffer()
        strange.writeSSHString("ssh-strange")
        let agent = try await FakeAgent(
            framed(
                identities([
                    (strange, "strange"), (ByteBuffer(), "empty"), (key.publicKey.blob, "good \u{1b}[2J"),
                ])))
        var options = ClientOptions(host: "h", account: LocalAccount(name: "me", home: "/none"))
        options.agentSocket = agent.path
        options.identityFiles = []
        let list = IdentityList(options: options, interface: SilentInterface(), log: ClientLog(verbosity: 0) { _ in })
        let found = await list.load()
        #expect(found.map(\.publicKey) == [key.publicKey])
        #expect(found.allSatisfy { !$0.name.contains("\u{1b}") })
    }

    @Test("A signature of another kind than asked for is no signature", arguments: ["ssh-rsa", ""])
    func wrongAlgorithm(given: String) async throws {
        var signature = ByteBuffer()
        if !given.isEmpty { signature.writeSSHString(given) }
        var body = ByteBuffer()
        body.writeInteger(14 as UInt8)
        body.writeSSHString(signature)
        let agent = try await FakeAgent(framed(Array(body.readableBytesView)))
        let client = try await AgentClient.connected(to: agent.path)
        await #expect(throws: AgentClient.Fault.self) {
            try await client.sign(ByteBuffer(), key: ByteBuffer(), algorithm: "rsa-sha2-512")
        }
    }
}
