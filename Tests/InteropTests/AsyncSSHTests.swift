import TestSupport
import Testing

@Suite("Copies to and from AsyncSSH", .timeLimit(.minutes(hangMinutes)))
struct AsyncSSHTests {
    @Test("A file goes there and back", arguments: [Loopback.ipv4, .ipv6])
    func roundTrip(address: Loopback) async throws {
        let peer = try await Peer.asyncSSH(address, hostKeys: [.ed25519])
        try await peer.roundTrip()
    }

    @Test("Its choice of algorithms can be restricted")
    func algorithms() async throws {
        let peer = try await Peer.asyncSSH(
            hostKeys: [.rsa],
            algorithms: AsyncSSHAlgorithms(
                keyExchanges: ["ecdh-sha2-nistp256"], ciphers: ["aes256-ctr"], macs: ["hmac-sha2-256"],
                compression: ["none"], signatures: ["rsa-sha2-256"]))
        let finished = try await peer.scp(["-v"], [peer.knownHosts, peer.remote("copy")], key: .rsa)
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
        #expect(finished.errorText.contains("cipher: aes256-ctr MAC: hmac-sha2-256"), "\(finished)")
        #expect(finished.errorText.contains("kex: algorithm: ecdh-sha2-nistp256"), "\(finished)")
        #expect(try readText(peer.directory.file("copy")) == readText(peer.knownHosts))
    }

    @Test("Under OpenSSH's name, of which more is expected, it lets us in all the same", arguments: [false, true])
    func falseName(isFirstKeyRefused: Bool) async throws {
        let peer = try await Peer.asyncSSH(hostKeys: [.ed25519], version: "OpenSSH_9.9")
        let stranger = peer.directory.file("stranger")
        try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", stranger]).success()
        let finished = try await peer.scp(
            ["-v"] + (isFirstKeyRefused ? ["-i", stranger] : []), [peer.knownHosts, peer.remote("copy")])
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
        #expect(finished.errorText.contains("connecting again"), "\(finished)")
        #expect(try readText(peer.directory.file("copy")) == readText(peer.knownHosts))
    }
}
