import Crypto
import Platform
import SSHWire

/// The key derivation of OpenSSH's private key files: PBKDF2's shape around a bcrypt made for it, whose output bytes are
/// dealt out over the whole key (OpenSSH's PROTOCOL.key, bcrypt_pbkdf(3)).
enum BcryptPBKDF {
    /// The bytes of one output block.
    static let blockSize = 32

    /// Derives `count` bytes of key.
    ///
    /// - Parameters:
    ///   - rounds: at least 1; the time taken grows with it.
    ///   - count: the bytes of key wanted, at most 1024.
    /// - Throws: `KeyError.malformed` for an empty passphrase or salt, or numbers out of range.
    static func derive(passphrase: [UInt8], salt: [UInt8], rounds: Int, count: Int) throws(KeyError) -> [UInt8] {
        guard !passphrase.isEmpty, !salt.isEmpty, rounds >= 1, (1...1024).contains(count) else {
            throw .malformed(what: "bcrypt key derivation", reason: "an empty input or no rounds")
        }
        let blowfish = Blowfish()
        var password = words(SHA512.hash(data: passphrase))
        var key = [UInt8](repeating: 0, count: count)
        let blocks = (count + blockSize - 1) / blockSize
        for block in 0..<blocks {
            let number = UInt32(block + 1)
            let counter = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
            var output = hash(blowfish, password, words(SHA512.hash(data: salt + counter)))
            var sum = output
            for _ in 1..<rounds {
                output = hash(blowfish, password, words(SHA512.hash(data: output)))
                for index in sum.indices { sum[index] ^= output[index] }
            }
            // Byte i of this block belongs at place i × blocks + block: every block reaches all over the key.
            for (index, byte) in sum.enumerated() {
                let place = index * blocks + block
                if place < count { key[place] = byte }
            }
            wipe(&output)
            wipe(&sum)
        }
        password.withUnsafeMutableBytes { wipe($0) }
        return key
    }

    /// bcrypt with a fixed cost of 64, over digests of passphrase and salt, of a text of its own.
    private static func hash(_ blowfish: Blowfish, _ password: [UInt32], _ salt: [UInt32]) -> [UInt8] {
        blowfish.reset()
        blowfish.expand(key: password, salt: salt)
        for _ in 0..<64 {
            blowfish.expand(key: salt)
            blowfish.expand(key: password)
        }
        var text = words("OxychromaticBlowfishSwatDynamite".utf8)
        blowfish.encrypt(&text, times: 64)
        return text.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
    }

    /// Big-endian words of bytes whose count is a multiple of four.
    private static func words(_ bytes: some Sequence<UInt8>) -> [UInt32] {
        var result: [UInt32] = []
        var word: UInt32 = 0
        for (place, byte) in bytes.enumerated() {
            word = word << 8 | UInt32(byte)
            if place % 4 == 3 { result.append(word) }
        }
        return result
    }
}
