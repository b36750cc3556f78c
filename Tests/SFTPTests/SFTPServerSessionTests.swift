import NIOCore
import SSHWire
import Testing

@testable import SFTP

private let initialize = packet(1, id: 3)

private func encoded(_ request: SFTPRequest, id: UInt32) throws -> ByteBuffer {
    var encoder = FieldEncoder(ByteBuffer())
    var copy = request
    try copy.code(&encoder)
    return packet(request.type, id: id) { $0.writeImmutableBuffer(encoder.buffer) }
}

private func startedSession() throws -> SFTPServerSession {
    var session = SFTPServerSession()
    session.receive(initialize)
    #expect(try session.next() == nil)
    session.output.clear()
    return session
}

/// Takes what a server sent apart: type, number, fields.
private func packets(_ bytes: ByteBuffer) throws -> [(type: UInt8, id: UInt32, fields: ByteBuffer)] {
    var bytes = bytes
    var result: [(UInt8, UInt32, ByteBuffer)] = []
    while bytes.readableBytes > 0 {
        var body = try bytes.readSSHString("packet")
        result.append((try body.readByte("type"), try body.readUInt32("id"), body))
    }
    return result
}

private func codes(_ bytes: ByteBuffer) throws -> [UInt32] {
    try packets(bytes).map { packet in
        var fields = packet.fields
        return try fields.readUInt32("code")
    }
}

private let text = ByteBuffer(string: "some/path")

private let requests: [SFTPRequest] = [
    .open(path: text, flags: [.read, .create], SFTPAttributes(size: 9, permissions: 0o644)), .close(handle: text),
    .read(handle: text, offset: 1 << 33, length: 9), .lstat(path: text), .fstat(handle: text),
    .setstat(path: text, SFTPAttributes(times: .init(accessed: 1, modified: 2))), .fsetstat(handle: text, .init()),
    .opendir(path: text), .readdir(handle: text), .remove(path: text), .mkdir(path: text, SFTPAttributes()),
    .rmdir(path: text), .realpath(path: text), .stat(path: text), .rename(from: text, to: ByteBuffer(string: "b")),
    .readlink(path: text), .symlink(target: text, path: ByteBuffer(string: "l")),
    .extended(name: "fsync@openssh.com", fields: ByteBuffer(string: "xyz")),
]

@Suite("The server's end of an SFTP session")
struct SFTPServerSessionTests {
    @Test("INIT is answered with version 3 and the extensions, each with its version")
    func version() throws {
        var session = SFTPServerSession()
        session.receive(initialize)
        #expect(try session.next() == nil)
        let answer = try #require(try packets(session.output).first)
        #expect(answer.type == 2 && answer.id == 3)
        let abilities = try SFTPServerAbilities(fields: answer.fields)
        #expect(abilities.extensions["statvfs@openssh.com"] == ByteBuffer(string: "2"))
        #expect(abilities.extensions["fstatvfs@openssh.com"] == ByteBuffer(string: "2"))
        let ones = [
            "posix-rename@openssh.com", "hardlink@openssh.com", "fsync@openssh.com", "lsetstat@openssh.com",
            "limits@openssh.com", "expand-path@openssh.com", "copy-data", "home-directory",
            "users-groups-by-id@openssh.com", "check-file",
        ]
        for name in ones { #expect(abilities.extensions[name] == ByteBuffer(string: "1"), "\(name)") }
        #expect(abilities.extensions.count == ones.count + 2)
    }

    @Test("every request comes out as it went in, however its bytes are cut")
    func requestsCut() throws {
        for size in [1, 3, 7, 1000] {
            var all = initialize
            for (index, request) in requests.enumerated() {
                all.writeImmutableBuffer(try encoded(request, id: UInt32(index)))
            }
            var session = SFTPServerSession()
            var found: [SFTPRequest] = []
            while let piece = all.readSlice(length: min(size, all.readableBytes)), piece.readableBytes > 0 {
                session.receive(piece)
                while let event = try session.next() {
                    guard case .request(let id, let request) = event else { continue }
                    #expect(id == UInt32(found.count))
                    found.append(request)
                }
            }
            #expect(found == requests)
            try session.receiveEnd()
        }
    }

    @Test("the data of a WRITE comes in pieces, as it arrives")
    func writePieces() throws {
        var session = try startedSession()
        var bytes = try encoded(.write(handle: text, offset: 5, data: ByteBuffer(string: "0123456789")), id: 7)
        let rest = try #require(bytes.getSlice(at: bytes.writerIndex - 4, length: 4))
        bytes.moveWriterIndex(to: bytes.writerIndex - 4)
        session.receive(bytes)
        #expect(try session.next() == .write(id: 7, handle: text, offset: 5, count: 10))
        #expect(try session.next() == .data(ByteBuffer(string: "012345"), isLast: false))
        #expect(try session.next() == nil)
        #expect(throws: SFTPError.self) { try session.receiveEnd() }
        session.receive(rest)
        #expect(try session.next() == .data(ByteBuffer(string: "6789"), isLast: true))
        #expect(try session.next() == nil)
        try session.receiveEnd()
    }

    @Test("a WRITE of nothing has one empty piece")
    func emptyWrite() throws {
        var session = try startedSession()
        session.receive(try encoded(.write(handle: text, offset: 0, data: ByteBuffer()), id: 1))
        session.receive(try encoded(.fstat(handle: text), id: 2))
        #expect(try session.next() == .write(id: 1, handle: text, offset: 0, count: 0))
        #expect(try session.next() == .data(ByteBuffer(), isLast: true))
        #expect(try session.next() == .request(id: 2, .fstat(handle: text)))
    }

    @Test("a WRITE whose lengths contradict each other is a bad message, and the session goes on behind it")
    func malformedWrites() throws {
        func write(_ handle: UInt32, _ count: UInt32, rest: Int) -> ByteBuffer {
            packet(6, id: 9) {
                $0.writeInteger(handle)
                $0.writeRepeatingByte(1, count: Int(min(handle, 8)))
                $0.writeInteger(UInt64(0))
                $0.writeInteger(count)
                $0.writeRepeatingByte(2, count: rest)
            }
        }
        let cases = [
            write(8, 100, rest: 99), write(8, .max, rest: 3), write(.max, 0, rest: 500), write(300, 0, rest: 500),
            packet(6, id: 9), packet(6, id: 9) { $0.writeInteger(UInt8(0)) },
            packet(6, id: 9) { $0.writeInteger(UInt32(4)) },
        ]
        for (index, bad) in cases.enumerated() {
            for size in [1, 1000] {
                var session = try startedSession()
                var bytes = bad
                bytes.writeImmutableBuffer(try encoded(.fstat(handle: text), id: 10))
                var events: [SFTPServerSession.Event] = []
                while let piece = bytes.readSlice(length: min(size, bytes.readableBytes)), piece.readableBytes > 0 {
                    session.receive(piece)
                    while let event = try session.next() { events.append(event) }
                }
                #expect(events == [.request(id: 10, .fstat(handle: text))], "case \(index)")
                #expect(try codes(session.output) == [5], "case \(index)")
                #expect(try packets(session.output).first?.id == 9)
            }
        }
    }

    @Test("a handle has 256 bytes at most, in every request and in answers")
    func longHandles() throws {
        let (longest, longer) = (
            ByteBuffer(repeating: 1, count: 256), ByteBuffer(repeating: 1, count: 257)
        )
        for type: UInt8 in [4, 5, 8, 10, 12] {
            for handle in [longest, longer] {
                var session = try startedSession()
                session.receive(
                    packet(type, id: 9) {
                        $0.writeSSHString(handle)
                        // Enough for whatever follows.
                        $0.writeRepeatingByte(0, count: 12)
                    })
                let event = try session.next()
                #expect((event == nil) == (handle == longer), "type \(type)")
                if handle == longer { #expect(try codes(session.output) == [5], "type \(type)") }
            }
        }
    }

    @Test("bytes behind the last field are passed over")
    func trailing() throws {
        var session = try startedSession()
        session.receive(
            packet(8, id: 1) {
                $0.writeSSHString(text)
                $0.writeString("more")
            })
        session.receive(
            packet(6, id: 2) {
                $0.writeSSHString(text)
                $0.writeInteger(UInt64(0))
                $0.writeSSHString("data")
                $0.writeString("more")
            })
        session.receive(try encoded(.close(handle: text), id: 3))
        #expect(try session.next() == .request(id: 1, .fstat(handle: text)))
        #expect(try session.next() == .write(id: 2, handle: text, offset: 0, count: 4))
        #expect(try session.next() == .data(ByteBuffer(string: "data"), isLast: true))
        #expect(try session.next() == .request(id: 3, .close(handle: text)))
    }

    @Test("a type that does not exist is unsupported, and fields that are cut short are a bad message")
    func answersOfItsOwn() throws {
        var session = try startedSession()
        session.receive(packet(99, id: 4))
        for (index, request) in requests.enumerated() {
            guard case .extended = request else {
                let whole = try encoded(request, id: UInt32(index))
                let fields = whole.readableBytes - 9
                for count in 0..<fields {
                    session.receive(
                        packet(request.type, id: 77) { buffer in
                            buffer.writeBytes(whole.readableBytesView.dropFirst(9).prefix(count))
                        })
                    session.output.clear()
                    #expect(try session.next() == nil, "\(request.name) with \(count) of \(fields) bytes")
                    #expect(try codes(session.output).last == 5)
                }
                continue
            }
        }
    }

    @Test("what has no number, is too large or comes before INIT ends the session")
    func fatal() throws {
        for length in [0, 1, 4, UInt32(256 * 1024 + 1), .max] {
            var session = try startedSession()
            session.receive(ByteBuffer(integer: length))
            session.receive(ByteBuffer(repeating: 7, count: 5))
            #expect(throws: SFTPError.self, "\(length)") { try session.next() }
        }
        var early = SFTPServerSession()
        early.receive(try encoded(.close(handle: text), id: 1))
        #expect(throws: SFTPError.self) { try early.next() }
        var largest = try startedSession()
        largest.receive(ByteBuffer(integer: UInt32(256 * 1024)))
        #expect(try largest.next() == nil)
    }

    @Test("flipped bits are answered or end the session, and never trap")
    func flips() throws {
        var generator = SystemRandomNumberGenerator()
        var sample = initialize
        for request in requests { sample.writeImmutableBuffer(try encoded(request, id: 1)) }
        sample.writeImmutableBuffer(
            try encoded(.write(handle: text, offset: 1, data: ByteBuffer(repeating: 3, count: 50)), id: 2))
        for _ in 0..<3000 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.readableBytes, using: &generator)
                let old = bytes.getInteger(at: place, as: UInt8.self) ?? 0
                bytes.setInteger(old ^ (1 << UInt8.random(in: 0..<8, using: &generator)), at: place)
            }
            var session = SFTPServerSession()
            do {
                while let piece = bytes.readSlice(length: min(40, bytes.readableBytes)), piece.readableBytes > 0 {
                    session.receive(piece)
                    while try session.next() != nil {}
                }
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test("data is put behind its header, and taken back if there is none")
    func data() throws {
        struct Broken: Error {}
        var session = try startedSession()
        #expect(session.sendData(5) { $0.writeString("abc") } == 3)
        #expect(session.sendData(6) { _ in 0 } == 0)
        #expect(throws: Broken.self) {
            try session.sendData(7) { buffer throws(Broken) -> Int in
                buffer.writeString("half")
                throw Broken()
            }
        }
        session.sendStatus(8, .endOfFile)
        let sent = try packets(session.output)
        #expect(sent.map(\.type) == [103, 101] && sent.map(\.id) == [5, 8])
        #expect(try SFTPReply(type: 103, fields: sent[0].fields) == .data(ByteBuffer(string: "abc")))
        #expect(
            try SFTPReply(type: 101, fields: sent[1].fields)
                == .status(SFTPStatus(.endOfFile, message: "End of file")))
    }
}
