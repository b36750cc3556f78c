import NIOCore
import SSHWire

/// The server's end of an SFTP session as a state machine: requests come out in the client's order, and each is answered
/// before the next is taken.
///
/// Sans-I/O: what has come is put in with ``receive(_:)``, what is to be sent gathers in ``output``. INIT, and packets
/// that make no sense, are answered here.
package struct SFTPServerSession {
    package enum Event: Equatable {
        /// Anything but a WRITE.
        case request(id: UInt32, SFTPRequest)
        /// A WRITE begins; its data follows as ``data(_:isLast:)``, once at least, with which it is to be answered.
        case write(id: UInt32, handle: ByteBuffer, offset: UInt64, count: Int)
        case data(ByteBuffer, isLast: Bool)
    }

    /// The largest packet a client may send, in bytes behind its length: what OpenSSH takes.
    package static let maximumPacketLength = 256 * 1024
    /// The most data in a READ's answer or a WRITE, in bytes: what OpenSSH tells in `limits@openssh.com`.
    package static let maximumDataLength = maximumPacketLength - 1024
    /// The bytes of a DATA packet before its data.
    package static let dataHeaderLength = 13

    /// What is to be sent to the client.
    package var output = ByteBuffer()

    private var parser = SFTPRequestParser()
    private var hasStarted = false
    private var dataLeft = 0
    /// A WRITE without data has begun.
    private var isDataDue = false

    private let extensions: [SFTPExtension]

    /// - Parameter extensions: what the client is told of.
    package init(extensions: [SFTPExtension] = SFTPExtension.allCases) { self.extensions = extensions }

    // MARK: Requests

    /// Takes in what the client sent; ``next()`` tells what it means.
    package mutating func receive(_ bytes: ByteBuffer) { parser.receive(bytes) }

    /// The client will send nothing more.
    ///
    /// - Throws: `SFTPError` in the middle of a packet.
    package func receiveEnd() throws(SFTPError) {
        guard parser.isInsidePacket else { return }
        throw .malformed(packet: "sftp request", .truncated(field: "packet", needed: 1, available: 0))
    }

    /// The next request; nil until more bytes come.
    ///
    /// - Throws: `SFTPError` for what is no packet; the session is then over.
    package mutating func next() throws(SFTPError) -> Event? {
        if isDataDue {
            isDataDue = false
            return .data(ByteBuffer(), isLast: true)
        }
        while let packet = try parser.next() {
            if case .initialize = packet {
                guard !hasStarted else {
                    throw .malformed(packet: "SSH_FXP_INIT", .invalid(field: "type", reason: "it comes a second time"))
                }
                hasStarted = true
                writeVersion()
                continue
            }
            guard hasStarted else {
                throw .malformed(
                    packet: "SSH_FXP_INIT", .invalid(field: "type", reason: "another packet comes before it"))
            }
            switch packet {
            case .initialize: continue
            case .whole(let type, let id, let fields):
                if let request = decode(type, id, fields) { return .request(id: id, request) }
            case .malformedWrite(let id):
                sendStatus(id, .badMessage)
            case .writeBegins(let id, let handle, let offset, let count):
                dataLeft = count
                isDataDue = count == 0
                return .write(id: id, handle: handle, offset: offset, count: count)
            case .data(let bytes):
                dataLeft -= bytes.readableBytes
                return .data(bytes, isLast: dataLeft == 0)
            }
        }
        return nil
    }

    private mutating func decode(_ type: UInt8, _ id: UInt32, _ fields: ByteBuffer) -> SFTPRequest? {
        do throws(WireError) {
            // Some clients' packets have bytes behind the last field.
            if let request = try SFTPRequest(type: type, fields: fields, isStrict: false) { return request }
            sendStatus(id, .unsupported)
        } catch {
            sendStatus(id, SFTPStatus(.badMessage, message: error.description))
        }
        return nil
    }

    // MARK: Answers

    private mutating func writeVersion() {
        let start = beginPacket(2)
        output.writeInteger(UInt32(3))
        for known in extensions {
            guard let version = known.announcedVersion else { continue }
            output.writeSSHString(known.rawValue)
            output.writeSSHString(version)
        }
        endPacket(start)
    }

    private mutating func beginPacket(_ type: UInt8) -> Int {
        let start = output.writerIndex
        output.writeInteger(UInt32(0))
        output.writeInteger(type)
        return start
    }

    private mutating func endPacket(_ start: Int) {
        output.setInteger(UInt32(output.writerIndex - start - 4), at: start)
    }

    package mutating func send(_ id: UInt32, _ reply: SFTPReply) {
        var reply = reply
        let start = beginPacket(reply.type)
        output.writeInteger(id)
        var encoder = FieldEncoder(output)
        // While the encoder holds the buffer nobody else may, or writing would copy it.
        output = ByteBuffer()
        // Encoding fails for fields of fixed size alone, and no answer has one.
        try? reply.code(&encoder)
        encoder.buffer.setInteger(UInt32(encoder.buffer.writerIndex - start - 4), at: start)
        output = encoder.buffer
    }

    /// Answers with a status, in the words of OpenSSH's server where none are given.
    package mutating func sendStatus(_ id: UInt32, _ code: SFTPStatusCode) {
        let start = beginPacket(101)
        output.writeInteger(id)
        output.writeInteger(code.rawValue)
        output.writeSSHString(code.serverWords)
        output.writeInteger(UInt32(0))
        endPacket(start)
    }

    package mutating func sendStatus(_ id: UInt32, _ status: SFTPStatus) {
        if status.message.readableBytes == 0 { sendStatus(id, status.code) } else { send(id, .status(status)) }
    }

    /// Answers a READ, its data put there by the caller, so that a block of a file is copied once.
    ///
    /// - Parameter fill: appends the data to the buffer it is given and returns how many bytes; 0 takes the answer back.
    /// - Returns: how many bytes of data were added.
    package mutating func sendData<E: Error>(
        _ id: UInt32, fill: (inout ByteBuffer) throws(E) -> Int
    ) throws(E) -> Int {
        let start = beginPacket(SFTPReply.dataType)
        output.writeInteger(id)
        return try output.endPacket(at: start, withData: fill)
    }
}

extension SFTPStatusCode {
    /// What OpenSSH's server says of it, which clients show.
    fileprivate var serverWords: String {
        switch self {
        case .ok: "Success"
        case .noSuchFile: "No such file"
        default: description
        }
    }
}
