import Crypto
import CryptoExtras
import SSHCrypto
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

    /// Whether a signature of this key's size was made by it.
    ///
    /// - Throws: `KeyError.unsupported` for a large modulus with a large exponent.
    func isValid(_ signature: [UInt8], of data: [UInt8], _ hash: RSAHash) throws(KeyError) -> Bool {
        // The initialiser from numbers refuses less than 2048 bits; this one takes what old hosts still have. It takes no
        // more than 8192 bits of modulus and 33 of exponent.
        let der = DER.sequence(DER.integer(n.magnitude), DER.integer(e.magnitude))
        guard let key = try? _RSA.Signing.PublicKey(unsafeDERRepresentation: der) else {
            guard e.bitWidth <= LargeRSAKey.maximumExponentBits else {
                throw .unsupported(
                    what: "exponent of an RSA key of \(n.bitWidth) bits", name: "\(e.bitWidth)-bit")
            }
            return LargeRSAKey.isValid(signature, of: data, hash, self)
        }
        let parsed = _RSA.Signing.RSASignature(rawRepresentation: signature)
        return switch hash {
        case .sha1:
            key.isValidSignature(parsed, for: Insecure.SHA1.hash(data: data), padding: .insecurePKCS1v1_5)
        case .sha256: key.isValidSignature(parsed, for: SHA256.hash(data: data), padding: .insecurePKCS1v1_5)
        case .sha512: key.isValidSignature(parsed, for: SHA512.hash(data: data), padding: .insecurePKCS1v1_5)
        }
    }
}

/// An RSA private key as signing takes it.
enum RSASigner: Sendable {
    /// Up to ``librarySize`` bits.
    case library(_RSA.Signing.PrivateKey)
    case large(LargeRSAKey)

    /// The largest modulus that the cryptographic library takes, in bits.
    static let librarySize = 8192

    /// - Throws: `KeyError.malformed` where the numbers do not belong together.
    func numbers() throws(KeyError) -> RSAPrivateNumbers {
        switch self {
        case .library(let key): try RSAPrivateNumbers(pkcs1: Array(key.derRepresentation))
        case .large(let key): key.numbers
        }
    }

    func publicNumbers() throws(KeyError) -> RSAPublicNumbers {
        switch self {
        case .library(let key):
            guard let numbers = try? key.publicKey.getKeyPrimitives() else {
                throw .malformed(what: "RSA private key", reason: "no public half")
            }
            return try RSAPublicNumbers(
                e: MPInt(bigEndian: Array(numbers.publicExponent)), n: MPInt(bigEndian: Array(numbers.modulus)))
        case .large(let key): return try RSAPublicNumbers(e: key.numbers.e, n: key.numbers.n)
        }
    }

    /// The signature, as long as the modulus.
    func sign(_ data: [UInt8], _ hash: RSAHash) throws -> [UInt8] {
        switch self {
        case .library(let key):
            let signature =
                switch hash {
                case .sha1: try key.signature(for: Insecure.SHA1.hash(data: data), padding: .insecurePKCS1v1_5)
                case .sha256: try key.signature(for: SHA256.hash(data: data), padding: .insecurePKCS1v1_5)
                case .sha512: try key.signature(for: SHA512.hash(data: data), padding: .insecurePKCS1v1_5)
                }
            return Array(signature.rawRepresentation)
        case .large(let key): return try key.sign(data, hash)
        }
    }
}

/// The numbers of an RSA private key as OpenSSH's format and PKCS #1 carry them.
struct RSAPrivateNumbers: Sendable {
    let n: MPInt
    let e: MPInt
    let d: MPInt
    /// The inverse of q modulo p.
    let coefficient: MPInt
    let p: MPInt
    let q: MPInt

    /// The key as signing takes it, its numbers checked to belong together.
    ///
    /// - Throws: `KeyError.malformed` where they do not.
    func signer() throws(KeyError) -> RSASigner {
        _ = try RSAPublicNumbers(e: e, n: n)
        for prime in [p, q] {
            guard prime.bitWidth > 1, prime.bitWidth < n.bitWidth, prime.magnitude.last.map({ $0 & 1 == 1 }) ?? false
            else { throw .malformed(what: "RSA private key", reason: "a prime factor is out of range") }
        }
        guard d.bitWidth > 1, d.bitWidth <= n.bitWidth, coefficient.bitWidth <= p.bitWidth else {
            throw .malformed(what: "RSA private key", reason: "the private exponent is out of range")
        }
        guard n.bitWidth <= RSASigner.librarySize else { return .large(try LargeRSAKey(self)) }
        do {
            return .library(try _RSA.Signing.PrivateKey(unsafeDERRepresentation: pkcs1))
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

    /// The inverse of a number modulo a prime, by Fermat's theorem; nil where there is none.
    static func inverse(of value: MPInt, modulo prime: MPInt) -> MPInt? {
        guard prime.bitWidth > 2, let modulus = MontgomeryModulus(bigEndian: prime.magnitude) else { return nil }
        var exponent = prime.magnitude
        var borrow: UInt8 = 2
        for index in exponent.indices.reversed() where borrow > 0 {
            let (difference, isUnder) = exponent[index].subtractingReportingOverflow(borrow)
            exponent[index] = difference
            borrow = isUnder ? 1 : 0
        }
        let base = modulus.remainder(value.magnitude)
        let inverse = modulus.power(base, exponent)
        guard MPInt(bigEndian: modulus.product(base, inverse)) == MPInt(bigEndian: [1]) else { return nil }
        return MPInt(bigEndian: inverse)
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
