/// DES three times over, enciphering, deciphering and enciphering with three keys (NIST SP 800-67, FIPS 46-3), for old
/// servers and old key files.
///
/// Its tables are looked up by secrets, so that somebody on the same processor may learn about the key: one more reason to
/// use it only where nothing else is understood.
package struct TripleDES: Sendable {
    /// In bytes.
    package static let keyLength = 24
    /// In bytes.
    package static let blockSize = 8

    /// The subkeys of 48 rounds, for one direction each.
    private let encryptionKeys: [UInt64]
    private let decryptionKeys: [UInt64]

    /// - Parameter key: three keys of 8 bytes, whose parity bits are left unread; nil when it has another length.
    package init?(key: [UInt8]) {
        guard key.count == Self.keyLength else { return nil }
        let schedules = (0..<3).map { part in
            DESTables.schedule(key[(part * 8)..<(part * 8 + 8)].reduce(0) { $0 << 8 | UInt64($1) })
        }
        encryptionKeys = schedules[0] + schedules[1].reversed() + schedules[2]
        decryptionKeys = encryptionKeys.reversed()
    }

    /// Encrypts one block, its bytes taken as a big-endian number.
    package func encrypt(_ block: UInt64) -> UInt64 { Self.run(encryptionKeys, block) }

    /// Decrypts one block.
    package func decrypt(_ block: UInt64) -> UInt64 { Self.run(decryptionKeys, block) }

    /// Encrypts whole blocks in CBC mode; bytes beyond the last whole block are left out.
    package func encryptCBC(_ bytes: UnsafeRawBufferPointer, iv: UInt64) -> [UInt8] {
        var chain = iv
        return Self.mapBlocks(bytes) { block in
            chain = encrypt(block ^ chain)
            return chain
        }
    }

    /// Decrypts whole blocks in CBC mode; bytes beyond the last whole block are left out.
    package func decryptCBC(_ bytes: UnsafeRawBufferPointer, iv: UInt64) -> [UInt8] {
        var chain = iv
        return Self.mapBlocks(bytes) { block in
            defer { chain = block }
            return decrypt(block) ^ chain
        }
    }

    private static func mapBlocks(_ bytes: UnsafeRawBufferPointer, _ transform: (UInt64) -> UInt64) -> [UInt8] {
        let count = bytes.count & ~(blockSize - 1)
        return [UInt8](unsafeUninitializedCapacity: count) { output, written in
            for offset in stride(from: 0, to: count, by: blockSize) {
                let block = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                var result = transform(block)
                for index in (0..<blockSize).reversed() {
                    output[offset + index] = UInt8(truncatingIfNeeded: result)
                    result >>= 8
                }
            }
            written = count
        }
    }

    /// The initial permutation, three times 16 rounds with their halves exchanged between them, the final permutation.
    private static func run(_ keys: [UInt64], _ block: UInt64) -> UInt64 {
        var (left, right) = DESTables.initialPermutation(block)
        DESTables.boxes.withUnsafeBufferPointer { boxes in
            keys.withUnsafeBufferPointer { keys in
                var round = 0
                while round < 48 {
                    left ^= mix(right, keys[round], boxes)
                    right ^= mix(left, keys[round &+ 1], boxes)
                    round &+= 2
                    // After each 16 rounds the halves stand exchanged.
                    if round & 15 == 0 { swap(&left, &right) }
                }
            }
        }
        return DESTables.finalPermutation(left, right)
    }

    /// The function f of FIPS 46-3: each box takes 6 bits, two of them shared with its neighbours.
    @inline(__always)
    private static func mix(_ half: UInt32, _ key: UInt64, _ boxes: UnsafeBufferPointer<UInt32>) -> UInt32 {
        var result: UInt32 = 0
        var turned = half >> 1 | half << 31
        var box = 0
        while box < 8 {
            let index = Int(turned >> 26) ^ Int(key >> UInt64(42 &- 6 &* box) & 63)
            result ^= boxes[box &* 64 &+ index]
            turned = turned << 4 | turned >> 28
            box &+= 1
        }
        return result
    }
}

/// The tables of FIPS 46-3. Bits are counted from 1, the highest first.
enum DESTables {
    /// The boxes S1 to S8, 64 entries each by their 6 bits of input, their output already put in its place by P.
    static let boxes: [UInt32] = substitutions.enumerated().flatMap { box, rows in
        (0..<64).map { input in
            let row = input >> 4 & 2 | input & 1
            let output = UInt64(rows[row * 16 + input >> 1 & 15]) << UInt64(28 - 4 * box)
            return UInt32(truncatingIfNeeded: permute(output, width: 32, by: placement))
        }
    }

    /// The 16 subkeys of a key, 48 bits each.
    static func schedule(_ key: UInt64) -> [UInt64] {
        let chosen = permute(key, width: 64, by: keyChoice)
        var (left, right) = (chosen >> 28, chosen & 0xfff_ffff)
        return (1...16).map { round in
            let shift: UInt64 = [1, 2, 9, 16].contains(round) ? 1 : 2
            left = (left << shift | left >> (28 - shift)) & 0xfff_ffff
            right = (right << shift | right >> (28 - shift)) & 0xfff_ffff
            return permute(left << 28 | right, width: 56, by: subkeyChoice)
        }
    }

    /// IP: bit 58 comes first, then each 8 bits before it. That is the block as a square of 8 by 8 bits, turned, which five
    /// exchanges of bits between its halves do.
    static func initialPermutation(_ block: UInt64) -> (UInt32, UInt32) {
        var left = UInt32(truncatingIfNeeded: block >> 32)
        var right = UInt32(truncatingIfNeeded: block)
        exchange(&left, &right, 4, 0x0f0f_0f0f)
        exchange(&left, &right, 16, 0x0000_ffff)
        exchange(&right, &left, 2, 0x3333_3333)
        exchange(&right, &left, 8, 0x00ff_00ff)
        exchange(&left, &right, 1, 0x5555_5555)
        return (left, right)
    }

    /// The inverse of IP.
    static func finalPermutation(_ left: UInt32, _ right: UInt32) -> UInt64 {
        var (left, right) = (left, right)
        exchange(&left, &right, 1, 0x5555_5555)
        exchange(&right, &left, 8, 0x00ff_00ff)
        exchange(&right, &left, 2, 0x3333_3333)
        exchange(&left, &right, 16, 0x0000_ffff)
        exchange(&left, &right, 4, 0x0f0f_0f0f)
        return UInt64(left) << 32 | UInt64(right)
    }

    /// Exchanges the bits of `one` above the mask with those of `other` under it.
    @inline(__always)
    private static func exchange(_ one: inout UInt32, _ other: inout UInt32, _ shift: UInt32, _ mask: UInt32) {
        let difference = (one >> shift ^ other) & mask
        other ^= difference
        one ^= difference << shift
    }

    private static func permute(_ value: UInt64, width: UInt64, by table: [UInt64]) -> UInt64 {
        table.reduce(0) { $0 << 1 | (value >> (width - $1) & 1) }
    }

    /// P
    private static let placement: [UInt64] = [
        16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
        2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
    ]

    /// PC-1
    private static let keyChoice: [UInt64] = [
        57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
        63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
    ]

    /// PC-2
    private static let subkeyChoice: [UInt64] = [
        14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
        41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
    ]

    /// S1 to S8, four rows of 16 each.
    private static let substitutions: [[UInt8]] = [
        [
            14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
            4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
        ],
        [
            15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
            0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
        ],
        [
            10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
            13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
        ],
        [
            7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
            10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
        ],
        [
            2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
            4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
        ],
        [
            12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
            9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
        ],
        [
            4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
            1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
        ],
        [
            13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
            7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
        ],
    ]
}
