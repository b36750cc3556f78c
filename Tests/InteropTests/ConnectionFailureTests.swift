import TestSupport
import Testing

/// Checks that a command failed with one line on standard error, which holds all the texts.
func expectFailure(
    _ finished: Finished, _ texts: String..., lines: Int = 1, status: CInt = 255,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(finished.status == .exited(status), "\(finished)", sourceLocation: sourceLocation)
    let found = finished.errorText.utf8.split(separator: 10)
    #expect(found.count == lines, "\(finished)", sourceLocation: sourceLocation)
    for text in texts {
        #expect(finished.errorText.contains(text), "no \"\(text)\" in \(finished)", sourceLocation: sourceLocation)
    }
}

@Suite("A server that cannot be reached, trusted or logged in to", .timeLimit(.minutes(hangMinutes)))
struct ConnectionFailureTests {
    @Test("An unknown host is named")
    func unknownHost() async throws {
        let finished = try await run(scpBinary(), ["/etc/hostname", "no-such-host.invalid:x"])
        expectFailure(finished, "no-such-host.invalid", "resolve")
    }

    @Test("A refused connection is told with host and port", arguments: Loopback.available)
    func refused(address: Loopback) async throws {
        let port = try RefusingPort(address)
        let finished = try await run(scpBinary(), ["-P\(port.number)", "/etc/hostname", "\(address.bracketed):x"])
        expectFailure(finished, address.rawValue, "port \(port.number)", "Connection refused")
    }

    @Test("A host that could not be reached is not asked again: SFTP tells it once, SCP for each file")
    func refusedTwice() async throws {
        let directory = try TemporaryDirectory()
        let port = try RefusingPort()
        for (options, lines, status) in [([], 1, 255), (["-O"], 2, 1)] as [([String], Int, CInt)] {
            let finished = try await run(
                scpBinary(), options + ["-P\(port.number)", "127.0.0.1:a", "127.0.0.1:b", directory.path])
            expectFailure(finished, "Connection refused", lines: lines, status: status)
        }
    }

    @Test("A server that never answers is given up after ConnectTimeout")
    func connectTimeout() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let relay = try Relay(to: peer.port, fault: .blackHole(.toServer, after: 0))
        try writeFile(peer.directory.file("a"), text: "a")
        let finished = try await peer.scp(
            ["-oConnectTimeout=1"], [peer.directory.file("a"), peer.remote("b")], port: relay.port)
        expectFailure(finished, "127.0.0.1", "1 s")
    }

    @Test("A server that stops answering in the middle is given up by ServerAliveInterval")
    func silentInTheMiddle() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let relay = try Relay(to: peer.port, fault: .blackHole(.toClient, after: 300_000))
        try writeFile(noise(3_000_000), at: peer.directory.file("a"))
        let finished = try await peer.scp(
            ["--retries=0", "-oServerAliveInterval=1", "-oServerAliveCountMax=1"],
            [peer.remote("a"), peer.directory.file("b")],
            port: relay.port)
        #expect(finished.status == .exited(1))
        #expect(finished.errorText.contains("not responding"), "\(finished)")
    }

    @Test("A key the server does not know is denied, and the methods are listed")
    func permissionDenied() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        var options = peer.clientOptions()
        options[options.count - 1] = peer.keys.strangerKey
        let denied = try await run(
            scpBinary(), options + [peer.directory.file("known_hosts"), peer.remote("b")])
        expectFailure(denied, "\(peer.sshDestination): Permission denied (publickey)")
    }

    @Test("An unknown host key stops the copy where StrictHostKeyChecking is yes")
    func unknownHostKey() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let finished = try await peer.scp(
            ["-oUserKnownHostsFile=\(peer.directory.file("empty"))"],
            [peer.directory.file("known_hosts"), peer.remote("b")])
        expectFailure(finished, "Host key verification failed", "StrictHostKeyChecking")
        #expect(!listDirectory(peer.directory.path).contains(Array("b".utf8)))
    }

    @Test(
        "A changed host key stops the copy unless StrictHostKeyChecking is no, and names the line",
        arguments: ["yes", "accept-new", "ask"])
    func changedHostKey(checking: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let hosts = peer.directory.file("other_hosts")
        let other = try readText(peer.keys.strangerKey + ".pub")
        try writeFile(hosts, text: "# a comment\n\ntest-peer \(other)")
        let before = try readText(hosts)
        let finished = try await peer.scp(
            ["-oUserKnownHostsFile=\(hosts)", "-oStrictHostKeyChecking=\(checking)"],
            [peer.directory.file("known_hosts"), peer.remote("b")])
        #expect(finished.status == .exited(255))
        #expect(finished.errorText.contains("CHANGED"), "\(finished)")
        #expect(finished.errorText.contains("\(hosts):3"), "\(finished)")
        #expect(finished.errorText.contains("ssh-keygen -f '\(hosts)' -R 'test-peer'"), "\(finished)")
        #expect(finished.errorText.hasSuffix("Host key verification failed: the host key of 127.0.0.1 has changed\n"))
        #expect(try readText(hosts) == before)
        #expect(!listDirectory(peer.directory.path).contains(Array("b".utf8)))
        #expect(!peer.log.contains("Accepted"))
    }

    @Test(
        "With StrictHostKeyChecking no a changed key is warned of, and a server behind it gets no more than a signature"
    )
    func changedHostKeyAccepted() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let hosts = peer.directory.file("other_hosts")
        try writeFile(hosts, text: "test-peer \(try readText(peer.keys.strangerKey + ".pub"))")
        let before = try readText(hosts)
        let options = ["-oUserKnownHostsFile=\(hosts)", "-oStrictHostKeyChecking=no"]
        let operands = [peer.directory.file("known_hosts"), peer.remote("b")]
        let finished = try await peer.scp(options, operands)
        #expect(finished.succeeded, "\(finished)")
        #expect(finished.errorText.contains("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"), "\(finished)")
        #expect(finished.errorText.contains("Password authentication is disabled"), "\(finished)")
        #expect(try readText(hosts) == before)
        let agent = try await peer.scp(["-A", "-oPubkeyAuthentication=no"] + options, operands)
        #expect(agent.status == .exited(255) && agent.errorText.contains("Permission denied"), "\(agent)")
        #expect(agent.errorText.contains("Agent forwarding is disabled"), "\(agent)")
    }

    @Test("-O never ends with 255, as with OpenSSH: the other end is silent, and that is all there is to know")
    func statusOfSCP() async throws {
        let port = try RefusingPort(.ipv4)
        let finished = try await run(scpBinary(), ["-O", "-P\(port.number)", "/etc/hostname", "127.0.0.1:x"])
        #expect(finished.status == .exited(1) && finished.errorText.contains("Connection refused"), "\(finished)")
    }

    @Test("What cannot be copied is status 1 where there is a connection, and so is a local mistake")
    func statusOfCopies() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let missing = try await peer.scp([peer.remote("missing"), peer.directory.file("x")])
        #expect(missing.status == .exited(1), "\(missing)")
        let local = try await run(scpBinary(), [peer.directory.file("missing"), peer.directory.file("x")])
        #expect(local.status == .exited(1), "\(local)")
    }

    @Test("A revoked host key stops the copy, and names the line")
    func revokedHostKey() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let hosts = peer.directory.file("revoked_hosts")
        let good = try readText(peer.knownHosts)
        let key = try readText(peer.keys.hostKey(.ed25519) + ".pub")
        try writeFile(hosts, text: good + "@revoked * \(key)")
        let finished = try await peer.scp(
            ["-oUserKnownHostsFile=\(hosts)", "-oStrictHostKeyChecking=no"],
            [peer.directory.file("known_hosts"), peer.remote("b")])
        expectFailure(finished, "revoked", "\(hosts):2")
    }

    @Test(
        "Where no algorithm is shared, both offers are listed",
        arguments: [
            ("Ciphers aes128-ctr", "-oCiphers=aes256-gcm@openssh.com", "aes128-ctr", "aes256-gcm@openssh.com"),
            (
                "KexAlgorithms ecdh-sha2-nistp256", "-oKexAlgorithms=curve25519-sha256", "ecdh-sha2-nistp256",
                "curve25519-sha256"
            ),
            ("HostKeyAlgorithms ssh-ed25519", "-oHostKeyAlgorithms=rsa-sha2-512", "ssh-ed25519", "rsa-sha2-512"),
        ])
    func noCommonAlgorithm(server: String, client: String, theirs: String, ours: String) async throws {
        let peer = try await Peer.openSSH(configuration: [server])
        let finished = try await peer.scp([client], [peer.directory.file("known_hosts"), peer.remote("b")])
        expectFailure(finished, theirs, ours)
    }

    @Test("Something else than an SSH server is told by what it says")
    func notSSH() async throws {
        let relay = try Relay(
            to: try await Peer.openSSH(hostKeys: [.ed25519]).port,
            fault: .garbage(Array("HTTP/1.1 400 Bad Request\r\nServer: \u{1b}[31mx\r\n\r\n".utf8)))
        let finished = try await run(
            scpBinary(), ["-P\(relay.port)", "/etc/hostname", "127.0.0.1:x"])
        expectFailure(finished, "127.0.0.1", "port \(relay.port)")
        #expect(!finished.errors.contains(27), "a control byte of the peer's reached the terminal")
    }

    @Test("A server that closes at once is reported")
    func closesAtOnce() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let relay = try Relay(to: peer.port, fault: .cut(.toClient, after: 0, reset: false))
        let finished = try await peer.scp([], [peer.directory.file("known_hosts"), peer.remote("b")], port: relay.port)
        expectFailure(finished, "127.0.0.1", "port \(relay.port)", "closed")
    }

    @Test("A server without room for another connection, or that runs no commands, is reported")
    func refusedCommand() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["MaxSessions 0"])
        let finished = try await peer.scp([peer.directory.file("known_hosts"), peer.remote("b")])
        expectFailure(finished, "open", status: 1)
    }

    @Test(
        "A connection that breaks in the middle ends in a message, exit 1, and no file called complete",
        arguments: [true, false], [true, false])
    func cut(isUpload: Bool, reset: Bool) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let relay = try Relay(
            to: peer.port, fault: .cut(isUpload ? .toServer : .toClient, after: 1_000_000, reset: reset))
        let bytes = noise(3_000_000)
        try peer.directory.makeDirectory("source")
        try peer.directory.makeDirectory("target")
        for name in ["a", "b"] { try writeFile(bytes, at: peer.directory.file("source/\(name)")) }
        let operands =
            isUpload
            ? [peer.directory.file("source/a"), peer.directory.file("source/b"), peer.remote("target")]
            : [peer.remote("source/a"), peer.remote("source/b"), peer.directory.file("target")]
        let finished = try await peer.scp(["--retries=0"], operands, port: relay.port)
        #expect(finished.status == .exited(1), "\(finished)")
        #expect(finished.errorText.hasPrefix("scp: "), "\(finished)")
        for name in ["a", "b"] {
            let there = (try? readFile(at: peer.directory.file("target/\(name)"))) ?? []
            #expect(there != bytes)
        }
    }

    @Test("One bit turned over on the way is found out, both ways", arguments: Direction.allCases)
    func bitFlip(direction: Direction) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let relay = try Relay(to: peer.port, fault: .bitFlip(direction, offset: 500_000))
        try writeFile(noise(2_000_000), at: peer.directory.file("a"))
        let operands =
            direction == .toServer
            ? [peer.directory.file("a"), peer.remote("b")] : [peer.remote("a"), peer.directory.file("b")]
        // Whether the server's word on it arrives before its end is chance; without it the connection is one that was lost.
        let finished = try await peer.scp(["--retries=0"], operands, port: relay.port)
        #expect(finished.status == .exited(1), "\(finished)")
        #expect(finished.errorText.hasPrefix("scp: "), "\(finished)")
    }
}
