import Crypto

/// A MAC under its key: the code covers the sequence number and the packet (RFC 4253 section 6.4). UMAC takes the sequence
/// number as its nonce.
struct PacketMAC: Sendable {
    private enum Prepared: Sendable {
        case sha1(HMAC<Insecure.SHA1>)
        case sha256(HMAC<SHA256>)
        case sha384(HMAC<SHA384>)
        case sha512(HMAC<SHA512>)
        case umac(UMAC)
    }

    let length: Int
    let encryptThenMAC: Bool
    /// HMAC with its key taken in; copied for each packet.
    private let prepared: Prepared

    /// - Throws: ``CryptoError/keyLength(algorithm:expected:found:)``
    init(_ algorithm: MACAlgorithm, key: SymmetricKey) throws(CryptoError) {
        length = algorithm.length
        encryptThenMAC = algorithm.encryptThenMAC
        switch algorithm.function {
        case .hmac(.sha1): prepared = .sha1(HMAC(key: key))
        case .hmac(.sha256): prepared = .sha256(HMAC(key: key))
        case .hmac(.sha384): prepared = .sha384(HMAC(key: key))
        case .hmac(.sha512): prepared = .sha512(HMAC(key: key))
        case .umac(let tagLength):
            guard let umac = UMAC(key: key, tagLength: tagLength) else {
                throw .keyLength(
                    algorithm: algorithm.name, expected: algorithm.keyLength, found: key.bitCount / 8)
            }
            prepared = .umac(umac)
        }
    }

    /// The code of a packet, handed to `body`.
    func withCode<R>(
        sequenceNumber: UInt32, packet: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> R
    ) -> R {
        switch prepared {
        case .sha1(let hmac): return Self.code(hmac, sequenceNumber, packet).withUnsafeBytes(body)
        case .sha256(let hmac): return Self.code(hmac, sequenceNumber, packet).withUnsafeBytes(body)
        case .sha384(let hmac): return Self.code(hmac, sequenceNumber, packet).withUnsafeBytes(body)
        case .sha512(let hmac): return Self.code(hmac, sequenceNumber, packet).withUnsafeBytes(body)
        case .umac(let umac):
            let tag = umac.tag(of: packet, nonce: UInt64(sequenceNumber))
            return withUnsafeBytes(of: (tag.high.bigEndian, tag.low.bigEndian)) {
                body(UnsafeRawBufferPointer(rebasing: $0[..<length]))
            }
        }
    }

    /// Whether `code` is the packet's, compared in a time that does not depend on where they differ.
    func isValid(_ code: UnsafeRawBufferPointer, sequenceNumber: UInt32, packet: UnsafeRawBufferPointer) -> Bool {
        switch prepared {
        case .sha1(let hmac): return Self.code(hmac, sequenceNumber, packet) == code
        case .sha256(let hmac): return Self.code(hmac, sequenceNumber, packet) == code
        case .sha384(let hmac): return Self.code(hmac, sequenceNumber, packet) == code
        case .sha512(let hmac): return Self.code(hmac, sequenceNumber, packet) == code
        case .umac:
            guard code.count == length else { return false }
            return withCode(sequenceNumber: sequenceNumber, packet: packet) { wanted in
                zip(wanted, code).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
            }
        }
    }

    private static func code<H: HashFunction>(
        _ prepared: HMAC<H>, _ sequenceNumber: UInt32, _ packet: UnsafeRawBufferPointer
    ) -> HMAC<H>.MAC {
        var hmac = prepared
        withUnsafeBytes(of: sequenceNumber.bigEndian) { hmac.update(data: $0) }
        hmac.update(data: packet)
        return hmac.finalize()
    }
}
