import Crypto
import NIOCore

/// The keys of one direction (RFC 4253 section 7.2).
package struct DirectionKeys: Sendable {
    /// The initial vector; empty where the cipher has none.
    package let iv: [UInt8]
    package let encryptionKey: SymmetricKey
    /// The MAC's key; empty where the cipher needs no MAC.
    package let integrityKey: SymmetricKey

    package init(iv: [UInt8], encryptionKey: SymmetricKey, integrityKey: SymmetricKey) {
        self.iv = iv
        self.encryptionKey = encryptionKey
        self.integrityKey = integrityKey
    }
}

/// Makes the packets of one direction (RFC 4253 section 6).
package protocol PacketSealer: Sendable {
    /// Appends one packet to `output`, its payload being `head` followed by `body`.
    ///
    /// - Throws: ``CryptoError/packetTooLong(length:limit:)``; `output` is then as it was.
    @discardableResult
    mutating func seal(
        head: ByteBuffer, body: ByteBuffer?, sequenceNumber: UInt32, into output: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes
}

/// Takes the packets of one direction apart (RFC 4253 section 6).
package protocol PacketOpener: Sendable {
    /// Takes one whole packet from `input` and puts its payload into `payload`, which is cleared first.
    ///
    /// - Returns: nil, having taken nothing, while the packet is not whole yet.
    /// - Throws: what is wrong with the packet; the connection must end then, and the opener is of no more use.
    mutating func open(
        _ input: inout ByteBuffer, sequenceNumber: UInt32, into payload: inout ByteBuffer
    ) throws(CryptoError) -> PacketSizes?
}

/// The sizes of a packet, in bytes, as its own fields give them.
package struct PacketSizes: Equatable, Sendable {
    /// `packet_length`: all after the length field but the MAC.
    package let packetLength: Int
    /// `padding_length`
    package let paddingLength: Int

    package init(packetLength: Int, paddingLength: Int) {
        self.packetLength = packetLength
        self.paddingLength = paddingLength
    }
}

/// Where sealers and openers of negotiated algorithms are made.
package enum PacketProtection {
    /// The largest `packet_length` made or taken, in bytes. RFC 4253 section 6.1 asks for 35000; OpenSSH takes this many.
    package static let maximumPacketLength = 256 * 1024

    /// Makes the sealer of one direction.
    ///
    /// - Parameter mac: ignored where the cipher is an AEAD.
    /// - Throws: ``CryptoError/keyLength(algorithm:expected:found:)``, ``CryptoError/macMissing(cipher:)``
    package static func makeSealer(
        cipher: CipherAlgorithm, mac: MACAlgorithm?, keys: DirectionKeys
    ) throws(CryptoError) -> any PacketSealer {
        try check(keys, cipher: cipher)
        switch cipher.mode {
        case .gcm: return GCMSealer(keys: keys)
        case .chacha20Poly1305: return ChaChaPolySealer(key: keys.encryptionKey)
        case .ctr, .cbc, .tripleDESCBC:
            let mac = try packetMAC(mac, keys: keys, cipher: cipher)
            return CipherAndMACSealer(cipher: try PacketCipher(cipher, keys: keys), mac: mac)
        }
    }

    /// Makes the opener of one direction.
    ///
    /// - Parameter mac: ignored where the cipher is an AEAD.
    /// - Throws: ``CryptoError/keyLength(algorithm:expected:found:)``, ``CryptoError/macMissing(cipher:)``
    package static func makeOpener(
        cipher: CipherAlgorithm, mac: MACAlgorithm?, keys: DirectionKeys
    ) throws(CryptoError) -> any PacketOpener {
        try check(keys, cipher: cipher)
        switch cipher.mode {
        case .gcm: return GCMOpener(keys: keys)
        case .chacha20Poly1305: return ChaChaPolyOpener(key: keys.encryptionKey)
        case .ctr, .cbc, .tripleDESCBC:
            let mac = try packetMAC(mac, keys: keys, cipher: cipher)
            return CipherAndMACOpener(cipher: try PacketCipher(cipher, keys: keys), mac: mac)
        }
    }

    private static func check(_ keys: DirectionKeys, cipher: CipherAlgorithm) throws(CryptoError) {
        let keyLength = keys.encryptionKey.bitCount / 8
        guard keyLength == cipher.keyLength else {
            throw .keyLength(algorithm: cipher.name, expected: cipher.keyLength, found: keyLength)
        }
        guard keys.iv.count == cipher.ivLength else {
            throw .keyLength(algorithm: cipher.name + " (iv)", expected: cipher.ivLength, found: keys.iv.count)
        }
    }

    private static func packetMAC(
        _ mac: MACAlgorithm?, keys: DirectionKeys, cipher: CipherAlgorithm
    ) throws(CryptoError) -> PacketMAC {
        guard let mac else { throw .macMissing(cipher: cipher.name) }
        let keyLength = keys.integrityKey.bitCount / 8
        guard keyLength == mac.keyLength else {
            throw .keyLength(algorithm: mac.name, expected: mac.keyLength, found: keyLength)
        }
        return try PacketMAC(mac, key: keys.integrityKey)
    }
}
