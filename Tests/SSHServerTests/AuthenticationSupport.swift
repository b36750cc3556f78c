import Crypto
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SSHKeys
import SSHNIO
import SSHWire
import Testing

@testable import SSHProtocol
@testable import SSHServer

/// What a certificate says.
struct CertificateContent {
    var principals = ["me"]
    var role: UInt32 = 1
    var validAfter: UInt64 = 0
    var validBefore = UInt64.max
    /// Names and the strings they hold; nil for an option without data.
    var critical: [(String, String?)] = []
    var extensions: [String] = []
    var serial: UInt64 = 7

    /// Signs it (OpenSSH's PROTOCOL.certkeys).
    func certificate(for key: PublicKey, by authority: PrivateKey) throws -> Certificate {
        var blob = ByteBuffer()
        blob.writeSSHString(Certificate.name(certifying: key.type.name))
        blob.writeSSHString("nonce")
        var fields = key.blob
        _ = try fields.readSSHString("type")
        blob.writeImmutableBuffer(fields)
        blob.writeInteger(serial)
        blob.writeInteger(role)
        blob.writeSSHString("an id")
        var names = ByteBuffer()
        for name in principals { names.writeSSHString(name) }
        blob.writeSSHString(names)
        blob.writeInteger(validAfter)
        blob.writeInteger(validBefore)
        var options = ByteBuffer()
        for (name, value) in critical {
            options.writeSSHString(name)
            var data = ByteBuffer()
            if let value { data.writeSSHString(value) }
            options.writeSSHString(data)
        }
        blob.writeSSHString(options)
        var additions = ByteBuffer()
        for name in extensions {
            additions.writeSSHString(name)
            additions.writeSSHString("")
        }
        blob.writeSSHString(additions)
        blob.writeSSHString("")
        blob.writeSSHString(authority.publicKey.blob)
        let algorithm = try #require(authority.signatureAlgorithms.first)
        blob.writeSSHString(try authority.sign(blob.readableBytesView, algorithm: algorithm))
        return try Certificate(blob: blob)
    }
}

/// A FIDO security key in software (OpenSSH's PROTOCOL.u2f).
struct SoftSecurityKey {
    private let secret = Curve25519.Signing.PrivateKey()
    static let algorithm = "sk-ssh-ed25519@openssh.com"

    var publicKey: PublicKey {
        get throws {
            var blob = ByteBuffer()
            blob.writeSSHString(Self.algorithm)
            blob.writeSSHString(Array(secret.publicKey.rawRepresentation))
            blob.writeSSHString("ssh:")
            return try PublicKey(blob: blob)
        }
    }

    /// - Parameter flags: 1 for touched, 4 for verified.
    func sign(_ data: ByteBuffer, flags: UInt8) throws -> ByteBuffer {
        let signed =
            Array(SHA256.hash(data: Array("ssh:".utf8))) + [flags, 0, 0, 0, 9]
            + Array(SHA256.hash(data: Array(data.readableBytesView)))
        var signature = ByteBuffer()
        signature.writeSSHString(Self.algorithm)
        signature.writeSSHString(Array(try secret.signature(for: signed)))
        signature.writeInteger(flags)
        signature.writeInteger(UInt32(9))
        return signature
    }
}

/// A server on loopback that has nothing but its door.
final class DoorServer: Sendable {
    private let channel: any NIOCore.Channel
    private let reported: NIOLockedValueBox<[LoginEvent]>
    private let outcomes: AsyncStream<Result<Login, any Error>>
    var port: Int { channel.localAddress?.port ?? 0 }
    var events: [LoginEvent] { reported.withLockedValue { $0 } }
    /// The reasons of failures and ends.
    var reasons: [String] {
        events.compactMap {
            switch $0.outcome {
            case .failed(let reason), .disconnected(let reason): reason
            case .accepted, .stepDone: nil
            }
        }
    }

    /// - Parameter deadline: seconds for the whole of it.
    init(
        _ policy: any LoginPolicy, deadline: Int = 600,
        change: @Sendable (inout LoginConversation.Options) -> Void = { _ in }
    ) async throws {
        var options = LoginConversation.Options()
        options.failureTime = .milliseconds(1)
        change(&options)
        let (outcomes, continuation) = AsyncStream.makeStream(of: Result<Login, any Error>.self)
        self.outcomes = outcomes
        let reported = NIOLockedValueBox<[LoginEvent]>([])
        self.reported = reported
        let key = try PrivateKey.generate(.ed25519)
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { [options] channel in
                channel.eventLoop.makeCompletedFuture {
                    var configuration = ConnectionConfiguration()
                    configuration.hostKeys = [key]
                    let transport = try Transport.start(on: channel, role: .server, configuration: configuration)
                    transport.startDeadline(seconds: deadline)
                    let conversation = LoginConversation(
                        policy: policy, address: channel.remoteAddress?.ipAddress ?? "", port: 1, options: options,
                        report: { event in reported.withLockedValue { $0.append(event) } })
                    Task {
                        var events = transport.events.makeAsyncIterator()
                        do {
                            continuation.yield(
                                .success(try await conversation.run(transport: transport, events: &events)))
                            transport.stopDeadline()
                            while await events.next() != nil {}
                        } catch {
                            continuation.yield(.failure(error))
                        }
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// What came of the next connection.
    func outcome() async throws -> Login {
        for await outcome in outcomes { return try outcome.get() }
        throw CancellationError()
    }

    func stop() async { try? await channel.close() }
}

/// A client that asks for whatever the test wants.
struct RawClient {
    enum Answer: Equatable {
        case success
        case failure([String], partial: Bool)
        case keyAcceptable
        case changeRequested(String)
        case questions(String, [String])
        case disconnected(UInt32, String)
        case lost
    }

    let transport: Transport
    private var events: ConnectionEvents.Iterator
    private(set) var banners: [String] = []
    private let sessionID: [UInt8]
    private let hostKey: ByteBuffer

    init(_ server: DoorServer) async throws {
        let transport = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Transport.start(on: channel, role: .client, configuration: ConnectionConfiguration())
                }
            }
        var events = transport.events.makeAsyncIterator()
        handshake: while let event = await events.next() {
            switch event {
            case .hostKey:
                try await transport.perform { (connection) throws(ConnectionError) in try connection.acceptHostKey() }
            case .ready: break handshake
            default: continue
            }
        }
        let facts = try await transport.perform { (connection) throws(ConnectionError) in
            (connection.sessionID, connection.hostKeyBlob)
        }
        sessionID = try #require(facts.0)
        hostKey = try #require(facts.1)
        self.transport = transport
        self.events = events
    }

    mutating func ask(_ method: AuthenticationMethod, as user: String = "me") async throws -> Answer {
        do {
            try await transport.perform { (connection) throws(ConnectionError) in
                try connection.authenticate(user: user, method)
            }
        } catch is TransportError {}
        return await answer()
    }

    mutating func password(_ text: String, new: String? = nil, as user: String = "me") async throws -> Answer {
        try await ask(.password(ByteBuffer(string: text), new: new.map { ByteBuffer(string: $0) }), as: user)
    }

    mutating func reply(_ answers: [String]) async throws -> Answer {
        try await transport.perform { (connection) throws(ConnectionError) in
            try connection.answer(answers.map { ByteBuffer(string: $0) })
        }
        return await answer()
    }

    mutating func offer(_ key: PublicKey, _ certificate: Certificate? = nil) async throws -> Answer {
        let algorithm = try #require(
            certificate?.algorithms.first ?? SignatureAlgorithm.all.first { $0.keyType == key.type }?.name)
        return try await ask(.publicKey(algorithm: algorithm, key: certificate?.blob ?? key.blob, signature: nil))
    }

    /// Signs with a key.
    mutating func sign(
        _ key: PrivateKey, _ certificate: Certificate? = nil, algorithm: String? = nil, bound: Bool = false,
        as user: String = "me"
    ) async throws -> Answer {
        let usual = try #require(certificate?.algorithms.first ?? key.signatureAlgorithms.first)
        let algorithm = algorithm ?? usual
        return try await prove(certificate?.blob ?? key.publicKey.blob, algorithm, bound: bound, as: user) {
            try key.sign($0.readableBytesView, algorithm: Certificate.plainName(of: algorithm) ?? algorithm)
        }
    }

    mutating func prove(
        _ blob: ByteBuffer, _ algorithm: String, bound: Bool = false, as user: String = "me",
        _ sign: (ByteBuffer) throws -> ByteBuffer
    ) async throws -> Answer {
        let data = AuthenticationSignature.signedData(
            sessionID: sessionID, user: user, algorithm: algorithm, key: blob, hostKey: bound ? hostKey : nil)
        let signature = try sign(data)
        return try await ask(
            bound
                ? .hostBoundPublicKey(algorithm: algorithm, key: blob, hostKey: hostKey, signature: signature)
                : .publicKey(algorithm: algorithm, key: blob, signature: signature), as: user)
    }

    /// Sends a message past all that watches over what a client sends.
    mutating func inject(_ message: some Message & Sendable) async throws -> Answer {
        try await transport.perform { (connection) throws(ConnectionError) in try connection.inject(message) }
        return await answer()
    }

    private mutating func answer() async -> Answer {
        while let event = await events.next() {
            switch event {
            case .banner(let text): banners.append(String(buffer: text))
            case .authenticated: return .success
            case .authenticationFailed(let methods, let partial): return .failure(methods, partial: partial)
            case .publicKeyAcceptable: return .keyAcceptable
            case .passwordChangeRequested(let prompt): return .changeRequested(String(buffer: prompt))
            case .informationRequested(let request):
                return .questions(
                    String(buffer: request.instruction), request.prompts.map { String(buffer: $0.text) })
            default: continue
            }
        }
        guard case .connection(.disconnected(let reason, let text)) = transport.failure else { return .lost }
        return .disconnected(reason.rawValue, text.description)
    }
}

extension RawClient.Answer {
    /// Whether it is a refusal, of whatever methods.
    var isFailure: Bool { if case .failure(_, partial: false) = self { true } else { false } }
}

extension Connection {
    mutating func inject(_ message: some Message) throws(ConnectionError) { try send(message) }
}
