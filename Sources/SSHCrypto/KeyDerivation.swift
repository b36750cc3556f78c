import Crypto
import NIOCore

/// The keys that come out of a key exchange (RFC 4253 section 7.2).
package struct KeyDerivation: Sendable {
    private let hash: HashAlgorithm
    private let sharedSecret: ByteBuffer
    private let exchangeHash: [UInt8]
    private let sessionID: [UInt8]

    /// - Parameters:
    ///   - sharedSecret: K as it enters the hash: an encoded mpint, or a string for the hybrid exchanges.
    ///   - exchangeHash: H of this exchange.
    ///   - sessionID: H of the connection's first exchange.
    package init(hash: HashAlgorithm, sharedSecret: ByteBuffer, exchangeHash: [UInt8], sessionID: [UInt8]) {
        self.hash = hash
        self.sharedSecret = sharedSecret
        self.exchangeHash = exchangeHash
        self.sessionID = sessionID
    }

    /// The key of one letter, "A" to "F".
    ///
    /// - Parameter length: how many bytes of it are wanted.
    package func key(_ letter: Unicode.Scalar, length: Int) -> [UInt8] {
        var input = sharedSecret
        input.writeBytes(exchangeHash)
        let prefix = input
        input.writeInteger(UInt8(truncatingIfNeeded: letter.value))
        input.writeBytes(sessionID)
        var key = hash.digest(input)
        while key.count < length {
            var next = prefix
            next.writeBytes(key)
            key += hash.digest(next)
        }
        return Array(key.prefix(length))
    }

    /// The keys of one direction, as long as its algorithms ask for.
    ///
    /// - Parameter mac: nil where the cipher is an AEAD.
    package func directionKeys(clientToServer: Bool, cipher: CipherAlgorithm, mac: MACAlgorithm?) -> DirectionKeys {
        DirectionKeys(
            iv: key(clientToServer ? "A" : "B", length: cipher.ivLength),
            encryptionKey: SymmetricKey(data: key(clientToServer ? "C" : "D", length: cipher.keyLength)),
            integrityKey: SymmetricKey(data: key(clientToServer ? "E" : "F", length: mac?.keyLength ?? 0)))
    }
}
