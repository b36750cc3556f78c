/// Miller's and Rabin's test of primality (FIPS 186-5 appendix B.3.1).
extension MontgomeryModulus {
    /// Whether the modulus, if it is composite, is not shown to be by so many random bases. Whoever chose it, a composite
    /// number passes with a chance of one in 4^rounds at most.
    func isProbablyPrime(_ modulus: [UInt8], rounds: Int) -> Bool {
        // One byte shorter, so that each is below the modulus.
        let bases = (0..<rounds).map { _ in SecureRandom.bytes(max(byteCount - 1, 1)) }
        return isProbablyPrime(modulus, bases: bases)
    }

    /// The same with bases of the caller's, 2 or more and below the modulus.
    ///
    /// - Parameter modulus: the modulus again, as long as ``byteCount``.
    func isProbablyPrime(_ modulus: [UInt8], bases: [[UInt8]]) -> Bool {
        guard let last = modulus.last, last & 1 == 1 else { return false }
        let minusOne: [UInt8] = Array(modulus.dropLast()) + [last - 1]
        let one = [UInt8](repeating: 0, count: minusOne.count - 1) + [1]
        let (exponent, halvings) = Self.oddPart(minusOne)
        return bases.allSatisfy { base in
            var value = power(base, exponent)
            if value == one || value == minusOne { return true }
            for _ in 1..<max(halvings, 1) {
                value = product(value, value)
                if value == minusOne { return true }
            }
            return false
        }
    }

    /// A number above 0 as an odd one times a power of two.
    private static func oddPart(_ number: [UInt8]) -> (odd: [UInt8], halvings: Int) {
        let bytes = number.reversed().prefix { $0 == 0 }.count
        let kept = Array(number.dropLast(bytes))
        let bits = kept.last?.trailingZeroBitCount ?? 0
        let shifted = kept.indices.map { index in
            let above = index == 0 ? 0 : UInt16(kept[index - 1])
            return UInt8(truncatingIfNeeded: (above << 8 | UInt16(kept[index])) >> UInt16(bits))
        }
        return (shifted, bytes * 8 + bits)
    }
}
