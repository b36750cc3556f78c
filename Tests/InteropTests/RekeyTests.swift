import TestSupport
import Testing

@Suite("New keys in the middle of a copy", .timeLimit(.minutes(hangMinutes)))
struct RekeyTests {
    /// Who asks for new keys after every mebibyte.
    enum Side: CaseIterable {
        case server
        case client
        case both
    }

    @Test("A file arrives whole, both ways, while keys are exchanged again and again", arguments: Side.allCases)
    func rekey(side: Side) async throws {
        let peer = try await Peer.openSSH(
            hostKeys: [.ed25519],
            configuration: ["LogLevel DEBUG1"] + (side == .client ? [] : ["RekeyLimit 1M"]))
        let (source, target) = (peer.directory.file("source"), peer.directory.file("target"))
        let mebibytes = testsReleaseBinary ? 1024 : 64
        try await run("dd", ["if=/dev/urandom", "of=\(source)", "bs=1M", "count=\(mebibytes)", "status=none"]).success()
        let options = side == .server ? [] : ["-oRekeyLimit=1M"]

        let up = try await peer.scp(options, [source, peer.remote("there")])
        #expect(up.succeeded, "\(up)")
        let down = try await peer.scp(options, [peer.remote("there"), target])
        #expect(down.succeeded, "\(down)")
        for copy in [peer.directory.file("there"), target] { try await run("cmp", [source, copy]).success() }

        let exchanges = peer.countInLog("SSH2_MSG_NEWKEYS received")
        #expect(exchanges > mebibytes, "only \(exchanges) key exchanges in two copies")
    }

    @Test("Keys are exchanged by time too")
    func byTime() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["LogLevel DEBUG1"])
        let relay = try Relay(to: peer.port, link: Link(bandwidth: 200_000, buffer: 16_384))
        let (source, target) = (peer.directory.file("source"), peer.directory.file("target"))
        try writeFile(source, noise(500_000))
        try await peer.scp(["-oRekeyLimit=default 1"], [source, peer.remote("target")], port: relay.port).success()
        try await run("cmp", [source, target]).success()
        let exchanges = peer.countInLog("SSH2_MSG_NEWKEYS received")
        #expect(exchanges >= 2, "only \(exchanges) key exchanges")
    }
}
