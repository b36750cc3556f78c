import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import TestSupport

@testable import SSHProtocol

/// A client and a server whose bytes reach each other in memory.
final class JoinedPair {
    let client: Endpoint
    let server: Endpoint
    /// Sizes of the pieces the bytes arrive in; nil for as they were sent.
    var pieces: ClosedRange<Int>?
    private var random = SeededGenerator(seed: 7)
    /// All bytes of one direction so far, as they left.
    private(set) var sent: [Role: [UInt8]] = [.client: [], .server: []]
    /// Whether what was sent is kept.
    var records = false
    /// Changes bytes on their way: whose they are, where in the stream they begin, the bytes.
    var tamper: ((Role, Int, inout [UInt8]) -> Void)?
    private var position: [Role: Int] = [.client: 0, .server: 0]
    /// The most bytes taken of an end at a time.
    var outputLimit = 256 * 1024

    init(
        client: ConnectionConfiguration = .quick, server: ConnectionConfiguration = .server(),
        observer: (any ConnectionObserver)? = nil, serverObserver: (any ConnectionObserver)? = nil
    ) {
        self.client = Endpoint(.client, client, observer)
        self.server = Endpoint(.server, server, serverObserver)
    }

    /// Starts both ends.
    func start() {
        client.attempt { try $0.start() }
        server.attempt { try $0.start() }
    }

    /// Moves bytes and handles events until neither end has anything more to say; false if that never came.
    @discardableResult
    func run(rounds: Int = 100_000) -> Bool {
        for _ in 0..<rounds {
            var moved = client.handleEvents()
            moved = server.handleEvents() || moved
            moved = deliver(client, server) || moved
            moved = deliver(server, client) || moved
            if !moved { return true }
        }
        return false
    }

    private func deliver(_ from: Endpoint, _ to: Endpoint) -> Bool {
        guard var output = from.output(limit: outputLimit) else { return false }
        let role = from.connection.role
        if records { sent[role]?.append(contentsOf: output.readableBytesView) }
        if let tamper {
            var bytes = Array(output.readableBytesView)
            tamper(role, position[role] ?? 0, &bytes)
            position[role, default: 0] += output.readableBytes
            output = ByteBuffer(bytes: bytes)
        }
        while output.readableBytes > 0 {
            let size = min(pieces.map { Int.random(in: $0, using: &random) } ?? .max, output.readableBytes)
            guard let piece = output.readSlice(length: size) else { break }
            to.attempt { try $0.receive(piece) }
            // Decisions are made between reads, as a driver makes them.
            if pieces != nil { _ = to.handleEvents() }
        }
        return true
    }

    /// A pair after authentication.
    static func authenticated(
        client: ConnectionConfiguration = .quick, server: ConnectionConfiguration = .server()
    ) -> JoinedPair {
        let pair = JoinedPair(client: client, server: server)
        pair.start()
        pair.run()
        return pair
    }

    /// A pair with keys whose client has asked for nothing yet.
    static func keyed() -> JoinedPair {
        let pair = JoinedPair()
        pair.client.acts = { _, event in if case .ready = event { true } else { false } }
        pair.start()
        pair.run()
        return pair
    }

    /// A pair with one session channel open, numbered 0 on both sides.
    static func withChannel(
        client: ConnectionConfiguration = .quick, server: ConnectionConfiguration = .server()
    ) -> (JoinedPair, ChannelID) {
        let pair = authenticated(client: client, server: server)
        var id = ChannelID(number: 0)
        pair.client.attempt { id = try $0.openChannel() }
        pair.run()
        return (pair, id)
    }

    /// Sends a payload as one end's packet, past all that watches over what that end sends.
    func inject(_ payload: ByteBuffer, from end: Endpoint) {
        end.attempt { try $0.transport.outbound.send(head: payload, body: nil) }
    }

    func inject(_ message: some Message, from end: Endpoint) {
        if let payload = try? message.encoded() { inject(payload, from: end) }
    }
}

extension ConnectionConfiguration {
    static let hostKey: PrivateKey? = try? PrivateKey.generate(.ed25519)

    /// A client that offers little, so that its packets are short.
    static var quick: ConnectionConfiguration {
        var configuration = ConnectionConfiguration()
        configuration.receiveWindow = 2 << 20
        configuration.ownMaximumPacketSize = configuration.maximumPacketSize
        configuration.algorithms = AlgorithmProposal(
            kex: ["curve25519-sha256"], hostKeys: ["ssh-ed25519"], ciphers: ["aes128-gcm@openssh.com"], macs: [],
            compression: ["none"])
        return configuration
    }

    /// A server with an Ed25519 key that takes everything that exists.
    static func server() -> ConnectionConfiguration {
        var configuration = ConnectionConfiguration()
        configuration.receiveWindow = 2 << 20
        configuration.ownMaximumPacketSize = configuration.maximumPacketSize
        configuration.algorithms = .everything
        configuration.hostKeys = [hostKey].compactMap(\.self)
        return configuration
    }

    func with(_ change: (inout ConnectionConfiguration) -> Void) -> ConnectionConfiguration {
        var copy = self
        change(&copy)
        return copy
    }
}

extension AlgorithmProposal {
    static var everything: AlgorithmProposal {
        AlgorithmProposal(
            kex: KeyExchangeAlgorithm.all.map(\.name), hostKeys: SignatureAlgorithm.all.map(\.name),
            ciphers: CipherAlgorithm.all.map(\.name), macs: MACAlgorithm.all.map(\.name), compression: ["none"])
    }
}
