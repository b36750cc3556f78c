import Crypto
import NIOCore
import SSHCrypto
import TestSupport
import Testing

/// Crypto exports a name like this one too; the module's own declaration decides.
typealias CryptoError = SSHCrypto.CryptoError

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
