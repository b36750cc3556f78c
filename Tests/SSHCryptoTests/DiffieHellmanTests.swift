import NIOCore
import SSHWire
import Testing

@testable import SSHCrypto

@Suite("Diffie-Hellman over integers")
struct DiffieHellmanTests {
    static let groups: [(bits: Int, group: DiffieHellmanGroup?)] = [
        (1024, .oakley2), (2048, .modp2048),
    ]

    @Test("the published primes have their sizes, and pass Fermat's test as do their halves", arguments: groups)
    func primes(bits: Int, group: DiffieHellmanGroup?) throws {
        let prime = try #require(group).prime.magnitude
        #expect(MPInt(bigEndian: prime).bitWidth == bits)
        let modulus = try #require(MontgomeryModulus(bigEndian: prime))
        let one = [UInt8](repeating: 0, count: bits / 8 - 1) + [1]
        #expect(modulus.power([3], prime.dropLast() + [prime[prime.count - 1] - 1]) == one)
        // 2 is a square modulo each of these primes, so that its order divides (p - 1) / 2.
        #expect(modulus.power([2], Self.half(prime)) == one)
    }

    /// (p - 1) / 2
    private static func half(_ number: [UInt8]) -> [UInt8] {
        number.indices.map { number[$0] >> 1 | ($0 > 0 ? number[$0 - 1] << 7 : 0) }
    }

    @Test("the larger primes have their form: all ones, pi, all ones")
    func largePrimes() throws {
        // The digits of 2^(n - 130) * pi less the bits above them are the same in all of them: pi's first ones.
        let digits = try #require(DiffieHellmanGroup.modp2048).prime.magnitude[8..<200]
        for (bits, group) in zip([2048, 3072, 4096, 6144, 8192], DiffieHellmanGroup.published) {
            let prime = group.prime.magnitude
            #expect(prime.count * 8 == bits)
            #expect(prime.prefix(8).allSatisfy { $0 == 0xff } && prime.suffix(8).allSatisfy { $0 == 0xff })
            #expect(prime[8..<200] == digits)
        }
        #expect(DiffieHellmanGroup.published.count == 5)
    }

    @Test("public values of 0, 1, p - 1, p and above are refused by both sides")
    func badPublicValues() throws {
        let algorithm = try #require(KeyExchangeAlgorithm.named("diffie-hellman-group14-sha256"))
        let prime = try #require(DiffieHellmanGroup.modp2048).prime.magnitude
        let bad: [[UInt8]] = [[], [1], prime.dropLast() + [prime[prime.count - 1] - 1], prime, prime + [0]]
        for value in bad {
            var server = try algorithm.makeServer()
            var initial = ByteBuffer(bytes: [30])
            initial.writeMPInt(MPInt(bigEndian: value))
            #expect(throws: CryptoError.invalidPublicKey(algorithm: algorithm.name)) { try server.receive(initial) }
            var client = try algorithm.makeClient()
            var reply = ByteBuffer(bytes: [31])
            reply.writeSSHString("K_S")
            reply.writeMPInt(MPInt(bigEndian: value))
            reply.writeSSHString("signature")
            #expect(throws: CryptoError.invalidPublicKey(algorithm: algorithm.name)) { try client.receive(reply) }
        }
    }

    @Test("a group exchange hashes its sizes, group and values in the order of RFC 4419 section 3")
    func groupExchangeHash() throws {
        var run = try ExchangeRun(.groupExchange).result.exchangeHashTail
        #expect(try [run.readUInt32("min"), run.readUInt32("n"), run.readUInt32("max")] == [2048, 4096, 8192])
        #expect(try run.readMPInt("p") == DiffieHellmanGroup.modp4096?.prime)
        #expect(try run.readMPInt("g").magnitude == [2])
        for name in ["e", "f", "K"] { #expect(try run.readMPInt(name).bitWidth > 4000) }
        #expect(run.readableBytes == 0)
    }

    @Test(
        "the server offers the smallest group that is large enough, or else the largest there is",
        arguments: [
            ([2048, 2048, 8192], 2048), ([1024, 1024, 8192], 2048), ([2048, 3000, 8192], 3072),
            ([2048, 7680, 8192], 8192), ([2048, 8192, 4096], 4096), ([0, 0, .max], 2048), ([1024, .max, .max], 8192),
        ] as [([UInt32], Int)])
    func choice(sizes: [UInt32], bits: Int) throws {
        var server = GroupExchangeServer(name: "group exchange")
        guard case .send(var group) = try server.receive(request(sizes)) else {
            Issue.record("no group")
            return
        }
        #expect(group.readInteger(as: UInt8.self) == 31)
        #expect(try group.readMPInt("p").bitWidth == bits)
    }

    private func request(_ sizes: [UInt32]) -> ByteBuffer {
        var payload = ByteBuffer(bytes: [34])
        for size in sizes { payload.writeInteger(size) }
        return payload
    }

    @Test(
        "sizes that no group has are refused",
        arguments: [[512, 1024, 1024], [8193, 9000, 10000], [4096, 3072, 2048]])
    func noGroup(sizes: [UInt32]) throws {
        var server = GroupExchangeServer(name: "group exchange")
        #expect(throws: CryptoError.self) { try server.receive(request(sizes)) }
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    @Test(
        "primes pass the test of Miller and Rabin, and composite numbers fail it for some base",
        arguments: [
            ([3], true), ([17], true), ([1, 1], true), ([0x7f, 0xff, 0xff, 0xff], true), ([9], false), ([15], false),
            // Carmichael's numbers 561, 1105 and 1729, and 3215031751, for which 2, 3, 5 and 7 prove nothing.
            ([2, 0x31], false), ([4, 0x51], false), ([6, 0xc1], false), ([0xbf, 0xa1, 0x7d, 0xc7], false),
        ] as [([UInt8], Bool)])
    func primality(number: [UInt8], isPrime: Bool) throws {
        let modulus = try #require(MontgomeryModulus(bigEndian: number))
        let bases: [[UInt8]] = number.count == 1 ? [[2]] : [[2], [3], [5], [7], [11]]
        #expect(modulus.isProbablyPrime(number, bases: bases) == isPrime)
    }

    @Test("published primes pass the test with random bases, a number beside them does not")
    func primalityOfGroups() throws {
        let prime = try #require(DiffieHellmanGroup.modp2048).prime.magnitude
        #expect(try #require(MontgomeryModulus(bigEndian: prime)).isProbablyPrime(prime, rounds: 1))
        let other = prime.dropLast(2) + [0xfe, 0xff]
        #expect(try #require(DiffieHellmanGroup(prime: Array(other), generator: [2])).hasPrimeModulus == false)
    }

    @Test("the client refuses a group that is too small, too large, even or has a bad generator")
    func badGroups() throws {
        let prime = try #require(DiffieHellmanGroup.modp2048).prime.magnitude
        let groups: [(prime: [UInt8], generator: [UInt8])] = [
            (try #require(DiffieHellmanGroup.oakley2).prime.magnitude, [2]),
            ([UInt8](repeating: 0xff, count: 1025), [2]),
            ([UInt8](repeating: 0xff, count: 100_000), [2]),
            (prime.dropLast() + [0xfe], [2]),
            (prime, []), (prime, [1]), (prime, prime), (prime, prime.dropLast() + [0xfe]),
            ([], [2]),
            // Composite: the lowest byte but one of a prime is another.
            (prime.dropLast(2) + [0xfe, 0xff], [2]), (prime.dropLast(2) + [0xfd, 0xff], [2]),
            // The square of 2^1104 + 1, of which that number's powers are 0.
            (
                [1] + zeros(137) + [2] + zeros(137) + [1],
                [1] + zeros(137) + [1]
            ),
        ]
        for group in groups {
            var client = try GroupExchangeClient(name: "group exchange")
            var payload = ByteBuffer(bytes: [31])
            payload.writeMPInt(MPInt(bigEndian: group.prime))
            payload.writeMPInt(MPInt(bigEndian: group.generator))
            do {
                _ = try client.receive(payload)
                Issue.record("a group of \(group.prime.count) bytes was taken")
            } catch {
                guard case .invalidGroup(algorithm: "group exchange", _) = error else {
                    Issue.record(error)
                    return
                }
            }
        }
    }

    @Test("every truncation of a group exchange's messages is refused")
    func groupExchangeTruncations() throws {
        let client = try GroupExchangeClient(name: "x")
        var server = GroupExchangeServer(name: "x")
        try expectTruncationsRefused(client.initialPayload) { payload in
            var server = GroupExchangeServer(name: "x")
            _ = try server.receive(payload)
        }
        guard case .send(let group) = try server.receive(client.initialPayload) else { return }
        try expectTruncationsRefused(group) { payload in
            var client = client
            _ = try client.receive(payload)
        }
        var second = client
        guard case .send(let initial) = try second.receive(group) else { return }
        try expectTruncationsRefused(initial) { [server] payload in
            var server = server
            _ = try server.receive(payload)
        }
        _ = try server.receive(initial)
        let reply = try server.makeReply(hostKey: ExchangeRun.hostKey, signature: ExchangeRun.signature)
        try expectTruncationsRefused(reply) { [second] payload in
            var client = second
            _ = try client.receive(payload)
        }
        _ = try second.receive(reply)
        #expect(throws: CryptoError.unexpectedMessage(algorithm: "x", number: 33)) { try second.receive(reply) }
        #expect(throws: CryptoError.unexpectedMessage(algorithm: "x", number: 32)) { try server.receive(initial) }
    }

    private func expectTruncationsRefused(
        _ payload: ByteBuffer, by receive: (ByteBuffer) throws -> Void
    ) throws {
        for count in 0..<payload.readableBytes {
            let cut = try #require(payload.getSlice(at: payload.readerIndex, length: count))
            #expect(throws: CryptoError.self) { try receive(cut) }
        }
    }
}

@Suite("Hybrid key exchange")
struct HybridTests {
    @Test("K is a string as long as the method's hash", arguments: KeyExchangeAlgorithm.hybrids)
    func secretIsString(_ algorithm: KeyExchangeAlgorithm) throws {
        var secret = try ExchangeRun(algorithm).serverSecret
        #expect(try secret.readSSHString("K").readableBytes == algorithm.hash.length)
        #expect(secret.readableBytes == 0)
    }

    @Test("values of another length, and a curve part of zeros, are refused", arguments: KeyExchangeAlgorithm.hybrids)
    func badPublicValues(_ algorithm: KeyExchangeAlgorithm) throws {
        var initial = try algorithm.makeClient().initialPayload
        initial.moveReaderIndex(forwardBy: 1)
        let valid = Array(try initial.readSSHString("C_INIT").readableBytesView)
        let zeros = [UInt8](repeating: 0, count: 32)
        for value in [[], Array(valid.dropLast()), valid + [0], valid.dropLast(32) + zeros] {
            var server = try algorithm.makeServer()
            var payload = ByteBuffer(bytes: [30])
            payload.writeSSHString(value)
            #expect(throws: CryptoError.invalidPublicKey(algorithm: algorithm.name)) { try server.receive(payload) }
        }
        for length in [0, 32, 1038, 1040, 1070, 1072, 1119, 1121] {
            var client = try algorithm.makeClient()
            var payload = ByteBuffer(bytes: [31])
            payload.writeSSHString("K_S")
            payload.writeSSHString([UInt8](repeating: 9, count: length))
            payload.writeSSHString("signature")
            #expect(throws: CryptoError.invalidPublicKey(algorithm: algorithm.name)) { try client.receive(payload) }
        }
    }

    @Test("a changed ciphertext gives another secret", arguments: KeyExchangeAlgorithm.hybrids)
    func changedCiphertext(_ algorithm: KeyExchangeAlgorithm) throws {
        var client = try algorithm.makeClient()
        var server = try algorithm.makeServer()
        guard case .computed(_, let secret) = try server.receive(client.initialPayload) else { return }
        var reply = try server.makeReply(hostKey: ByteBuffer(), signature: ByteBuffer())
        // Byte 20 of the answer: number, empty host key and a length are before it.
        let byte = try #require(reply.getInteger(at: 29, as: UInt8.self))
        reply.setInteger(byte ^ 1, at: 29)
        guard case .finished(let result) = try client.receive(reply) else { return }
        #expect(result.sharedSecret != secret)
    }
}
