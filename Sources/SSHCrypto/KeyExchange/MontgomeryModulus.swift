/// Modular arithmetic with an odd modulus of any size, for Diffie-Hellman over integers and for RSA keys that the
/// cryptographic library finds too large.
///
/// Numbers are arrays of 64-bit limbs, the lowest first, all as long as the modulus. Products are kept in Montgomery's
/// form, where the modulus is divided out limb by limb. Neither the sequence of operations nor the memory they touch
/// depends on the exponent or on the base, only on their lengths: digits of the exponent are taken 4 bits at a time and
/// the table of powers is read whole for each.
package struct MontgomeryModulus: Sendable {
    private static let windowBits = 4
    private static let windowSize = 1 << windowBits

    /// The modulus.
    private let modulus: [UInt64]
    /// -1 / modulus mod 2^64
    private let negatedInverse: UInt64
    /// R^2 mod modulus, where R = 2^(64 * limbs): what takes a number into Montgomery's form.
    private let squareOfR: [UInt64]
    /// The modulus' length in bytes.
    package let byteCount: Int

    /// - Parameter bytes: the modulus, big-endian; nil is returned unless it is odd and above 1.
    package init?(bigEndian bytes: [UInt8]) {
        let significant = Array(bytes.drop { $0 == 0 })
        guard let last = significant.last, last & 1 == 1, significant != [1] else { return nil }
        byteCount = significant.count
        let limbs = Self.limbs(significant, count: (significant.count + 7) / 8)
        modulus = limbs
        // Newton's iteration doubles the number of right bits; an odd number is its own inverse modulo 8.
        var inverse = limbs[0]
        for _ in 0..<5 { inverse = inverse &* (2 &- limbs[0] &* inverse) }
        negatedInverse = 0 &- inverse
        squareOfR = Self.squareOfR(limbs, negatedInverse)
    }

    /// `base` to the power of `exponent`, big-endian and as long as the modulus.
    ///
    /// - Parameters:
    ///   - base: big-endian, no longer than the modulus and below it.
    ///   - exponent: big-endian; its length may be seen in the time taken, its bits may not.
    package func power(_ base: [UInt8], _ exponent: [UInt8]) -> [UInt8] {
        let count = modulus.count
        let base = multiply(Self.limbs(base, count: count), squareOfR)
        let one = multiply(Self.limbs([1], count: count), squareOfR)
        var table = one
        var power = one
        for _ in 1..<Self.windowSize {
            power = multiply(power, base)
            table += power
        }
        var result = one
        for byte in exponent {
            for digit in [byte >> 4, byte & 15] {
                for _ in 0..<Self.windowBits { result = multiply(result, result) }
                result = multiply(result, Self.select(UInt64(digit), from: table, count: count))
            }
        }
        return bytes(of: multiply(result, Self.limbs([1], count: count)))
    }

    /// a * b modulo the modulus, big-endian and as long as it; neither factor is longer.
    package func product(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] {
        let count = modulus.count
        return bytes(of: multiply(multiply(Self.limbs(a, count: count), squareOfR), Self.limbs(b, count: count)))
    }

    /// a - b modulo the modulus, big-endian and as long as it; both are below it.
    package func difference(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] {
        let count = modulus.count
        var negated = modulus
        var borrow: UInt64 = 0
        for (index, limb) in Self.limbs(b, count: count).enumerated() {
            let (part, under1) = negated[index].subtractingReportingOverflow(limb)
            let (difference, under2) = part.subtractingReportingOverflow(borrow)
            negated[index] = difference
            borrow = (under1 ? 1 : 0) | (under2 ? 1 : 0)
        }
        return bytes(of: Self.add(Self.limbs(a, count: count), negated, modulus))
    }

    /// A number of any size modulo the modulus, big-endian and as long as it.
    package func remainder(_ value: [UInt8]) -> [UInt8] {
        let count = modulus.count
        let one = Self.limbs([1], count: count)
        var result = [UInt64](repeating: 0, count: count)
        // Horner's rule over pieces as long as the modulus.
        var rest = value[...]
        while !rest.isEmpty {
            let size = (rest.count - 1) % (count * 8) + 1
            let piece = multiply(multiply(Self.limbs(Array(rest.prefix(size)), count: count), squareOfR), one)
            result = Self.add(multiply(result, squareOfR), piece, modulus)
            rest = rest.dropFirst(size)
        }
        return bytes(of: result)
    }

    /// The entry of a table, every entry being read.
    private static func select(_ index: UInt64, from table: [UInt64], count: Int) -> [UInt64] {
        var result = [UInt64](repeating: 0, count: count)
        for entry in 0..<windowSize {
            let difference = UInt64(entry) ^ index
            let mask = ((difference &- 1) & ~difference) >> 63
            let keep = 0 &- mask
            for limb in 0..<count { result[limb] |= table[entry * count + limb] & keep }
        }
        return result
    }

    /// a * b / R mod modulus.
    private func multiply(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] {
        Self.multiply(a, b, modulus, negatedInverse)
    }

    private static func multiply(
        _ a: [UInt64], _ b: [UInt64], _ modulus: [UInt64], _ negatedInverse: UInt64
    ) -> [UInt64] {
        let count = modulus.count
        var sum = [UInt64](repeating: 0, count: count + 2)
        var result = [UInt64](repeating: 0, count: count)
        sum.withUnsafeMutableBufferPointer { sum in
            b.withUnsafeBufferPointer { b in
                modulus.withUnsafeBufferPointer { modulus in
                    for limb in a {
                        addProduct(limb, b, to: sum)
                        reduce(sum, modulus, negatedInverse)
                    }
                    result.withUnsafeMutableBufferPointer { subtractOnce(modulus, from: sum, into: $0) }
                }
            }
            sum.update(repeating: 0)
        }
        return result
    }

    /// sum += factor * number
    @inline(__always)
    private static func addProduct(
        _ factor: UInt64, _ number: UnsafeBufferPointer<UInt64>, to sum: UnsafeMutableBufferPointer<UInt64>
    ) {
        let count = number.count
        var carry: UInt64 = 0
        var limb = 0
        while limb < count {
            (carry, sum[limb]) = multiplyAdd(factor, number[limb], sum[limb], carry)
            limb &+= 1
        }
        let (total, overflow) = sum[count].addingReportingOverflow(carry)
        sum[count] = total
        sum[count &+ 1] = overflow ? 1 : 0
    }

    /// Adds the multiple of the modulus that clears the lowest limb, and drops that limb.
    @inline(__always)
    private static func reduce(
        _ sum: UnsafeMutableBufferPointer<UInt64>, _ modulus: UnsafeBufferPointer<UInt64>, _ negatedInverse: UInt64
    ) {
        let count = modulus.count
        let factor = sum[0] &* negatedInverse
        var (carry, _) = multiplyAdd(factor, modulus[0], sum[0], 0)
        var limb = 1
        while limb < count {
            (carry, sum[limb &- 1]) = multiplyAdd(factor, modulus[limb], sum[limb], carry)
            limb &+= 1
        }
        let (total, overflow) = sum[count].addingReportingOverflow(carry)
        sum[count &- 1] = total
        sum[count] = sum[count &+ 1] &+ (overflow ? 1 : 0)
        sum[count &+ 1] = 0
    }

    /// a * b + c + d, which two limbs can always hold.
    @inline(__always)
    private static func multiplyAdd(
        _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) -> (high: UInt64, low: UInt64) {
        let (high, low) = a.multipliedFullWidth(by: b)
        let (first, overflow1) = low.addingReportingOverflow(c)
        let (second, overflow2) = first.addingReportingOverflow(d)
        return (high &+ (overflow1 ? 1 : 0) &+ (overflow2 ? 1 : 0), second)
    }

    /// The sum less the modulus where it is not below it; both are computed.
    @inline(__always)
    private static func subtractOnce(
        _ modulus: UnsafeBufferPointer<UInt64>, from sum: UnsafeMutableBufferPointer<UInt64>,
        into result: UnsafeMutableBufferPointer<UInt64>
    ) {
        let count = modulus.count
        var borrow: UInt64 = 0
        for limb in 0..<count {
            let (part, under1) = sum[limb].subtractingReportingOverflow(modulus[limb])
            let (difference, under2) = part.subtractingReportingOverflow(borrow)
            result[limb] = difference
            borrow = (under1 ? 1 : 0) | (under2 ? 1 : 0)
        }
        let below = borrow & ~sum[count] & 1
        let keep = 0 &- below
        for limb in 0..<count { result[limb] = (sum[limb] & keep) | (result[limb] & ~keep) }
    }

    /// R^2 mod modulus: a power of two doubled up to R * 2^limbs, then squared up: six squarings in Montgomery's form
    /// take 2^limbs to 2^(64 * limbs), which is R.
    private static func squareOfR(_ modulus: [UInt64], _ negatedInverse: UInt64) -> [UInt64] {
        let count = modulus.count
        let width = count * 64 - (modulus.last ?? 0).leadingZeroBitCount
        var value = [UInt64](repeating: 0, count: count)
        value[(width - 1) / 64] = 1 << UInt64((width - 1) % 64)
        for _ in (width - 1)..<(count * 64 + count) { value = add(value, value, modulus) }
        for _ in 0..<6 { value = multiply(value, value, modulus, negatedInverse) }
        return value
    }

    /// a + b mod modulus, the one below the modulus, the other not above it.
    private static func add(_ a: [UInt64], _ b: [UInt64], _ modulus: [UInt64]) -> [UInt64] {
        let count = modulus.count
        var sum = [UInt64](repeating: 0, count: count + 2)
        var result = [UInt64](repeating: 0, count: count)
        var carry: UInt64 = 0
        for limb in 0..<count {
            let (part, over1) = a[limb].addingReportingOverflow(b[limb])
            let (total, over2) = part.addingReportingOverflow(carry)
            sum[limb] = total
            carry = (over1 ? 1 : 0) | (over2 ? 1 : 0)
        }
        sum[count] = carry
        sum.withUnsafeMutableBufferPointer { sum in
            modulus.withUnsafeBufferPointer { modulus in
                result.withUnsafeMutableBufferPointer { subtractOnce(modulus, from: sum, into: $0) }
            }
        }
        return result
    }

    /// Big-endian bytes as limbs; what does not fit into `count` of them is left out.
    private static func limbs(_ bytes: [UInt8], count: Int) -> [UInt64] {
        var limbs = [UInt64](repeating: 0, count: count)
        for (index, byte) in bytes.reversed().enumerated().prefix(count * 8) {
            limbs[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
        }
        return limbs
    }

    private func bytes(of limbs: [UInt64]) -> [UInt8] {
        (0..<byteCount).reversed().map { UInt8(truncatingIfNeeded: limbs[$0 / 8] >> UInt64($0 % 8 * 8)) }
    }
}
