/// The key encapsulation "sntrup761" of Streamlined NTRU Prime.
///
/// Written from the specification in "NTRU Prime: round 3" (Bernstein and others, 2020, section 3), whose names are used
/// here: small elements have coefficients -1, 0 and 1; R/3 and R/q are the polynomials modulo x^761 - x - 1 with
/// coefficients modulo 3 and modulo 4591. Nothing done with secrets branches on them or is indexed by them.
enum Sntrup761 {
    /// The degree of the ring.
    static let p = 761
    /// The modulus of the large ring.
    static let q: Int32 = 4591
    /// The number of coefficients of a short element that are not zero.
    static let weight = 286

    static let publicKeyLength = 1158
    static let roundedLength = 1007
    static let smallLength = 191
    static let confirmationLength = 32
    static let ciphertextLength = roundedLength + confirmationLength
    static let secretLength = 32

    /// What it takes to decapsulate.
    struct PrivateKey: Sendable {
        /// f, short
        let f: [Int8]
        /// 1/g in R/3
        let inverseOfG: [Int8]
        let publicKey: [UInt8]
        /// What takes the place of r when a ciphertext is not valid.
        let rho: [UInt8]
        /// The hash of the public key that confirmations take in.
        let publicKeyHash: [UInt8]
    }

    /// Makes a key out of random bytes, which `random` gives in the number asked for.
    static func makeKey(random: (Int) -> [UInt8]) -> PrivateKey {
        while true {
            let g = randomSmall(random)
            guard let inverseOfG = R3.inverse(g) else { continue }
            let f = randomShort(random)
            // Every short element but zero has an inverse, R/q being a field.
            guard let inverseOf3F = Rq.inverseOf3(f) else { continue }
            let publicKey = Encoding.encodeRq(Rq.multiply(inverseOf3F, g))
            let rho = random(smallLength)
            return PrivateKey(
                f: f, inverseOfG: inverseOfG, publicKey: publicKey, rho: rho, publicKeyHash: hash(4, publicKey))
        }
    }

    /// Makes a secret and its ciphertext.
    ///
    /// - Returns: nil where the public key has another length than ``publicKeyLength``.
    static func encapsulate(
        to publicKey: [UInt8], random: (Int) -> [UInt8]
    ) -> (secret: [UInt8], ciphertext: [UInt8])? {
        guard publicKey.count == publicKeyLength else { return nil }
        let r = randomShort(random)
        let hidden = hide(r, publicKey, hash(4, publicKey))
        return (sessionKey(1, hidden.encodedR, hidden.ciphertext), hidden.ciphertext)
    }

    /// The secret of a ciphertext; one that nobody can foresee where the ciphertext is not valid.
    ///
    /// - Returns: nil where the ciphertext has another length than ``ciphertextLength``.
    static func decapsulate(_ ciphertext: [UInt8], with key: PrivateKey) -> [UInt8]? {
        guard ciphertext.count == ciphertextLength else { return nil }
        let r = decrypt(Array(ciphertext[..<roundedLength]), key)
        let hidden = hide(r, key.publicKey, key.publicKeyHash)
        let difference = zip(hidden.ciphertext, ciphertext).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
        // All ones where the two differ.
        let mask = UInt8(truncatingIfNeeded: (0 &- Int32(difference)) >> 31)
        let chosen = zip(hidden.encodedR, key.rho).map { ($0 & ~mask) | ($1 & mask) }
        return sessionKey(1 &+ mask, chosen, ciphertext)
    }

    /// Encrypts r and appends its confirmation.
    private static func hide(
        _ r: [Int8], _ publicKey: [UInt8], _ publicKeyHash: [UInt8]
    ) -> (encodedR: [UInt8], ciphertext: [UInt8]) {
        let encodedR = Encoding.encodeSmall(r)
        let rounded = Rq.round(Rq.multiply(Encoding.decodeRq(publicKey), r))
        let confirmation = hash(2, hash(3, encodedR) + publicKeyHash)
        return (encodedR, Encoding.encodeRounded(rounded) + confirmation)
    }

    /// r of its encryption, or a fixed element where that has not the weight it must have.
    private static func decrypt(_ ciphertext: [UInt8], _ key: PrivateKey) -> [Int8] {
        let product = Rq.multiply(Encoding.decodeRounded(ciphertext), key.f)
        let e = product.map { R3.reduce(Rq.reduce(3 * Int32($0))) }
        let candidate = R3.multiply(e, key.inverseOfG)
        let count = candidate.reduce(Int32(0)) { $0 + Int32($1 & 1) }
        // All ones where the weight is right.
        let difference = count ^ Int32(weight)
        let right = Int8(truncatingIfNeeded: (difference &- 1) >> 31)
        return candidate.indices.map { index in
            let fixed: Int8 = index < weight ? 1 : 0
            return (candidate[index] & right) | (fixed & ~right)
        }
    }

    /// The first half of SHA-512 of a number and bytes.
    private static func hash(_ prefix: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        Array(HashAlgorithm.sha512.digest([prefix] + bytes).prefix(32))
    }

    private static func sessionKey(_ prefix: UInt8, _ encodedR: [UInt8], _ ciphertext: [UInt8]) -> [UInt8] {
        hash(prefix, hash(3, encodedR) + ciphertext)
    }

    /// An element whose coefficients are -1, 0 and 1 with nearly the same probability.
    private static func randomSmall(_ random: (Int) -> [UInt8]) -> [Int8] {
        words(p, random).map {
            Int8(truncatingIfNeeded: Int32(truncatingIfNeeded: (($0 & 0x3fff_ffff) &* 3) >> 30) - 1)
        }
    }

    /// An element with exactly ``weight`` coefficients that are not zero: random numbers whose two low bits hold the
    /// coefficients, sorted.
    private static func randomShort(_ random: (Int) -> [UInt8]) -> [Int8] {
        var numbers = words(p, random)
        for index in 0..<weight { numbers[index] &= ~1 }
        for index in weight..<p { numbers[index] = (numbers[index] & ~3) | 1 }
        ObliviousSort.sort(&numbers)
        return numbers.map { Int8(truncatingIfNeeded: $0 & 3) - 1 }
    }

    private static func words(_ count: Int, _ random: (Int) -> [UInt8]) -> [UInt32] {
        random(4 * count).withUnsafeBytes { bytes in
            (0..<count).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
        }
    }
}

/// A sort whose comparisons do not depend on what is sorted: Batcher's merge exchange (Knuth, The Art of Computer
/// Programming, volume 3, section 5.2.2, algorithm M).
enum ObliviousSort {
    static func sort(_ numbers: inout [UInt32]) {
        let count = numbers.count
        guard count > 1 else { return }
        let top = 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount)
        numbers.withUnsafeMutableBufferPointer { numbers in
            var p = top
            while p > 0 {
                var (q, r, d) = (top, 0, p)
                while true {
                    for index in 0..<(count - d) where index & p == r { order(numbers, index, index + d) }
                    if q == p { break }
                    (d, q, r) = (q - p, q >> 1, p)
                }
                p >>= 1
            }
        }
    }

    /// Puts the smaller of two first, without a branch.
    @inline(__always)
    private static func order(_ numbers: UnsafeMutableBufferPointer<UInt32>, _ low: Int, _ high: Int) {
        let (a, b) = (numbers[low], numbers[high])
        let isGreater = UInt32(truncatingIfNeeded: (UInt64(b) &- UInt64(a)) >> 63)
        let exchange = (a ^ b) & (0 &- isGreater)
        numbers[low] = a ^ exchange
        numbers[high] = b ^ exchange
    }
}

/// sntrup761 as a part of a hybrid key exchange.
enum Sntrup761Encapsulation: KeyEncapsulation {
    static let publicKeyLength = Sntrup761.publicKeyLength
    static let ciphertextLength = Sntrup761.ciphertextLength

    static func makeKey() -> (privateKey: Sntrup761.PrivateKey, publicKey: [UInt8])? {
        let key = Sntrup761.makeKey(random: SecureRandom.bytes)
        return (key, key.publicKey)
    }

    static func encapsulate(to publicKey: [UInt8]) -> (secret: [UInt8], ciphertext: [UInt8])? {
        Sntrup761.encapsulate(to: publicKey, random: SecureRandom.bytes)
    }

    static func decapsulate(_ ciphertext: [UInt8], with privateKey: Sntrup761.PrivateKey) -> [UInt8]? {
        Sntrup761.decapsulate(ciphertext, with: privateKey)
    }
}
