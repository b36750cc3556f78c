import Platform

/// Argon2 (RFC 9106), version 0x13: the key derivation of PuTTY's files.
struct Argon2 {
    /// Which blocks a new one may hang on: those the password chooses, or not, or not at first (section 3.4.1).
    enum Variant: String, CaseIterable {
        case d = "Argon2d"
        case i = "Argon2i"
        case id = "Argon2id"

        fileprivate var number: UInt64 {
            switch self {
            case .d: 0
            case .i: 1
            case .id: 2
            }
        }
    }

    /// What a file asks for.
    struct Cost: Equatable {
        /// In KiB.
        var memory: Int
        var passes: Int
        var lanes: Int

        /// What stands between a mistake or a planted file and minutes of work, or all of the memory.
        static let maximumMemory = 1 << 20
        /// In KiB written.
        static let maximumWork = 1 << 25

        var isAcceptable: Bool {
            passes >= 1 && lanes >= 1 && lanes <= Self.maximumMemory / 8 && memory >= 8 * lanes
                && memory <= Self.maximumMemory && passes <= Self.maximumWork / memory
        }
    }

    private static let version: UInt32 = 0x13
    /// In each pass a lane is filled in so many steps; lanes may look at each other's earlier ones.
    private static let slices = 4
    /// The words of a block.
    fileprivate static let blockWords = 128

    private let variant: Variant
    private let cost: Cost
    private let laneLength: Int
    private let segmentLength: Int
    private let blocks: UnsafeMutablePointer<UInt64>
    private var blockCount: Int { laneLength * cost.lanes }

    /// Derives `length` bytes of key.
    ///
    /// - Parameter length: 4 bytes or more.
    /// - Throws: `KeyError.malformed` for costs out of range.
    static func derive(
        _ variant: Variant, passphrase: [UInt8], salt: [UInt8], secret: [UInt8] = [], associated: [UInt8] = [],
        cost: Cost, length: Int
    ) throws(KeyError) -> [UInt8] {
        guard cost.isAcceptable, (4...1024).contains(length) else {
            throw .malformed(
                what: "Argon2",
                reason: "\(cost.memory) KiB of memory, \(cost.passes) passes, \(cost.lanes) lanes are out of range")
        }
        var seed: [UInt8] = []
        for number in [cost.lanes, length, cost.memory, cost.passes] {
            seed += littleEndian(UInt32(truncatingIfNeeded: number))
        }
        seed += littleEndian(version) + littleEndian(UInt32(variant.number))
        for part in [passphrase, salt, secret, associated] {
            seed += littleEndian(UInt32(truncatingIfNeeded: part.count)) + part
        }
        defer { wipe(&seed) }
        let argon2 = Argon2(variant, cost)
        defer { argon2.release() }
        argon2.fill(from: BLAKE2b.digest(seed))
        return argon2.result(length)
    }

    private init(_ variant: Variant, _ cost: Cost) {
        self.variant = variant
        self.cost = cost
        segmentLength = cost.memory / (Self.slices * cost.lanes)
        laneLength = segmentLength * Self.slices
        blocks = .allocate(capacity: laneLength * cost.lanes * Self.blockWords)
        blocks.initialize(repeating: 0, count: laneLength * cost.lanes * Self.blockWords)
    }

    private func release() {
        wipe(UnsafeMutableRawBufferPointer(start: blocks, count: blockCount * Self.blockWords * 8))
        blocks.deallocate()
    }

    private func block(_ lane: Int, _ index: Int) -> UnsafeMutablePointer<UInt64> {
        blocks + (lane * laneLength + index) * Self.blockWords
    }

    // MARK: Section 3.2

    private func fill(from seed: [UInt8]) {
        for lane in 0..<cost.lanes {
            for index in 0..<2 {
                let input =
                    seed + Self.littleEndian(UInt32(index)) + Self.littleEndian(UInt32(truncatingIfNeeded: lane))
                let bytes = Self.hash(input, length: Self.blockWords * 8)
                let block = block(lane, index)
                for (place, byte) in bytes.enumerated() { block[place / 8] |= UInt64(byte) << UInt64(place % 8 * 8) }
            }
        }
        for pass in 0..<cost.passes {
            for slice in 0..<Self.slices {
                for lane in 0..<cost.lanes { fill(Segment(pass: pass, slice: slice, lane: lane)) }
            }
        }
    }

    private func result(_ length: Int) -> [UInt8] {
        var sum = [UInt64](repeating: 0, count: Self.blockWords)
        for lane in 0..<cost.lanes {
            let last = block(lane, laneLength - 1)
            for word in 0..<Self.blockWords { sum[word] ^= last[word] }
        }
        let bytes = sum.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
        return Self.hash(bytes, length: length)
    }

    /// A quarter of a lane in one pass.
    private struct Segment {
        let pass: Int
        let slice: Int
        let lane: Int
    }

    private func fill(_ segment: Segment) {
        let isIndependent =
            variant == .i || (variant == .id && segment.pass == 0 && segment.slice < Self.slices / 2)
        var addresses = isIndependent ? Addresses(header(segment)) : nil
        let isFirst = segment.pass == 0 && segment.slice == 0
        for place in (isFirst ? 2 : 0)..<max(segmentLength, isFirst ? 2 : 0) {
            let index = segment.slice * segmentLength + place
            let previous = block(segment.lane, index == 0 ? laneLength - 1 : index - 1)
            let random = addresses?.next(place) ?? previous[0]
            let lane =
                isFirst ? segment.lane : Int(truncatingIfNeeded: (random >> 32) % UInt64(cost.lanes))
            let reference = reference(random, segment, place: place, isSameLane: lane == segment.lane)
            Block.compress(
                previous, block(lane, reference), into: block(segment.lane, index), adding: segment.pass > 0)
        }
    }

    /// What the addresses of a segment are made of, but for their counter.
    private func header(_ segment: Segment) -> [UInt64] {
        [segment.pass, segment.lane, segment.slice, blockCount, cost.passes].map { UInt64($0) } + [variant.number]
    }

    /// The index of the block in its lane that the next one hangs on (section 3.4.2).
    private func reference(_ random: UInt64, _ segment: Segment, place: Int, isSameLane: Bool) -> Int {
        let finished = segment.pass == 0 ? segment.slice * segmentLength : laneLength - segmentLength
        let count = isSameLane ? finished + place - 1 : finished - (place == 0 ? 1 : 0)
        let low = random & 0xffff_ffff
        let squared = (low &* low) >> 32
        let back = (UInt64(count) &* squared) >> 32
        let start = segment.pass == 0 ? 0 : (segment.slice + 1) * segmentLength
        return (start + count - 1 - Int(truncatingIfNeeded: back)) % laneLength
    }

    // MARK: Section 3.3

    /// A hash of any length, out of BLAKE2b.
    private static func hash(_ bytes: [UInt8], length: Int) -> [UInt8] {
        let input = littleEndian(UInt32(truncatingIfNeeded: length)) + bytes
        guard length > BLAKE2b.maximumLength else { return BLAKE2b.digest(input, length: length) }
        var output: [UInt8] = []
        var digest = BLAKE2b.digest(input)
        while length - output.count > BLAKE2b.maximumLength {
            output += digest.prefix(BLAKE2b.maximumLength / 2)
            digest = BLAKE2b.digest(digest, length: min(BLAKE2b.maximumLength, length - output.count))
        }
        return output + digest
    }

    private static func littleEndian(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * $0)) }
    }
}

/// The numbers by which blocks are chosen where the password must not choose them (section 3.4.1.2).
private struct Addresses {
    private let input: Block
    private let output = Block()
    private var counter: UInt64 = 0

    init(_ header: [UInt64]) {
        input = Block()
        for (index, word) in header.enumerated() { input.words[index] = word }
    }

    /// The number for a place of the segment; places come in order.
    mutating func next(_ place: Int) -> UInt64 {
        let needed = UInt64(place / Argon2.blockWords + 1)
        while counter < needed {
            counter += 1
            input.words[6] = counter
            let zero = Block()
            Block.compress(zero.words, input.words, into: output.words, adding: false)
            Block.compress(zero.words, output.words, into: output.words, adding: false)
        }
        return output.words[place % Argon2.blockWords]
    }
}

/// 1024 bytes as words.
private final class Block {
    let words: UnsafeMutablePointer<UInt64>

    init() {
        words = .allocate(capacity: Argon2.blockWords)
        words.initialize(repeating: 0, count: Argon2.blockWords)
    }

    deinit { words.deallocate() }

    /// The function G of section 3.5: the sum of two blocks, mixed by rows and by columns, and the sum added again.
    ///
    /// - Parameters:
    ///   - output: may be one of the two.
    ///   - adding: keeps what `output` holds by adding to it.
    static func compress(
        _ one: UnsafeMutablePointer<UInt64>, _ other: UnsafeMutablePointer<UInt64>,
        into output: UnsafeMutablePointer<UInt64>, adding: Bool
    ) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * Argon2.blockWords) { memory in
            guard let sum = memory.baseAddress else { return }
            let mixed = sum + Argon2.blockWords
            for word in 0..<Argon2.blockWords {
                let value = one[word] ^ other[word]
                sum[word] = adding ? value ^ output[word] : value
                mixed[word] = value
            }
            // A row is 16 words that stand together; a column is 8 pairs of words, a row apart.
            for row in 0..<8 { permute(mixed + 16 * row, pairsApart: 2) }
            for column in 0..<8 { permute(mixed + 2 * column, pairsApart: 16) }
            for word in 0..<Argon2.blockWords { output[word] = sum[word] ^ mixed[word] }
        }
    }

    /// The permutation P of section 3.6 over 8 pairs of words.
    @inline(__always)
    private static func permute(_ words: UnsafeMutablePointer<UInt64>, pairsApart step: Int) {
        @inline(__always) func at(_ index: Int) -> Int { (index &>> 1) &* step &+ (index & 1) }
        for column in 0..<4 { mix(words, at(column), at(column &+ 4), at(column &+ 8), at(column &+ 12)) }
        for diagonal in 0..<4 {
            mix(
                words, at(diagonal), at(4 &+ (diagonal &+ 1) & 3), at(8 &+ (diagonal &+ 2) & 3),
                at(12 &+ (diagonal &+ 3) & 3))
        }
    }

    @inline(__always)
    private static func mix(_ words: UnsafeMutablePointer<UInt64>, _ a: Int, _ b: Int, _ c: Int, _ d: Int) {
        var (wa, wb, wc, wd) = (words[a], words[b], words[c], words[d])
        wa = add(wa, wb)
        wd = rotate(wd ^ wa, 32)
        wc = add(wc, wd)
        wb = rotate(wb ^ wc, 24)
        wa = add(wa, wb)
        wd = rotate(wd ^ wa, 16)
        wc = add(wc, wd)
        wb = rotate(wb ^ wc, 63)
        (words[a], words[b], words[c], words[d]) = (wa, wb, wc, wd)
    }

    /// a + b + 2 * low(a) * low(b)
    @inline(__always)
    private static func add(_ a: UInt64, _ b: UInt64) -> UInt64 {
        a &+ b &+ ((a & 0xffff_ffff) &* (b & 0xffff_ffff)) &<< 1
    }

    @inline(__always)
    private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word &>> count | word &<< (64 &- count) }
}
