import NIOCore
import SSHWire

/// The protocol version exchange (RFC 4253 section 4.2).
struct VersionExchange {
    /// The longest identification line, its end included, in bytes.
    static let longestLine = 255
    /// How much a server may say before its identification.
    static let mostPreambleLines = 1024
    static let longestPreambleLine = 8192

    let role: Role
    private var preambleLines = 0

    init(role: Role) {
        self.role = role
    }

    /// What the next complete line of the peer's was.
    enum Step: Equatable {
        /// A line a server may send before its identification.
        case preamble(PeerText)
        /// The identification, without its line end.
        case identification(String)
    }

    /// Takes one line from `input`; nil while it is not complete.
    ///
    /// - Throws: `ConnectionError.notSSH` or `.unsupportedVersion`.
    mutating func next(_ input: inout ByteBuffer) throws(ConnectionError) -> Step? {
        let view = input.readableBytesView
        // "SSH-" tells within four bytes whether this is the identification line.
        let isIdentification = view.prefix(4).elementsEqual("SSH-".utf8.prefix(view.count)) && !view.isEmpty
        let limit = isIdentification ? Self.longestLine : Self.longestPreambleLine
        guard let end = view.prefix(limit).firstIndex(of: UInt8(ascii: "\n")) else {
            guard view.count < limit else { throw .notSSH(line: PeerText(view.prefix(80))) }
            if role == .server && !isIdentification && !view.isEmpty {
                throw .notSSH(line: PeerText(view.prefix(80)))
            }
            return nil
        }
        var line = view[view.startIndex..<end]
        if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
        let text = PeerText(line)
        input.moveReaderIndex(forwardBy: end - view.startIndex + 1)
        guard line.prefix(4).elementsEqual("SSH-".utf8) else {
            guard role == .client else { throw .notSSH(line: PeerText(line.prefix(80))) }
            preambleLines += 1
            guard preambleLines <= Self.mostPreambleLines else { throw .notSSH(line: PeerText(line.prefix(80))) }
            return .preamble(text)
        }
        let version = line.dropFirst(4)
        guard version.starts(with: "2.0-".utf8) || version.starts(with: "1.99-".utf8) else {
            throw .unsupportedVersion(text)
        }
        guard line.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { throw .notSSH(line: text) }
        return .identification(String(decoding: line, as: UTF8.self))
    }
}
