import NIOCore
import SSHWire

extension KeyExchangeAlgorithm {
    /// Diffie-Hellman in a group that the server chooses (RFC 4419).
    static let groupExchange = groupExchange("diffie-hellman-group-exchange-sha256", .sha256)
    /// The same with SHA-1, for old servers.
    static let weakGroupExchange = groupExchange("diffie-hellman-group-exchange-sha1", .sha1)

    private static func groupExchange(_ name: String, _ hash: HashAlgorithm) -> KeyExchangeAlgorithm {
        KeyExchangeAlgorithm(
            name: name, hash: hash,
            makeClient: { () throws(CryptoError) in try GroupExchangeClient(name: name) },
            makeServer: { () throws(CryptoError) in GroupExchangeServer(name: name) })
    }
}

extension KexGroupRequest {
    /// What a client here asks for: nothing below what RFC 8270 allows, nothing that would take seconds.
    static let wanted = KexGroupRequest(minimum: 2048, preferred: 4096, maximum: 8192)
}

/// Everything but K_S that the exchange hash takes in (RFC 4419 section 3).
private func hashTail(
    _ sizes: KexGroupRequest, _ group: DiffieHellmanGroup, clientValue: MPInt, serverValue: MPInt,
    sharedSecret: ByteBuffer
) -> ByteBuffer {
    var tail = ByteBuffer()
    tail.writeMultipleIntegers(sizes.minimum, sizes.preferred, sizes.maximum)
    for number in [group.prime, group.generator, clientValue, serverValue] { tail.writeMPInt(number) }
    tail.writeImmutableBuffer(sharedSecret)
    return tail
}

/// K as the hash takes it in.
private func sharedSecret(
    _ group: DiffieHellmanGroup, _ exponent: [UInt8], _ peerValue: MPInt, algorithm: String
) throws(CryptoError) -> ByteBuffer {
    guard let shared = group.agree(exponent, with: peerValue) else { throw .invalidPublicKey(algorithm: algorithm) }
    var encoded = ByteBuffer()
    encoded.writeMPInt(shared)
    return encoded
}

/// The client's side: asks for sizes, takes a group, sends e, takes f.
struct GroupExchangeClient: ClientKeyExchange {
    private enum State {
        case requested
        case sent(DiffieHellmanGroup, exponent: [UInt8], publicValue: MPInt)
        case finished
    }

    private let name: String
    private let sizes = KexGroupRequest.wanted
    let initialPayload: ByteBuffer
    private var state = State.requested

    init(name: String) throws(CryptoError) {
        self.name = name
        initialPayload = try sizes.payload()
    }

    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ClientKeyExchangeStep {
        switch state {
        case .requested:
            let group = try readGroup(payload)
            guard let key = group.makeKey() else {
                throw .invalidGroup(algorithm: name, reason: "its generator makes no keys")
            }
            state = .sent(group, exponent: key.exponent, publicValue: key.publicValue)
            return .send(try KexGroupInit(e: key.publicValue).payload())
        case .sent(let group, let exponent, let publicValue):
            let result = try readReply(payload, group, exponent, publicValue)
            state = .finished
            return .finished(result)
        case .finished:
            throw .unexpectedMessage(algorithm: name, number: payload.getInteger(at: payload.readerIndex))
        }
    }

    private func readGroup(_ payload: ByteBuffer) throws(CryptoError) -> DiffieHellmanGroup {
        let message = try KexGroup(payload, of: name)
        let (prime, generator) = (message.prime, message.generator)
        guard prime.bitWidth >= sizes.minimum, prime.bitWidth <= sizes.maximum else {
            throw .invalidGroup(
                algorithm: name,
                reason: "its prime has \(prime.bitWidth) bits, not \(sizes.minimum) to \(sizes.maximum)")
        }
        guard let group = DiffieHellmanGroup(prime: prime.magnitude, generator: generator.magnitude) else {
            throw .invalidGroup(algorithm: name, reason: "no prime, or a generator out of range")
        }
        guard group.hasPrimeModulus else { throw .invalidGroup(algorithm: name, reason: "its modulus is no prime") }
        return group
    }

    private func readReply(
        _ payload: ByteBuffer, _ group: DiffieHellmanGroup, _ exponent: [UInt8], _ publicValue: MPInt
    ) throws(CryptoError) -> KeyExchangeResult {
        let reply = try KexGroupReply(payload, of: name)
        let secret = try sharedSecret(group, exponent, reply.f, algorithm: name)
        return KeyExchangeResult(
            hostKey: reply.hostKey, signature: reply.signature,
            exchangeHashTail: hashTail(
                sizes, group, clientValue: publicValue, serverValue: reply.f, sharedSecret: secret),
            sharedSecret: secret)
    }
}

/// The server's side: serves the published groups.
struct GroupExchangeServer: ServerKeyExchange {
    private enum State {
        case waiting
        case offered(DiffieHellmanGroup, KexGroupRequest)
        case finished(publicValue: MPInt)
    }

    private let name: String
    private var state = State.waiting

    init(name: String) { self.name = name }

    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ServerKeyExchangeStep {
        switch state {
        case .waiting:
            let sizes = try KexGroupRequest(payload, of: name)
            let group = try choose(sizes)
            state = .offered(group, sizes)
            return .send(try KexGroup(prime: group.prime, generator: group.generator).payload())
        case .offered(let group, let sizes):
            let clientValue = try KexGroupInit(payload, of: name).e
            guard let key = group.makeKey() else { throw .operationFailed("\(name): making a key") }
            let secret = try sharedSecret(group, key.exponent, clientValue, algorithm: name)
            state = .finished(publicValue: key.publicValue)
            return .computed(
                exchangeHashTail: hashTail(
                    sizes, group, clientValue: clientValue, serverValue: key.publicValue, sharedSecret: secret),
                sharedSecret: secret)
        case .finished:
            throw .unexpectedMessage(algorithm: name, number: payload.getInteger(at: payload.readerIndex))
        }
    }

    func makeReply(hostKey: ByteBuffer, signature: ByteBuffer) throws(CryptoError) -> ByteBuffer {
        guard case .finished(let publicValue) = state else {
            throw .operationFailed("\(name): a reply before the client's value")
        }
        return try KexGroupReply(hostKey: hostKey, f: publicValue, signature: signature).payload()
    }

    /// The smallest group that is not below what the client prefers, or else the largest it takes.
    private func choose(_ sizes: KexGroupRequest) throws(CryptoError) -> DiffieHellmanGroup {
        let allowed = DiffieHellmanGroup.published.filter {
            $0.prime.bitWidth >= sizes.minimum && $0.prime.bitWidth <= sizes.maximum
        }
        guard let group = allowed.first(where: { $0.prime.bitWidth >= sizes.preferred }) ?? allowed.last else {
            throw .invalidGroup(
                algorithm: name, reason: "none has \(sizes.minimum) to \(sizes.maximum) bits")
        }
        return group
    }
}
