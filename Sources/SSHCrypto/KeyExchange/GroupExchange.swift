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
            makeClient: { () throws(CryptoError) in GroupExchangeClient(name: name) },
            makeServer: { () throws(CryptoError) in GroupExchangeServer(name: name) })
    }
}

/// The numbers of the messages (RFC 4419 section 5).
private enum GroupExchangeMessage {
    static let request: UInt8 = 34
    static let group: UInt8 = 31
    static let initial: UInt8 = 32
    static let reply: UInt8 = 33
}

/// The sizes of primes a client takes, in bits.
private struct GroupSizes {
    var minimum: UInt32
    var preferred: UInt32
    var maximum: UInt32

    /// What a client here asks for: nothing below what RFC 8270 allows, nothing that would take seconds.
    static let wanted = GroupSizes(minimum: 2048, preferred: 4096, maximum: 8192)

    func write(to buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(minimum, preferred, maximum)
    }
}

/// Everything but K_S that the exchange hash takes in (RFC 4419 section 3).
private func hashTail(
    _ sizes: GroupSizes, _ group: DiffieHellmanGroup, clientValue: MPInt, serverValue: MPInt, sharedSecret: ByteBuffer
) -> ByteBuffer {
    var tail = ByteBuffer()
    sizes.write(to: &tail)
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
    private let sizes = GroupSizes.wanted
    private var state = State.requested

    init(name: String) { self.name = name }

    var initialPayload: ByteBuffer {
        var payload = ByteBuffer()
        payload.writeInteger(GroupExchangeMessage.request)
        sizes.write(to: &payload)
        return payload
    }

    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ClientKeyExchangeStep {
        switch state {
        case .requested:
            let group = try readGroup(payload)
            guard let key = group.makeKey() else {
                throw .invalidGroup(algorithm: name, reason: "its generator makes no keys")
            }
            state = .sent(group, exponent: key.exponent, publicValue: key.publicValue)
            var answer = ByteBuffer()
            answer.writeInteger(GroupExchangeMessage.initial)
            answer.writeMPInt(key.publicValue)
            return .send(answer)
        case .sent(let group, let exponent, let publicValue):
            let result = try readReply(payload, group, exponent, publicValue)
            state = .finished
            return .finished(result)
        case .finished:
            throw .unexpectedMessage(algorithm: name, number: payload.getInteger(at: payload.readerIndex))
        }
    }

    private func readGroup(_ payload: ByteBuffer) throws(CryptoError) -> DiffieHellmanGroup {
        var fields = try payload.fields(ofMessage: GroupExchangeMessage.group, algorithm: name)
        let (prime, generator) = try decoding { () throws(WireError) in
            let prime = try fields.readMPInt("p")
            let generator = try fields.readMPInt("g")
            try fields.finish("SSH_MSG_KEX_DH_GEX_GROUP")
            return (prime, generator)
        }
        guard prime.bitWidth >= sizes.minimum, prime.bitWidth <= sizes.maximum else {
            throw .invalidGroup(
                algorithm: name,
                reason: "its prime has \(prime.bitWidth) bits, not \(sizes.minimum) to \(sizes.maximum)")
        }
        guard let group = DiffieHellmanGroup(prime: prime.magnitude, generator: generator.magnitude) else {
            throw .invalidGroup(algorithm: name, reason: "no prime, or a generator out of range")
        }
        return group
    }

    private func readReply(
        _ payload: ByteBuffer, _ group: DiffieHellmanGroup, _ exponent: [UInt8], _ publicValue: MPInt
    ) throws(CryptoError) -> KeyExchangeResult {
        var fields = try payload.fields(ofMessage: GroupExchangeMessage.reply, algorithm: name)
        let (hostKey, serverValue, signature) = try decoding { () throws(WireError) in
            let hostKey = try fields.readSSHString("K_S")
            let serverValue = try fields.readMPInt("f")
            let signature = try fields.readSSHString("signature")
            try fields.finish("SSH_MSG_KEX_DH_GEX_REPLY")
            return (hostKey, serverValue, signature)
        }
        let secret = try sharedSecret(group, exponent, serverValue, algorithm: name)
        return KeyExchangeResult(
            hostKey: hostKey, signature: signature,
            exchangeHashTail: hashTail(
                sizes, group, clientValue: publicValue, serverValue: serverValue, sharedSecret: secret),
            sharedSecret: secret)
    }
}

/// The server's side: serves the published groups.
struct GroupExchangeServer: ServerKeyExchange {
    private enum State {
        case waiting
        case offered(DiffieHellmanGroup, GroupSizes)
        case finished(publicValue: MPInt)
    }

    private let name: String
    private var state = State.waiting

    init(name: String) { self.name = name }

    mutating func receive(_ payload: ByteBuffer) throws(CryptoError) -> ServerKeyExchangeStep {
        switch state {
        case .waiting:
            let sizes = try readRequest(payload)
            let group = try choose(sizes)
            state = .offered(group, sizes)
            var answer = ByteBuffer()
            answer.writeInteger(GroupExchangeMessage.group)
            answer.writeMPInt(group.prime)
            answer.writeMPInt(group.generator)
            return .send(answer)
        case .offered(let group, let sizes):
            let clientValue = try readInitial(payload)
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
        var payload = ByteBuffer()
        payload.writeInteger(GroupExchangeMessage.reply)
        payload.writeSSHString(hostKey)
        payload.writeMPInt(publicValue)
        payload.writeSSHString(signature)
        return payload
    }

    private func readRequest(_ payload: ByteBuffer) throws(CryptoError) -> GroupSizes {
        var fields = try payload.fields(ofMessage: GroupExchangeMessage.request, algorithm: name)
        return try decoding { () throws(WireError) in
            let sizes = GroupSizes(
                minimum: try fields.readUInt32("min"), preferred: try fields.readUInt32("n"),
                maximum: try fields.readUInt32("max"))
            try fields.finish("SSH_MSG_KEX_DH_GEX_REQUEST")
            return sizes
        }
    }

    private func readInitial(_ payload: ByteBuffer) throws(CryptoError) -> MPInt {
        var fields = try payload.fields(ofMessage: GroupExchangeMessage.initial, algorithm: name)
        return try decoding { () throws(WireError) in
            let value = try fields.readMPInt("e")
            try fields.finish("SSH_MSG_KEX_DH_GEX_INIT")
            return value
        }
    }

    /// The smallest group that is not below what the client prefers, or else the largest it takes.
    private func choose(_ sizes: GroupSizes) throws(CryptoError) -> DiffieHellmanGroup {
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
