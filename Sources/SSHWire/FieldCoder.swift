import NIOCore

/// One pass over the fields of a message.
///
/// A message lists its fields once, in wire order, each with its name in the RFC; encoding, decoding and describing are
/// three coders over that one list.
package protocol FieldCoder {
    mutating func byte(_ name: String, _ value: inout UInt8) throws(WireError)
    mutating func boolean(_ name: String, _ value: inout Bool) throws(WireError)
    mutating func uint32(_ name: String, _ value: inout UInt32) throws(WireError)
    mutating func uint64(_ name: String, _ value: inout UInt64) throws(WireError)
    /// A `string` of bytes that mean something to a reader: a key blob, a command.
    mutating func string(_ name: String, _ value: inout ByteBuffer) throws(WireError)
    /// A `string` that may be missing where the message ends; then it is empty.
    mutating func optionalString(_ name: String, _ value: inout ByteBuffer) throws(WireError)
    /// A `string` of UTF-8.
    mutating func text(_ name: String, _ value: inout String) throws(WireError)
    mutating func nameList(_ name: String, _ value: inout [String]) throws(WireError)
    mutating func mpint(_ name: String, _ value: inout MPInt) throws(WireError)
    /// `count` bytes without a length before them.
    mutating func bytes(_ name: String, count: Int, _ value: inout ByteBuffer) throws(WireError)
    /// All bytes up to the end of the payload.
    mutating func rest(_ name: String, _ value: inout ByteBuffer) throws(WireError)
    /// A `string` that no trace may show: a password, an answer.
    mutating func secret(_ name: String, _ value: inout ByteBuffer) throws(WireError)
    /// All bytes up to the end of the payload, which no trace may show.
    mutating func secretRest(_ name: String, _ value: inout ByteBuffer) throws(WireError)
    /// A `string` of bulk data, described by its size alone.
    mutating func data(_ name: String, _ value: inout ByteBuffer) throws(WireError)
}

/// Writes the fields of a message.
package struct FieldEncoder: FieldCoder {
    package var buffer: ByteBuffer

    package init(_ buffer: ByteBuffer) { self.buffer = buffer }

    package mutating func byte(_ name: String, _ value: inout UInt8) { buffer.writeInteger(value) }
    package mutating func boolean(_ name: String, _ value: inout Bool) { buffer.writeSSHBoolean(value) }
    package mutating func uint32(_ name: String, _ value: inout UInt32) { buffer.writeInteger(value) }
    package mutating func uint64(_ name: String, _ value: inout UInt64) { buffer.writeInteger(value) }
    package mutating func string(_ name: String, _ value: inout ByteBuffer) { buffer.writeSSHString(value) }
    package mutating func optionalString(_ name: String, _ value: inout ByteBuffer) { string(name, &value) }
    package mutating func text(_ name: String, _ value: inout String) { buffer.writeSSHString(value) }
    package mutating func nameList(_ name: String, _ value: inout [String]) { buffer.writeNameList(value) }
    package mutating func mpint(_ name: String, _ value: inout MPInt) { buffer.writeMPInt(value) }
    package mutating func bytes(_ name: String, count: Int, _ value: inout ByteBuffer) throws(WireError) {
        guard value.readableBytes == count else {
            throw .invalid(field: PeerText(name), reason: "\(count) bytes wanted, \(value.readableBytes) given")
        }
        buffer.writeImmutableBuffer(value)
    }
    package mutating func rest(_ name: String, _ value: inout ByteBuffer) { buffer.writeImmutableBuffer(value) }
    package mutating func secret(_ name: String, _ value: inout ByteBuffer) { buffer.writeSSHString(value) }
    package mutating func secretRest(_ name: String, _ value: inout ByteBuffer) { buffer.writeImmutableBuffer(value) }
    package mutating func data(_ name: String, _ value: inout ByteBuffer) { buffer.writeSSHString(value) }
}

/// Reads the fields of a message.
package struct FieldDecoder: FieldCoder {
    package var buffer: ByteBuffer

    package init(_ buffer: ByteBuffer) { self.buffer = buffer }

    package mutating func byte(_ name: String, _ value: inout UInt8) throws(WireError) {
        value = try buffer.readByte(name)
    }
    package mutating func boolean(_ name: String, _ value: inout Bool) throws(WireError) {
        value = try buffer.readSSHBoolean(name)
    }
    package mutating func uint32(_ name: String, _ value: inout UInt32) throws(WireError) {
        value = try buffer.readUInt32(name)
    }
    package mutating func uint64(_ name: String, _ value: inout UInt64) throws(WireError) {
        value = try buffer.readUInt64(name)
    }
    package mutating func string(_ name: String, _ value: inout ByteBuffer) throws(WireError) {
        value = try buffer.readSSHString(name)
    }
    package mutating func optionalString(_ name: String, _ value: inout ByteBuffer) throws(WireError) {
        if buffer.readableBytes > 0 { try string(name, &value) }
    }
    package mutating func text(_ name: String, _ value: inout String) throws(WireError) {
        value = try buffer.readSSHText(name)
    }
    package mutating func nameList(_ name: String, _ value: inout [String]) throws(WireError) {
        value = try buffer.readNameList(name)
    }
    package mutating func mpint(_ name: String, _ value: inout MPInt) throws(WireError) {
        value = try buffer.readMPInt(name)
    }
    package mutating func bytes(_ name: String, count: Int, _ value: inout ByteBuffer) throws(WireError) {
        value = try buffer.readBytes(count, name)
    }
    package mutating func rest(_ name: String, _ value: inout ByteBuffer) throws(WireError) {
        value = try buffer.readBytes(buffer.readableBytes, name)
    }
    package mutating func secret(_ name: String, _ value: inout ByteBuffer) throws(WireError) {
        value = try buffer.readSSHString(name)
    }
    package mutating func secretRest(_ name: String, _ value: inout ByteBuffer) throws(WireError) {
        try rest(name, &value)
    }
    package mutating func data(_ name: String, _ value: inout ByteBuffer) throws(WireError) {
        value = try buffer.readSSHString(name)
    }
}

/// A field as a trace shows it.
package struct FieldDescription: Equatable, Sendable {
    /// The name the RFC gives it.
    package let name: String
    /// Its RFC 4251 type.
    package let type: String
    /// Its size on the wire, in bytes, a length before it included.
    package let size: Int
    /// Its value made printable, or what stands for it where it is secret or bulk.
    package let value: String
}

/// Lists the fields of a message for a trace, secrets and bulk data left out.
package struct FieldDescriber: FieldCoder {
    package private(set) var fields: [FieldDescription] = []

    package init() {}

    private mutating func add(_ name: String, _ type: String, _ size: Int, _ value: String) {
        fields.append(FieldDescription(name: name, type: type, size: size, value: value))
    }

    package mutating func byte(_ name: String, _ value: inout UInt8) { add(name, "byte", 1, String(value)) }
    package mutating func boolean(_ name: String, _ value: inout Bool) { add(name, "boolean", 1, String(value)) }
    package mutating func uint32(_ name: String, _ value: inout UInt32) { add(name, "uint32", 4, String(value)) }
    package mutating func uint64(_ name: String, _ value: inout UInt64) { add(name, "uint64", 8, String(value)) }
    package mutating func string(_ name: String, _ value: inout ByteBuffer) {
        add(name, "string", 4 + value.readableBytes, Printable.bytes(value.readableBytesView))
    }
    package mutating func optionalString(_ name: String, _ value: inout ByteBuffer) { string(name, &value) }
    package mutating func text(_ name: String, _ value: inout String) {
        add(name, "string", 4 + value.utf8.count, Printable.quoted(value.utf8))
    }
    package mutating func nameList(_ name: String, _ value: inout [String]) {
        let list = value.joined(separator: ",")
        add(name, "name-list", 4 + list.utf8.count, Printable.text(list.utf8))
    }
    package mutating func mpint(_ name: String, _ value: inout MPInt) {
        // One bit more than its own for the sign, but zero is an empty string.
        add(name, "mpint", value.bitWidth == 0 ? 4 : 4 + value.bitWidth / 8 + 1, "\(value.bitWidth) bits")
    }
    package mutating func bytes(_ name: String, count: Int, _ value: inout ByteBuffer) {
        add(name, "byte[\(count)]", count, Printable.hex(value.readableBytesView))
    }
    package mutating func rest(_ name: String, _ value: inout ByteBuffer) {
        add(name, "byte[]", value.readableBytes, Printable.bytes(value.readableBytesView))
    }
    package mutating func secret(_ name: String, _ value: inout ByteBuffer) {
        add(name, "string", 4 + value.readableBytes, "(secret)")
    }
    package mutating func secretRest(_ name: String, _ value: inout ByteBuffer) {
        add(name, "byte[]", value.readableBytes, "(secret)")
    }
    package mutating func data(_ name: String, _ value: inout ByteBuffer) {
        add(name, "string", 4 + value.readableBytes, "(\(value.readableBytes) bytes of data)")
    }
}
