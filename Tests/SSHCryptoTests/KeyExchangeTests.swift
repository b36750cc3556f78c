import Crypto
import NIOCore
import SSHWire
import Testing

@testable import SSHCrypto

extension KeyExchangeAlgorithm: CustomTestStringConvertible {
    public var testDescription: String { name }
}

/// Both sides of a key exchange, run to their ends against each other.
struct ExchangeRun {
    var result: KeyExchangeResult
    var serverTail: ByteBuffer
    var serverSecret: ByteBuffer

    static let hostKey = ByteBuffer(string: "K_S")
    static let signature = ByteBuffer(string: "a signature")

    init(_ algorithm: KeyExchangeAlgorithm) throws {
        var client = try algorithm.makeClient()
        var server = try algorithm.makeServer()
        var payload = client.initialPayload
        while true {
            switch try server.receive(payload) {
            case .computed(let tail, let secret):
                let reply = try server.makeReply(hostKey: Self.hostKey, signature: Self.signature)
                guard case .finished(let result) = try client.receive(reply) else { throw Unfinished() }
                (self.result, serverTail, serverSecret) = (result, tail, secret)
                return
            case .send(let answer):
                guard case .send(let next) = try client.receive(answer) else { throw Unfinished() }
                payload = next
            }
        }
    }

    struct Unfinished: Error {}
}

@Suite("Key exchange")
struct KeyExchangeTests {
    @Test("client and server agree, and what they hash ends with K", arguments: KeyExchangeAlgorithm.all)
    func agreement(_ algorithm: KeyExchangeAlgorithm) throws {
        let run = try ExchangeRun(algorithm)
        #expect(run.result.hostKey == ExchangeRun.hostKey)
        #expect(run.result.signature == ExchangeRun.signature)
        #expect(run.result.sharedSecret == run.serverSecret)
        #expect(run.result.exchangeHashTail == run.serverTail)
        let secret = Array(run.serverSecret.readableBytesView)
        #expect(secret.count > 4)
        #expect(Array(run.serverTail.readableBytesView.suffix(secret.count)) == secret)
    }

    @Test("two exchanges have two secrets", arguments: oneRound)
    func freshSecrets(_ algorithm: KeyExchangeAlgorithm) throws {
        #expect(try ExchangeRun(algorithm).serverSecret != ExchangeRun(algorithm).serverSecret)
    }

    @Test("every truncation of either side's message is refused, and so is a longer one", arguments: oneRound)
    func truncations(_ algorithm: KeyExchangeAlgorithm) throws {
        let initial = try algorithm.makeClient().initialPayload
        for count in 0..<initial.readableBytes {
            let cut = try #require(initial.getSlice(at: 0, length: count))
            var server = try algorithm.makeServer()
            #expect(throws: CryptoError.self) { try server.receive(cut) }
        }
        var longer = initial
        longer.writeInteger(UInt8(0))
        var server = try algorithm.makeServer()
        #expect(throws: CryptoError.self) { try server.receive(longer) }

        var client = try algorithm.makeClient()
        _ = try server.receive(client.initialPayload)
        let reply = try server.makeReply(hostKey: ExchangeRun.hostKey, signature: ExchangeRun.signature)
        for count in 0..<reply.readableBytes {
            let cut = try #require(reply.getSlice(at: 0, length: count))
            #expect(throws: CryptoError.self) { try client.receive(cut) }
        }
        #expect(throws: Never.self) { try client.receive(reply) }
    }

    /// Those of one message each way, but one of the fixed groups only: they differ in their sizes alone.
    static let oneRound = KeyExchangeAlgorithm.all.filter {
        !$0.name.hasPrefix("diffie-hellman") || $0.name == "diffie-hellman-group14-sha256"
    }

    @Test("messages out of order are refused", arguments: oneRound + [.groupExchange])
    func outOfOrder(_ algorithm: KeyExchangeAlgorithm) throws {
        var client = try algorithm.makeClient()
        var server = try algorithm.makeServer()
        #expect(throws: CryptoError.self) {
            try server.makeReply(hostKey: ExchangeRun.hostKey, signature: ExchangeRun.signature)
        }
        for number in [0, 20, 29, 49] as [UInt8] {
            let payload = ByteBuffer(bytes: [number, 0, 0, 0, 0])
            #expect(throws: CryptoError.unexpectedMessage(algorithm: algorithm.name, number: number)) {
                try client.receive(payload)
            }
            #expect(throws: CryptoError.unexpectedMessage(algorithm: algorithm.name, number: number)) {
                try server.receive(payload)
            }
        }
        #expect(throws: CryptoError.unexpectedMessage(algorithm: algorithm.name, number: nil)) {
            try client.receive(ByteBuffer())
        }
    }

    @Test("a second message after the end is refused", arguments: oneRound)
    func twice(_ algorithm: KeyExchangeAlgorithm) throws {
        var client = try algorithm.makeClient()
        var server = try algorithm.makeServer()
        let initial = client.initialPayload
        _ = try server.receive(initial)
        #expect(throws: CryptoError.unexpectedMessage(algorithm: algorithm.name, number: 30)) {
            try server.receive(initial)
        }
        let reply = try server.makeReply(hostKey: ExchangeRun.hostKey, signature: ExchangeRun.signature)
        _ = try client.receive(reply)
        #expect(throws: CryptoError.unexpectedMessage(algorithm: algorithm.name, number: 31)) {
            try client.receive(reply)
        }
    }

    @Test("the tables hold each name once")
    func tables() {
        #expect(Set(KeyExchangeAlgorithm.all.map(\.name)).count == KeyExchangeAlgorithm.all.count)
        for algorithm in KeyExchangeAlgorithm.all {
            #expect(KeyExchangeAlgorithm.named(algorithm.name)?.hash == algorithm.hash)
        }
        #expect(KeyExchangeAlgorithm.named("ext-info-c") == nil)
        #expect(
            KeyExchangeAlgorithm.defaults.map(\.name) == [
                "mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
                "curve25519-sha256", "curve25519-sha256@libssh.org", "diffie-hellman-group-exchange-sha256",
                "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512",
            ])
        #expect(
            KeyExchangeAlgorithm.fallbacks.map(\.name) == [
                "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group14-sha256",
            ])
    }
}
