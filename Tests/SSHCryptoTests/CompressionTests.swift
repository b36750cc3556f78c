import NIOCore
import Testing

@testable import SSHCrypto

@Suite("Compression of payloads (RFC 4253 section 6.2)")
struct CompressionTests {
    private func pair() throws -> (PayloadCompressor, PayloadDecompressor) {
        let zlib = try #require(CompressionAlgorithm.named("zlib@openssh.com"))
        return (try #require(try zlib.makeCompressor()), try #require(try zlib.makeDecompressor()))
    }

    @Test("A stream of payloads of any size comes out as it went in")
    func roundTrip() throws {
        let (compressor, decompressor) = try pair()
        var output = ByteBuffer()
        for size in [0, 1, 5, 100, 4095, 4096, 4097, 32_768, 65_536, 200_000] {
            for isRandom in [true, false] {
                let bytes = (0..<size).map { isRandom ? UInt8.random(in: .min ... .max) : UInt8(truncatingIfNeeded: $0 / 7) }
                var compressed = ByteBuffer()
                try compressor.compress(
                    head: ByteBuffer(bytes: bytes.prefix(9)), body: ByteBuffer(bytes: bytes.dropFirst(9)),
                    into: &compressed)
                try decompressor.decompress(compressed, into: &output)
                #expect(output == ByteBuffer(bytes: bytes))
            }
        }
    }

    @Test("Text becomes smaller")
    func ratio() throws {
        let (compressor, _) = try pair()
        var compressed = ByteBuffer()
        try compressor.compress(head: ByteBuffer(repeating: 0x61, count: 32_768), body: nil, into: &compressed)
        #expect(compressed.readableBytes < 200)
    }

    @Test("Bytes that are no zlib stream are refused")
    func garbage() throws {
        let (_, decompressor) = try pair()
        var output = ByteBuffer()
        #expect(throws: CryptoError.self) {
            try decompressor.decompress(ByteBuffer(repeating: 0xff, count: 100), into: &output)
        }
    }

    @Test("A payload that swells beyond a packet is refused before it is held whole")
    func bomb() throws {
        let (compressor, decompressor) = try pair()
        var compressed = ByteBuffer()
        try compressor.compress(head: ByteBuffer(repeating: 0, count: 64 << 20), body: nil, into: &compressed)
        var output = ByteBuffer()
        #expect(throws: CryptoError.self) { try decompressor.decompress(compressed, into: &output) }
        #expect(output.readableBytes < 2 << 20)
    }
}
