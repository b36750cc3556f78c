import CryptoExtras
import SSHWire

/// The numbers of an RSA public key, checked before any arithmetic touches them.
struct RSAPublicNumbers: Hashable, Sendable {
    /// The sizes of modulus accepted, in bits.
    static let sizes = 1024...16384
    /// What errors about its size and shape call the modulus.
    static let modulusName = "RSA modulus"

    let e: MPInt
    let n: MPInt

    /// - Throws: `KeyError.malformed` for a modulus out of `sizes` or an even number.
    init(e: MPInt, n: MPInt) throws(KeyError) {
        guard Self.sizes.contains(n.bitWidth) else {
            throw .malformed(
                what: Self.modulusName,
                reason: "\(n.bitWidth) bits, not \(Self.sizes.lowerBound) to \(Self.sizes.upperBound)")
        }
        guard n.magnitude.last.map({ $0 & 1 == 1 }) ?? false else {
            throw .malformed(what: "RSA key", reason: "its modulus is even")
        }
        guard e.bitWidth >= 2, e.magnitude.last.map({ $0 & 1 == 1 }) ?? false else {
            throw .malformed(what: "RSA public exponent", reason: "even, zero or one")
        }
        guard e.bitWidth < n.bitWidth else {
            throw .malformed(what: "RSA public exponent", reason: "not smaller than the modulus")
        }
        self.e = e
        self.n = n
    }

    /// The bytes of the modulus, and so of a signature.
    var signatureSize: Int { n.magnitude.count }

    /// The key as the cryptographic library takes it.
    ///
    /// - Throws: `KeyError.unsupported` for more than the library does: 8192 bits of modulus, 33 of exponent.
    func verifier() throws(KeyError) -> _RSA.Signing.PublicKey {
        do {
            // The initialiser from numbers refuses less than 2048 bits; this one takes what old hosts still have.
            return try _RSA.Signing.PublicKey(
                unsafeDERRepresentation: DER.sequence(DER.integer(n.magnitude), DER.integer(e.magnitude)))
        } catch {
            throw .unsupported(what: "RSA key", name: "\(n.bitWidth) bits, exponent of \(e.bitWidth) bits")
        }
    }
}

/// The numbers of an RSA private key as OpenSSH's format and PKCS #1 carry them.
struct RSAPrivateNumbers {
    let n: MPInt
    let e: MPInt
    let d: MPInt
    /// The inverse of q modulo p.
    let coefficient: MPInt
    let p: MPInt
    let q: MPInt

    /// The key as the cryptographic library takes it; the library checks that the numbers belong together.
    ///
    /// - Throws: `KeyError.malformed` where they do not.
    func signer() throws(KeyError) -> _RSA.Signing.PrivateKey {
        _ = try RSAPublicNumbers(e: e, n: n)
        for prime in [p, q] {
            guard prime.bitWidth > 1, prime.bitWidth < n.bitWidth, prime.magnitude.last.map({ $0 & 1 == 1 }) ?? false
            else { throw .malformed(what: "RSA private key", reason: "a prime factor is out of range") }
        }
        guard d.bitWidth > 1, d.bitWidth <= n.bitWidth, coefficient.bitWidth <= p.bitWidth else {
            throw .malformed(what: "RSA private key", reason: "the private exponent is out of range")
        }
        do {
            return try _RSA.Signing.PrivateKey(unsafeDERRepresentation: pkcs1)
        } catch {
            throw .malformed(what: "RSA private key", reason: "its numbers do not belong together")
        }
    }

    /// RSAPrivateKey of RFC 8017 appendix A.1.2.
    private var pkcs1: [UInt8] {
        let numbers = [
            n.magnitude, e.magnitude, d.magnitude, p.magnitude, q.magnitude,
            Self.remainder(of: d.magnitude, moduloOddMinusOne: p.magnitude),
            Self.remainder(of: d.magnitude, moduloOddMinusOne: q.magnitude),
            coefficient.magnitude,
        ]
        return DER.element(0x30, DER.integer([]) + numbers.flatMap { DER.integer($0) })
    }

    /// `value mod (odd - 1)`, bit by bit: shift, and subtract under a mask, so that no branch depends on a secret.
    static func remainder(of value: [UInt8], moduloOddMinusOne odd: [UInt8]) -> [UInt8] {
        var modulus = limbs(odd)
        modulus[0] &= ~1
        // One limb more than the modulus takes the bit that a shift carries out.
        modulus.append(0)
        var result = [UInt32](repeating: 0, count: modulus.count)
        var difference = result
        for byte in value {
            for bit in (0..<8).reversed() {
                var carry = UInt32(byte >> UInt8(bit)) & 1
                for index in result.indices {
                    let next = result[index] >> 31
                    result[index] = result[index] << 1 | carry
                    carry = next
                }
                var borrow: UInt64 = 0
                for index in result.indices {
                    let step = UInt64(result[index]) &- UInt64(modulus[index]) &- borrow
                    difference[index] = UInt32(truncatingIfNeeded: step)
                    borrow = step >> 63
                }
                let keep = UInt32(0) &- UInt32(borrow)
                for index in result.indices {
                    result[index] = (result[index] & keep) | (difference[index] & ~keep)
                }
            }
        }
        return result.reversed().flatMap { limb in
            (0..<4).map { UInt8(truncatingIfNeeded: limb >> UInt32(24 - 8 * $0)) }
        }
    }

    /// Big-endian bytes as 32-bit limbs, the least significant first; at least one.
    private static func limbs(_ bytes: [UInt8]) -> [UInt32] {
        var result = [UInt32](repeating: 0, count: max(1, (bytes.count + 3) / 4))
        for (place, byte) in bytes.reversed().enumerated() {
            result[place / 4] |= UInt32(byte) << UInt32(8 * (place % 4))
        }
        return result
    }
}

extension RSAPrivateNumbers {
    /// Reads an RSAPrivateKey of RFC 8017 appendix A.1.2, with two primes.
    init(pkcs1 bytes: [UInt8]) throws(KeyError) {
        var outer = DERReader(bytes, what: "RSA private key")
        var reader = try outer.sequence("RSAPrivateKey")
        guard outer.isAtEnd else { throw .malformed(what: "RSA private key", reason: "bytes after its end") }
        guard try reader.integer("version", upTo: 1) == 0 else {
            throw .unsupported(what: "RSA private key", name: "more than two primes")
        }
        n = try reader.integer("modulus")
        e = try reader.integer("publicExponent")
        d = try reader.integer("privateExponent")
        p = try reader.integer("prime1")
        q = try reader.integer("prime2")
        _ = try reader.integer("exponent1")
        _ = try reader.integer("exponent2")
        coefficient = try reader.integer("coefficient")
    }
}
