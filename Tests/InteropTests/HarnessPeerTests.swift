import TestSupport
import Testing

@Suite("Peers that the tests start", .timeLimit(.minutes(hangMinutes)))
struct HarnessPeerTests {
    @Test("A command runs on OpenSSH's server", arguments: Loopback.available)
    func openSSH(address: Loopback) async throws {
        let peer = try await Peer.openSSH(address)
        let finished = try await run("ssh", peer.clientOptions() + [peer.sshDestination, "echo it works"])
        #expect(finished.outputText == "it works\n", "\(finished)\n\(peer.log)")
    }

    @Test(
        "OpenSSH's server lets every type of client key in and shows every type of host key",
        arguments: TestKeyType.allCases)
    func keyTypes(type: TestKeyType) async throws {
        let peer = try await Peer.openSSH(hostKeys: [type])
        let finished = try await run("ssh", peer.clientOptions(key: type) + [peer.sshDestination, "true"])
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
    }

    @Test("OpenSSH's server turns a key away that it does not know")
    func stranger() async throws {
        let peer = try await Peer.openSSH()
        var options = peer.clientOptions()
        options[options.count - 1] = peer.keys.strangerKey
        let finished = try await run("ssh", options + [peer.sshDestination, "true"])
        #expect(finished.status == .exited(255))
        #expect(finished.errorText.contains("Permission denied (publickey)"), "\(finished)")
    }

    @Test("A client that lacks the only cipher of the server is told so")
    func oneCipher() async throws {
        let peer = try await Peer.openSSH(configuration: ["Ciphers aes128-ctr"])
        let other = try await run(
            "ssh", peer.clientOptions() + ["-c", "aes256-gcm@openssh.com", peer.sshDestination, "true"])
        #expect(other.errorText.contains("no matching cipher"), "\(other)")
        let same = try await run("ssh", peer.clientOptions() + ["-c", "aes128-ctr", peer.sshDestination, "true"])
        #expect(same.succeeded, "\(same)")
    }

    @Test("The installed scp copies there and back", arguments: [[], ["-O"]])
    func scp(mode: [String]) async throws {
        let peer = try await Peer.openSSH()
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        let (source, remote, back) = ("source", "remote", "back")
        try writeFile(peer.directory.file(source), bytes)
        let far = "\(peer.destination):\(peer.directory.file(remote))"
        let options = mode + peer.clientOptions()
        try await run("scp", options + [peer.directory.file(source), far]).success()
        try await run("scp", options + [far, peer.directory.file(back)]).success()
        #expect(try readFile(peer.directory.file(back)) == bytes)
    }

    @Test("The installed scp copies to dropbear", .enabled(if: Peer.dropbearIsAvailable))
    func dropbear() async throws {
        let peer = try await Peer.dropbear()
        try writeFile(peer.directory.file("source"), text: "to dropbear")
        let finished = try await run(
            "scp",
            ["-O"] + peer.clientOptions() + [
                peer.directory.file("source"), "\(peer.destination):\(peer.directory.file("target"))",
            ])
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
        #expect(try readText(peer.directory.file("target")) == "to dropbear")
        let home = try await run("ssh", peer.clientOptions() + [peer.sshDestination, "pwd"])
        #expect(home.outputText == peer.directory.file("home") + "\n", "its home is not the user's: \(home)")
    }

    @Test("A server that is stopped is gone, with its sessions")
    func stop() async throws {
        let peer = try await Peer.openSSH()
        async let session = run(
            "ssh", peer.clientOptions() + [peer.sshDestination, "while echo .; do sleep 0.2; done"])
        try await eventually("a session starts") { peer.log.contains("Starting session") }
        peer.stop()
        let finished = try await session
        #expect(finished.status == .exited(255), "\(finished)")
        await #expect(throws: TestSupportError.self) {
            try await run("ssh", peer.clientOptions() + [peer.sshDestination, "true"]).success()
        }
    }

    @Test("A server whose configuration is wrong says so")
    func wrongConfiguration() async throws {
        let error = await #expect(throws: TestSupportError.self) {
            try await Peer.openSSH(configuration: ["NoSuchOption yes"])
        }
        #expect(error?.description.contains("NoSuchOption") == true)
    }
}
