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
    package static let all: [KeyExchangeAlgorithm] = defaults + [weakGroupExchange] + weakDiffieHellman

    /// What is offered by default, best first.
    package static let defaults: [KeyExchangeAlgorithm] = hybrids + ellipticCurve + [groupExchange] + diffieHellman

    package static func named(_ name: some StringProtocol) -> KeyExchangeAlgorithm? {
        all.first { $0.name == name }
    }
}

/// Names are what makes them equal.
extension KeyExchangeAlgorithm: Equatable {
    package static func == (one: KeyExchangeAlgorithm, other: KeyExchangeAlgorithm) -> Bool { one.name == other.name }
}

/// Runs the decoding of a message, its errors made this layer's.
func decoding<R>(_ body: () throws(WireError) -> R) throws(CryptoError) -> R {
    do throws(WireError) {
        return try body()
    } catch {
        throw .malformedMessage(error)
    }
}

extension ByteBuffer {
    /// The payload after its message number.
    ///
    /// - Throws: ``CryptoError/unexpectedMessage(algorithm:number:)`` when it is another one.
    func fields(ofMessage number: UInt8, algorithm: String) throws(CryptoError) -> ByteBuffer {
        var payload = self
        let found = payload.readInteger(as: UInt8.self)
        guard found == number else { throw .unexpectedMessage(algorithm: algorithm, number: found) }
        return payload
    }

    /// Throws where bytes are left behind a message's last field.
    func finish(_ message: String) throws(WireError) {
        guard readableBytes == 0 else { throw .trailingBytes(message: message, count: readableBytes) }
    }
}
