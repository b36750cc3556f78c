import Crypto
import CryptoExtras
import NIOCore
import Platform

/// Random padding without a system call per packet.
///
/// A ChaCha20 key drawn from the system once makes 4 KiB of keystream at a time; the first 32 bytes of each are the next
/// key, and bytes are wiped as they are handed out, so that nothing kept here tells what was sent before.
struct PaddingSource: Sendable {
    private static let size = 4096
    private static let keyLength = 32

    private var key = SymmetricKey(size: .bits256)
    private var pool: [UInt8] = []
    private var next = 0

    /// Appends `count` random bytes (at most 255) to `output`.
    mutating func write(_ count: Int, to output: inout ByteBuffer) {
        if pool.count - next < count { refill() }
        pool.withUnsafeMutableBytes { pool in
            let taken = UnsafeMutableRawBufferPointer(rebasing: pool[next..<(next + count)])
            output.writeBytes(UnsafeRawBufferPointer(taken))
            taken.initializeMemory(as: UInt8.self, repeating: 0)
        }
        next += count
    }

    private mutating func refill() {
        let zeros = [UInt8](repeating: 0, count: Self.size)
        // Every key makes one keystream only, so the nonce never changes.
        if let nonce = try? Insecure.ChaCha20CTR.Nonce(data: [UInt8](repeating: 0, count: 12)),
            let stream = try? Insecure.ChaCha20CTR.encrypt(zeros, using: key, nonce: nonce)
        {
            key = SymmetricKey(data: stream.prefix(Self.keyLength))
            pool = Array(stream)
            next = Self.keyLength
            pool.withUnsafeMutableBytes { pool in
                _ = UnsafeMutableRawBufferPointer(rebasing: pool.prefix(Self.keyLength))
                    .initializeMemory(as: UInt8.self, repeating: 0)
            }
        } else {
            var system = SystemRandomNumberGenerator()
            pool = (0..<Self.size).map { _ in UInt8.random(in: .min ... .max, using: &system) }
            next = 0
        }
    }
}
