import NIOCore
import SSHWire
import TestSupport
import Testing

@Suite("Data types of RFC 4251")
struct DataTypeTests {
    /// RFC 4251 section 5, the table under `mpint`; its two negative rows are below.
    @Test(
        "mpints are written as RFC 4251 shows them",
        arguments: [
            ("", "00 00 00 00"),
            ("9a378f9b2e332a7", "00 00 00 08 09 a3 78 f9 b2 e3 32 a7"),
            ("80", "00 00 00 02 00 80"),
        ])
    func mpint(_ value: String, _ encoded: String) throws {
        let number = MPInt(bigEndian: hex(value.count % 2 == 0 ? value : "0" + value))
        var buffer = ByteBuffer()
        buffer.writeMPInt(number)
        #expect(Array(buffer.readableBytesView) == hex(encoded))
        #expect(try buffer.readMPInt("value") == number)
        #expect(buffer.readableBytes == 0)
    }

    /// RFC 4251 section 5: -1234 and -deadbeef.
    @Test("Negative mpints are refused", arguments: ["00 00 00 02 ed cc", "00 00 00 05 ff 21 52 41 11"])
    func negative(_ encoded: String) {
        var buffer = ByteBuffer(bytes: hex(encoded))
        #expect(throws: WireError.invalid(field: "value", reason: "negative mpint")) { try buffer.readMPInt("value") }
    }

    @Test("Leading zeros of an mpint do not count")
    func leadingZeros() throws {
        var buffer = ByteBuffer(bytes: hex("00000004 00000080"))
        let value = try buffer.readMPInt("value")
        #expect(value.magnitude == [0x80])
        #expect(value.bitWidth == 8)
        #expect(value.padded(to: 3) == [0, 0, 0x80])
        #expect(MPInt(bigEndian: [1, 2]).padded(to: 1) == nil)
        #expect(MPInt(bigEndian: [0, 0]).bitWidth == 0)
    }

    /// RFC 4251 section 5, the table under `name-list`.
    @Test(
        "name-lists are written as RFC 4251 shows them",
        arguments: [
            ([], "00 00 00 00"),
            (["zlib"], "00 00 00 04 7a 6c 69 62"),
            (["zlib", "none"], "00 00 00 09 7a 6c 69 62 2c 6e 6f 6e 65"),
        ] as [([String], String)])
    func nameList(_ names: [String], _ encoded: String) throws {
        var buffer = ByteBuffer()
        buffer.writeNameList(names)
        #expect(Array(buffer.readableBytesView) == hex(encoded))
        #expect(try buffer.readNameList("names") == names)
    }

    @Test("Empty names in a name-list are passed over")
    func emptyNames() throws {
        var buffer = ByteBuffer()
        buffer.writeSSHString(",a,,b,")
        #expect(try buffer.readNameList("names") == ["a", "b"])
    }

    @Test(
        "A name-list of control bytes, spaces or other than ASCII is refused",
        arguments: ["a b", "a\u{1b}", "ä", "\u{7f}"])
    func badNames(_ text: String) {
        var buffer = ByteBuffer()
        buffer.writeSSHString(text)
        #expect(throws: WireError.self) { try buffer.readNameList("names") }
    }

    @Test("The example string of RFC 4251 section 5 is \"testing\" behind its length")
    func string() throws {
        var buffer = ByteBuffer()
        buffer.writeSSHString("testing")
        #expect(Array(buffer.readableBytesView) == hex("00 00 00 07 74 65 73 74 69 6e 67"))
        var copy = buffer
        #expect(try copy.readSSHText("text") == "testing")
        var nested = ByteBuffer()
        nested.writeSSHString { (inner: inout ByteBuffer) in inner.writeString("testing") }
        #expect(nested == buffer)
    }

    /// RFC 4251 section 5, under `uint32`.
    @Test("Integers are big-endian")
    func integers() throws {
        var buffer = ByteBuffer(bytes: hex("29 b7 f4 aa 29 b7 f4 aa 00 00 00 01"))
        #expect(try buffer.readUInt32("number") == 699_921_578)
        #expect(try buffer.readUInt64("number") == 0x29b7_f4aa_0000_0001)
    }

    @Test("Every boolean but zero is true, and true is written as 1")
    func booleans() throws {
        var buffer = ByteBuffer(bytes: [0, 1, 2, 255])
        #expect(try buffer.readSSHBoolean("a") == false)
        for _ in 0..<3 { #expect(try buffer.readSSHBoolean("b")) }
        buffer.writeSSHBoolean(true)
        #expect(buffer == ByteBuffer(bytes: [1]))
    }

    @Test("Text must be UTF-8", arguments: ["ff", "c0 80", "ed a0 80", "f5 80 80 80"])
    func notUTF8(_ bytes: String) {
        var buffer = ByteBuffer()
        buffer.writeSSHString(hex(bytes))
        #expect(throws: WireError.invalid(field: "text", reason: "not UTF-8")) { try buffer.readSSHText("text") }
    }

    @Test("A length beyond the bytes there are is refused, and says so")
    func hostileLength() {
        var buffer = ByteBuffer(integer: UInt32.max)
        buffer.writeBytes([1, 2, 3])
        let error = WireError.truncated(field: "value", needed: 0xffff_ffff, available: 3)
        for read in [
            { (b: inout ByteBuffer) throws in _ = try b.readSSHString("value") },
            { b in _ = try b.readSSHText("value") }, { b in _ = try b.readMPInt("value") },
            { b in _ = try b.readNameList("value") },
        ] {
            var copy = buffer
            #expect(throws: error) { try read(&copy) }
        }
        var short = ByteBuffer(bytes: [0, 0, 0])
        #expect(throws: WireError.truncated(field: "n", needed: 4, available: 3)) { try short.readUInt32("n") }
        #expect(throws: WireError.truncated(field: "n", needed: 8, available: 3)) { try short.readUInt64("n") }
        #expect(throws: WireError.truncated(field: "n", needed: -1, available: 3)) { try short.readBytes(-1, "n") }
    }
}
