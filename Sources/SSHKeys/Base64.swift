/// Base64 (RFC 4648 section 4), as key files, known hosts and fingerprints use it.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each character; 255 for one outside the alphabet.
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    /// The text of `bytes`, with `=` at its end where `padding` asks for it.
    package static func encode(_ bytes: some Collection<UInt8>, padding: Bool = true) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group: UInt32 = 0
        var inGroup = 0
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            inGroup += 1
            if inGroup == 3 {
                for shift in [18, 12, 6, 0] as [UInt32] { text.append(alphabet[Int(group >> shift & 63)]) }
                (group, inGroup) = (0, 0)
            }
        }
        if inGroup > 0 {
            group <<= UInt32(8 * (3 - inGroup))
            for index in 0...inGroup { text.append(alphabet[Int(group >> UInt32(18 - 6 * index) & 63)]) }
            if padding { text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - inGroup)) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a text, or nil where it is not exactly base64 with its padding.
    ///
    /// - Parameter skippingWhitespace: lets line ends, spaces and tabs stand anywhere.
    package static func decode(_ text: some Collection<UInt8>, skippingWhitespace: Bool = false) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var inGroup = 0
        var padding = 0
        for character in text {
            if skippingWhitespace, [0x0a, 0x0d, 0x20, 0x09].contains(character) { continue }
            if character == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            let value = values[Int(character)]
            guard value != 255, padding == 0 else { return nil }
            group = group << 6 | UInt32(value)
            inGroup += 1
            if inGroup == 4 {
                bytes.append(UInt8(truncatingIfNeeded: group >> 16))
                bytes.append(UInt8(truncatingIfNeeded: group >> 8))
                bytes.append(UInt8(truncatingIfNeeded: group))
                (group, inGroup) = (0, 0)
            }
        }
        switch (inGroup, padding) {
        case (0, 0): break
        case (2, 2) where group & 0xf == 0:
            bytes.append(UInt8(truncatingIfNeeded: group >> 4))
        case (3, 1) where group & 0x3 == 0:
            bytes.append(UInt8(truncatingIfNeeded: group >> 10))
            bytes.append(UInt8(truncatingIfNeeded: group >> 2))
        default: return nil
        }
        return bytes
    }
}
