import TestSupport
import Testing

@Suite("A connection that breaks is made again", .timeLimit(.minutes(20)))
struct ReconnectionTests {
    /// A server whose connections go through a relay that breaks each after so many bytes one way.
    private func start(_ host: CopyHost, _ fault: Fault, link: Link = Link()) async throws -> (RunningHost, Relay) {
        let server = try await host.start()
        return (server, try Relay(to: server.port, link: link, fault: fault))
    }

    /// What is said for each connection lost.
    private func losses(_ finished: Finished) -> [Substring] {
        finished.errorText.split(separator: "\n").filter { $0.contains("connection lost (") }
    }

    @Test(
        "A large file comes over whole, whatever breaks", arguments: CopyHost.allCases, [true, false])
    func large(host: CopyHost, isUpload: Bool) async throws {
        let fault = Fault.cut(isUpload ? .toServer : .toClient, after: 3_000_000, reset: isUpload)
        let (server, relay) = try await start(host, fault)
        let bytes = noise(7_000_000)
        try writeFile(bytes, at: server.path(isUpload ? .here : .there, "original"))
        let finished = try await server.copy(up: isUpload, "original", "copy", port: relay.port)
        #expect(finished.succeeded, "\(finished)")
        #expect(try readFile(at: server.path(isUpload ? .there : .here, "copy")) == bytes)
        // All that is said is that it was lost.
        #expect(losses(finished).count == finished.errorText.split(separator: "\n").count, "\(finished)")
        #expect(losses(finished).count == relay.connectionCount - 1)
        #expect(relay.connectionCount >= 2)
        #expect(finished.errorText.hasPrefix("scp: 127.0.0.1: connection lost ("), "\(finished)")
    }

    @Test("A tree of many small files comes over whole", arguments: CopyHost.allCases, [true, false])
    func tree(host: CopyHost, isUpload: Bool) async throws {
        let fault = Fault.cut(isUpload ? .toServer : .toClient, after: 500_000, reset: false)
        let (server, relay) = try await start(host, fault)
        let tree = treeOfSmallFiles(3_000)
        try makeTree(tree, at: server.path(isUpload ? .here : .there, "original"))
        let finished = try await server.copy(
            up: isUpload, "original", "copy", port: relay.port, ["-r", "-p", "-q"])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(relay.connectionCount >= 2)
        let copy = try readTree(at: server.path(isUpload ? .there : .here, "copy"))
        #expect(differences(tree, copy, attributes: true) == [])
    }

    @Test("A file that is sent through several channels goes on behind what all of them have got over")
    func striped() async throws {
        let (server, relay) = try await start(
            .openSSH, .cut(.toServer, after: 14_000_000, reset: true), link: Link(delay: .milliseconds(20)))
        let bytes = noise(40_000_000)
        try writeFile(bytes, at: server.path(.here, "original"))
        let finished = try await server.copy(up: true, "original", "copy", port: relay.port)
        #expect(finished.succeeded, "\(finished)")
        #expect(try readFile(at: server.path(.there, "copy")) == bytes)
        #expect(relay.connectionCount >= 3)
    }

    @Test("A source that changed meanwhile, and a target that was cut off, start over", arguments: [true, false])
    func changedMeanwhile(changesSource: Bool) async throws {
        let (server, relay) = try await start(.openSSH, .none)
        relay.setFault(.cut(.toServer, after: 3_000_000, reset: false), later: .cut(.toClient, after: 0, reset: false))
        let (source, target) = (server.path(.here, "original"), server.path(.there, "copy"))
        try writeFile(noise(4_000_000), at: source)
        async let copied = server.copy(up: true, "original", "copy", port: relay.port, ["--retries=1000"])
        while relay.connectionCount < 2 { try await Task.sleep(for: .milliseconds(5)) }
        let changed = noise(4_000_001)
        if changesSource { try writeFile(changed, at: source) } else { try writeFile([1], at: target) }
        relay.setFault(.none)
        let finished = try await copied
        #expect(finished.succeeded && losses(finished).count == 1, "\(finished)")
        #expect(try readFile(at: target) == (changesSource ? changed : noise(4_000_000)))
    }

    @Test("A host that does not come back is given up", arguments: [true, false])
    func neverBack(isUpload: Bool) async throws {
        let (server, relay) = try await start(.openSSH, .none)
        relay.setFault(
            .cut(isUpload ? .toServer : .toClient, after: 1_000_000, reset: false),
            later: .cut(.toClient, after: 0, reset: false))
        try writeFile(noise(3_000_000), at: server.path(isUpload ? .here : .there, "original"))
        let finished = try await server.copy(
            up: isUpload, "original", "copy", port: relay.port, ["--retries", "2"])
        #expect(finished.status == .exited(1))
        let lines = finished.errorText.split(separator: "\n")
        #expect(lines.count == 3, "\(finished)")
        #expect(lines.first?.hasSuffix("; connecting again") == true, "\(finished)")
        #expect(lines.dropFirst().first?.hasSuffix("; connecting again in 2 s") == true, "\(finished)")
        #expect(relay.connectionCount == 3)
    }

    @Test("With --retries 0 the first loss is the end")
    func noRetries() async throws {
        let (server, relay) = try await start(.openSSH, .cut(.toServer, after: 1_000_000, reset: false))
        try writeFile(noise(3_000_000), at: server.path(.here, "original"))
        let finished = try await server.copy(
            up: true, "original", "copy", port: relay.port, ["--retries=0"])
        expectFailure(finished, "connection lost", "--resume", status: 1)
        #expect(relay.connectionCount == 1)
    }

    @Test("A host that is silent is given up by ServerAliveInterval, and the copy goes on over another connection")
    func silent() async throws {
        let (server, relay) = try await start(.openSSH, .blackHole(.toClient, after: 2_000_000))
        try writeFile(noise(3_000_000), at: server.path(.there, "original"))
        let finished = try await server.copy(
            up: false, "original", "copy", port: relay.port,
            ["-oServerAliveInterval=2", "-oServerAliveCountMax=2", "--retries=1000"])
        #expect(finished.succeeded, "\(finished)")
        #expect(finished.errorText.contains("not responding"), "\(finished)")
        #expect(try readFile(at: server.path(.here, "copy")) == noise(3_000_000))
    }

    @Test("A jump host on the way is connected to again too")
    func jump() async throws {
        let (gate, inner) = (
            try await Peer.openSSH(hostKeys: [.ed25519]), try await Peer.openSSH(hostKeys: [.ed25519])
        )
        let relay = try Relay(to: gate.port, fault: .cut(.toServer, after: 3_000_000, reset: true))
        let peers = try NamedPeers([("gate", gate, []), ("inner", inner, [])])
        try writeFile(peers.file, text: "Host gate\n  Port \(relay.port)\n" + readText(peers.file))
        let bytes = noise(5_000_000)
        try writeFile(bytes, at: inner.directory.file("original"))
        let finished = try await peers.scp(
            ["--connections=1", "-J", "gate"],
            [inner.directory.file("original"), "inner:\(inner.directory.file("copy"))"])
        #expect(finished.succeeded && losses(finished).count == relay.connectionCount - 1, "\(finished)")
        #expect(relay.connectionCount >= 2)
        #expect(try readFile(at: inner.directory.file("copy")) == bytes)
    }
}
