/// The few pieces of DER (ITU-T X.690) that keys are written in.
enum DER {
    /// A tag, a definite length, and the content.
    static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        var rest = content.count
        while rest > 0 {
            length.insert(UInt8(truncatingIfNeeded: rest), at: 0)
            rest >>= 8
        }
        let header =
            content.count < 0x80 ? [tag, UInt8(content.count)] : [tag, 0x80 | UInt8(length.count)] + length
        return header + content
    }

    /// A non-negative INTEGER.
    static func integer(_ magnitude: [UInt8]) -> [UInt8] {
        let digits = Array(magnitude.drop { $0 == 0 })
        return element(0x02, (digits.first ?? 0x80) & 0x80 != 0 ? [0] + digits : digits)
    }

    /// A SEQUENCE of elements already encoded.
    static func sequence(_ elements: [UInt8]...) -> [UInt8] {
        element(0x30, elements.flatMap { $0 })
    }
}
