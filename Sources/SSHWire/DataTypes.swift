import NIOCore

// RFC 4251 section 5: data type representations used in the SSH protocols.

/// A non-negative multiple precision integer (`mpint`), its magnitude big-endian without leading zeros.
public struct MPInt: Hashable, Sendable {
    public let magnitude: [UInt8]

    /// Makes an integer of big-endian bytes; leading zeros are dropped.
    public init(bigEndian bytes: some Collection<UInt8>) {
        magnitude = Array(bytes.drop { $0 == 0 })
    }

    /// The number of significant bits.
    public var bitWidth: Int {
        guard let first = magnitude.first else { return 0 }
        return magnitude.count * 8 - first.leadingZeroBitCount
    }

    /// The magnitude with zeros put before it until it is `count` bytes long; nil when it is longer than that.
    public func padded(to count: Int) -> [UInt8]? {
        guard magnitude.count <= count else { return nil }
        return [UInt8](repeating: 0, count: count - magnitude.count) + magnitude
    }
}

extension ByteBuffer {
    /// Writes a `boolean`: one byte, 1 for true.
    public mutating func writeSSHBoolean(_ value: Bool) {
        writeInteger(value ? 1 : 0, as: UInt8.self)
    }

    /// Writes a `string`: a uint32 length and the bytes.
    public mutating func writeSSHString(_ bytes: some Collection<UInt8>) {
        writeInteger(UInt32(bytes.count))
        writeBytes(bytes)
    }

    /// Writes a `string`: a uint32 length and the buffer's readable bytes.
    public mutating func writeSSHString(_ buffer: ByteBuffer) {
        writeInteger(UInt32(buffer.readableBytes))
        writeImmutableBuffer(buffer)
    }

    /// Writes a `string` holding the UTF-8 of `text`.
    public mutating func writeSSHString(_ text: String) {
        writeInteger(UInt32(text.utf8.count))
        writeString(text)
    }

    /// Writes a `string` whose content `body` writes.
    public mutating func writeSSHString<E: Error>(body: (inout ByteBuffer) throws(E) -> Void) throws(E) {
        let start = writerIndex
        writeInteger(0, as: UInt32.self)
        try body(&self)
        setInteger(UInt32(writerIndex - start - 4), at: start)
    }

    /// Writes an `mpint`: a zero byte goes first where the top bit of the magnitude is set.
    public mutating func writeMPInt(_ value: MPInt) {
        let needsZero = (value.magnitude.first ?? 0) & 0x80 != 0
        writeInteger(UInt32(value.magnitude.count + (needsZero ? 1 : 0)))
        if needsZero { writeInteger(0, as: UInt8.self) }
        writeBytes(value.magnitude)
    }

    /// Writes a `name-list`: the names with commas between them, as one string.
    public mutating func writeNameList(_ names: [String]) {
        writeSSHString(names.joined(separator: ","))
    }

    /// Reads a `byte`.
    public mutating func readByte(_ field: String) throws(WireError) -> UInt8 {
        guard let value = readInteger(as: UInt8.self) else {
            throw .truncated(field: PeerText(field), needed: 1, available: readableBytes)
        }
        return value
    }

    /// Reads a `boolean`; every byte but zero is true.
    public mutating func readSSHBoolean(_ field: String) throws(WireError) -> Bool {
        try readByte(field) != 0
    }

    /// Reads a `uint32`.
    public mutating func readUInt32(_ field: String) throws(WireError) -> UInt32 {
        guard let value = readInteger(as: UInt32.self) else {
            throw .truncated(field: PeerText(field), needed: 4, available: readableBytes)
        }
        return value
    }

    /// Reads a `uint64`.
    public mutating func readUInt64(_ field: String) throws(WireError) -> UInt64 {
        guard let value = readInteger(as: UInt64.self) else {
            throw .truncated(field: PeerText(field), needed: 8, available: readableBytes)
        }
        return value
    }

    /// Reads `count` bytes.
    public mutating func readBytes(_ count: Int, _ field: String) throws(WireError) -> ByteBuffer {
        guard count >= 0, let slice = readSlice(length: count) else {
            throw .truncated(field: PeerText(field), needed: count, available: readableBytes)
        }
        return slice
    }

    /// Reads a `string` as a slice that shares this buffer's storage.
    public mutating func readSSHString(_ field: String) throws(WireError) -> ByteBuffer {
        let length = Int(try readUInt32(field))
        guard let slice = readSlice(length: length) else {
            throw .truncated(field: PeerText(field), needed: length, available: readableBytes)
        }
        return slice
    }

    /// Reads a `string` that must be UTF-8.
    public mutating func readSSHText(_ field: String) throws(WireError) -> String {
        let bytes = try readSSHString(field)
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw .invalid(field: PeerText(field), reason: "not UTF-8")
        }
        return text
    }

    /// Reads an `mpint`; a negative one is refused, as no message has a use for it.
    public mutating func readMPInt(_ field: String) throws(WireError) -> MPInt {
        let bytes = try readSSHString(field)
        if let first = bytes.readableBytesView.first, first & 0x80 != 0 {
            throw .invalid(field: PeerText(field), reason: "negative mpint")
        }
        return MPInt(bigEndian: bytes.readableBytesView)
    }

    /// Reads a `name-list`: US-ASCII names without control characters; empty ones are passed over.
    public mutating func readNameList(_ field: String) throws(WireError) -> [String] {
        let bytes = try readSSHString(field)
        if bytes.readableBytes == 0 { return [] }
        guard bytes.readableBytesView.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw .invalid(field: PeerText(field), reason: "a name-list holds printable US-ASCII only")
        }
        return bytes.readableBytesView.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: true)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
