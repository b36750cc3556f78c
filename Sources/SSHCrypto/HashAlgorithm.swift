import Crypto
import NIOCore

/// A hash function of a key exchange (RFC 4253 section 8, RFC 6668, RFC 5656).
package enum HashAlgorithm: Sendable, Equatable, CaseIterable {
    case sha1
    case sha256
    case sha384
    case sha512

    /// The length of a digest in bytes.
    package var length: Int {
        switch self {
        case .sha1: 20
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// The digest of `bytes`.
    package func digest(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { digest(of: $0) }
    }

    /// The digest of the buffer's readable bytes.
    package func digest(_ buffer: ByteBuffer) -> [UInt8] {
        buffer.withUnsafeReadableBytes { digest(of: $0) }
    }

    private func digest(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
        switch self {
        case .sha1: Self.run(Insecure.SHA1(), bytes)
        case .sha256: Self.run(SHA256(), bytes)
        case .sha384: Self.run(SHA384(), bytes)
        case .sha512: Self.run(SHA512(), bytes)
        }
    }

    private static func run<H: HashFunction>(_ hash: H, _ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = hash
        hash.update(bufferPointer: bytes)
        return Array(hash.finalize())
    }
}
