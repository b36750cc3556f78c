import NIOCore
import SSHWire

/// Takes a server's bytes apart into packets (draft-ietf-secsh-filexfer-02 section 3). Data goes up as it comes, so that
/// a block of a file is not put together only to be written.
struct SFTPPacketParser {
    enum Packet: Equatable {
        /// A packet whose fields are all there.
        case whole(type: UInt8, id: UInt32, fields: ByteBuffer)
        /// Data begins: so many bytes of it follow.
        case dataBegins(id: UInt32, count: Int)
        case data(ByteBuffer)
    }

    /// The largest packet that is put together in memory, in bytes: as much as OpenSSH's client takes, so that no server sends more.
    /// Data may be longer; how much was asked for bounds it.
    static let maximumLength = 256 << 10

    private var bytes = ByteBuffer()
    private var dataLeft = 0

    /// Whether bytes of an unfinished packet are held.
    var isInsidePacket: Bool { dataLeft > 0 || bytes.readableBytes > 0 }

    mutating func receive(_ more: ByteBuffer) { bytes.append(received: more) }

    /// Everything that has not been taken yet.
    var unread: ByteBuffer { bytes }

    /// - Returns: nil until more bytes have come.
    /// - Throws: `SFTPError.packetLength`, `.malformed`.
    mutating func next() throws(SFTPError) -> Packet? {
        if dataLeft > 0 {
            guard let part = bytes.readSlice(length: min(dataLeft, bytes.readableBytes)), part.readableBytes > 0 else {
                return nil
            }
            dataLeft -= part.readableBytes
            return .data(part)
        }
        let start = bytes.readerIndex
        guard let length = bytes.getInteger(at: start, as: UInt32.self),
            let type = bytes.getInteger(at: start + 4, as: UInt8.self)
        else { return nil }
        guard length >= 5, length <= Self.maximumLength || type == SFTPReply.dataType else {
            throw .packetLength(length, limit: Self.maximumLength)
        }
        if type == SFTPReply.dataType { return try beginData(Int(length)) }
        guard bytes.readableBytes >= 4 + Int(length) else { return nil }
        bytes.moveReaderIndex(forwardBy: 5)
        guard let id = bytes.readInteger(as: UInt32.self), let fields = bytes.readSlice(length: Int(length) - 5) else {
            return nil
        }
        return .whole(type: type, id: id, fields: fields)
    }

    private mutating func beginData(_ length: Int) throws(SFTPError) -> Packet? {
        let start = bytes.readerIndex
        guard let id = bytes.getInteger(at: start + 5, as: UInt32.self),
            let count = bytes.getInteger(at: start + 9, as: UInt32.self)
        else { return nil }
        // VERSION alone has no id: its number is not this one.
        guard Int(count) + 9 == length else {
            throw .malformed(
                packet: "SSH_FXP_DATA",
                .truncated(field: "data", needed: Int(count), available: max(0, length - 9)))
        }
        bytes.moveReaderIndex(forwardBy: 13)
        dataLeft = Int(count)
        return .dataBegins(id: id, count: Int(count))
    }
}
