import NIOCore
import SFTP
import SSHWire
import TestSupport

/// What passes a ``FaultyServer``, both ways.
struct FaultyServerFilter {
    private let quirk: ServerQuirk
    /// How often the fault showed.
    private(set) var shown = 0
    private var fromClient = ByteBuffer()
    private var fromServer = ByteBuffer()
    private var generator = SeededGenerator(seed: 1)

    /// Requests that are not answered.
    private var unanswered = 0
    /// Refused requests, by their numbers.
    private var refusals: [UInt32: SFTPStatusCode] = [:]
    /// Requests for handles, and whether each is for writing.
    private var openings: [UInt32: Bool] = [:]
    private var reads: Set<UInt32> = []
    /// Handles that are open, newest first: what the client calls them, what the server does.
    private var handles: [(name: ByteBuffer, real: ByteBuffer)] = []
    /// Where the next bytes of a file go.
    private var ends: [ByteBuffer: UInt64] = [:]
    /// Answers that others overtake.
    private var late: [Packet] = []

    init(_ quirk: ServerQuirk) { self.quirk = quirk }

    // MARK: Requests

    /// What the server gets of what the client sent.
    mutating func requests(_ bytes: ByteBuffer) -> ByteBuffer {
        fromClient.writeImmutableBuffer(bytes)
        var output = ByteBuffer()
        while let packet = Packet(&fromClient) {
            if packet.kind != .initialize { unanswered += 1 }
            passed(packet).write(to: &output)
        }
        fromClient.discardReadBytes()
        return output
    }

    private mutating func passed(_ packet: Packet) -> Packet {
        if let code = refusal(packet) {
            refusals[packet.id] = code
            shown += 1
            return Packet(.realpath, packet.id, string: ByteBuffer(string: "."))
        }
        switch packet.kind {
        case .open: return opened(packet)
        case .opendir: openings[packet.id] = false
        case .read: reads.insert(packet.id)
        default: break
        }
        return packet.takesHandle ? renamed(packet) : packet
    }

    private mutating func opened(_ packet: Packet) -> Packet {
        let flags = packet.flags
        openings[packet.id] = flags.contains(.write)
        guard flags.contains(.write), quirk == .emptiesOnOpening else { return packet }
        if !flags.contains(.truncate) { shown += 1 }
        var (path, rest) = packet.parted
        rest.setInteger(flags.union(.truncate).rawValue, at: rest.readerIndex)
        return Packet(.open, packet.id, string: path, rest)
    }

    /// A handle by the server's name for it.
    private mutating func renamed(_ packet: Packet) -> Packet {
        let (name, rest) = packet.parted
        guard let place = handles.firstIndex(where: { $0.name == name }) else { return packet }
        let real = handles[place].real
        if packet.kind == .close {
            handles.remove(at: place)
            ends[real] = nil
        }
        if packet.kind == .write, let (offset, count) = packet.range { ends[real] = offset + UInt64(count) }
        return Packet(packet.kind, packet.id, string: real, rest)
    }

    /// Why a request is refused; nil if it is not.
    private func refusal(_ packet: Packet) -> SFTPStatusCode? {
        switch (quirk, packet.kind) {
        case (.holds(let limit), .open), (.holds(let limit), .opendir):
            openings.count + handles.count < limit ? nil : .failure
        case (.writesInOrder, .write): isNext(packet) ? nil : .failure
        case (.refusesToRead, .open):
            packet.flags.contains(.read) ? .permissionDenied : nil
        case (.refusesToRead, .stat), (.refusesToRead, .lstat), (.refusesToRead, .fstat), (.refusesToRead, .opendir),
            (.refusesToRead, .read):
            .permissionDenied
        case (.refusesAttributes, .setstat), (.refusesAttributes, .fsetstat): .permissionDenied
        default: nil
        }
    }

    private func isNext(_ packet: Packet) -> Bool {
        guard let handle = handles.first(where: { $0.name == packet.parted.0 }), let range = packet.range else {
            return true
        }
        return range.offset == ends[handle.real] ?? 0
    }

    // MARK: Answers

    /// What the client gets of what the server sent.
    mutating func answers(_ bytes: ByteBuffer) -> ByteBuffer {
        fromServer.writeImmutableBuffer(bytes)
        var output = ByteBuffer()
        var ready = late
        while var packet = Packet(&fromServer) {
            if packet.kind == .version {
                packet.fields = ByteBuffer()
                packet.write(to: &output)
            } else {
                unanswered -= 1
                ready.append(answer(packet))
            }
        }
        fromServer.discardReadBytes()
        late = []
        if quirk == .answersInAnyOrder {
            let ordered = ready.map(\.id)
            ready.shuffle(using: &generator)
            if ready.map(\.id) != ordered { shown += 1 }
            // Something comes behind them for certain.
            if unanswered > 0 { late = Array(ready.suffix(ready.count / 2)) }
        }
        for packet in ready.dropLast(late.count) { packet.write(to: &output) }
        return output
    }

    private mutating func answer(_ packet: Packet) -> Packet {
        if let code = refusals.removeValue(forKey: packet.id) { return Packet(packet.id, code) }
        if openings.removeValue(forKey: packet.id) != nil, packet.kind == .handle {
            let real = packet.parted.0
            let name = self.name(for: real)
            handles.insert((name, real), at: 0)
            return Packet(.handle, packet.id, string: name)
        }
        guard reads.remove(packet.id) != nil, quirk == .failsAtEnd, packet.code == .endOfFile else { return packet }
        shown += 1
        return Packet(packet.id, .failure)
    }

    private mutating func name(for real: ByteBuffer) -> ByteBuffer {
        guard quirk == .repeatsHandles else { return real }
        let open = Set(handles.map(\.name))
        if open.count >= 2, let newest = handles.first {
            shown += 1
            return newest.name
        }
        let free = (0...2).map { ByteBuffer(string: "\($0)") }.first { !open.contains($0) }
        return free ?? real
    }
}

/// A packet of either side (draft-ietf-secsh-filexfer-02 section 3).
private struct Packet {
    enum Kind: UInt8 {
        case initialize = 1
        case version, open, close, read, write, lstat, fstat, setstat, fsetstat, opendir, readdir
        case realpath = 16
        case stat
        case status = 101
        case handle
        case other = 0
    }

    var type: UInt8
    /// The request's number; the version, of the first packets.
    var id: UInt32
    var fields: ByteBuffer

    /// The next one of a stream; nil until all of it is there.
    init?(_ bytes: inout ByteBuffer) {
        guard let length = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self),
            bytes.readableBytes >= 4 + Int(length)
        else { return nil }
        bytes.moveReaderIndex(forwardBy: 4)
        guard let type: UInt8 = bytes.readInteger(), let id: UInt32 = bytes.readInteger(),
            let fields = bytes.readSlice(length: Int(length) - 5)
        else { return nil }
        (self.type, self.id, self.fields) = (type, id, fields)
    }

    /// One whose first field is a string.
    init(_ kind: Kind, _ id: UInt32, string: ByteBuffer, _ rest: ByteBuffer = ByteBuffer()) {
        (type, self.id) = (kind.rawValue, id)
        fields = ByteBuffer()
        fields.writeSSHString(string)
        fields.writeImmutableBuffer(rest)
    }

    /// A status without words.
    init(_ id: UInt32, _ code: SFTPStatusCode) {
        (type, self.id) = (Kind.status.rawValue, id)
        fields = ByteBuffer(integer: code.rawValue)
        fields.writeSSHString("")
        fields.writeSSHString("")
    }

    func write(to bytes: inout ByteBuffer) {
        bytes.writeInteger(UInt32(fields.readableBytes + 5))
        bytes.writeInteger(type)
        bytes.writeInteger(id)
        bytes.writeImmutableBuffer(fields)
    }

    var kind: Kind { Kind(rawValue: type) ?? .other }

    var takesHandle: Bool { [.close, .read, .write, .fstat, .fsetstat, .readdir].contains(kind) }

    /// The first field, a string, and what follows.
    var parted: (ByteBuffer, ByteBuffer) {
        var rest = fields
        let string = try? rest.readSSHString("string")
        return (string ?? ByteBuffer(), rest)
    }

    /// What an OPEN is for.
    var flags: SFTPOpenFlags {
        let rest = parted.1
        return SFTPOpenFlags(rawValue: rest.getInteger(at: rest.readerIndex) ?? 0)
    }

    /// Where the bytes of a WRITE go, and how many they are.
    var range: (offset: UInt64, count: UInt32)? {
        var rest = parted.1
        guard let offset: UInt64 = rest.readInteger(), let count: UInt32 = rest.readInteger() else { return nil }
        return (offset, count)
    }

    var code: SFTPStatusCode? {
        guard kind == .status else { return nil }
        return fields.getInteger(at: fields.readerIndex).map(SFTPStatusCode.init(rawValue:))
    }
}
