import Crypto
import NIOCore
import TestSupport
import Testing

@testable import SSHCrypto

@Suite("UMAC")
struct UMACTests {
    private static let key = SymmetricKey(data: Array("abcdefghijklmnop".utf8))
    private static let nonce = "bcdefghi".utf8.reduce(0) { $0 << 8 | UInt64($1) }

    struct Vector: Sendable, CustomTestStringConvertible {
        let text: String
        let count: Int
        let short: String
        let long: String
        var testDescription: String { "\(count) times '\(text)'" }
        var message: [UInt8] { Array(repeatElement(Array(text.utf8), count: count).joined()) }
    }

    /// RFC 4418, appendix; its tags of 96 bits are the first 12 bytes of those of 128, whose last four are Nettle's.
    static let vectors: [Vector] = [
        Vector(text: "", count: 0, short: "6E155FAD26900BE1", long: "32FEDB100C79AD58F07FF7643CC60465"),
        Vector(text: "a", count: 3, short: "44B5CB542F220104", long: "185E4FE905CBA7BD85E4C2DC3D117D8D"),
        Vector(text: "a", count: 1 << 10, short: "26BF2F5D60118BD9", long: "7A54ABE04AF82D60FB298C3CBD195BCB"),
        Vector(text: "a", count: 1 << 15, short: "27F8EF643B0D118D", long: "7B136BD911E4B734286EF2BE501F2C3C"),
        Vector(text: "a", count: 1 << 20, short: "A4477E87E9F55853", long: "F8ACFA3AC31CFEEA047F7B115B03BEF5"),
        Vector(text: "abc", count: 1, short: "D4D7B9F6BD4FBFCF", long: "883C3D4B97A61976FFCF2323"),
        Vector(text: "abc", count: 500, short: "D4CF26DDEFD5C01A", long: "8824A260C53C66A36C9260A6"),
    ]

    private func tag(_ length: Int, _ message: [UInt8], nonce: UInt64 = nonce) throws -> [UInt8] {
        let umac = try #require(UMAC(key: Self.key, tagLength: length))
        let tag = message.withUnsafeBytes { umac.tag(of: $0, nonce: nonce) }
        return withUnsafeBytes(of: (tag.high.bigEndian, tag.low.bigEndian)) { Array($0.prefix(length)) }
    }

    @Test("the published tags come out", arguments: vectors)
    func published(_ vector: Vector) throws {
        #expect(try tag(8, vector.message) == hex(vector.short))
        #expect(try tag(16, vector.message).starts(with: hex(vector.long)))
    }

    @Test("both tags hang on every byte of the message, on the nonce and on the length")
    func dependence() throws {
        for length in [8, 16] {
            // Around the sizes of a block, a chunk, and several.
            for count in [1, 31, 32, 33, 1023, 1024, 1025, 2048, 2100] {
                let message = [UInt8](repeating: 7, count: count)
                let whole = try tag(length, message)
                #expect(try tag(length, message, nonce: Self.nonce ^ 1) != whole)
                #expect(try tag(length, message, nonce: Self.nonce ^ 1 << 40) != whole)
                #expect(try tag(length, message + [0]) != whole)
                for place in Set([0, count / 2, count - 1]) {
                    var other = message
                    other[place] ^= 1
                    #expect(try tag(length, other) != whole)
                }
            }
        }
    }

    @Test("an address that is not aligned changes nothing")
    func unaligned() throws {
        let umac = try #require(UMAC(key: Self.key, tagLength: 16))
        let bytes = (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let wanted = try tag(16, Array(bytes[3...]))
        let made = bytes.withUnsafeBytes {
            umac.tag(of: UnsafeRawBufferPointer(rebasing: $0[3...]), nonce: Self.nonce)
        }
        #expect(withUnsafeBytes(of: (made.high.bigEndian, made.low.bigEndian)) { Array($0) } == wanted)
    }

    @Test("other lengths of key and tag are refused")
    func lengths() {
        #expect(UMAC(key: SymmetricKey(size: .bits256), tagLength: 8) == nil)
        #expect(UMAC(key: Self.key, tagLength: 12) == nil)
    }
}
