import Crypto
import SSHCrypto
import SSHWire

/// The hash of an RSA signature (RFC 8017 section 9.2, RFC 8332, RFC 4253 section 6.6).
enum RSAHash {
    case sha1
    case sha256
    case sha512

    /// - Returns: nil for an algorithm that is none of RSA.
    init?(algorithm: String) {
        switch algorithm {
        case "ssh-rsa": self = .sha1
        case "rsa-sha2-256": self = .sha256
        case "rsa-sha2-512": self = .sha512
        default: return nil
        }
    }

    /// DigestInfo: the name of the hash in DER, and the digest (RFC 8017 section 9.2, note 1).
    func digestInfo(of data: [UInt8]) -> [UInt8] {
        switch self {
        case .sha1: Self.info([0x2b, 0x0e, 3, 2, 26], Array(Insecure.SHA1.hash(data: data)))
        case .sha256: Self.info([0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], Array(SHA256.hash(data: data)))
        case .sha512: Self.info([0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], Array(SHA512.hash(data: data)))
        }
    }

    private static func info(_ identifier: [UInt8], _ digest: [UInt8]) -> [UInt8] {
        DER.sequence(
            DER.sequence(DER.element(0x06, identifier), DER.element(0x05, [])), DER.element(0x04, digest))
    }

    /// EMSA-PKCS1-v1_5: the number that is signed, `size` bytes; nil where they are too few.
    func encoded(_ data: [UInt8], size: Int) -> [UInt8]? {
        let info = digestInfo(of: data)
        guard size >= info.count + 11 else { return nil }
        return [0, 1] + [UInt8](repeating: 0xff, count: size - info.count - 3) + [0] + info
    }
}

/// RSA for keys larger than the 8192 bits that the cryptographic library takes, with the arithmetic of Diffie-Hellman.
struct LargeRSAKey: Sendable {
    /// Larger ones make verifying as slow as signing, and nobody has them.
    static let maximumExponentBits = 64

    let numbers: RSAPrivateNumbers
    private let p: MontgomeryModulus
    private let q: MontgomeryModulus

    /// - Throws: `KeyError.malformed` where the numbers do not belong together.
    init(_ numbers: RSAPrivateNumbers) throws(KeyError) {
        guard let p = MontgomeryModulus(bigEndian: numbers.p.magnitude),
            let q = MontgomeryModulus(bigEndian: numbers.q.magnitude),
            MPInt(bigEndian: Self.product(numbers.p.magnitude, numbers.q.magnitude)) == numbers.n,
            MPInt(bigEndian: p.product(p.remainder(numbers.q.magnitude), numbers.coefficient.magnitude))
                == MPInt(bigEndian: [1])
        else { throw .malformed(what: "RSA private key", reason: "its numbers do not belong together") }
        self.numbers = numbers
        self.p = p
        self.q = q
    }

    /// RSASSA-PKCS1-v1_5 with the Chinese remainder theorem (RFC 8017 sections 8.2.1 and 5.1.2).
    ///
    /// - Throws: `KeyError.refused` where the signature does not verify: a wrong one would give a prime factor away.
    func sign(_ data: [UInt8], _ hash: RSAHash) throws(KeyError) -> [UInt8] {
        let publicNumbers = try RSAPublicNumbers(e: numbers.e, n: numbers.n)
        let size = publicNumbers.signatureSize
        guard let message = hash.encoded(data, size: size) else {
            throw .refused(operation: "signing", reason: "the key is too small")
        }
        let left = p.power(
            p.remainder(message),
            RSAPrivateNumbers.remainder(of: numbers.d.magnitude, moduloOddMinusOne: numbers.p.magnitude))
        let right = q.power(
            q.remainder(message),
            RSAPrivateNumbers.remainder(of: numbers.d.magnitude, moduloOddMinusOne: numbers.q.magnitude))
        let difference = p.difference(left, p.remainder(right))
        let factor = p.product(difference, numbers.coefficient.magnitude)
        let signature = Self.sum(Self.product(factor, numbers.q.magnitude), right, count: size)
        guard Self.isValid(signature, of: data, hash, publicNumbers) else {
            throw .refused(operation: "signing", reason: "the key's numbers do not belong together")
        }
        return signature
    }

    /// Whether `signature`, as long as the modulus, is that of `data`.
    static func isValid(_ signature: [UInt8], of data: [UInt8], _ hash: RSAHash, _ key: RSAPublicNumbers) -> Bool {
        guard let modulus = MontgomeryModulus(bigEndian: key.n.magnitude), signature.count == key.signatureSize,
            signature.lexicographicallyPrecedes(key.n.magnitude),
            let wanted = hash.encoded(data, size: key.signatureSize)
        else { return false }
        return modulus.power(signature, key.e.magnitude) == wanted
    }

    /// a * b, big-endian, as long as both together.
    static func product(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] {
        let (a, b) = (limbs(a), limbs(b))
        var result = [UInt32](repeating: 0, count: a.count + b.count)
        for (place, limb) in a.enumerated() {
            var carry: UInt64 = 0
            for (other, factor) in b.enumerated() {
                let step = UInt64(limb) * UInt64(factor) + UInt64(result[place + other]) + carry
                result[place + other] = UInt32(truncatingIfNeeded: step)
                carry = step >> 32
            }
            result[place + b.count] = UInt32(carry)
        }
        return bytes(result)
    }

    /// a + b, big-endian, in the last `count` bytes.
    private static func sum(_ a: [UInt8], _ b: [UInt8], count: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        var carry: UInt16 = 0
        for place in 1...count {
            carry += place <= a.count ? UInt16(a[a.count - place]) : 0
            carry += place <= b.count ? UInt16(b[b.count - place]) : 0
            result[count - place] = UInt8(truncatingIfNeeded: carry)
            carry >>= 8
        }
        return result
    }

    private static func limbs(_ bytes: [UInt8]) -> [UInt32] {
        var result = [UInt32](repeating: 0, count: max(1, (bytes.count + 3) / 4))
        for (place, byte) in bytes.reversed().enumerated() {
            result[place / 4] |= UInt32(byte) << UInt32(8 * (place % 4))
        }
        return result
    }

    private static func bytes(_ limbs: [UInt32]) -> [UInt8] {
        limbs.reversed().flatMap { limb in (0..<4).map { UInt8(truncatingIfNeeded: limb >> UInt32(24 - 8 * $0)) } }
    }
}
