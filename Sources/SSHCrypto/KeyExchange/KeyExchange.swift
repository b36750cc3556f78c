import NIOCore
import SSHWire

/// What the client has once the messages of a key exchange have passed.
package struct KeyExchangeResult: Sendable, Equatable {
    /// K_S, the server's host key as received.
    package var hostKey: ByteBuffer
    /// The server's signature of the exchange hash, still to be verified.
    package var signature: ByteBuffer
    /// What enters the exchange hash behind K_S, encoded: the exchange's public values and K.
    package var exchangeHashTail: ByteBuffer
    /// K as it enters the exchange hash and the key derivation: an encoded mpint, or a string for the hybrids.
    package var sharedSecret: ByteBuffer

    package init(
        hostKey: ByteBuffer, signature: ByteBuffer, exchangeHashTail: ByteBuffer, sharedSecret: ByteBuffer
    ) {
        self.hostKey = hostKey
        self.signature = signature
        self.exchangeHashTail = exchangeHashTail
        self.sharedSecret = sharedSecret
    }
}

/// What the client does after a message of the server.
package enum ClientKeyExchangeStep: Sendable, Equatable {
    /// Sends this payload and waits for the next message.
    case send(ByteBuffer)
    /// Verifies the host key and its signature; the exchange's messages have passed.
    case finished(KeyExchangeResult)
}

/// The client's side of one key exchange, from its first message to the shared secret.
package protocol ClientKeyExchange {
    /// The payload that opens the exchange.
    var initialPayload: ByteBuffer { get }

    /// Takes the server's next message: a payload numbered 30 to 49.
    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ClientKeyExchangeStep
}

/// What the server does after a message of the client.
package enum ServerKeyExchangeStep: Sendable, Equatable {
    /// Sends this payload and waits for the next message.
    case send(ByteBuffer)
    /// Hashes, signs, and sends what ``ServerKeyExchange/makeReply(hostKey:signature:)`` makes of it.
    ///
    /// - Parameters:
    ///   - exchangeHashTail: what enters the exchange hash behind K_S, encoded.
    ///   - sharedSecret: K as it enters the exchange hash and the key derivation.
    case computed(exchangeHashTail: ByteBuffer, sharedSecret: ByteBuffer)
}

/// The server's side of one key exchange.
package protocol ServerKeyExchange {
    /// Takes the client's next message: a payload numbered 30 to 49.
    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ServerKeyExchangeStep

    /// The payload that ends the exchange, once its hash has been signed.
    func makeReply(hostKey: ByteBuffer, signature: ByteBuffer) throws(CryptoError) -> ByteBuffer
}

/// A key exchange method, by name.
package struct KeyExchangeAlgorithm: Sendable {
    package let name: String
    /// Hashes the exchange and derives the keys.
    package let hash: HashAlgorithm
    package let makeClient: @Sendable () throws(CryptoError) -> any ClientKeyExchange
    package let makeServer: @Sendable () throws(CryptoError) -> any ServerKeyExchange

    /// All that exist here, the weak ones included.
    package static let all: [KeyExchangeAlgorithm] =
        defaults + fallbacks + [weakGroupExchange] + weakDiffieHellman

    /// What is offered by default, best first; what is not post-quantum here is for servers that know nothing newer.
    package static let defaults: [KeyExchangeAlgorithm] = hybrids + curve25519 + [groupExchange] + diffieHellman

    /// What is offered besides to a server that has nothing better: curves that audits complain of, a group of 2048 bits.
    /// What rests on SHA-1 is for old servers, when named.
    package static let fallbacks: [KeyExchangeAlgorithm] = nistCurves + [smallGroup]

    /// Whether what is agreed on stays secret once there are quantum computers.
    package var isPostQuantum: Bool { Self.hybrids.contains(self) }

    package static func named(_ name: some StringProtocol) -> KeyExchangeAlgorithm? {
        all.first { $0.name == name }
    }
}

/// Names are what makes them equal.
extension KeyExchangeAlgorithm: Equatable {
    package static func == (one: KeyExchangeAlgorithm, other: KeyExchangeAlgorithm) -> Bool { one.name == other.name }
}

extension Message {
    /// Decodes a whole payload, with this layer's errors.
    ///
    /// - Throws: ``CryptoError/unexpectedMessage(algorithm:number:)``, ``CryptoError/malformedMessage(_:)``
    init(_ payload: ByteBuffer, of algorithm: String) throws(CryptoError) {
        do throws(WireError) {
            try self.init(payload: payload)
        } catch .unexpectedMessage(_, let found) {
            throw .unexpectedMessage(algorithm: algorithm, number: found)
        } catch {
            throw .malformedMessage(error)
        }
    }

    /// The payload, with this layer's errors.
    func payload() throws(CryptoError) -> ByteBuffer {
        do throws(WireError) {
            return try encoded()
        } catch {
            throw .malformedMessage(error)
        }
    }
}
