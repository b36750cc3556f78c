import TestSupport
import Testing

@Suite("The relay that imitates links and faults", .timeLimit(.minutes(hangMinutes)))
struct HarnessRelayTests {
    private func cat(
        _ peer: Peer, through relay: Relay, _ bytes: [UInt8], _ options: [String] = []
    ) async throws -> Finished {
        try await run(
            "ssh", options + peer.clientOptions(port: relay.port) + [peer.sshDestination, "cat"], input: bytes)
    }

    private let bytes = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 3) }

    @Test("Without a fault all bytes pass, and are counted", arguments: Loopback.available)
    func transparent(address: Loopback) async throws {
        let peer = try await Peer.openSSH(address)
        let relay = try Relay(to: peer.port, on: address)
        let finished = try await cat(peer, through: relay, bytes)
        #expect(finished.output == bytes, "\(finished.errorText)")
        #expect(relay.connectionCount == 1)
        #expect(relay.byteCount(.toServer) > bytes.count && relay.byteCount(.toClient) > bytes.count)
    }

    @Test("A delay is added to every flight")
    func delay() async throws {
        let peer = try await Peer.openSSH()
        let relay = try Relay(to: peer.port, link: Link(delay: .milliseconds(15)))
        let start = ContinuousClock.now
        let finished = try await cat(peer, through: relay, [])
        let elapsed = ContinuousClock.now - start
        #expect(finished.succeeded, "\(finished)")
        // The key exchange, the service, two for the key, the channel and the command: each waits for the one before. A
        // lower bound holds on a machine of any speed, which may divide the flights further.
        #expect(relay.flightCount(.toServer) >= 5)
        #expect(elapsed >= .milliseconds(30) * 5)
    }

    @Test("Bytes leave no faster than the bandwidth allows")
    func bandwidth() async throws {
        let peer = try await Peer.openSSH()
        let relay = try Relay(to: peer.port, link: Link(bandwidth: 1_000_000, buffer: 64 * 1024))
        let start = ContinuousClock.now
        let finished = try await cat(peer, through: relay, bytes)
        #expect(finished.output == bytes)
        #expect(ContinuousClock.now - start >= .milliseconds(450))
    }

    @Test("A cut ends the connection", arguments: Direction.allCases, [false, true])
    func cut(direction: Direction, reset: Bool) async throws {
        let peer = try await Peer.openSSH()
        let relay = try Relay(to: peer.port, fault: .cut(direction, after: 100_000, reset: reset))
        let finished = try await cat(peer, through: relay, bytes)
        #expect(finished.status == .exited(255))
        #expect(finished.output.count < bytes.count)
    }

    @Test("A cut in order and a reset are told apart by a client that is reading", arguments: [false, true])
    func kindOfCut(reset: Bool) async throws {
        let peer = try await Peer.openSSH()
        let relay = try Relay(to: peer.port, fault: .cut(.toClient, after: 10, reset: reset))
        let finished = try await cat(peer, through: relay, [])
        #expect(finished.status == .exited(255))
        #expect(finished.errorText.contains("reset") == reset, "\(finished.errorText)")
    }

    @Test(
        "A bit that turns over is caught by the client's or the server's integrity check", arguments: Direction.allCases
    )
    func bitFlip(direction: Direction) async throws {
        let peer = try await Peer.openSSH()
        let relay = try Relay(to: peer.port, fault: .bitFlip(direction, offset: 100_000))
        let finished = try await cat(peer, through: relay, bytes)
        #expect(finished.status == .exited(255))
        #expect(finished.output.count < bytes.count)
    }

    @Test("Garbage stands in for what the server says")
    func garbage() async throws {
        let peer = try await Peer.openSSH()
        let relay = try Relay(to: peer.port, fault: .garbage(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)))
        let finished = try await cat(peer, through: relay, [])
        #expect(finished.status == .exited(255))
    }

    @Test("A black hole swallows all without a word")
    func blackHole() async throws {
        let peer = try await Peer.openSSH()
        let relay = try Relay(to: peer.port, fault: .blackHole(.toServer, after: 100_000))
        let finished = try await cat(peer, through: relay, bytes, ["-o", "ServerAliveInterval=1"])
        #expect(finished.status == .exited(255))
        #expect(finished.errorText.contains("not responding"), "\(finished.errorText)")
    }

    @Test("A relay that stops ends its connections")
    func stop() async throws {
        let peer = try await Peer.openSSH()
        let relay = try Relay(to: peer.port)
        let port = relay.port
        async let session = run(
            "ssh", peer.clientOptions(port: relay.port) + [peer.sshDestination, "while echo .; do sleep 0.2; done"])
        try await eventually("a session starts") { peer.log.contains("Starting session") }
        relay.stop()
        #expect(try await session.status == .exited(255))
        let again = try await run("ssh", peer.clientOptions(port: port) + [peer.sshDestination, "true"])
        // Its port is free, and another test may have taken it already.
        #expect(again.status == .exited(255), "\(again)")
    }
}
