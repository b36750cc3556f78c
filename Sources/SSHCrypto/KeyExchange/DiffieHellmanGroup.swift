import SSHWire

/// A prime and a generator, and what Diffie-Hellman does with them (RFC 4253 section 8).
struct DiffieHellmanGroup: Sendable {
    /// The length of private exponents. Twice the strength of the largest group here is 400 bits; what comes out of the
    /// exchange is never worth more than a hash of 512 bits.
    private static let exponentLength = 64
    private static let attempts = 4
    /// A composite number passes with a chance of one in 64 if somebody made it up for that, else never; each round costs
    /// more than an exchange.
    private static let primalityRounds = 3

    let prime: MPInt
    let generator: MPInt
    private let modulus: MontgomeryModulus
    /// p - 1
    private let largest: [UInt8]

    /// - Returns: nil where the prime is even, or the generator is not within 2 ... p - 2.
    init?(prime: [UInt8], generator: [UInt8]) {
        let (prime, generator) = (MPInt(bigEndian: prime), MPInt(bigEndian: generator))
        guard let last = prime.magnitude.last, let modulus = MontgomeryModulus(bigEndian: prime.magnitude) else {
            return nil
        }
        (self.prime, self.generator, self.modulus) = (prime, generator, modulus)
        // The prime is odd, so that only its last byte changes.
        largest = prime.magnitude.dropLast() + [last - 1]
        guard isValid(generator) else { return nil }
    }

    /// Whether the prime is one of those published, or passes a test; one that is composite, which a server could choose or
    /// have been given, may make the secret easy to compute for others.
    var hasPrimeModulus: Bool {
        let isPublished = Self.published.contains { $0.prime == prime }
        return isPublished || modulus.isProbablyPrime(prime.magnitude, rounds: Self.primalityRounds)
    }

    /// Whether a public value is within 2 ... p - 2: the others would give the secret away (RFC 4253 section 8, RFC 8268
    /// section 4).
    func isValid(_ value: MPInt) -> Bool {
        guard value.bitWidth > 1, let magnitude = value.padded(to: largest.count) else { return false }
        return magnitude.lexicographicallyPrecedes(largest)
    }

    /// A fresh private exponent and its public value; nil where the generator's powers are useless, as they can be in a
    /// group that a hostile server made up.
    func makeKey() -> (exponent: [UInt8], publicValue: MPInt)? {
        for _ in 0..<Self.attempts {
            let exponent = SecureRandom.bytes(Self.exponentLength)
            let value = power(generator, exponent)
            if isValid(value) { return (exponent, value) }
        }
        return nil
    }

    /// The shared secret; nil where the peer's value, or what comes of it, is out of range.
    func agree(_ exponent: [UInt8], with peerValue: MPInt) -> MPInt? {
        guard isValid(peerValue) else { return nil }
        let secret = power(peerValue, exponent)
        return isValid(secret) ? secret : nil
    }

    private func power(_ base: MPInt, _ exponent: [UInt8]) -> MPInt {
        MPInt(bigEndian: modulus.power(base.magnitude, exponent))
    }
}
