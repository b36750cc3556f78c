import Crypto

/// Random bytes for secrets.
enum SecureRandom {
    /// `count` bytes from the system's generator.
    static func bytes(_ count: Int) -> [UInt8] {
        SymmetricKey(size: SymmetricKeySize(bitCount: count * 8)).withUnsafeBytes { Array($0) }
    }
}
