/// A compression method of payloads (RFC 4253 section 6.2).
package struct CompressionAlgorithm: Sendable {
    package let name: String
    /// Whether it starts with the end of authentication, and not with the first keys.
    package let isDelayed: Bool
    let usesZlib: Bool

    /// All that exist here.
    ///
    /// `zlib` itself is left out: it lets a stranger reach the decompressor.
    package static let all = [
        CompressionAlgorithm(name: "none", isDelayed: false, usesZlib: false),
        CompressionAlgorithm(name: "zlib@openssh.com", isDelayed: true, usesZlib: true),
    ]

    package static func named(_ name: some StringProtocol) -> CompressionAlgorithm? { all.first { $0.name == name } }

    /// The sender's side; nil where nothing is compressed.
    ///
    /// - Throws: `CryptoError.compressionFailed`.
    package func makeCompressor() throws(CryptoError) -> PayloadCompressor? {
        usesZlib ? try PayloadCompressor() : nil
    }

    /// The receiver's side; nil where nothing is compressed.
    ///
    /// - Throws: `CryptoError.compressionFailed`.
    package func makeDecompressor() throws(CryptoError) -> PayloadDecompressor? {
        usesZlib ? try PayloadDecompressor() : nil
    }
}
