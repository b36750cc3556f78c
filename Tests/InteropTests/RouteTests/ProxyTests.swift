import TestSupport
import Testing

/// Servers by the names that a configuration file gives them.
struct NamedPeers {
    let directory: TemporaryDirectory
    let file: String

    /// - Parameter hosts: a name, the server it leads to, and further lines of its block.
    init(_ hosts: [(name: String, peer: Peer, lines: [String])]) throws {
        directory = try TemporaryDirectory()
        file = directory.file("config")
        var text = ""
        for host in hosts {
            text += """
                Host \(host.name)
                  HostName \(host.peer.address)
                  Port \(host.peer.port)
                  User \(host.peer.user)
                  HostKeyAlias test-peer
                  UserKnownHostsFile \(host.peer.knownHosts)
                  IdentityFile \(host.peer.keys.clientKey(.ed25519))
                \(host.lines.map { "  \($0)\n" }.joined())
                """ + "\n"
        }
        text += """
            Host *
              GlobalKnownHostsFile none
              StrictHostKeyChecking yes
              IdentityAgent none
              IdentitiesOnly yes
              BatchMode yes
              KexAlgorithms ^curve25519-sha256

            """
        try writeFile(file, text: text)
    }

    /// Runs our `scp` with the file.
    func scp(_ options: [String], _ operands: [String]) async throws -> Finished {
        try await run(scpBinary(), ["-F", file] + options + operands)
    }

    /// Copies a file to a host and back.
    func roundTrip(_ options: [String] = [], host: String, size: Int = 3_000_000) async throws {
        let bytes = noise(size)
        try writeFile(bytes, at: directory.file("source"))
        let there = "\(host):\(directory.file("there"))"
        for operands in [[directory.file("source"), there], [there, directory.file("back")]] {
            let finished = try await scp(options, operands)
            guard finished.succeeded, finished.errors.isEmpty else { throw TestSupportError("\(finished)") }
        }
        guard try readFile(directory.file("back")) == bytes else { throw TestSupportError("another content") }
    }
}

@Suite("Proxy commands", .timeLimit(.minutes(hangMinutes)))
struct ProxyCommandTests {
    @Test("A connection runs over the standard input and output of a command, which is told when it is over")
    func command() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let proxy = try await Peer.openSSH(hostKeys: [.ed25519])
        let peers = try NamedPeers([("proxy", proxy, []), ("target", peer, [])])
        let ssh = try requireProgram("ssh")
        try await peers.roundTrip(["-oProxyCommand=\(ssh) -F \(peers.file) -W %h:%p proxy"], host: "target")
        #expect(proxy.countInLog("Accepted publickey") == 2)
    }

    @Test("A command that stays when its connection is over gets SIGHUP and is waited for")
    func hangup() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let peers = try NamedPeers([("target", peer, [])])
        let noted = peers.directory.file("noted")
        let script = peers.directory.file("proxy")
        try writeFile(
            script,
            text: """
                #!/bin/bash
                trap 'echo hangup >\(noted); exit' HUP
                exec 3<>/dev/tcp/$1/$2
                cat <&0 >&3 &
                cat <&3 &
                while :; do wait; sleep 0.01; done
                """, mode: 0o755)
        try await peers.roundTrip(["-oProxyCommand=\(script) %h %p"], host: "target", size: 1000)
        #expect(try readText(noted) == "hangup\n")
    }

    @Test("A command that fails, or is no command, ends the copy with a word; none is no command")
    func failing() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let peers = try NamedPeers([("target", peer, [])])
        let operands = ["/etc/hosts", "target:x"]
        let failed = try await peers.scp(["-oProxyCommand=false"], operands)
        #expect(failed.status == .exited(255) && failed.errorText.contains("Connection closed"), "\(failed)")
        let missing = try await peers.scp(["-oProxyCommand=/nonexistent/proxy"], operands)
        #expect(missing.status == .exited(255) && missing.errorText.contains("/nonexistent/proxy"), "\(missing)")
        let passing = try await peers.scp(["-oProxyUseFdpass=yes", "-oProxyCommand=nc -F %h %p"], operands)
        #expect(passing.status == .exited(255) && passing.errorText.contains("ProxyUseFdpass"), "\(passing)")
        try await peers.roundTrip(["-oProxyCommand=none"], host: "target", size: 10)
    }
}

@Suite("Jump hosts", .timeLimit(.minutes(hangMinutes)))
struct JumpHostTests {
    @Test("A copy goes through one server to another, each by its own configuration", arguments: Loopback.available)
    func one(address: Loopback) async throws {
        let target = try await Peer.openSSH(address, hostKeys: [.ed25519])
        let gate = try await Peer.openSSH(hostKeys: [.ecdsa256])
        let peers = try NamedPeers([("gate", gate, []), ("target", target, [])])
        try await peers.roundTrip(["-J", "gate"], host: "target")
        #expect(gate.countInLog("Accepted publickey") == 2 && target.countInLog("Accepted publickey") == 2)
        try await peers.roundTrip(["-O", "-oProxyJump=gate"], host: "target", size: 30_000_000)
        #expect(gate.countInLog("Accepted publickey") == 4)
    }

    @Test("Three servers in a row, named on the command line, in the file, or partly in both")
    func three() async throws {
        let target = try await Peer.openSSH(hostKeys: [.ed25519])
        let first = try await Peer.openSSH(hostKeys: [.ed25519])
        let second = try await Peer.openSSH(hostKeys: [.ed25519])
        let plain = try NamedPeers([("first", first, []), ("second", second, []), ("target", target, [])])
        try await plain.roundTrip(["-J", "first,second"], host: "target")
        #expect(first.countInLog("Accepted publickey") == 2 && second.countInLog("Accepted publickey") == 2)
        let chained = try NamedPeers([
            ("first", first, []), ("second", second, ["ProxyJump first"]), ("target", target, ["ProxyJump second"]),
        ])
        try await chained.roundTrip(host: "target")
        #expect(first.countInLog("Accepted publickey") == 4 && second.countInLog("Accepted publickey") == 4)
        try await chained.roundTrip(["-J", "none"], host: "target")
        #expect(second.countInLog("Accepted publickey") == 4)
        // What the command line says counts for the target alone.
        try await chained.roundTrip(["-J", "second"], host: "target")
        #expect(first.countInLog("Accepted publickey") == 6 && second.countInLog("Accepted publickey") == 6)
    }

    @Test("User and port of a jump host may stand in its name, and the file's options count for it by its name")
    func names() async throws {
        let target = try await Peer.openSSH(hostKeys: [.ed25519])
        let gate = try await Peer.openSSH(hostKeys: [.ed25519])
        let peers = try NamedPeers([("target", target, [])])
        let common = try readText(peers.file)
        try writeFile(
            peers.file,
            text: common + "Host gate\n  HostName \(gate.address)\n  Port 1\n  User nobody-here\nHost *\n"
                + "  HostKeyAlias test-peer\n  UserKnownHostsFile \(gate.knownHosts)\n"
                + "  IdentityFile \(gate.keys.clientKey(.ed25519))\n")
        try await peers.roundTrip(["-J", "\(gate.user)@127.0.0.1:\(gate.port)"], host: "target", size: 100)
        try await peers.roundTrip(["-J", "ssh://\(gate.user)@gate:\(gate.port)"], host: "target", size: 100)
        #expect(gate.countInLog("Accepted publickey") == 4)
    }

    @Test("What goes wrong on the way says where")
    func failures() async throws {
        let target = try await Peer.openSSH(hostKeys: [.ed25519])
        let gate = try await Peer.openSSH(hostKeys: [.ed25519])
        let closed = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["AllowTcpForwarding no"])
        let port = try RefusingPort()
        let peers = try NamedPeers([
            ("gate", gate, []), ("closed", closed, []), ("nobody", gate, ["PubkeyAuthentication no"]),
            ("loop", target, ["ProxyJump loop"]), ("circle1", target, ["ProxyJump circle2"]),
            ("circle2", gate, ["ProxyJump circle1"]), ("target", target, []),
        ])
        let cases: [([String], String, String)] = [
            (
                ["-J", "gate", "-P", "\(port.number)"], "target",
                "port \(port.number) through jump host gate: Connection refused"
            ),
            (["-J", "closed"], "target", "through jump host closed: "),
            (["-J", "no-such-host.invalid"], "target", "resolve hostname no-such-host.invalid"),
            ([], "loop", "jumphost loop via loop"),
            ([], "circle1", "jumphost loop via circle1"),
        ]
        for (options, host, words) in cases {
            let finished = try await peers.scp(options, ["/etc/hosts", "\(host):x"])
            #expect(finished.status == .exited(255) && finished.errorText.contains(words), "\(finished)")
        }
        let denied = try await peers.scp(["-J", "nobody"], ["/etc/hosts", "target:x"])
        expectFailure(denied, "\(gate.user)@\(gate.address): Permission denied")
        #expect(target.countInLog("Connection from") == 0)
    }

    @Test("Each server's key is asked about by its own name")
    func questions() async throws {
        let target = try await Peer.openSSH(hostKeys: [.ed25519])
        let gate = try await Peer.openSSH(hostKeys: [.ed25519])
        let peers = try NamedPeers([("gate", gate, []), ("target", target, [])])
        let hosts = ["gate", "target"].map { "Host \($0)\n  HostKeyAlias \($0).example\n" }.joined()
        let asking =
            "Host *\n  UserKnownHostsFile \(peers.directory.file("new"))\n  StrictHostKeyChecking ask\n  BatchMode no\n"
        try writeFile(peers.file, text: hosts + asking + readText(peers.file))
        let terminal = try Terminal(
            scpBinary(), ["-F", peers.file, "-J", "gate", "/etc/hosts", "target:\(peers.directory.file("x"))"])
        for host in ["gate.example", "target.example"] {
            try await terminal.wait(for: "authenticity of host '\(host)")
            try await terminal.wait(for: "(yes/no/[fingerprint])? ")
            try terminal.send("yes\n")
        }
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)")
    }
}
