import Platform

/// The state of the Blowfish cipher under the costly key schedule of bcrypt (Provos and Mazières, "A Future-Adaptable
/// Password Scheme", 1999). It is made for key derivation alone, and wiped when it goes.
final class Blowfish {
    /// 18 subkeys, then the four boxes.
    private let words: UnsafeMutableBufferPointer<UInt32>

    init() {
        words = .allocate(capacity: BlowfishTables.initialState.count)
        _ = words.initialize(from: BlowfishTables.initialState)
    }

    deinit {
        wipe(UnsafeMutableRawBufferPointer(words))
        words.deallocate()
    }

    /// Puts the state back to the digits of pi.
    func reset() {
        _ = words.update(from: BlowfishTables.initialState)
    }

    /// Mixes in a key of whole words, without salt.
    func expand(key: [UInt32]) {
        guard let state = words.baseAddress, !key.isEmpty else { return }
        mix(key)
        var (left, right) = (UInt32(0), UInt32(0))
        for index in stride(from: 0, to: words.count, by: 2) {
            Self.encrypt(state, &left, &right)
            state[index] = left
            state[index + 1] = right
        }
    }

    /// Mixes in a key and a salt, each of whole words; the salt's count is even.
    func expand(key: [UInt32], salt: [UInt32]) {
        guard let state = words.baseAddress, !key.isEmpty, salt.count >= 2 else { return }
        mix(key)
        var (left, right) = (UInt32(0), UInt32(0))
        var next = 0
        for index in stride(from: 0, to: words.count, by: 2) {
            left ^= salt[next]
            right ^= salt[next + 1]
            next = next + 3 < salt.count ? next + 2 : 0
            Self.encrypt(state, &left, &right)
            state[index] = left
            state[index + 1] = right
        }
    }

    /// Enciphers pairs of words in place, `times` times each.
    func encrypt(_ text: inout [UInt32], times: Int) {
        guard let state = words.baseAddress else { return }
        for index in stride(from: 0, to: text.count - 1, by: 2) {
            var (left, right) = (text[index], text[index + 1])
            for _ in 0..<times { Self.encrypt(state, &left, &right) }
            text[index] = left
            text[index + 1] = right
        }
    }

    private func mix(_ key: [UInt32]) {
        for index in 0..<18 { words[index] ^= key[index % key.count] }
    }

    /// One block through 16 rounds, two to a turn so that the halves need no exchange.
    @inline(__always)
    private static func encrypt(_ state: UnsafeMutablePointer<UInt32>, _ left: inout UInt32, _ right: inout UInt32) {
        var (l, r) = (left ^ state[0], right)
        var index = 1
        while index < 17 {
            r ^= round(state, l) ^ state[index]
            l ^= round(state, r) ^ state[index + 1]
            index &+= 2
        }
        left = r ^ state[17]
        right = l
    }

    @inline(__always)
    private static func round(_ state: UnsafeMutablePointer<UInt32>, _ x: UInt32) -> UInt32 {
        let a = state[18 &+ Int(x >> 24)]
        let b = state[274 &+ Int(x >> 16 & 0xff)]
        let c = state[530 &+ Int(x >> 8 & 0xff)]
        let d = state[786 &+ Int(x & 0xff)]
        return ((a &+ b) ^ c) &+ d
    }
}
