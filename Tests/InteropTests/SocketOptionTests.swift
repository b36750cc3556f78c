import TestSupport
import Testing

@Suite("Options of the connection's socket", .timeLimit(.minutes(hangMinutes)))
struct SocketOptionTests {
    /// What `ss` shows of a connection that waits for a silent server, once it is there and shows `wanted`.
    private func socket(_ options: [String], _ address: Loopback, _ wanted: String = "") async throws -> String {
        let peer = try await Peer.openSSH(address, hostKeys: [.ed25519])
        let relay = try Relay(to: peer.port, on: address, fault: .blackHole(.toServer, after: 0))
        async let copy = peer.scp(
            options + ["-oConnectTimeout=3600"], [peer.knownHosts, peer.remote("b")], port: relay.port)
        var shown = ""
        let listing = ["-tnHo", "--tos", "dst", "\(address.bracketed):\(relay.port)"]
        // It may be there before the relay has taken it: one that has stopped takes no more.
        defer { relay.stop() }
        try await eventually("a connection \(wanted):\n\(shown)") {
            shown = try await run("ss", listing).outputText
            return shown.contains("ESTAB") && shown.contains(wanted)
        }
        relay.stop()
        _ = try await copy
        return shown
    }

    @Test("IPQoS sets the class of the packets of a copy, by its second value; there is none by default")
    func serviceClass() async throws {
        _ = try await socket(["-oIPQoS=af21"], .ipv4, "tos:0x48")
        _ = try await socket(["-oIPQoS=ef 0x20"], .ipv4, "tos:0x20")
        for options in [[], ["-oIPQoS=none"], ["-oIPQoS=ef cs0"]] {
            let shown = try await socket(options, .ipv4)
            #expect(shown.contains("ESTAB") && !shown.contains("tos:0x"), "\(shown)")
        }
    }

    @Test("IPQoS works over IPv6", .enabled(if: Loopback.available.contains(.ipv6)))
    func serviceClass6() async throws {
        _ = try await socket(["-oIPQoS=cs1"], .ipv6, "tclass:0x20")
    }

    @Test("TCPKeepAlive watches the connection unless it is off")
    func keepAlive() async throws {
        _ = try await socket([], .ipv4, "keepalive")
        let off = try await socket(["-oTCPKeepAlive=no"], .ipv4)
        #expect(off.contains("ESTAB") && !off.contains("keepalive"), "\(off)")
    }

    @Test("ConnectionAttempts tries as often, a second apart")
    func attempts() async throws {
        let port = try RefusingPort()
        let begin = ContinuousClock.now
        let finished = try await run(
            scpBinary(),
            ["-v", "-F", "none", "-oPort=\(port.number)", "-oConnectionAttempts=3", "/etc/hosts", "127.0.0.1:x"])
        #expect(finished.status == .exited(255))
        let tries = finished.errorText.split(separator: "\n").filter { $0.contains("connect to address") }
        #expect(tries.count == 3, "\(finished)")
        #expect(ContinuousClock.now - begin >= .seconds(2))
    }
}
