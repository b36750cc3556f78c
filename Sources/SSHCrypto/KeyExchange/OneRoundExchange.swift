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

/// The data type of a public value.
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

    func read(_ field: String, from buffer: inout ByteBuffer) throws(WireError) -> [UInt8] {
        switch self {
        case .string: Array(try buffer.readSSHString(field).readableBytesView)
        case .mpint: try buffer.readMPInt(field).magnitude
        }
    }
}

/// The numbers and names of the two messages.
private enum ECDHMessage {
    static let initNumber: UInt8 = 30
    static let replyNumber: UInt8 = 31
    static let initName = "SSH_MSG_KEX_ECDH_INIT"
    static let replyName = "SSH_MSG_KEX_ECDH_REPLY"
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
    private var isFinished = false

    init(_ agreement: Agreement) throws(CryptoError) {
        self.agreement = agreement
        (secret, publicValue) = try agreement.start()
    }

    var initialPayload: ByteBuffer {
        var payload = ByteBuffer()
        payload.writeInteger(ECDHMessage.initNumber)
        agreement.encoding.write(publicValue, to: &payload)
        return payload
    }

    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ClientKeyExchangeStep {
        guard !isFinished else {
            let number: UInt8? = payload.getInteger(at: payload.readerIndex)
            throw .unexpectedMessage(algorithm: agreement.name, number: number)
        }
        var fields = try payload.fields(ofMessage: ECDHMessage.replyNumber, algorithm: agreement.name)
        let (hostKey, serverValue, signature) = try decoding { () throws(WireError) in
            let hostKey = try fields.readSSHString("K_S")
            let serverValue = try agreement.encoding.read("Q_S", from: &fields)
            let signature = try fields.readSSHString("signature")
            try fields.finish(ECDHMessage.replyName)
            return (hostKey, serverValue, signature)
        }
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
        var fields = try payload.fields(ofMessage: ECDHMessage.initNumber, algorithm: agreement.name)
        let clientValue = try decoding { () throws(WireError) in
            let value = try agreement.encoding.read("Q_C", from: &fields)
            try fields.finish(ECDHMessage.initName)
            return value
        }
        let (serverValue, sharedSecret) = try agreement.respond(to: clientValue)
        publicValue = serverValue
        return .computed(
            exchangeHashTail: hashTail(clientValue, serverValue, sharedSecret, agreement.encoding),
            sharedSecret: sharedSecret)
    }

    func makeReply(hostKey: ByteBuffer, signature: ByteBuffer) throws(CryptoError) -> ByteBuffer {
        guard let publicValue else { throw .operationFailed("\(agreement.name): a reply before the client's value") }
        var payload = ByteBuffer()
        payload.writeInteger(ECDHMessage.replyNumber)
        payload.writeSSHString(hostKey)
        agreement.encoding.write(publicValue, to: &payload)
        payload.writeSSHString(signature)
        return payload
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
