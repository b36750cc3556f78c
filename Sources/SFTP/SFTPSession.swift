import NIOCore
import SSHWire

/// The client's end of an SFTP session as a state machine: requests go out as soon as they are made, any number of them
/// before the first answer, and each answer comes back with the tag its request was given.
///
/// Sans-I/O: what is to be sent gathers in ``output``; what has come is put in with ``receive(_:)``.
package struct SFTPSession<Tag> {
    /// What happens, in the order of the server's answers.
    package enum Event {
        /// The server has said what it can do.
        case started
        case reply(Tag, SFTPReply)
        /// A part of the answer to a READ, `offset` bytes into it.
        case data(Tag, ByteBuffer, offset: Int, isLast: Bool)
    }

    private struct Pending {
        var tag: Tag?
        var request: String
        /// The bytes a READ may be answered with.
        var dataLimit: Int?
    }

    /// A reply whose data is coming.
    private struct Incoming {
        var tag: Tag
        var offset = 0
        var left: Int
    }

    /// What is to be sent to the server.
    package var output = ByteBuffer()
    /// What the server can do; empty until it has told.
    package private(set) var server = SFTPServerAbilities()
    package private(set) var hasStarted = false
    /// Told of every packet, for `scp -vvv`.
    package var trace: ((String) -> Void)?

    private var parser = SFTPPacketParser()
    private var pending: [UInt32: Pending] = [:]
    private var nextID: UInt32 = 0
    /// How many requests there have been.
    package private(set) var requestsMade = 0
    private var incoming: Incoming?

    /// Begins the session: the first packet is ready to be sent, and requests may follow it at once.
    package init() {
        output.writeInteger(UInt32(5))
        output.writeInteger(PacketType.initialize)
        output.writeInteger(Self.version)
    }

    private static var version: UInt32 { 3 }

    /// Requests that have not been answered, or not to the end.
    package var unanswered: Int { pending.count + (incoming == nil ? 0 : 1) }

    // MARK: Requests

    /// Adds a request to the output.
    ///
    /// - Parameter tag: comes back with the answer.
    package mutating func send(_ request: SFTPRequest, _ tag: Tag) { send(request, optional: tag) }

    private mutating func send(_ request: SFTPRequest, optional tag: Tag?) {
        let id = takeID()
        var limit: Int?
        if case .read(_, _, let length) = request { limit = Int(length) }
        requestsMade += 1
        pending[id] = Pending(tag: tag, request: request.name, dataLimit: limit)
        var encoder = FieldEncoder(output)
        // While the encoder holds the buffer nobody else may, or writing would copy it.
        output = ByteBuffer()
        let start = encoder.buffer.writerIndex
        encoder.buffer.writeInteger(UInt32(0))
        encoder.buffer.writeInteger(request.type)
        encoder.buffer.writeInteger(id)
        var copy = request
        // Encoding fails for fields of fixed size alone, and no request has one.
        try? copy.code(&encoder)
        encoder.buffer.setInteger(UInt32(encoder.buffer.writerIndex - start - 4), at: start)
        output = encoder.buffer
        trace("request", id, request.name, request.type) { (fields) throws(WireError) in try copy.code(&fields) }
    }

    /// Adds a WRITE to the output, its data put there by the caller, so that a block of a file is copied once.
    ///
    /// - Parameters:
    ///   - fill: appends the data to the buffer it is given and returns how many bytes; 0 takes the request back.
    ///   - tag: makes the tag that comes back with the answer, of the number of bytes.
    /// - Returns: how many bytes of data were added.
    package mutating func write<E: Error>(
        handle: ByteBuffer, offset: UInt64, tag: (Int) -> Tag, fill: (inout ByteBuffer) throws(E) -> Int
    ) throws(E) -> Int {
        let start = output.writerIndex
        let id = takeID()
        output.writeInteger(UInt32(0))
        output.writeInteger(PacketType.write)
        output.writeInteger(id)
        output.writeSSHString(handle)
        output.writeInteger(offset)
        let count = try output.endPacket(at: start, withData: fill)
        guard count > 0 else { return 0 }
        requestsMade += 1
        pending[id] = Pending(tag: tag(count), request: "SSH_FXP_WRITE")
        trace?(
            "sftp request \(id) SSH_FXP_WRITE (6): handle \(Printable.hex(handle.readableBytesView)), "
                + "offset \(offset), \(count) bytes of data")
        return count
    }

    private mutating func takeID() -> UInt32 {
        while pending[nextID] != nil { nextID &+= 1 }
        defer { nextID &+= 1 }
        return nextID
    }

    // MARK: Answers

    /// Takes in what the server sent; ``next()`` tells what it means.
    package mutating func receive(_ bytes: ByteBuffer) { parser.receive(bytes) }

    /// The server will send nothing more.
    ///
    /// - Throws: `SFTPError` if something was still due.
    package func receiveEnd() throws(SFTPError) {
        guard hasStarted else { throw .notSFTP(Array(parser.unread.readableBytesView.prefix(256))) }
        if !pending.isEmpty || parser.isInsidePacket { throw .ended }
    }

    /// The next thing that has happened; nil until more bytes come.
    ///
    /// - Throws: `SFTPError` for what is no answer; the session is then over.
    package mutating func next() throws(SFTPError) -> Event? {
        while true {
            let packet: SFTPPacketParser.Packet?
            do throws(SFTPError) {
                packet = try parser.next()
            } catch {
                // What a shell's start-up files print has the length of a giant.
                throw hasStarted ? error : .notSFTP(Array(parser.unread.readableBytesView.prefix(256)))
            }
            switch packet {
            case nil: return nil
            case .whole(let type, let id, let fields):
                guard hasStarted else {
                    try start(type, version: id, fields)
                    return .started
                }
                if let event = try reply(type, id, fields) { return event }
            case .dataBegins(let id, let count):
                guard hasStarted else { throw .notSFTP([]) }
                if let event = try beginData(id, count) { return event }
            case .data(let bytes):
                if let event = data(bytes) { return event }
            }
        }
    }

    private mutating func start(_ type: UInt8, version: UInt32, _ fields: ByteBuffer) throws(SFTPError) {
        guard type == PacketType.version else { throw .notSFTP(Array(fields.readableBytesView.prefix(256))) }
        guard version == Self.version else { throw .version(version) }
        do throws(WireError) {
            server = try SFTPServerAbilities(fields: fields)
        } catch {
            throw .malformed(packet: "SSH_FXP_VERSION", error)
        }
        hasStarted = true
        trace?("sftp version \(version), extensions: \(server.description)")
        if server.has(.limits) {
            send(.extended(name: SFTPExtension.limits.rawValue, fields: ByteBuffer()), optional: nil)
        }
    }

    private mutating func reply(_ type: UInt8, _ id: UInt32, _ fields: ByteBuffer) throws(SFTPError) -> Event? {
        guard let request = pending.removeValue(forKey: id) else { throw .unknownRequest(id: id) }
        let reply: SFTPReply
        do throws(WireError) {
            guard let known = try SFTPReply(type: type, fields: fields) else {
                throw WireError.invalid(field: "type", reason: "\(type) is no answer")
            }
            reply = known
        } catch {
            throw .malformed(packet: "answer to \(request.request)", error)
        }
        trace("answer", id, reply.name, reply.type) { (fields) throws(WireError) in
            var copy = reply
            try copy.code(&fields)
        }
        if let tag = request.tag { return .reply(tag, reply) }
        // Without an answer, or with a strange one, the draft's own limits stay.
        if case .extended(let fields) = reply { server.limits = SFTPLimits(fields: fields) ?? server.limits }
        return nil
    }

    private mutating func beginData(_ id: UInt32, _ count: Int) throws(SFTPError) -> Event? {
        guard let request = pending.removeValue(forKey: id) else { throw .unknownRequest(id: id) }
        guard let limit = request.dataLimit, let tag = request.tag else {
            throw .unexpectedReply(type: SFTPReply.dataType, to: request.request)
        }
        guard count <= limit else { throw .tooMuchData(received: count, requested: limit) }
        trace?("sftp answer \(id) SSH_FXP_DATA (103): \(count) bytes of data")
        if count == 0 { return .data(tag, ByteBuffer(), offset: 0, isLast: true) }
        incoming = Incoming(tag: tag, left: count)
        return nil
    }

    private mutating func data(_ bytes: ByteBuffer) -> Event? {
        guard var current = incoming else { return nil }
        let offset = current.offset
        current.offset += bytes.readableBytes
        current.left -= bytes.readableBytes
        incoming = current.left > 0 ? current : nil
        return .data(current.tag, bytes, offset: offset, isLast: current.left == 0)
    }

    // MARK: Traces

    /// - Parameter body: lists the fields.
    private func trace(
        _ what: String, _ id: UInt32, _ name: String, _ type: UInt8,
        _ body: (inout FieldDescriber) throws(WireError) -> Void
    ) {
        guard let trace else { return }
        var describer = FieldDescriber()
        // A description cannot fail on a packet that exists; if it does, what was described so far is shown.
        try? body(&describer)
        trace("sftp \(what) \(id) \(name) (\(type)): \(Self.list(describer.fields))")
    }

    private static func list(_ fields: [FieldDescription]) -> String {
        let shown = fields.prefix(12).map { "\($0.name) \($0.value)" }.joined(separator: ", ")
        return fields.count > 12 ? shown + ", and \(fields.count - 12) fields more" : shown
    }
}

/// Packet types that are neither request nor reply.
private enum PacketType {
    static let initialize: UInt8 = 1
    static let version: UInt8 = 2
    static let write: UInt8 = 6
}
