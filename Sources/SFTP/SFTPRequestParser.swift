import NIOCore
import SSHWire

/// Takes a client's bytes apart into packets (draft-ietf-secsh-filexfer-02 section 3). The data of a WRITE goes up as it
/// comes, so that a block of a file is not put together only to be written.
struct SFTPRequestParser {
    enum Packet: Equatable {
        /// INIT; what follows the version is of no use to this end.
        case initialize(version: UInt32)
        /// A packet whose fields are all there.
        case whole(type: UInt8, id: UInt32, fields: ByteBuffer)
        /// A WRITE begins: so many bytes of data follow.
        case writeBegins(id: UInt32, handle: ByteBuffer, offset: UInt64, count: Int)
        case data(ByteBuffer)
        /// A WRITE whose lengths contradict each other; the rest of it is passed over.
        case malformedWrite(id: UInt32)
    }

    private static let initializeType: UInt8 = 1
    private static let writeType: UInt8 = 6

    private var bytes = ByteBuffer()
    private var dataLeft = 0
    /// Bytes of a refused packet that are still to come.
    private var skipLeft = 0

    /// Whether bytes of an unfinished packet are held or due.
    var isInsidePacket: Bool { dataLeft > 0 || skipLeft > 0 || bytes.readableBytes > 0 }

    mutating func receive(_ more: ByteBuffer) { bytes.append(received: more) }

    /// - Returns: nil until more bytes have come.
    /// - Throws: `SFTPError.packetLength`, `.malformed`: where the next packet begins is then not known.
    mutating func next() throws(SFTPError) -> Packet? {
        if dataLeft > 0 {
            guard let part = bytes.readSlice(length: min(dataLeft, bytes.readableBytes)), part.readableBytes > 0 else {
                return nil
            }
            dataLeft -= part.readableBytes
            return .data(part)
        }
        if skipLeft > 0 {
            let count = min(skipLeft, bytes.readableBytes)
            bytes.moveReaderIndex(forwardBy: count)
            skipLeft -= count
            if skipLeft > 0 { return nil }
        }
        let start = bytes.readerIndex
        guard let length = bytes.getInteger(at: start, as: UInt32.self) else { return nil }
        guard length <= SFTPServerSession.maximumPacketLength else {
            throw .packetLength(length, limit: SFTPServerSession.maximumPacketLength)
        }
        // Without a type and a number there is nothing that could be answered.
        guard length >= 5 else {
            throw .malformed(
                packet: "sftp request", .truncated(field: "request-id", needed: 5, available: Int(length)))
        }
        guard let type = bytes.getInteger(at: start + 4, as: UInt8.self) else { return nil }
        if type == Self.writeType { return beginWrite(Int(length)) }
        guard bytes.readableBytes >= 4 + Int(length) else { return nil }
        bytes.moveReaderIndex(forwardBy: 5)
        guard let id = bytes.readInteger(as: UInt32.self), let fields = bytes.readSlice(length: Int(length) - 5) else {
            return nil
        }
        return type == Self.initializeType ? .initialize(version: id) : .whole(type: type, id: id, fields: fields)
    }

    private mutating func beginWrite(_ length: Int) -> Packet? {
        let start = bytes.readerIndex
        // The bytes of the packet after its length that are here.
        let here = min(length, bytes.readableBytes - 4)
        guard here >= 5, let id = bytes.getInteger(at: start + 5, as: UInt32.self) else { return nil }
        guard length >= 9 else { return refuseWrite(id, length) }
        guard here >= 9, let handleLength = bytes.getInteger(at: start + 9, as: UInt32.self) else { return nil }
        let fields = 9 + Int(handleLength) + 12
        guard handleLength <= SFTPRequest.longestHandle, fields <= length else { return refuseWrite(id, length) }
        guard here >= fields,
            let handle = bytes.getSlice(at: start + 13, length: Int(handleLength)),
            let offset = bytes.getInteger(at: start + 4 + fields - 12, as: UInt64.self),
            let count = bytes.getInteger(at: start + 4 + fields - 4, as: UInt32.self)
        else { return nil }
        guard Int(count) <= length - fields else { return refuseWrite(id, length) }
        bytes.moveReaderIndex(forwardBy: 4 + fields)
        dataLeft = Int(count)
        // Bytes behind the last field are let be, as in other packets.
        skipLeft = length - fields - Int(count)
        return .writeBegins(id: id, handle: handle, offset: offset, count: Int(count))
    }

    private mutating func refuseWrite(_ id: UInt32, _ length: Int) -> Packet {
        skipLeft = 4 + length
        return .malformedWrite(id: id)
    }
}
