import Platform
import TestSupport
import Testing

@Suite("Going on from what an earlier copy left", .timeLimit(.minutes(20)))
struct ResumeTests {
    private static let size = 6_000_000

    private func places(_ server: RunningHost, _ isUpload: Bool) -> (source: String, target: String) {
        (server.path(isUpload ? .here : .there, "original"), server.path(isUpload ? .there : .here, "copy"))
    }

    @Test(
        "A copy that was killed goes on behind what it had brought over", arguments: CopyHost.allCases, [true, false])
    func killed(host: CopyHost, isUpload: Bool) async throws {
        let server = try await host.start()
        let way = isUpload ? Direction.toServer : .toClient
        // Nothing more comes over after 3 MB.
        let relay = try Relay(to: server.port, fault: .blackHole(way, after: 3_000_000))
        let (source, target) = places(server, isUpload)
        try writeFile(noise(Self.size), at: source)
        let killed = try ChildProcess(
            scpBinary(), server.arguments(up: isUpload, "original", "copy", port: relay.port, ["-q"]))
        var left = 0
        // Once the relay has taken all that it will take of this connection, its count says what the next one takes.
        while left < 1_000_000 || relay.byteCount(way) < 3_000_000, killed.poll() == nil {
            try await Task.sleep(for: .milliseconds(5))
            left = (try? readFile(at: target).count) ?? 0
        }
        #expect(killed.poll() == nil)
        killed.signal(SIGKILL)
        #expect(try await onThread { killed.wait(timeout: .seconds(300)) } != nil)
        relay.setFault(.none)
        let before = relay.byteCount(way)
        let finished = try await server.copy(up: isUpload, "original", "copy", port: relay.port, ["--resume"])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(try readFile(at: target) == noise(Self.size))
        #expect(relay.byteCount(way) - before < Self.size - left + 100_000)
    }

    /// What else may be at the target.
    enum Left: CaseIterable {
        case corrupt, longer, all

        func bytes(_ whole: [UInt8]) -> [UInt8] {
            switch self {
            case .corrupt: [whole[0] ^ 1] + whole[1..<3_000_000]
            case .longer: whole + [1]
            case .all: whole
            }
        }
    }

    @Test("Whatever is there, the copy is right in the end", arguments: CopyHost.allCases, Left.allCases)
    func whatever(host: CopyHost, left: Left) async throws {
        let server = try await host.start()
        let whole = noise(Self.size)
        for isUpload in [true, false] {
            let (source, target) = places(server, isUpload)
            try writeFile(whole, at: source)
            try writeFile(left.bytes(whole), at: target)
            let finished = try await server.copy(
                up: isUpload, "original", "copy", port: server.port, ["--resume", "--verify"])
            #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
            #expect(try readFile(at: target) == whole)
        }
    }

    @Test(
        "A host that runs no commands and cannot hash gets all of it again, and -v says so", arguments: [true, false])
    func noMeans(isUpload: Bool) async throws {
        let server = RunningHost(
            try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["ForceCommand internal-sftp"]))
        let (source, target) = places(server, isUpload)
        try writeFile(noise(Self.size), at: source)
        try writeFile(Array(noise(Self.size).prefix(1_000_000)), at: target)
        let finished = try await server.copy(
            up: isUpload, "original", "copy", port: server.port, ["--resume", "-v"])
        #expect(finished.succeeded)
        #expect(finished.errorText.contains("debug1: the server has no means to hash files\n"), "\(finished)")
        #expect(finished.errorText.contains("copied anew\n"), "\(finished)")
        #expect(try readFile(at: target) == noise(Self.size))
    }

    @Test("Such a host's files cannot be verified, but those sent to it are read back")
    func verifyWithoutMeans() async throws {
        let server = RunningHost(
            try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["ForceCommand internal-sftp"]))
        try writeFile(noise(Self.size), at: server.path(.here, "original"))
        let up = try await server.copy(up: true, "original", "copy", port: server.port, ["--verify"])
        #expect(up.succeeded && up.errors.isEmpty, "\(up)")
        let down = try await server.copy(up: false, "copy", "back", port: server.port, ["--verify"])
        expectFailure(down, "scp: the server has no means to hash files", "cannot be verified", status: 1)
    }

    @Test("A tree is verified, over a connection that breaks", arguments: CopyHost.allCases, [true, false])
    func verifiedTree(host: CopyHost, isUpload: Bool) async throws {
        let server = try await host.start()
        let relay = try Relay(to: server.port)
        relay.setFault(.cut(isUpload ? .toServer : .toClient, after: 1_500_000, reset: false), later: Fault.none)
        let (source, target) = places(server, isUpload)
        let tree = Tree.named(["large": .file(noise(3_000_000)), "small": treeOfSmallFiles(300), "none": .file([])])
        try makeTree(tree, at: source)
        let finished = try await server.copy(
            up: isUpload, "original", "copy", port: relay.port, ["-r", "-p", "-q", "--verify"])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(differences(tree, try readTree(at: target), attributes: true) == [])
        #expect(relay.connectionCount == 2)
    }

    @Test("A copy that is given up says how to go on, and --resume does")
    func hint() async throws {
        let server = try await CopyHost.openSSH.start()
        let relay = try Relay(to: server.port, fault: .cut(.toServer, after: 4_000_000, reset: false))
        try writeFile(noise(Self.size), at: server.path(.here, "original"))
        let lost = try await server.copy(up: true, "original", "copy", port: relay.port, ["--retries=0"])
        expectFailure(lost, "connection lost (", "; the same command with --resume goes on from here", status: 1)
        let finished = try await server.copy(up: true, "original", "copy", port: server.port, ["--resume"])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(try readFile(at: server.path(.there, "copy")) == noise(Self.size))
    }
}
