import TestSupport
import Testing

@Suite("Options of the connection's socket", .timeLimit(.minutes(2)))
struct SocketOptionTests {
    /// What `ss` shows of a connection that waits for a silent server.
    private func socket(_ options: [String], _ address: Loopback) async throws -> String {
        let peer = try await Peer.openSSH(address, hostKeys: [.ed25519])
        let relay = try Relay(to: peer.port, on: address, fault: .blackHole(.toServer, after: 0))
        async let copy = peer.scp(
            options + ["-oConnectTimeout=60"], [peer.knownHosts, peer.remote("b")], port: relay.port)
        var shown = ""
        for _ in 0..<500 where !shown.contains("ESTAB") {
            try await Task.sleep(for: .milliseconds(20))
            shown = try await run("ss", ["-tnHo", "--tos", "dst", "\(address.bracketed):\(relay.port)"]).outputText
        }
        relay.cutAll()
        _ = try await copy
        return shown
    }

    @Test("IPQoS sets the class of the packets of a copy, by its second value; there is none by default")
    func serviceClass() async throws {
        #expect(try await socket(["-oIPQoS=af21"], .ipv4).contains("tos:0x48"))
        #expect(try await socket(["-oIPQoS=ef 0x20"], .ipv4).contains("tos:0x20"))
        for options in [[], ["-oIPQoS=none"], ["-oIPQoS=ef cs0"]] {
            let shown = try await socket(options, .ipv4)
            #expect(shown.contains("ESTAB") && !shown.contains("tos:0x"), "\(shown)")
        }
    }

    @Test("IPQoS works over IPv6", .enabled(if: Loopback.available.contains(.ipv6)))
    func serviceClass6() async throws {
        #expect(try await socket(["-oIPQoS=cs1"], .ipv6).contains("tclass:0x20"))
    }

    @Test("TCPKeepAlive watches the connection unless it is off")
    func keepAlive() async throws {
        #expect(try await socket([], .ipv4).contains("keepalive"))
        let off = try await socket(["-oTCPKeepAlive=no"], .ipv4)
        #expect(off.contains("ESTAB") && !off.contains("keepalive"), "\(off)")
    }

    @Test("ConnectionAttempts tries as often, a second apart")
    func attempts() async throws {
        let port = try Loopback.ipv4.freePort()
        let begin = ContinuousClock.now
        let finished = try await run(
            scpBinary(),
            ["-v", "-F", "none", "-oPort=\(port)", "-oConnectionAttempts=3", "/etc/hosts", "127.0.0.1:x"])
        #expect(finished.status == .exited(1))
        let tries = finished.errorText.split(separator: "\n").filter { $0.contains("connect to address") }
        #expect(tries.count == 3, "\(finished)")
        #expect(ContinuousClock.now - begin >= .seconds(2))
    }
}
