import NIOCore
import SSHWire
import Testing

@testable import SFTP

private func reply(_ reply: SFTPReply, id: UInt32) -> ByteBuffer {
    var copy = reply
    var encoder = FieldEncoder(ByteBuffer())
    try? copy.code(&encoder)
    return packet(reply.type, id: id) { $0.writeImmutableBuffer(encoder.buffer) }
}

private func version(_ extensions: [(String, String)] = []) -> ByteBuffer {
    packet(2, id: 3) { buffer in
        for (name, value) in extensions {
            buffer.writeSSHString(name)
            buffer.writeSSHString(value)
        }
    }
}

/// A session that has begun, its first packet taken away.
private func startedSession(_ extensions: [(String, String)] = []) throws -> SFTPSession<String> {
    var session = SFTPSession<String>()
    session.output.clear()
    session.receive(version(extensions))
    guard case .started? = try session.next() else { throw SFTPError.ended }
    return session
}

private let attributes: SFTPAttributes = {
    var attributes = SFTPAttributes(
        size: 1 << 40, owner: .init(user: 7, group: 8), permissions: 0o100_644, times: .init(accessed: 9, modified: 10))
    attributes.extended = [.init(type: ByteBuffer(string: "a@b"), data: ByteBuffer(string: "c"))]
    return attributes
}()

private let text = ByteBuffer(string: "some/path")

private let requests: [SFTPRequest] = [
    .open(path: text, flags: [.read, .create], attributes), .close(handle: text),
    .read(handle: text, offset: 1 << 33, length: 9), .write(handle: text, offset: 5, data: ByteBuffer(string: "data")),
    .lstat(path: text), .fstat(handle: text), .setstat(path: text, attributes), .fsetstat(handle: text, attributes),
    .opendir(path: text), .readdir(handle: text), .remove(path: text), .mkdir(path: text, SFTPAttributes()),
    .rmdir(path: text), .realpath(path: text), .stat(path: text), .rename(from: text, to: ByteBuffer(string: "b")),
    .readlink(path: text), .symlink(target: text, path: ByteBuffer(string: "l")),
    .extended(name: "fsync@openssh.com", fields: ByteBuffer(string: "xyz")),
]

private let replies: [SFTPReply] = [
    .status(SFTPStatus(.noSuchFile, message: "none")), .handle(text), .data(text),
    .names([SFTPName(name: text, longName: text, attributes: attributes), SFTPName(name: text)]),
    .attributes(attributes), .extended(fields: text),
]

@Suite("SFTP packets")
struct SFTPPacketTests {
    @Test("a request comes out as it went in, and cut short it is refused", arguments: requests)
    func requestRoundTrip(request: SFTPRequest) throws {
        var copy = request
        var encoder = FieldEncoder(ByteBuffer())
        try copy.code(&encoder)
        #expect(try SFTPRequest(type: request.type, fields: encoder.buffer) == request)
        if case .extended = request { return }
        for length in 0..<encoder.buffer.readableBytes {
            guard let cut = encoder.buffer.getSlice(at: 0, length: length) else { continue }
            #expect(throws: WireError.self) { try SFTPRequest(type: request.type, fields: cut) }
        }
        var longer = encoder.buffer
        longer.writeInteger(UInt8(0))
        #expect(throws: WireError.self) { try SFTPRequest(type: request.type, fields: longer) }
    }

    @Test("an answer comes out as it went in, and cut short it is refused", arguments: replies)
    func replyRoundTrip(reply: SFTPReply) throws {
        var copy = reply
        var encoder = FieldEncoder(ByteBuffer())
        try copy.code(&encoder)
        #expect(try SFTPReply(type: reply.type, fields: encoder.buffer) == reply)
        if case .extended = reply { return }
        for length in 0..<encoder.buffer.readableBytes {
            guard let cut = encoder.buffer.getSlice(at: 0, length: length) else { continue }
            // A status may end behind its code: servers of old send no words.
            if case .status = reply, let parsed = try? SFTPReply(type: reply.type, fields: cut) {
                guard case .status(let status) = parsed else { continue }
                #expect(status.code == .noSuchFile)
                continue
            }
            #expect(throws: WireError.self) { try SFTPReply(type: reply.type, fields: cut) }
        }
    }

    // draft-ietf-secsh-filexfer-02, sections 4, 5, 6.3.
    @Test("OPEN is laid out as the draft has it")
    func layout() throws {
        var session = SFTPSession<Int>()
        #expect(Array(session.output.readableBytesView) == [0, 0, 0, 5, 1, 0, 0, 0, 3])
        session.output.clear()
        session.send(.open(path: ByteBuffer(string: "ab"), flags: [.write, .create], .init(permissions: 0o644)), 0)
        #expect(
            Array(session.output.readableBytesView) == [
                0, 0, 0, 23, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0x61, 0x62, 0, 0, 0, 10, 0, 0, 0, 4, 0, 0, 1, 0xa4,
            ])
    }

    @Test("the kind of a file is in its permissions")
    func kinds() {
        #expect(SFTPAttributes(permissions: 0o100_644).kind == .regular)
        #expect(SFTPAttributes(permissions: 0o040_755).kind == .directory)
        #expect(SFTPAttributes(permissions: 0o120_777).kind == .symbolicLink)
        #expect(SFTPAttributes(permissions: 0o020_600).kind == .other)
        #expect(SFTPAttributes(permissions: 0o644).kind == nil)
        #expect(SFTPAttributes().kind == nil)
    }
}

@Suite("An SFTP session")
struct SFTPSessionTests {
    @Test("gives answers back with the tags of their requests, in whatever order they come")
    func tags() throws {
        var session = try startedSession()
        for (index, name) in ["a", "b", "c"].enumerated() {
            session.send(.stat(path: ByteBuffer(string: name)), name)
            #expect(session.unanswered == index + 1)
        }
        session.receive(reply(.status(SFTPStatus(.ok)), id: 2))
        session.receive(reply(.handle(text), id: 0))
        session.receive(reply(.attributes(attributes), id: 1))
        var order: [String] = []
        while case .reply(let tag, _)? = try session.next() { order.append(tag) }
        #expect(order == ["c", "a", "b"])
        #expect(session.unanswered == 0)
    }

    @Test("passes data on as it comes, wherever the bytes are cut")
    func data() throws {
        let content = ByteBuffer(bytes: (0..<200).map { UInt8($0) })
        let bytes = reply(.data(content), id: 0)
        for cut in 1..<bytes.readableBytes {
            var session = try startedSession()
            session.send(.read(handle: text, offset: 0, length: 200), "r")
            var received = ByteBuffer()
            var ended = false
            for part in [
                bytes.getSlice(at: 0, length: cut), bytes.getSlice(at: cut, length: bytes.readableBytes - cut),
            ] {
                session.receive(part ?? ByteBuffer())
                while case .data(let tag, let piece, let offset, let isLast)? = try session.next() {
                    #expect(session.unanswered == (isLast ? 0 : 1))
                    #expect(tag == "r")
                    #expect(offset == received.readableBytes)
                    received.writeImmutableBuffer(piece)
                    ended = isLast
                }
            }
            #expect(received == content)
            #expect(ended)
            #expect(session.unanswered == 0)
        }
    }

    @Test("adopts the limits a server tells, within reason")
    func limits() throws {
        var session = try startedSession([("limits@openssh.com", "1")])
        #expect(session.server.limits.writeLength == 32768)
        var fields = ByteBuffer()
        for value in [262_144, 261_120, 261_120, 1019] { fields.writeInteger(UInt64(value)) }
        session.receive(reply(.extended(fields: fields), id: 0))
        #expect(try session.next() == nil)
        #expect(session.server.limits.writeLength == 261_120)
        #expect(session.server.limits.readLength == 261_120)
        #expect(session.server.limits.openHandles == 1019)

        var huge = ByteBuffer()
        for _ in 0..<4 { huge.writeInteger(UInt64.max) }
        #expect(SFTPLimits(fields: huge)?.writeLength == 261_120)
        var none = ByteBuffer()
        for _ in 0..<4 { none.writeInteger(UInt64(0)) }
        #expect(SFTPLimits(fields: none)?.openHandles == nil)
        var tiny = ByteBuffer()
        for _ in 0..<4 { tiny.writeInteger(UInt64(1)) }
        #expect((SFTPLimits(fields: tiny)?.writeLength ?? 0) >= 1024)
        #expect(SFTPLimits(fields: ByteBuffer(string: "short")) == nil)
    }

    @Test("takes a request back whose data cannot be read")
    func takingBack() throws {
        struct Fault: Error {}
        var session = try startedSession()
        #expect(throws: Fault.self) {
            try session.write(handle: text, offset: 0, tag: { "\($0)" }, fill: { _ in throw Fault() })
        }
        let none = session.write(handle: text, offset: 0, tag: { "\($0)" }, fill: { _ in 0 })
        #expect(none == 0)
        #expect(session.output.readableBytes == 0)
        #expect(session.unanswered == 0)
        let count = session.write(
            handle: ByteBuffer(string: "h"), offset: 7, tag: { "\($0)" },
            fill: {
                $0.writeString("xyz")
                return 3
            })
        #expect(count == 3)
        var sent = session.output
        let length = sent.readInteger(as: UInt32.self)
        #expect(length == UInt32(sent.readableBytes))
        #expect(sent.readInteger(as: UInt8.self) == 6)
        #expect(sent.readInteger(as: UInt32.self) != nil)
        let fields = try SFTPRequest(type: 6, fields: sent)
        #expect(fields == .write(handle: ByteBuffer(string: "h"), offset: 7, data: ByteBuffer(string: "xyz")))
    }

    @Test("refuses answers nobody asked for, or that are none")
    func wrongAnswers() throws {
        var session = try startedSession()
        session.receive(reply(.status(SFTPStatus(.ok)), id: 5))
        #expect(throws: SFTPError.unknownRequest(id: 5)) { try session.next() }

        session = try startedSession()
        session.send(.read(handle: text, offset: 0, length: 3), "r")
        session.receive(reply(.data(ByteBuffer(string: "four")), id: 0))
        #expect(throws: SFTPError.tooMuchData(received: 4, requested: 3)) { try session.next() }

        session = try startedSession()
        session.send(.stat(path: text), "s")
        session.receive(reply(.data(ByteBuffer(string: "four")), id: 0))
        #expect(throws: SFTPError.unexpectedReply(type: 103, to: "SSH_FXP_STAT")) { try session.next() }

        session = try startedSession()
        session.send(.stat(path: text), "s")
        session.receive(packet(77, id: 0))
        #expect(throws: SFTPError.self) { try session.next() }

        session = try startedSession()
        session.send(.stat(path: text), "s")
        session.receive(packet(104, id: 0) { $0.writeInteger(UInt32.max) })
        #expect(throws: SFTPError.self) { try session.next() }

        // A listing of more is refused before its bytes are kept; of data there may be as much as was asked for.
        for length: UInt32 in [0, 4, 256 << 10 + 1, 1 << 24, .max] {
            session = try startedSession()
            session.receive(ByteBuffer(integer: length))
            session.receive(ByteBuffer(integer: UInt8(104)))
            #expect(throws: SFTPError.packetLength(length, limit: 256 << 10)) { try session.next() }
        }
        session = try startedSession()
        session.send(.read(handle: text, offset: 0, length: 1 << 20), "r")
        session.receive(packet(103, id: 0) { $0.writeSSHString(ByteBuffer(repeating: 7, count: 1 << 20)) })
        guard case .data("r", let bytes, 0, isLast: true) = try session.next() else {
            Issue.record("no data")
            return
        }
        #expect(bytes.readableBytes == 1 << 20)
    }

    @Test("tells what is no SFTP server from one that ends too soon")
    func strangers() throws {
        var session = SFTPSession<Int>()
        session.receive(ByteBuffer(string: "Welcome to this machine!\n"))
        #expect(throws: SFTPError.notSFTP(Array("Welcome to this machine!\n".utf8))) { try session.next() }
        session = SFTPSession<Int>()
        #expect(throws: SFTPError.notSFTP([])) { try session.receiveEnd() }
        session = SFTPSession<Int>()
        session.receive(packet(2, id: 6))
        #expect(throws: SFTPError.version(6)) { try session.next() }
        var started = try startedSession()
        try started.receiveEnd()
        started.send(.stat(path: text), "s")
        #expect(throws: SFTPError.ended) { try started.receiveEnd() }
    }

    @Test("survives any bytes in place of an answer")
    func noise() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            var session = try startedSession()
            for index in 0..<4 { session.send(.read(handle: text, offset: UInt64(index), length: 64), "r") }
            var bytes = reply(.names([SFTPName(name: text, attributes: attributes)]), id: UInt32.random(in: 0..<4))
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes.setInteger(
                    UInt8.random(in: 0...255, using: &generator), at: Int.random(in: 0..<bytes.readableBytes))
            }
            session.receive(bytes)
            do throws(SFTPError) {
                while try session.next() != nil {}
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }
}
