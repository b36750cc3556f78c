import Crypto
import CryptoExtras

/// UMAC (RFC 4418) with AES-128, for tags of 8 or 16 bytes and messages of up to 16 MiB: longer ones are what its POLY-128
/// is for, which no packet is long enough to need.
///
/// The message is hashed once for every 4 bytes of the tag, each time with the next keys of the same key stream: to 8 bytes
/// a kibibyte (`NH`), those to 8 bytes (`POLY`), and those to 4 bytes. What makes a tag of the hash is a pad enciphered
/// from the nonce, which is the packet's sequence number.
struct UMAC: Sendable {
    /// The key's length in bytes.
    static let keyLength = 16
    private static let blockSize = 16
    private static let chunkSize = 1024
    /// The words by which the keys of one pass and of the next are apart.
    private static let passShift = 4

    /// The tag's length in bytes.
    let tagLength: Int
    private let passes: Int
    private let hashKey: [UInt32]
    private let polynomialKeys: [UInt64]
    private let innerProductKeys: [UInt64]
    private let masks: [UInt32]
    private let padKey: SymmetricKey

    /// - Parameters:
    ///   - key: 16 bytes.
    ///   - tagLength: 8 or 16.
    /// - Returns: nil where one of them has another length.
    init?(key: SymmetricKey, tagLength: Int) {
        guard key.bitCount == Self.keyLength * 8, tagLength == 8 || tagLength == 16 else { return nil }
        self.tagLength = tagLength
        passes = tagLength / 4
        guard
            let hashBytes = Self.derive(key, index: 1, count: Self.chunkSize + (passes - 1) * Self.blockSize),
            let polynomialBytes = Self.derive(key, index: 2, count: passes * 24),
            let productBytes = Self.derive(key, index: 3, count: passes * 64),
            let maskBytes = Self.derive(key, index: 4, count: passes * 4),
            let padBytes = Self.derive(key, index: 0, count: Self.keyLength)
        else { return nil }
        hashKey = Self.words(hashBytes)
        // Of each pass's 24 bytes, the last 16 are the key of POLY-128.
        let polynomialWords: [UInt64] = Self.words(polynomialBytes)
        polynomialKeys = (0..<passes).map { polynomialWords[3 * $0] & 0x01ff_ffff_01ff_ffff }
        let productWords: [UInt64] = Self.words(productBytes)
        innerProductKeys = productWords.map { $0 % Self.smallPrime }
        masks = Self.words(maskBytes)
        padKey = SymmetricKey(data: padBytes)
    }

    /// The tag of a message, as the numbers its bytes are in big-endian order; the second is 0 for tags of 8 bytes.
    func tag(of message: UnsafeRawBufferPointer, nonce: UInt64) -> (high: UInt64, low: UInt64) {
        let pad = makePad(nonce)
        let high = UInt64(hash(message, pass: 0)) << 32 | UInt64(hash(message, pass: 1))
        guard passes == 4 else { return (high ^ (nonce & 1 == 0 ? pad.high : pad.low), 0) }
        let low = UInt64(hash(message, pass: 2)) << 32 | UInt64(hash(message, pass: 3))
        return (high ^ pad.high, low ^ pad.low)
    }

    // PDF, RFC 4418 section 3.3.1. The pad of a short tag is one half of a block; two nonces share the block.
    private func makePad(_ nonce: UInt64) -> (high: UInt64, low: UInt64) {
        let block = tagLength == 8 ? nonce & ~1 : nonce
        return Self.encipher((block, 0), padKey) ?? (0, 0)
    }

    /// UHASH of one pass, RFC 4418 section 5.1.
    private func hash(_ message: UnsafeRawBufferPointer, pass: Int) -> UInt32 {
        var accumulator: UInt64 = 1
        let isShort = message.count <= Self.chunkSize
        hashKey.withUnsafeBufferPointer { key in
            let key = UnsafeBufferPointer(rebasing: key[(pass * Self.passShift)...])
            var offset = 0
            repeat {
                let count = min(Self.chunkSize, message.count - offset)
                let chunk = UnsafeRawBufferPointer(rebasing: message[offset..<(offset + count)])
                let hashed = Self.linearHash(chunk, key) &+ UInt64(count) &* 8
                accumulator =
                    isShort ? hashed : Self.polynomialStep(polynomialKeys[pass], accumulator, hashed)
                offset += count
            } while offset < message.count
        }
        return finish(accumulator, pass: pass)
    }

    // MARK: NH, RFC 4418 section 5.2.2

    /// Eight words of message and key at a time; the last eight are filled up with zeros.
    @inline(__always)
    private static func linearHash(_ chunk: UnsafeRawBufferPointer, _ key: UnsafeBufferPointer<UInt32>) -> UInt64 {
        let whole = chunk.count & ~31
        var sum: UInt64 = 0
        var offset = 0
        while offset < whole {
            sum &+= products(chunk, offset, key, offset &>> 2)
            offset &+= 32
        }
        guard whole < chunk.count || chunk.isEmpty else { return sum }
        var rest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        return withUnsafeMutableBytes(of: &rest) { rest in
            rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: chunk[whole...]))
            return sum &+ products(UnsafeRawBufferPointer(rest), 0, key, whole / 4)
        }
    }

    @inline(__always)
    private static func products(
        _ bytes: UnsafeRawBufferPointer, _ offset: Int, _ key: UnsafeBufferPointer<UInt32>, _ word: Int
    ) -> UInt64 {
        var sum: UInt64 = 0
        var index = 0
        while index < 4 {
            let left = UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset &+ index &* 4, as: UInt32.self))
            let right = UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset &+ index &* 4 &+ 16, as: UInt32.self))
            sum &+= UInt64(left &+ key[word &+ index]) &* UInt64(right &+ key[word &+ index &+ 4])
            index &+= 1
        }
        return sum
    }

    // MARK: POLY-64, RFC 4418 section 5.3.2

    /// p = 2^64 - 59
    private static let prime = UInt64.max - 58

    private static func polynomialStep(_ key: UInt64, _ sum: UInt64, _ value: UInt64) -> UInt64 {
        // Values that are not far enough below p are marked, and moved below it.
        guard value >= 0xffff_ffff_0000_0000 else { return multiplyAdd(key, sum, value) }
        return multiplyAdd(key, multiplyAdd(key, sum, prime - 1), value - 59)
    }

    /// key * sum + value modulo p, what lies above 2^64 coming back times 59.
    private static func multiplyAdd(_ key: UInt64, _ sum: UInt64, _ value: UInt64) -> UInt64 {
        var result = UInt128(key) &* UInt128(sum) &+ UInt128(value)
        for _ in 0..<3 { result = UInt128(UInt64(truncatingIfNeeded: result)) &+ (result >> 64) &* 59 }
        let folded = UInt64(truncatingIfNeeded: result)
        return folded >= prime ? folded - prime : folded
    }

    // MARK: L3-HASH, RFC 4418 section 5.4

    /// p = 2^36 - 5
    private static let smallPrime: UInt64 = (1 << 36) - 5

    /// The 16 bytes that come in are 8 zeros and `value`.
    private func finish(_ value: UInt64, pass: Int) -> UInt32 {
        var sum: UInt64 = 0
        for word in 0..<4 {
            sum &+= (value >> UInt64(48 - 16 * word) & 0xffff) &* innerProductKeys[pass * 8 + 4 + word]
        }
        return UInt32(truncatingIfNeeded: sum % Self.smallPrime) ^ masks[pass]
    }

    // MARK: KDF, RFC 4418 section 3.2.1

    private static func derive(_ key: SymmetricKey, index: UInt64, count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        for block in 1...((count + blockSize - 1) / blockSize) {
            guard let (high, low) = encipher((index, UInt64(block)), key) else { return nil }
            for word in [high, low] { withUnsafeBytes(of: word.bigEndian) { bytes += $0 } }
        }
        return Array(bytes.prefix(count))
    }

    /// One block, as the two numbers its bytes are in big-endian order; nil where the library refuses the key.
    private static func encipher(
        _ block: (UInt64, UInt64), _ key: SymmetricKey
    ) -> (high: UInt64, low: UInt64)? {
        var block = (block.0.bigEndian, block.1.bigEndian)
        let isDone = withUnsafeMutableBytes(of: &block) { bytes in
            var bytes = bytes
            return (try? AES.permute(&bytes, key: key)) != nil
        }
        return isDone ? (UInt64(bigEndian: block.0), UInt64(bigEndian: block.1)) : nil
    }

    private static func words<Word: FixedWidthInteger>(_ bytes: [UInt8]) -> [Word] {
        bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: MemoryLayout<Word>.size).map {
                Word(bigEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Word.self))
            }
        }
    }
}
