import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

@testable import SSHProtocol

/// One end of a joined pair: a connection, what drives it, and what it has told so far.
final class Endpoint {
    var connection: Connection
    /// Every event, oldest first.
    private(set) var events: [ConnectionEvent] = []
    /// What came on each channel.
    private(set) var data: [ChannelID: ByteBuffer] = [:]
    private(set) var errorData: [ChannelID: ByteBuffer] = [:]
    /// What ended the connection.
    private(set) var failure: ConnectionError?
    /// Whether data is taken and granted again as it comes.
    var reads = true
    /// Acts on an event, in place of the usual; false for the usual.
    var acts: (inout Connection, ConnectionEvent) throws -> Bool = { _, _ in false }
    /// What a client logs in with.
    var method = AuthenticationMethod.none

    init(_ role: Role, _ configuration: ConnectionConfiguration, _ observer: (any ConnectionObserver)? = nil) {
        connection = Connection(role: role, configuration: configuration, observer: observer)
    }

    /// Runs `body`, which may end the connection; what it throws is kept.
    func attempt(_ body: (inout Connection) throws -> Void) {
        do { try body(&connection) } catch let error as ConnectionError {
            if failure == nil { failure = error }
        } catch {
            if failure == nil { failure = .violation("not a ConnectionError: \(error)") }
        }
    }

    /// Handles every event there is; whether there was one.
    func handleEvents() -> Bool {
        var any = false
        while let event = connection.nextEvent() {
            any = true
            events.append(event)
            attempt { connection in
                if try !acts(&connection, event) { try usual(&connection, event) }
            }
        }
        return any
    }

    /// Takes what there is to send.
    func output(limit: Int = 256 * 1024) -> ByteBuffer? {
        var output: ByteBuffer?
        attempt { output = try $0.takeOutput(limit: limit) }
        return output
    }

    private func usual(_ connection: inout Connection, _ event: ConnectionEvent) throws {
        switch event {
        case .hostKey: try connection.acceptHostKey()
        case .ready where connection.role == .client: try connection.authenticate(user: "tester", method)
        case .authenticationRequested: try connection.acceptAuthentication()
        case .channelOffered(let id, _): try connection.acceptChannel(id)
        case .channelRequest(let id, _, wantReply: true) where connection.role == .server:
            try connection.replyToRequest(id, success: true)
        case .channelReadable(let id) where reads: try read(&connection, id)
        case .channelClosed(let id): connection.release(id)
        default: break
        }
    }

    /// Takes what came on a channel, and grants it again.
    func read(_ connection: inout Connection, _ id: ChannelID) throws {
        if let bytes = connection.takeReceived(id) {
            data[id, default: ByteBuffer()].writeImmutableBuffer(bytes)
            try connection.consumed(id, bytes.readableBytes, at: .now)
        }
        if let bytes = connection.takeReceivedErrors(id) {
            errorData[id, default: ByteBuffer()].writeImmutableBuffer(bytes)
            try connection.consumed(id, bytes.readableBytes, at: .now)
        }
    }

    func unsentBytes(_ id: ChannelID) -> Int { connection.unsentBytes(id) }

    /// The kinds of the events so far, in short.
    var story: [String] { events.map(\.kind) }
}

extension ConnectionEvent {
    /// The case's name.
    var kind: String {
        let text = "\(self)"
        return String(text.prefix { $0 != "(" })
    }
}
