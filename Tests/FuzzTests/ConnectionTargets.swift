import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

@testable import SSHProtocol

extension FuzzTarget {
    static let connections: [FuzzTarget] =
        [Role.client, .server].flatMap { role in
            [
                FuzzTarget(name: "handshake-\(role)", seeds: { Sessions.handshakes(to: role) }) { bytes in
                    Sessions.handshake(of: role, bytes)
                },
                FuzzTarget(name: "login-\(role)", seeds: { Sessions.messages(to: role, 50...80) }) { bytes in
                    Sessions.session(of: role, Sessions.beforeLogin, bytes)
                },
                FuzzTarget(name: "channels-\(role)", seeds: { Sessions.messages(to: role, 80...100) }) { bytes in
                    Sessions.session(of: role, Sessions.withChannel, bytes)
                },
                FuzzTarget(
                    name: "key-exchange-\(role)", seeds: { Exchanges.seeds(to: role) },
                    run: { bytes in Exchanges.run(role, bytes) }, tries: 40),
            ]
        }
}

/// Both ends of a connection, at a stage from which each run goes on with copies of its own.
private struct Ends {
    var client: Connection
    var server: Connection

    subscript(role: Role) -> Connection {
        get { role == .client ? client : server }
        set { if role == .client { client = newValue } else { server = newValue } }
    }
}

private enum Sessions {
    private static let hostKey: PrivateKey? = try? PrivateKey.generate(.ed25519)

    private static let configuration: ConnectionConfiguration = {
        var configuration = ConnectionConfiguration()
        configuration.algorithms = AlgorithmProposal(
            kex: ["curve25519-sha256"], hostKeys: ["ssh-ed25519"], ciphers: ["aes128-gcm@openssh.com"], macs: [],
            compression: ["none"])
        configuration.hostKeys = [hostKey].compactMap(\.self)
        return configuration
    }()

    /// What a program does with what a connection tells it; what it may not do then is an error like another.
    private static func act(_ connection: inout Connection, _ event: ConnectionEvent) throws {
        switch event {
        case .hostKey: try connection.acceptHostKey()
        case .authenticationRequested: try connection.rejectAuthentication(methods: ["password"], partialSuccess: false)
        case .informationRequested(let request):
            try connection.answer(request.prompts.map { _ in ByteBuffer(string: "answer") })
        case .channelOffered(let id, _): try connection.acceptChannel(id)
        case .channelRequest(let id, _, wantReply: true): try connection.replyToRequest(id, success: true)
        case .channelReadable(let id):
            let count =
                (connection.takeReceived(id)?.readableBytes ?? 0)
                + (connection.takeReceivedErrors(id)?.readableBytes ?? 0)
            try connection.consumed(id, count, at: .now)
        case .channelClosed(let id): connection.release(id)
        default: break
        }
    }

    /// Lets a connection act until it has nothing more to say, and takes what it sends.
    private static func settle(
        _ connection: inout Connection, _ act: (inout Connection, ConnectionEvent) throws -> Void
    ) -> ByteBuffer {
        var sent = ByteBuffer()
        for _ in 0..<10_000 {
            var isIdle = true
            while let event = connection.nextEvent() {
                isIdle = false
                try? act(&connection, event)
            }
            if let output = try? connection.takeOutput(limit: 1 << 20), output.readableBytes > 0 {
                isIdle = false
                sent.writeImmutableBuffer(output)
            }
            if isIdle { return sent }
        }
        preconditionFailure("a connection never comes to rest")
    }

    /// Passes bytes until both ends are quiet.
    private static func join(_ ends: inout Ends, _ act: (inout Connection, ConnectionEvent) throws -> Void) {
        while true {
            let up = settle(&ends.client, act)
            try? ends.server.receive(up)
            let down = settle(&ends.server, act)
            try? ends.client.receive(down)
            if up.readableBytes == 0, down.readableBytes == 0 { return }
        }
    }

    private static func started() -> Ends {
        var ends = Ends(
            client: Connection(role: .client, configuration: configuration),
            server: Connection(role: .server, configuration: configuration))
        try? ends.client.start()
        try? ends.server.start()
        return ends
    }

    // Never changed once they are made: each run changes copies, which share nothing that changes.
    nonisolated(unsafe) static let beforeLogin: Ends = {
        var ends = started()
        join(&ends, act)
        precondition(ends.client.negotiated != nil && ends.server.negotiated != nil, "no keys")
        return ends
    }()

    nonisolated(unsafe) static let withChannel: Ends = {
        var ends = beforeLogin
        try? ends.client.authenticate(user: "me", .none)
        join(&ends) { connection, event in
            if case .authenticationRequested = event {
                try connection.acceptAuthentication()
            } else {
                try act(&connection, event)
            }
        }
        _ = try? ends.client.openChannel()
        join(&ends, act)
        precondition(ends.client.isAuthenticated && ends.server.isAuthenticated, "not logged in")
        return ends
    }()

    // MARK: Before there are keys

    /// What the other end says in a handshake that goes well, up to the first key.
    static func handshakes(to role: Role) -> [[UInt8]] {
        var ends = started()
        let up = settle(&ends.client, act)
        try? ends.server.receive(up)
        var down = settle(&ends.server, act)
        try? ends.client.receive(down)
        var all = up
        all.writeImmutableBuffer(settle(&ends.client, act))
        try? ends.server.receive(all.getSlice(at: up.readableBytes, length: all.readableBytes - up.readableBytes) ?? up)
        down.writeImmutableBuffer(settle(&ends.server, act))
        return [role == .server ? all.bytes : down.bytes, Array("SSH-2.0-OpenSSH_9.9\r\n".utf8)]
    }

    static func handshake(of role: Role, _ bytes: [UInt8]) {
        var connection = started()[role]
        var rest = bytes[...]
        // In two pieces, as a state machine has to take its input in any.
        for count in [bytes.count / 2, bytes.count] {
            try? connection.receive(ByteBuffer(bytes: rest.prefix(count)))
            rest = rest.dropFirst(count)
            _ = settle(&connection, act)
        }
        precondition(!connection.isAuthenticated, "nobody proved anything")
    }

    // MARK: Behind the keys

    /// A message of each number, and some that are right.
    static func messages(to role: Role, _ numbers: ClosedRange<UInt8>) -> [[UInt8]] {
        let plain = numbers.map { FuzzInput.joined([0], [[$0] + [UInt8](repeating: 0, count: 20)]) }
        let right: [any Message] = [
            UserAuthRequest(user: "me", method: .password(ByteBuffer(string: "secret"), new: nil)),
            UserAuthRequest(user: "me", method: .keyboardInteractive(submethods: "")),
            UserAuthFailure(methods: ["password"], partialSuccess: false), UserAuthBanner(text: "hello"),
            UserAuthInfoResponse(answers: [ByteBuffer(string: "answer")]), ServiceRequest(service: "ssh-userauth"),
        ]
        let session = right.compactMap { try? $0.encoded().bytes }
        return plain + [FuzzInput.joined([1], session)] + session.map { FuzzInput.joined([2], [$0]) }
    }

    /// The input: what a client tries to log in with, then payloads of the other end.
    static func session(of role: Role, _ stage: Ends, _ bytes: [UInt8]) {
        var ends = stage
        var input = FuzzInput(bytes)
        let methods: [AuthenticationMethod] = [
            .none, .password(ByteBuffer(string: "secret"), new: nil), .keyboardInteractive(submethods: ""),
            .publicKey(algorithm: "ssh-ed25519", key: hostKey?.publicKey.blob ?? ByteBuffer(), signature: nil),
        ]
        let method = methods[input.choice(methods.count)]
        let other: Role = role == .client ? .server : .client
        if role == .client, !ends.client.isAuthenticated { try? ends.client.authenticate(user: "me", method) }
        _ = settle(&ends[role], act)
        let wasAuthenticated = ends[role].isAuthenticated
        while let payload = input.piece() {
            guard !payload.isEmpty else { continue }
            try? ends[other].transport.outbound.send(head: ByteBuffer(bytes: payload), body: nil)
            guard let packet = try? ends[other].takeOutput(limit: 1 << 20) else { return }
            guard (try? ends[role].receive(packet)) != nil else { break }
            _ = settle(&ends[role], act)
        }
        _ = settle(&ends[role], act)
        precondition(role == .client || wasAuthenticated || !ends.server.isAuthenticated, "let in by nobody")
    }
}

/// The values of each key exchange.
private enum Exchanges {
    /// Those that cost most to begin are left to the tests of their arithmetic.
    private static let methods = KeyExchangeAlgorithm.all.filter {
        !$0.name.contains("group1") || $0.name.contains("exchange")
    }
    // Never changed once they are made: each run changes copies.
    nonisolated(unsafe) private static let clients = methods.map { try? $0.makeClient() }

    static func seeds(to role: Role) -> [[UInt8]] {
        methods.indices.map { index in
            var seed: [UInt8] = [UInt8(index)]
            guard let client = clients[index] else { return seed }
            let first = client.initialPayload
            if role == .server {
                seed = FuzzInput.joined(seed, [first.bytes])
            } else if var server = try? methods[index].makeServer(), let step = try? server.receive(first) {
                let key = ByteBuffer(string: "key")
                switch step {
                case .send(let payload): seed = FuzzInput.joined(seed, [payload.bytes])
                case .computed:
                    if let reply = try? server.makeReply(hostKey: key, signature: key) {
                        seed = FuzzInput.joined(seed, [reply.bytes])
                    }
                }
            }
            return seed
        }
    }

    static func run(_ role: Role, _ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        let index = input.choice(methods.count)
        if role == .client {
            guard var client = clients[index] else { return }
            while let piece = input.piece(), (try? client.receive(ByteBuffer(bytes: piece))) != nil {}
        } else {
            guard var server = try? methods[index].makeServer() else { return }
            while let piece = input.piece(), (try? server.receive(ByteBuffer(bytes: piece))) != nil {}
        }
    }
}
