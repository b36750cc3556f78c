import Crypto
import TestSupport
import Testing

@testable import SSHCrypto

/// The generator that NIST's known answers were made with: CTR_DRBG of SP 800-90A with AES-256 and no derivation
/// function.
struct KnownAnswerGenerator {
    private var key = [UInt8](repeating: 0, count: 32)
    private var counter = [UInt8](repeating: 0, count: 16)

    /// - Parameter seed: 48 bytes.
    init(seed: [UInt8]) { update(with: seed) }

    mutating func bytes(_ count: Int) -> [UInt8] {
        let blocks = (count + 15) / 16
        let stream = take(blocks: blocks)
        update(with: [UInt8](repeating: 0, count: 48))
        return Array(stream.prefix(count))
    }

    private mutating func update(with provided: [UInt8]) {
        let material = zip(take(blocks: 3), provided).map { $0 ^ $1 }
        key = Array(material[..<32])
        counter = Array(material[32...])
    }

    /// AES of the counter counted up before each block.
    private mutating func take(blocks: Int) -> [UInt8] {
        increment()
        let keys = DirectionKeys(
            iv: counter, encryptionKey: SymmetricKey(data: key), integrityKey: SymmetricKey(data: [UInt8]()))
        for _ in 1..<blocks { increment() }
        let zeros = [UInt8](repeating: 0, count: 16 * blocks)
        return zeros.withUnsafeBytes { bytes in (try? CTRKeystream(keys: keys).apply(to: bytes)).map(Array.init) ?? [] }
    }

    private mutating func increment() {
        for index in counter.indices.reversed() {
            counter[index] &+= 1
            if counter[index] != 0 { break }
        }
    }
}

@Suite("sntrup761")
struct Sntrup761Tests {
    private func digits(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16, uppercase: true)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    @Test("key, ciphertext and secret are those of the first known answer of the submission to NIST")
    func knownAnswer() throws {
        var master = KnownAnswerGenerator(seed: (0..<48).map { UInt8($0) })
        let seed = master.bytes(48)
        var generator = KnownAnswerGenerator(seed: seed)
        let key = Sntrup761.makeKey { generator.bytes($0) }
        let made = try #require(Sntrup761.encapsulate(to: key.publicKey) { generator.bytes($0) })
        let privateKey =
            Sntrup761.Encoding.encodeSmall(key.f) + Sntrup761.Encoding.encodeSmall(key.inverseOfG) + key.publicKey
            + key.rho + key.publicKeyHash
        #expect(privateKey.count == 1763)
        #expect(Sntrup761.decapsulate(made.ciphertext, with: key) == made.secret)
        let record = """
            count = 0
            seed = \(digits(seed))
            pk = \(digits(key.publicKey))
            sk = \(digits(privateKey))
            ct = \(digits(made.ciphertext))
            ss = \(digits(made.secret))

            """
        // The hash of the record, as PQClean publishes it (crypto_kem/sntrup761/META.yml).
        #expect(
            Array(SHA256.hash(data: Array(record.utf8)))
                == hex("afc42c3a5b10f4ef69654250097ebda9b9564570f4086744b24a6daf2bd1f89a"))
    }

    @Test("a ciphertext changed anywhere gives a secret of its own, the same each time")
    func implicitRejection() throws {
        let key = Sntrup761.makeKey(random: SecureRandom.bytes)
        let made = try #require(Sntrup761.encapsulate(to: key.publicKey, random: SecureRandom.bytes))
        var secrets: Set<[UInt8]> = [made.secret]
        let places = [0, 500, 1006, 1007, 1038]
        for place in places {
            var ciphertext = made.ciphertext
            ciphertext[place] ^= 1
            let secret = try #require(Sntrup761.decapsulate(ciphertext, with: key))
            #expect(Sntrup761.decapsulate(ciphertext, with: key) == secret)
            secrets.insert(secret)
        }
        #expect(secrets.count == 1 + places.count)
    }

    @Test("bytes that no peer would send are taken without harm")
    func hostileBytes() throws {
        let key = Sntrup761.makeKey(random: SecureRandom.bytes)
        for byte in [0, 1, 0x7f, 0x80, 0xff] as [UInt8] {
            let publicKey = [UInt8](repeating: byte, count: Sntrup761.publicKeyLength)
            #expect(Sntrup761.encapsulate(to: publicKey, random: SecureRandom.bytes)?.ciphertext.count == 1039)
            let ciphertext = [UInt8](repeating: byte, count: Sntrup761.ciphertextLength)
            #expect(Sntrup761.decapsulate(ciphertext, with: key)?.count == 32)
        }
    }

    @Test("values of another length are refused")
    func lengths() {
        let key = Sntrup761.makeKey(random: SecureRandom.bytes)
        for length in [0, 1038, 1040] {
            #expect(Sntrup761.decapsulate([UInt8](repeating: 0, count: length), with: key) == nil)
        }
        for length in [0, 1157, 1159] {
            let publicKey = [UInt8](repeating: 0, count: length)
            #expect(Sntrup761.encapsulate(to: publicKey, random: SecureRandom.bytes) == nil)
        }
    }

    @Test("the sort that looks at nothing sorts numbers of any count")
    func sort() {
        var random = SeededGenerator(seed: 9)
        for count in Array(0...70) + [761] {
            var numbers = (0..<count).map { _ in UInt32.random(in: .min ... .max, using: &random) >> (count % 2 * 28) }
            let expected = numbers.sorted()
            ObliviousSort.sort(&numbers)
            #expect(numbers == expected)
        }
    }
}
