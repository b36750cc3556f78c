import Crypto
import NIOCore
import SSHCrypto
import Testing

/// Crypto exports a name like this one too; the module's own declaration decides.
typealias CryptoError = SSHCrypto.CryptoError

/// Bytes out of hexadecimal digits; anything else between them is skipped.
func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// A generator that gives the same numbers in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }
}

/// A cipher and, where it needs one, a MAC.
struct Protection: Sendable, CustomTestStringConvertible {
    let cipher: CipherAlgorithm
    let mac: MACAlgorithm?

    var testDescription: String { cipher.name + (mac.map { " " + $0.name } ?? "") }

    /// Every cipher and every MAC; one cipher of each kind with all MACs, the others, which differ in the size of their
    /// keys, with two.
    static let all: [Protection] = CipherAlgorithm.all.flatMap { cipher in
        if cipher.isAEAD { return [Protection(cipher: cipher, mac: nil)] }
        let isFirst = CipherAlgorithm.all.first { $0.mode == cipher.mode } == cipher
        let macs = isFirst ? MACAlgorithm.all : MACAlgorithm.all.filter { $0.function == .hmac(.sha256) }
        return macs.map { Protection(cipher: cipher, mac: $0) }
    }

    /// Whether a damaged packet is refused before anything of it is decrypted.
    var authenticatesCiphertext: Bool { mac?.encryptThenMAC ?? true }

    func keys(seed: UInt64 = 1) -> DirectionKeys {
        var random = SeededGenerator(seed: seed)
        return DirectionKeys(
            iv: random.bytes(cipher.ivLength), encryptionKey: SymmetricKey(data: random.bytes(cipher.keyLength)),
            integrityKey: SymmetricKey(data: random.bytes(mac?.keyLength ?? 0)))
    }

    func makeSealer() throws -> any PacketSealer {
        try PacketProtection.makeSealer(cipher: cipher, mac: mac, keys: keys())
    }

    func makeOpener() throws -> any PacketOpener {
        try PacketProtection.makeOpener(cipher: cipher, mac: mac, keys: keys())
    }

    /// One sealed packet, the first of its keys.
    func seal(_ payload: [UInt8], sequenceNumber: UInt32 = 7) throws -> [UInt8] {
        var sealer = try makeSealer()
        var output = ByteBuffer()
        try sealer.seal(
            head: ByteBuffer(bytes: payload), body: nil, sequenceNumber: sequenceNumber, into: &output)
        return Array(output.readableBytesView)
    }
}
