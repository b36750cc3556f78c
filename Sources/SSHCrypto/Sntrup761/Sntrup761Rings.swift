extension Sntrup761 {
    /// Arithmetic in R/3: polynomials modulo x^761 - x - 1, coefficients -1, 0 and 1.
    enum R3 {
        /// The coefficient modulo 3.
        @inline(__always)
        static func reduce(_ number: Int32) -> Int8 {
            // A remainder by a constant is a multiplication; adding 3 * 2^20 makes it non-negative first.
            Int8(truncatingIfNeeded: (number &+ 3 * 1_048_576 &+ 1) % 3 - 1)
        }

        /// a * b
        static func multiply(_ a: [Int8], _ b: [Int8]) -> [Int8] {
            Convolution.multiply(a.map(Int32.init), b).map(reduce)
        }

        /// 1 / a; nil where there is none.
        static func inverse(_ a: [Int8]) -> [Int8]? {
            var steps = DivisionSteps(a, r0: 1)
            let isInvertible = steps.run { f, g, f0, g0 in
                // f0 is 1 or -1, so that dividing by it is multiplying by it.
                Int32(reduce(g &- f0 &* g0 &* f))
            }
            guard isInvertible else { return nil }
            return steps.result { reduce($1 &* $0) }
        }
    }

    /// Arithmetic in R/q: polynomials modulo x^761 - x - 1, coefficients from -2295 to 2295.
    enum Rq {
        static let half: Int32 = (q - 1) / 2

        /// The coefficient modulo q, between -2295 and 2295. Takes numbers up to 2^30 either way.
        @inline(__always)
        static func reduce(_ number: Int32) -> Int32 {
            let remainder = (number &+ half) % q
            // Negative remainders are brought up by q; an arithmetic shift makes the mask.
            return remainder &+ (q & (remainder >> 31)) &- half
        }

        /// a * b, b small.
        static func multiply(_ a: [Int16], _ b: [Int8]) -> [Int16] {
            Convolution.multiply(a.map(Int32.init), b).map { Int16(truncatingIfNeeded: reduce($0)) }
        }

        /// Each coefficient rounded to a multiple of 3.
        static func round(_ a: [Int16]) -> [Int16] {
            a.map { $0 - Int16(R3.reduce(Int32($0))) }
        }

        /// 1 / (3 * a); nil where there is none, which is for a = 0 only.
        static func inverseOf3(_ a: [Int8]) -> [Int16]? {
            var steps = DivisionSteps(a, r0: inverse(3))
            let isInvertible = steps.run { f, g, f0, g0 in reduce(f0 &* g &- g0 &* f) }
            guard isInvertible else { return nil }
            return steps.result { Int16(truncatingIfNeeded: reduce(inverse($1) &* $0)) }
        }

        /// 1 / a modulo q: a^(q - 2).
        static func inverse(_ a: Int32) -> Int32 {
            var result: Int32 = 1
            for bit in (0..<13).reversed() {
                result = reduce(result &* result)
                if (q - 2) >> Int32(bit) & 1 == 1 { result = reduce(result &* a) }
            }
            return result
        }
    }

    /// The product of two polynomials modulo x^761 - x - 1, coefficients not reduced.
    enum Convolution {
        static func multiply(_ a: [Int32], _ b: [Int8]) -> [Int32] {
            var product = [Int32](repeating: 0, count: 2 * p)
            product.withUnsafeMutableBufferPointer { product in
                a.withUnsafeBufferPointer { a in
                    for (shift, factor) in b.enumerated() {
                        let factor = Int32(factor)
                        for index in 0..<p { product[shift + index] &+= a[index] &* factor }
                    }
                }
                // x^761 = x + 1
                for index in (p..<(2 * p - 1)).reversed() {
                    product[index - p] &+= product[index]
                    product[index - p + 1] &+= product[index]
                }
            }
            return Array(product[..<p])
        }
    }

    /// Inversion modulo x^761 - x - 1 by division steps, all inputs taking the same steps (Bernstein and Yang, "Fast
    /// constant-time gcd computation and modular inversion", 2019, sections 5 and 7).
    ///
    /// f and g are the modulus and the element, their coefficients reversed; v and r follow what is done to them.
    struct DivisionSteps {
        private static let width = p + 1
        private var f = [Int32](repeating: 0, count: width)
        private var g = [Int32](repeating: 0, count: width)
        private var v = [Int32](repeating: 0, count: width)
        private var r = [Int32](repeating: 0, count: width)
        private var delta: Int32 = 1

        /// - Parameter r0: the factor that the inverse is to have.
        init(_ a: [Int8], r0: Int32) {
            f[0] = 1
            f[p - 1] = -1
            f[p] = -1
            for index in 0..<p { g[index] = Int32(a[p - 1 - index]) }
            r[0] = r0
        }

        /// Takes all steps.
        ///
        /// - Parameter eliminate: of a coefficient of f, one of g, and the lowest of each: g's without f's part in it.
        /// - Returns: whether there is an inverse.
        mutating func run(_ eliminate: (Int32, Int32, Int32, Int32) -> Int32) -> Bool {
            let count = Self.width
            f.withUnsafeMutableBufferPointer { f in
                g.withUnsafeMutableBufferPointer { g in
                    v.withUnsafeMutableBufferPointer { v in
                        r.withUnsafeMutableBufferPointer { r in
                            for _ in 0..<(2 * p - 1) {
                                for index in (1..<count).reversed() { v[index] = v[index - 1] }
                                v[0] = 0
                                let swap = Self.swapMask(&delta, g0: g[0])
                                for index in 0..<count {
                                    let exchange = (f[index] ^ g[index]) & swap
                                    f[index] ^= exchange
                                    g[index] ^= exchange
                                    let second = (v[index] ^ r[index]) & swap
                                    v[index] ^= second
                                    r[index] ^= second
                                }
                                let (f0, g0) = (f[0], g[0])
                                for index in 0..<count {
                                    g[index] = eliminate(f[index], g[index], f0, g0)
                                    r[index] = eliminate(v[index], r[index], f0, g0)
                                }
                                for index in 0..<p { g[index] = g[index + 1] }
                                g[p] = 0
                            }
                        }
                    }
                }
            }
            return delta == 0
        }

        /// All ones where f and g change places: delta is positive and g's lowest coefficient is not zero.
        @inline(__always)
        private static func swapMask(_ delta: inout Int32, g0: Int32) -> Int32 {
            let positive = (0 &- delta) >> 31
            let nonzero = (g0 | (0 &- g0)) >> 31
            let swap = positive & nonzero
            delta ^= swap & (delta ^ (0 &- delta))
            delta += 1
            return swap
        }

        /// The inverse: v reversed and divided by what f has become, a constant.
        func result<T>(_ scale: (Int32, Int32) -> T) -> [T] {
            (0..<p).map { scale(v[p - 1 - $0], f[0]) }
        }
    }
}
