extension Sntrup761 {
    /// Polynomials as bytes (the specification's sections 3.1 and 4.5).
    enum Encoding {
        private static let roundedModulus = (q + 2) / 3

        /// Four coefficients of two bits a byte.
        static func encodeSmall(_ a: [Int8]) -> [UInt8] {
            stride(from: 0, to: p, by: 4).map { start in
                a[start..<min(start + 4, p)].reversed().reduce(UInt8(0)) { $0 << 2 | UInt8(truncatingIfNeeded: $1 + 1) }
            }
        }

        static func encodeRq(_ a: [Int16]) -> [UInt8] {
            encode(a.map { UInt32(truncatingIfNeeded: Int32($0) + Rq.half) }, modulus: UInt32(q))
        }

        static func decodeRq(_ bytes: [UInt8]) -> [Int16] {
            decode(bytes, modulus: UInt32(q)).map { Int16(truncatingIfNeeded: Int32($0) - Rq.half) }
        }

        /// For coefficients that are multiples of 3.
        static func encodeRounded(_ a: [Int16]) -> [UInt8] {
            // Dividing by 3 is multiplying by 10923 / 2^15, exact for numbers of this size.
            let thirds = a.map { UInt32(truncatingIfNeeded: ((Int32($0) + Rq.half) * 10923) >> 15) }
            return encode(thirds, modulus: UInt32(roundedModulus))
        }

        static func decodeRounded(_ bytes: [UInt8]) -> [Int16] {
            decode(bytes, modulus: UInt32(roundedModulus)).map { Int16(truncatingIfNeeded: Int32($0) * 3 - Rq.half) }
        }

        /// A number once its low bytes are written out, and its modulus then.
        private static let limit: UInt32 = 16384

        /// Numbers below a modulus as bytes: neighbours are paired, low bytes of the pairs written, and what is left of
        /// them encoded the same way, until one is left.
        private static func encode(_ numbers: [UInt32], modulus: UInt32) -> [UInt8] {
            var (numbers, moduli) = (numbers, [UInt32](repeating: modulus, count: numbers.count))
            var bytes: [UInt8] = []
            while numbers.count > 1 {
                var (nextNumbers, nextModuli): ([UInt32], [UInt32]) = ([], [])
                for index in stride(from: 0, to: numbers.count - 1, by: 2) {
                    var number = numbers[index] + numbers[index + 1] * moduli[index]
                    var modulus = moduli[index] * moduli[index + 1]
                    while modulus >= limit { writeByte(of: &number, &modulus, to: &bytes) }
                    nextNumbers.append(number)
                    nextModuli.append(modulus)
                }
                if numbers.count % 2 == 1 {
                    nextNumbers += numbers.suffix(1)
                    nextModuli += moduli.suffix(1)
                }
                (numbers, moduli) = (nextNumbers, nextModuli)
            }
            if var number = numbers.first, var modulus = moduli.first {
                while modulus > 1 { writeByte(of: &number, &modulus, to: &bytes) }
            }
            return bytes
        }

        private static func writeByte(of number: inout UInt32, _ modulus: inout UInt32, to bytes: inout [UInt8]) {
            bytes.append(UInt8(truncatingIfNeeded: number))
            number >>= 8
            modulus = (modulus + 255) >> 8
        }

        /// The reverse of `encode`, for ``p`` numbers; bytes that are missing count as zero.
        private static func decode(_ bytes: [UInt8], modulus: UInt32) -> [UInt32] {
            var input = bytes[...]
            return decode(&input, moduli: [UInt32](repeating: modulus, count: p))
        }

        private static func decode(_ input: inout ArraySlice<UInt8>, moduli: [UInt32]) -> [UInt32] {
            guard moduli.count > 1 else {
                guard let modulus = moduli.first else { return [] }
                return [read(&input, until: modulus, below: 1).low % modulus]
            }
            var lows: [(low: UInt32, scale: UInt32)] = []
            var nextModuli: [UInt32] = []
            for index in stride(from: 0, to: moduli.count - 1, by: 2) {
                let part = read(&input, until: moduli[index] * moduli[index + 1], below: limit)
                lows.append((part.low, part.scale))
                nextModuli.append(part.rest)
            }
            if moduli.count % 2 == 1 { nextModuli += moduli.suffix(1) }
            let highs = decode(&input, moduli: nextModuli)

            var numbers: [UInt32] = []
            for (pair, part) in lows.enumerated() {
                let number = part.low &+ part.scale &* highs[pair]
                let (first, second) = (moduli[2 * pair], moduli[2 * pair + 1])
                numbers.append(number % first)
                numbers.append(number / first % second)
            }
            if moduli.count % 2 == 1 { numbers += highs.suffix(1) }
            return numbers
        }

        /// Takes the bytes that were written for a modulus until it was below a limit.
        private static func read(
            _ input: inout ArraySlice<UInt8>, until modulus: UInt32, below limit: UInt32
        ) -> (low: UInt32, scale: UInt32, rest: UInt32) {
            var (low, scale, rest): (UInt32, UInt32, UInt32) = (0, 1, modulus)
            while rest > 1 && rest >= limit {
                low += UInt32(input.popFirst() ?? 0) &* scale
                scale <<= 8
                rest = (rest + 255) >> 8
            }
            return (low, scale, rest)
        }
    }
}
