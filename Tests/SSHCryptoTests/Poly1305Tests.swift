import TestSupport
import Testing

@testable import SSHCrypto

@Suite("Poly1305 (RFC 8439)")
struct Poly1305Tests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let name: String
        let key: [UInt8]
        let message: [UInt8]
        let tag: [UInt8]
        var testDescription: String { name }
    }

    private static let contribution = Array(
        """
        Any submission to the IETF intended by the Contributor for publication as all or part of an IETF \
        Internet-Draft or RFC and any statement made within the context of an IETF activity is considered an "IETF \
        Contribution". Such statements include oral statements in IETF sessions, as well as written and electronic \
        communications made at any time or place, which are addressed to
        """.utf8)
    private static let jabberwocky = Array(
        """
        'Twas brillig, and the slithy toves
        Did gyre and gimble in the wabe:
        All mimsy were the borogoves,
        And the mome raths outgrabe.
        """.utf8)
    private static let half = hex("36e5f6b5c5e06070f0efca96227a863e")

    static let vectors: [Vector] = [
        Vector(
            name: "section 2.5.2",
            key: hex("85d6be7857556d337f4452fe42d506a8 0103808afb0db2fd4abff6af4149f51b"),
            message: Array("Cryptographic Forum Research Group".utf8), tag: hex("a8061dc1305136c6c22b8baf0c0127a9")),
        Vector(name: "A.3 #1", key: zeros(32), message: zeros(64), tag: zeros(16)),
        Vector(name: "A.3 #2", key: zeros(16) + half, message: contribution, tag: half),
        Vector(
            name: "A.3 #3", key: half + zeros(16), message: contribution,
            tag: hex("f3477e7cd95417af89a6b8794c310cf0")),
        Vector(
            name: "A.3 #4", key: hex("1c9240a5eb55d38af333888604f6b5f0 473917c1402b80099dca5cbc207075c0"),
            message: jabberwocky, tag: hex("4541669a7eaaee61e708dc7cbcc5eb62")),
        Vector(name: "A.3 #5", key: [2] + zeros(31), message: ones(16), tag: [3] + zeros(15)),
        Vector(name: "A.3 #6", key: [2] + zeros(15) + ones(16), message: [2] + zeros(15), tag: [3] + zeros(15)),
        Vector(
            name: "A.3 #7", key: [1] + zeros(31), message: ones(16) + [0xf0] + ones(15) + [0x11] + zeros(15),
            tag: [5] + zeros(15)),
        Vector(
            name: "A.3 #8", key: [1] + zeros(31),
            message: ones(16) + [0xfb] + [UInt8](repeating: 0xfe, count: 15) + [UInt8](repeating: 1, count: 16),
            tag: zeros(16)),
        Vector(name: "A.3 #9", key: [2] + zeros(31), message: [0xfd] + ones(15), tag: [0xfa] + ones(15)),
        Vector(
            name: "A.3 #10", key: hex("0100000000000000 0400000000000000") + zeros(16),
            message: hex("e33594d7505e43b9 0000000000000000 3394d7505e4379cd 0100000000000000")
                + zeros(16) + [1] + zeros(15),
            tag: hex("1400000000000000 5500000000000000")),
        Vector(
            name: "A.3 #11", key: hex("0100000000000000 0400000000000000") + zeros(16),
            message: hex("e33594d7505e43b9 0000000000000000 3394d7505e4379cd 0100000000000000") + zeros(16),
            tag: [0x13] + zeros(15)),
    ]

    @Test("gives the published tags", arguments: vectors)
    func publishedTags(_ vector: Vector) throws {
        #expect(try Self.tag(key: vector.key, vector.message) == vector.tag)
    }

    @Test("agrees with arithmetic done digit by digit, for messages of every length up to 200 bytes")
    func agreesWithSchoolArithmetic() throws {
        var random = SeededGenerator(seed: 3)
        for length in 0...200 {
            let key = length % 3 == 0 ? ones(32) : random.bytes(32)
            let message = length % 2 == 0 ? ones(length) : random.bytes(length)
            #expect(try Self.tag(key: key, message) == Self.slowTag(key: key, message), "length \(length)")
        }
    }

    @Test("takes keys of 32 bytes only")
    func keyLength() {
        for length in [0, 16, 31, 33] {
            #expect(zeros(length).withUnsafeBytes { Poly1305(key: $0) == nil })
        }
    }

    private static func tag(key: [UInt8], _ message: [UInt8]) throws -> [UInt8] {
        var poly = try #require(key.withUnsafeBytes { Poly1305(key: $0) })
        let tag = message.withUnsafeBytes { poly.tag(of: $0) }
        return [tag.low, tag.high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    /// The definition in section 2.5.1 taken literally, numbers as little-endian bytes.
    private static func slowTag(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        let clamp = hex("ffffff0ffcffff0ffcffff0ffcffff0f")
        let r = zip(key, clamp).map { $0 & $1 }
        var accumulator = [Int](repeating: 0, count: 17)
        for start in stride(from: 0, to: message.count, by: 16) {
            let block = Array(message[start..<min(start + 16, message.count)]) + [1]
            for (index, byte) in block.enumerated() { accumulator[index] += Int(byte) }
            var product = [Int](repeating: 0, count: 34)
            for (i, a) in accumulator.enumerated() {
                for (j, b) in r.enumerated() { product[i + j] += a * Int(b) }
            }
            accumulator = reduce(product)
        }
        var sum = subtractPrimeIfLarger(accumulator)
        for index in 0..<16 { sum[index] += Int(key[16 + index]) }
        carry(&sum)
        return sum.prefix(16).map { UInt8($0) }
    }

    private static func carry(_ digits: inout [Int]) {
        for index in digits.indices.dropLast() {
            digits[index + 1] += digits[index] >> 8
            digits[index] &= 255
        }
    }

    /// Folds what lies above bit 130 back, times 5, until nothing does.
    private static func reduce(_ number: [Int]) -> [Int] {
        var digits = number + [0, 0]
        carry(&digits)
        while digits[16] > 3 || digits[17...].contains(where: { $0 != 0 }) {
            var low = Array(digits[..<17]) + [Int](repeating: 0, count: digits.count - 17)
            low[16] &= 3
            for index in 16..<digits.count {
                let above = index + 1 < digits.count ? digits[index + 1] & 3 : 0
                low[index - 16] += (digits[index] >> 2 | above << 6) * 5
            }
            digits = low
            carry(&digits)
        }
        return Array(digits[..<17])
    }

    private static func subtractPrimeIfLarger(_ number: [Int]) -> [Int] {
        var plus5 = number + [0]
        plus5[0] += 5
        carry(&plus5)
        return plus5[16] > 3 ? Array(plus5[..<17]) : number
    }
}

private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
private func ones(_ count: Int) -> [UInt8] { [UInt8](repeating: 0xff, count: count) }
