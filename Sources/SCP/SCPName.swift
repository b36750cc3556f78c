import SSHWire

/// The name of a file or directory in a record: one path component, as bytes, which need not be Unicode.
///
/// A name that could lead elsewhere than into the directory at hand cannot be made: an empty one, `.`, `..`, or one
/// that holds a slash or a NUL (CVE-2018-20685, CVE-2019-6111).
public struct SCPName: Hashable, Sendable {
    /// The name as the file system has it.
    public let bytes: [UInt8]

    /// Takes a name of the local file system.
    ///
    /// - Throws: ``SCPError/unexpectedName(_:)``.
    public init(_ bytes: [UInt8]) throws(SCPError) {
        guard !bytes.isEmpty, bytes != [UInt8(ascii: ".")], bytes != Array("..".utf8),
            !bytes.contains(UInt8(ascii: "/")), !bytes.contains(0)
        else { throw .unexpectedName(bytes) }
        self.bytes = bytes
    }

    /// Takes a name of a record, see ``wireForm``.
    ///
    /// - Throws: ``SCPError/unexpectedName(_:)``.
    public init(wireForm: [UInt8]) throws(SCPError) {
        try self.init(VisualEncoding.decodedName(wireForm) ?? wireForm)
    }

    /// The name as a record holds it.
    ///
    /// A record ends at its newline, so OpenSSH's source sends a name with a newline in the visual encoding of vis(3)
    /// (`\^J`, and the backslash doubled), and any other name as it is. Its sink keeps the encoded name. Ours decodes
    /// one that holds `\^J` and is this encoding throughout, so that names survive the way there and back; a file
    /// that is really called `a\^Jb` is taken for one with a newline: the wire has no way to tell them apart.
    public var wireForm: [UInt8] {
        bytes.contains(UInt8(ascii: "\n")) ? VisualEncoding.encode(bytes) : bytes
    }
}

extension SCPName: CustomStringConvertible {
    /// The name made printable.
    public var description: String { Printable.text(bytes) }
}

/// The encoding of vis(3) with `VIS_NL`: what is not printable ASCII, blank or tab becomes a sequence after `\`.
enum VisualEncoding {
    private static let backslash = UInt8(ascii: "\\")

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * 2)
        for byte in bytes { append(byte, to: &result) }
        return result
    }

    /// The name behind its encoding; nil unless it holds a newline and is spelled just as ``encode(_:)`` would.
    static func decodedName(_ text: [UInt8]) -> [UInt8]? {
        guard let decoded = decode(text), decoded.contains(UInt8(ascii: "\n")), encode(decoded) == text else {
            return nil
        }
        return decoded
    }

    private static func append(_ byte: UInt8, to result: inout [UInt8]) {
        switch byte {
        case backslash: result += [backslash, backslash]
        case UInt8(ascii: "\t"), 0x20...0x7e: result.append(byte)
        case 0xa0: result += Array("\\240".utf8)
        default:
            result.append(backslash)
            let low = byte & 0x7f
            if byte >= 0x80 { result.append(UInt8(ascii: "M")) }
            switch low {
            case 0x7f: result += Array("^?".utf8)
            case 0..<0x20: result += [UInt8(ascii: "^"), low + UInt8(ascii: "@")]
            default: result += [UInt8(ascii: "-"), low]
            }
        }
    }

    /// Reads the sequences that ``encode(_:)`` writes; nil at any other.
    private static func decode(_ text: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var input = text.makeIterator()
        while let byte = input.next() {
            if byte != backslash {
                result.append(byte)
            } else if let decoded = decodeSequence(&input) {
                result.append(decoded)
            } else {
                return nil
            }
        }
        return result
    }

    /// The byte that a sequence stands for, its backslash already read.
    private static func decodeSequence(_ input: inout IndexingIterator<[UInt8]>) -> UInt8? {
        guard var kind = input.next() else { return nil }
        var high: UInt8 = 0
        if kind == UInt8(ascii: "M") {
            high = 0x80
            guard let next = input.next() else { return nil }
            kind = next
        }
        switch kind {
        case backslash where high == 0:
            return backslash
        case UInt8(ascii: "2") where high == 0:
            return input.next() == UInt8(ascii: "4") && input.next() == UInt8(ascii: "0") ? 0xa0 : nil
        case UInt8(ascii: "^"):
            guard let letter = input.next(), (0x3f...0x5f).contains(letter) else { return nil }
            return high | (letter ^ 0x40)
        case UInt8(ascii: "-"):
            guard let letter = input.next(), letter < 0x80 else { return nil }
            return high | letter
        default:
            return nil
        }
    }
}
