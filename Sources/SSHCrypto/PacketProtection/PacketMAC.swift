import Crypto

/// A MAC under its key: the code covers the sequence number and the packet (RFC 4253 section 6.4).
struct PacketMAC: Sendable {
    private enum Prepared: Sendable {
        case sha1(HMAC<Insecure.SHA1>)
        case sha256(HMAC<SHA256>)
        case sha384(HMAC<SHA384>)
        case sha512(HMAC<SHA512>)
    }

    let length: Int
    let encryptThenMAC: Bool
    /// HMAC with its key taken in; copied for each packet.
    private let prepared: Prepared

    init(_ algorithm: MACAlgorithm, key: SymmetricKey) {
        length = algorithm.length
        encryptThenMAC = algorithm.encryptThenMAC
        prepared =
            switch algorithm.hash {
            case .sha1: .sha1(HMAC(key: key))
            case .sha256: .sha256(HMAC(key: key))
            case .sha384: .sha384(HMAC(key: key))
            case .sha512: .sha512(HMAC(key: key))
            }
    }

    /// The code of a packet, handed to `body`.
    func withCode<R>(
        sequenceNumber: UInt32, packet: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> R
    ) -> R {
        switch prepared {
        case .sha1(let hmac): Self.code(hmac, sequenceNumber, packet).withUnsafeBytes(body)
        case .sha256(let hmac): Self.code(hmac, sequenceNumber, packet).withUnsafeBytes(body)
        case .sha384(let hmac): Self.code(hmac, sequenceNumber, packet).withUnsafeBytes(body)
        case .sha512(let hmac): Self.code(hmac, sequenceNumber, packet).withUnsafeBytes(body)
        }
    }

    /// Whether `code` is the packet's, compared in a time that does not depend on where they differ.
    func isValid(_ code: UnsafeRawBufferPointer, sequenceNumber: UInt32, packet: UnsafeRawBufferPointer) -> Bool {
        switch prepared {
        case .sha1(let hmac): Self.code(hmac, sequenceNumber, packet) == code
        case .sha256(let hmac): Self.code(hmac, sequenceNumber, packet) == code
        case .sha384(let hmac): Self.code(hmac, sequenceNumber, packet) == code
        case .sha512(let hmac): Self.code(hmac, sequenceNumber, packet) == code
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
