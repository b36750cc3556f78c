import SFTP
import SSHClient
import SSHNIO
import SSHProtocol
import SSHWire
import Testing

@testable import RemoteHosts

@Suite("When a connection is made again")
struct RetryPolicyTests {
    @Test("After a failure of the network, or when the server was stopped", arguments: [true, false])
    func losses(hasProgressed: Bool) {
        let losses: [TransportError] = [
            .closedByPeer, .broken("Connection reset by peer"), .unresponsive(seconds: 45),
            .connection(.disconnected(reason: .byApplication, text: "the server is stopping")),
        ]
        for loss in losses { #expect(RetryPolicy.loss(loss, hasProgressed) == "connection lost (\(loss))") }
    }

    @Test("Not after what would come again, or a breach of the protocol")
    func failures() {
        let failures: [any Error] = [
            TransportError.connection(.packetCorrupt("x")), TransportError.connection(.violation("x")),
            TransportError.connection(.disconnected(reason: .protocolError, text: "x")),
            TransportError.idle(seconds: 1), TransportError.flooded, SFTPError.unknownRequest(id: 1),
            SFTPStatus(.permissionDenied), CancellationError(), ClientError.requestRefused("x"),
        ]
        for failure in failures { #expect(RetryPolicy.loss(failure, true) == nil, "\(failure)") }
    }

    @Test("A session that the server ends is begun again only while that leads anywhere")
    func endedSessions() {
        for error in [SFTPError.ended, TransportError.channelClosed] as [any Error] {
            #expect(RetryPolicy.loss(error, true) != nil)
            #expect(RetryPolicy.loss(error, false) == nil)
        }
    }

    @Test("A host out of reach is tried again, one that refuses is not")
    func attempts() {
        let passing: [ClientError] = [
            .unresolvable(host: "h", reason: "x"), .unreachable(host: "h", port: 1, reason: "x"),
            .unreachableThrough(jump: "j", host: "h", port: 1, reason: "x"), .handshakeTimeout(host: "h", seconds: 1),
            .lost(host: "h", port: 1, reason: .closedByPeer),
        ]
        for error in passing { #expect(RetryPolicy.mayPass(error), "\(error)") }
        let lasting: [ClientError] = [
            .hostKeyRejected(.changed, reason: "x"), .permissionDenied(user: "u", host: "h", methods: []),
            .badOption(name: "o", reason: "x"), .lost(host: "h", port: 1, reason: .connection(.violation("x"))),
        ]
        for error in lasting { #expect(!RetryPolicy.mayPass(error), "\(error)") }
    }

    @Test("Pauses grow to a minute")
    func pauses() {
        #expect((0..<9).map(RetryPolicy.pause(after:)) == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    }
}
