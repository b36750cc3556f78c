import NIOCore
import SSHWire

/// An exchange of one public value each way: SSH_MSG_KEX_ECDH_INIT and SSH_MSG_KEX_ECDH_REPLY (RFC 5656 section 4).
///
/// Elliptic curve Diffie-Hellman is of this kind, and so are the post-quantum hybrids, whose answer holds an encapsulated
/// secret, and Diffie-Hellman in a fixed group, whose messages have the same numbers.
protocol OneRoundAgreement: Sendable {
    /// What the client keeps until the answer comes.
    associatedtype ClientSecret

    /// The method's name, for errors.
    var name: String { get }
    /// How public values travel and enter the hash.
    var encoding: PublicValueEncoding { get }
    /// Makes the client's secret and Q_C.
    func start() throws(CryptoError) -> (secret: ClientSecret, publicValue: [UInt8])
    /// Makes Q_S and K, encoded as it enters the hash, of the client's Q_C.
    func respond(to clientValue: [UInt8]) throws(CryptoError) -> (publicValue: [UInt8], sharedSecret: ByteBuffer)
    /// Makes K of the server's Q_S.
    func complete(_ secret: ClientSecret, with serverValue: [UInt8]) throws(CryptoError) -> ByteBuffer
}

extension OneRoundAgreement {
    var encoding: PublicValueEncoding { .string }
}

/// The data type of a public value, and so the messages that carry it.
enum PublicValueEncoding: Sendable {
    case string
    /// For a number given by its magnitude, big-endian.
    case mpint

    func write(_ value: [UInt8], to buffer: inout ByteBuffer) {
        switch self {
        case .string: buffer.writeSSHString(value)
        case .mpint: buffer.writeMPInt(MPInt(bigEndian: value))
        }
    }

    /// The client's message.
    func initialPayload(_ value: [UInt8]) throws(CryptoError) -> ByteBuffer {
        switch self {
        case .string: try KexECDHInit(clientKey: ByteBuffer(bytes: value)).payload()
        case .mpint: try KexDHInit(e: MPInt(bigEndian: value)).payload()
        }
    }

    /// The public value in the client's message.
    func readInitial(_ payload: ByteBuffer, _ algorithm: String) throws(CryptoError) -> [UInt8] {
        switch self {
        case .string: Array(try KexECDHInit(payload, of: algorithm).clientKey.readableBytesView)
        case .mpint: try KexDHInit(payload, of: algorithm).e.magnitude
        }
    }

    /// The server's message.
    func replyPayload(
        hostKey: ByteBuffer, value: [UInt8], signature: ByteBuffer
    ) throws(CryptoError) -> ByteBuffer {
        switch self {
        case .string:
            try KexECDHReply(hostKey: hostKey, serverKey: ByteBuffer(bytes: value), signature: signature).payload()
        case .mpint:
            try KexDHReply(hostKey: hostKey, f: MPInt(bigEndian: value), signature: signature).payload()
        }
    }

    /// What is in the server's message.
    func readReply(
        _ payload: ByteBuffer, _ algorithm: String
    ) throws(CryptoError) -> (hostKey: ByteBuffer, value: [UInt8], signature: ByteBuffer) {
        switch self {
        case .string:
            let reply = try KexECDHReply(payload, of: algorithm)
            return (reply.hostKey, Array(reply.serverKey.readableBytesView), reply.signature)
        case .mpint:
            let reply = try KexDHReply(payload, of: algorithm)
            return (reply.hostKey, reply.f.magnitude, reply.signature)
        }
    }
}

/// Q_C, Q_S and K, as the exchange hash takes them in.
private func hashTail(
    _ clientValue: [UInt8], _ serverValue: [UInt8], _ sharedSecret: ByteBuffer, _ encoding: PublicValueEncoding
) -> ByteBuffer {
    var tail = ByteBuffer()
    encoding.write(clientValue, to: &tail)
    encoding.write(serverValue, to: &tail)
    tail.writeImmutableBuffer(sharedSecret)
    return tail
}

/// The client's side.
struct OneRoundClient<Agreement: OneRoundAgreement>: ClientKeyExchange {
    private let agreement: Agreement
    private let secret: Agreement.ClientSecret
    private let publicValue: [UInt8]
    let initialPayload: ByteBuffer
    private var isFinished = false

    init(_ agreement: Agreement) throws(CryptoError) {
        self.agreement = agreement
        (secret, publicValue) = try agreement.start()
        initialPayload = try agreement.encoding.initialPayload(publicValue)
    }

    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ClientKeyExchangeStep {
        guard !isFinished else {
            let number: UInt8? = payload.getInteger(at: payload.readerIndex)
            throw .unexpectedMessage(algorithm: agreement.name, number: number)
        }
        let (hostKey, serverValue, signature) = try agreement.encoding.readReply(payload, agreement.name)
        let sharedSecret = try agreement.complete(secret, with: serverValue)
        isFinished = true
        return .finished(
            KeyExchangeResult(
                hostKey: hostKey, signature: signature,
                exchangeHashTail: hashTail(publicValue, serverValue, sharedSecret, agreement.encoding),
                sharedSecret: sharedSecret))
    }
}

/// The server's side.
struct OneRoundServer<Agreement: OneRoundAgreement>: ServerKeyExchange {
    private let agreement: Agreement
    private var publicValue: [UInt8]?

    init(_ agreement: Agreement) { self.agreement = agreement }

    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ServerKeyExchangeStep {
        guard publicValue == nil else {
            let number: UInt8? = payload.getInteger(at: payload.readerIndex)
            throw .unexpectedMessage(algorithm: agreement.name, number: number)
        }
        let clientValue = try agreement.encoding.readInitial(payload, agreement.name)
        let (serverValue, sharedSecret) = try agreement.respond(to: clientValue)
        publicValue = serverValue
        return .computed(
            exchangeHashTail: hashTail(clientValue, serverValue, sharedSecret, agreement.encoding),
            sharedSecret: sharedSecret)
    }

    func makeReply(hostKey: ByteBuffer, signature: ByteBuffer) throws(CryptoError) -> ByteBuffer {
        guard let publicValue else { throw .operationFailed("\(agreement.name): a reply before the client's value") }
        return try agreement.encoding.replyPayload(hostKey: hostKey, value: publicValue, signature: signature)
    }
}

extension KeyExchangeAlgorithm {
    /// A method out of an agreement.
    init(hash: HashAlgorithm, _ agreement: some OneRoundAgreement) {
        self.init(
            name: agreement.name, hash: hash,
            makeClient: { () throws(CryptoError) in try OneRoundClient(agreement) },
            makeServer: { () throws(CryptoError) in OneRoundServer(agreement) })
    }
}
