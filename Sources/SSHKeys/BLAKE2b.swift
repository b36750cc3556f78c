import Platform

/// BLAKE2b without a key (RFC 7693), which Argon2 is made with.
struct BLAKE2b {
    static let blockSize = 128
    static let maximumLength = 64

    /// Section 2.6.
    private static let initial: [UInt64] = [
        0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1,
        0x510e_527f_ade6_82d1, 0x9b05_688c_2b3e_6c1f, 0x1f83_d9ab_fb41_bd6b, 0x5be0_cd19_137e_2179,
    ]

    /// Section 2.7; the eleventh and twelfth rounds take the first two again.
    private static let schedule: [[Int]] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ]

    /// The columns and diagonals of section 3.2 that are mixed in a round.
    private static let lanes: [(Int, Int, Int, Int)] = [
        (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
        (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
    ]

    private var state: [UInt64]

    /// The digest of `bytes`.
    ///
    /// - Parameter length: of the digest, clamped to 1 ... 64 bytes.
    static func digest(_ bytes: [UInt8], length: Int = maximumLength) -> [UInt8] {
        let length = min(max(length, 1), maximumLength)
        var hash = BLAKE2b(length: length)
        var offset = 0
        while bytes.count - offset > blockSize {
            hash.compress(bytes[offset..<(offset + blockSize)], counter: UInt64(offset + blockSize), isLast: false)
            offset += blockSize
        }
        hash.compress(bytes[offset...], counter: UInt64(bytes.count), isLast: true)
        let output = hash.state.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
        return Array(output.prefix(length))
    }

    private init(length: Int) {
        state = Self.initial
        // The parameter block: length of digest, no key, one leaf.
        state[0] ^= 0x0101_0000 ^ UInt64(length)
    }

    /// Section 3.2; a short block is filled up with zeros.
    private mutating func compress(_ block: ArraySlice<UInt8>, counter: UInt64, isLast: Bool) {
        var message = [UInt64](repeating: 0, count: 16)
        for (index, byte) in block.enumerated() { message[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8) }
        var work = state + Self.initial
        work[12] ^= counter
        if isLast { work[14] = ~work[14] }
        for round in 0..<12 {
            let order = Self.schedule[round % 10]
            for (index, (a, b, c, d)) in Self.lanes.enumerated() {
                work[a] = work[a] &+ work[b] &+ message[order[2 * index]]
                work[d] = Self.rotate(work[d] ^ work[a], 32)
                work[c] = work[c] &+ work[d]
                work[b] = Self.rotate(work[b] ^ work[c], 24)
                work[a] = work[a] &+ work[b] &+ message[order[2 * index + 1]]
                work[d] = Self.rotate(work[d] ^ work[a], 16)
                work[c] = work[c] &+ work[d]
                work[b] = Self.rotate(work[b] ^ work[c], 63)
            }
        }
        for index in state.indices { state[index] ^= work[index] ^ work[index + 8] }
        work.withUnsafeMutableBytes { wipe($0) }
        message.withUnsafeMutableBytes { wipe($0) }
    }

    private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word >> count | word << (64 - count) }
}
