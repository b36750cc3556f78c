import NIOCore

/// An SSH message: its number and its fields, listed once for encoding, decoding and traces.
package protocol Message: Sendable {
    /// The number it starts with (RFC 4250 section 4.1.2).
    static var number: UInt8 { get }
    /// Its name in the RFC.
    static var name: String { get }
    /// A message whose fields are about to be decoded.
    init()
    /// Passes every field, in wire order, to `coder`.
    mutating func code(_ coder: inout some FieldCoder) throws(WireError)
}

extension Message {
    /// The payload this message makes.
    ///
    /// - Throws: `WireError.invalid` where a field of fixed size has another.
    package func encoded() throws(WireError) -> ByteBuffer {
        var copy = self
        var encoder = FieldEncoder(ByteBuffer(integer: Self.number))
        try copy.code(&encoder)
        return encoder.buffer
    }

    /// Decodes a whole payload.
    ///
    /// - Throws: `WireError` for another message, a field that is cut short or wrong, or bytes left over.
    package init(payload: ByteBuffer) throws(WireError) {
        self.init()
        var decoder = FieldDecoder(payload)
        let found = decoder.buffer.readInteger(as: UInt8.self)
        guard found == Self.number else { throw .unexpectedMessage(expected: Self.number, found: found) }
        try code(&decoder)
        guard decoder.buffer.readableBytes == 0 else {
            throw .trailingBytes(message: Self.name, count: decoder.buffer.readableBytes)
        }
    }

    /// The fields as a trace shows them.
    package var fields: [FieldDescription] {
        var copy = self
        var describer = FieldDescriber()
        // A description cannot fail on a message that exists; if it does, what was described so far is shown.
        try? copy.code(&describer)
        return describer.fields
    }
}
