/// The one-time authenticator of RFC 8439 section 2.5.
///
/// The accumulator h has two limbs of 64 bits and a small third one; r is clamped, so products stay within 128 bits and
/// r's upper limb, a multiple of 4, folds back over 2^130 - 5 as r1 * 5 / 4.
struct Poly1305 {
    static let keyLength = 32
    static let tagLength = 16
    private static let blockSize = 16

    private let r0: UInt64
    private let r1: UInt64
    private let s1: UInt64
    private let pad0: UInt64
    private let pad1: UInt64
    private var h0: UInt64 = 0
    private var h1: UInt64 = 0
    private var h2: UInt64 = 0

    /// - Parameter key: 32 bytes, used for one message only; nil when it has another length.
    init?(key: UnsafeRawBufferPointer) {
        guard key.count == Self.keyLength else { return nil }
        r0 = Self.word(key, 0) & 0x0fff_fffc_0fff_ffff
        r1 = Self.word(key, 8) & 0x0fff_fffc_0fff_fffc
        s1 = r1 + r1 >> 2
        pad0 = Self.word(key, 16)
        pad1 = Self.word(key, 24)
    }

    /// The tag of a whole message, its low and its high half, little-endian on the wire.
    mutating func tag(of message: UnsafeRawBufferPointer) -> (low: UInt64, high: UInt64) {
        let whole = message.count / Self.blockSize * Self.blockSize
        var offset = 0
        while offset < whole {
            absorb(Self.word(message, offset), Self.word(message, offset + 8), 1)
            offset += Self.blockSize
        }
        if whole < message.count { absorbLast(UnsafeRawBufferPointer(rebasing: message[whole...])) }
        return finish()
    }

    /// The last, incomplete block: a one byte ends it, zeros fill it.
    private mutating func absorbLast(_ bytes: UnsafeRawBufferPointer) {
        var block: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &block) { block in
            block.copyMemory(from: bytes)
            block[bytes.count] = 1
        }
        absorb(UInt64(littleEndian: block.0), UInt64(littleEndian: block.1), 0)
    }

    /// h = (h + block) * r mod 2^130 - 5, not fully reduced.
    @inline(__always)
    private mutating func absorb(_ low: UInt64, _ high: UInt64, _ top: UInt64) {
        let sum0 = UInt128(h0) &+ UInt128(low)
        let sum1 = UInt128(h1) &+ UInt128(high) &+ (sum0 >> 64)
        let a0 = UInt64(truncatingIfNeeded: sum0)
        let a1 = UInt64(truncatingIfNeeded: sum1)
        let a2 = h2 &+ top &+ UInt64(truncatingIfNeeded: sum1 >> 64)

        let d0 = Self.product(a0, r0) &+ Self.product(a1, s1)
        let d1 = Self.product(a0, r1) &+ Self.product(a1, r0) &+ UInt128(a2 &* s1) &+ (d0 >> 64)
        let d2 = a2 &* r0 &+ UInt64(truncatingIfNeeded: d1 >> 64)

        // What lies above 2^130 comes back times 5.
        let folded = UInt128(UInt64(truncatingIfNeeded: d0)) &+ UInt128((d2 >> 2) &+ (d2 & ~3))
        let carried = UInt128(UInt64(truncatingIfNeeded: d1)) &+ (folded >> 64)
        h0 = UInt64(truncatingIfNeeded: folded)
        h1 = UInt64(truncatingIfNeeded: carried)
        h2 = (d2 & 3) &+ UInt64(truncatingIfNeeded: carried >> 64)
    }

    /// Full reduction without a branch, then the key's second half added modulo 2^128.
    private func finish() -> (low: UInt64, high: UInt64) {
        let plus0 = UInt128(h0) &+ 5
        let plus1 = UInt128(h1) &+ (plus0 >> 64)
        let overflows = (h2 &+ UInt64(truncatingIfNeeded: plus1 >> 64)) >> 2 & 1
        let mask = 0 &- overflows
        let low = (h0 & ~mask) | (UInt64(truncatingIfNeeded: plus0) & mask)
        let high = (h1 & ~mask) | (UInt64(truncatingIfNeeded: plus1) & mask)
        let sum = UInt128(low) &+ UInt128(pad0)
        return (UInt64(truncatingIfNeeded: sum), high &+ pad1 &+ UInt64(truncatingIfNeeded: sum >> 64))
    }

    @inline(__always)
    private static func product(_ a: UInt64, _ b: UInt64) -> UInt128 {
        UInt128(a) &* UInt128(b)
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
