import SSHWire

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

/// Reads DER elements one after the other; every length is checked before it is used.
struct DERReader {
    private var rest: ArraySlice<UInt8>
    /// What is being read, for errors.
    private let what: String

    init(_ bytes: some Collection<UInt8>, what: String) {
        rest = ArraySlice(Array(bytes))
        self.what = what
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// The tag of the next element, nil at the end.
    var nextTag: UInt8? { rest.first }

    /// Reads an element with that tag and returns its content.
    mutating func element(_ tag: UInt8, _ field: String) throws(KeyError) -> ArraySlice<UInt8> {
        guard rest.first == tag else {
            throw fault(field, "tag \(tag) wanted, \(rest.first.map(String.init) ?? "the end") found")
        }
        rest.removeFirst()
        let count = try length(field)
        guard count <= rest.count else { throw fault(field, "\(count) bytes wanted, \(rest.count) left") }
        let content = rest.prefix(count)
        rest = rest.dropFirst(count)
        return content
    }

    /// Reads a SEQUENCE, or another constructed element.
    mutating func sequence(_ field: String, tag: UInt8 = 0x30) throws(KeyError) -> DERReader {
        DERReader(try element(tag, field), what: what)
    }

    /// Reads a non-negative INTEGER.
    mutating func integer(_ field: String) throws(KeyError) -> MPInt {
        let content = try element(0x02, field)
        guard let first = content.first, first & 0x80 == 0 else { throw fault(field, "an empty or negative number") }
        return MPInt(bigEndian: content)
    }

    /// Reads a non-negative INTEGER that must not be larger than `limit`.
    mutating func integer(_ field: String, upTo limit: Int) throws(KeyError) -> Int {
        let number = try integer(field)
        guard number.bitWidth < 63 else { throw fault(field, "larger than \(limit)") }
        let value = number.magnitude.reduce(0) { $0 << 8 | Int($1) }
        guard value <= limit else { throw fault(field, "\(value), larger than \(limit)") }
        return value
    }

    private mutating func length(_ field: String) throws(KeyError) -> Int {
        guard let first = rest.popFirst() else { throw fault(field, "no length") }
        if first < 0x80 { return Int(first) }
        let digits = Int(first & 0x7f)
        guard (1...4).contains(digits), digits <= rest.count else { throw fault(field, "a length of \(digits) bytes") }
        let value = rest.prefix(digits).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(digits)
        return value
    }

    private func fault(_ field: String, _ reason: String) -> KeyError {
        .malformed(what: what, reason: "\(field): \(reason)")
    }
}
