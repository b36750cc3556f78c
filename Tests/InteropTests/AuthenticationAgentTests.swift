import NIOCore
import Platform
import SSHClient
import SSHConfig
import SSHNIO
import TestSupport
import Testing

@Suite("Log in by an agent", .timeLimit(.minutes(hangMinutes)))
struct AuthenticationAgentTests {
    /// Options that reach a server with the agent's keys alone.
    private func options(_ peer: Peer, _ agent: TestAgent, _ more: [String] = []) -> [String] {
        var options = peer.clientOptions()
        options.removeLast(2)
        return more + ["-oIdentityAgent=\(agent.socket)", "-oIdentitiesOnly=no", "-oIdentityFile=none"] + options
    }

    private func copy(
        _ peer: Peer, _ options: [String], environment: [String: String?] = [:]
    ) async throws -> Finished {
        try await run(
            scpBinary(), options + [peer.knownHosts, peer.remote("copy")], environment: environment)
    }

    @Test("The keys of an agent let in, of every type", arguments: TestKeyType.allCases)
    func keys(type: TestKeyType) async throws {
        let (peer, agent) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await TestAgent())
        try await agent.add([peer.keys.clientKey(type)])
        let finished = try await copy(peer, options(peer, agent))
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)\n\(peer.log)")
        if type == .rsa {
            let accepted = "RSA SHA256:"
            #expect(peer.log.contains(accepted))
        }
    }

    @Test("Dropbear takes the agent's keys", .enabled(if: Peer.dropbearIsAvailable))
    func dropbear() async throws {
        let (peer, agent) = (try await Peer.dropbear(hostKeys: [.ed25519]), try await TestAgent())
        try await agent.add([peer.keys.clientKey(.rsa)])
        let finished = try await copy(peer, options(peer, agent))
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
    }

    @Test("The agent is found by SSH_AUTH_SOCK, by a variable and by its path; none is none")
    func identityAgent() async throws {
        let (peer, agent) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await TestAgent())
        try await agent.add([peer.keys.clientKey(.ed25519)])
        let plain = ["-oIdentitiesOnly=no", "-oIdentityFile=none"] + peer.clientOptions().dropLast(2)
        func lets(_ setting: String, _ environment: [String: String?]) async throws -> Bool {
            try await copy(peer, ["-oIdentityAgent=\(setting)"] + plain, environment: environment).succeeded
        }
        #expect(try await lets("SSH_AUTH_SOCK", ["SSH_AUTH_SOCK": agent.socket]))
        #expect(try await lets("$MY_AGENT", ["MY_AGENT": agent.socket, "SSH_AUTH_SOCK": nil]))
        #expect(try await lets("${MY_AGENT}", ["MY_AGENT": agent.socket, "SSH_AUTH_SOCK": nil]))
        #expect(try await lets(agent.socket, ["SSH_AUTH_SOCK": nil]))
        #expect(try await !lets("none", ["SSH_AUTH_SOCK": agent.socket]))
        #expect(try await !lets("$MY_AGENT", ["MY_AGENT": nil, "SSH_AUTH_SOCK": agent.socket]))
    }

    @Test("With IdentitiesOnly a public file chooses among the agent's keys", arguments: ["key.pub", "key"])
    func identitiesOnly(name: String) async throws {
        let (peer, agent) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await TestAgent())
        try await agent.add([peer.keys.strangerKey, peer.keys.clientKey(.ecdsa256), peer.keys.clientKey(.ed25519)])
        try writeFile(
            peer.directory.file("key.pub"), readFile(peer.keys.clientKey(.ed25519) + ".pub"), mode: 0o644)
        var settings = peer.clientOptions()
        settings[settings.count - 1] = peer.directory.file(name)
        let finished = try await copy(peer, ["-v", "-oIdentityAgent=\(agent.socket)"] + settings)
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
        let offers = finished.errorText.split(separator: "\n").filter { $0.contains("Offering public key") }
        #expect(offers.count == 1 && offers.allSatisfy { $0.contains("ED25519") }, "\(offers)")
    }

    @Test("A key that may go to one host only goes there, and to no other")
    func destinationConstraints() async throws {
        let (peer, other) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await Peer.openSSH(hostKeys: [.rsa]))
        let agent = try await TestAgent()
        let hosts = peer.directory.file("hosts")
        try writeFile(hosts, text: peer.keys.knownHosts("test-peer", [.ed25519]))
        try await agent.add(["-h", "test-peer", "-H", hosts, peer.keys.clientKey(.ed25519)])
        let there = try await copy(peer, options(peer, agent))
        #expect(there.succeeded, "\(there)\n\(peer.log)")
        let elsewhere = try await copy(other, options(other, agent))
        #expect(elsewhere.status == .exited(255) && elsewhere.errorText.contains("Permission denied"), "\(elsewhere)")
    }

    @Test("A file's key is given to the agent as AddKeysToAgent says", arguments: ["yes", "5m", "confirm", "no"])
    func addKeys(choice: String) async throws {
        let (peer, agent) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await TestAgent())
        let settings = ["-oIdentityAgent=\(agent.socket)", "-oAddKeysToAgent=\(choice)"] + peer.clientOptions()
        let finished = try await copy(peer, settings)
        #expect(finished.succeeded, "\(finished)")
        #expect(try await agent.list().contains("ED25519") == (choice != "no"))
    }

    @Test("With AddKeysToAgent=ask the user is asked by SSH_ASKPASS, which is told that it is to confirm")
    func askBeforeAdding() async throws {
        for (answer, isAdded) in [("exit 0", true), ("exit 1", false)] {
            let (peer, agent) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await TestAgent())
            let (program, asked) = (peer.directory.file("askpass"), peer.directory.file("asked"))
            try writeFile(
                program, text: "#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT: $1\" >'\(asked)'\n\(answer)\n", mode: 0o755)
            var settings = ["-oIdentityAgent=\(agent.socket)", "-oAddKeysToAgent=ask"] + peer.clientOptions()
            settings[settings.firstIndex(of: "BatchMode=yes") ?? 0] = "BatchMode=no"
            let finished = try await copy(
                peer, settings, environment: ["SSH_ASKPASS": program, "SSH_ASKPASS_REQUIRE": "force"])
            #expect(finished.succeeded, "\(finished)")
            let key = peer.keys.clientKey(.ed25519)
            #expect(try readText(asked) == "confirm: Add key \(key) (client_ed25519) to agent?\n")
            #expect(try await agent.list().contains("ED25519") == isAdded)
        }
    }

    @Test("FIDO keys sign through the agent", arguments: ["ed25519-sk", "ecdsa-sk"])
    func securityKeys(type: String) async throws {
        // OpenSSH's own stand-in for a token, of its package of regression tests.
        let provider = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
        try #require(access(provider, R_OK) == 0, "openssh-tests is not installed")
        let directory = try TemporaryDirectory()
        let key = directory.file("key")
        let environment = ["SSH_SK_PROVIDER": provider]
        try await run(
            "ssh-keygen", ["-q", "-t", type, "-N", "", "-f", key, "-w", provider], environment: environment
        ).success()
        let agent = try await TestAgent(["-P", "/usr/lib/*"], environment: environment)
        try await agent.add(["-S", provider, key], environment: environment)
        let peer = try await Peer.openSSH(
            hostKeys: [.ed25519], configuration: ["AuthorizedKeysFile \(key).pub"])
        let finished = try await copy(peer, options(peer, agent, ["-oSecurityKeyProvider=internal"]))
        #expect(finished.succeeded, "\(finished)\n\(peer.log)")
        // The file alone says which key it is.
        var settings = peer.clientOptions()
        settings[settings.count - 1] = key
        let chosen = try await copy(peer, ["-oIdentityAgent=\(agent.socket)"] + settings)
        #expect(chosen.succeeded, "\(chosen)\n\(peer.log)")
    }

    /// What a command on the server sees when our library lends it an agent.
    private func execute(_ command: String, _ peer: Peer, _ change: (inout ClientOptions) -> Void) async throws
        -> String
    {
        var options = ClientOptions(host: "\(peer.address)")
        options.port = peer.port
        options.hostKeyAlias = "test-peer"
        options.userKnownHostsFiles = [peer.knownHosts]
        options.globalKnownHostsFiles = []
        options.identityFiles = [peer.keys.clientKey(.ed25519)]
        options.agentSocket = nil
        change(&options)
        let client = try await SSHClient.connect(options, interface: SilentInterface())
        let channel = try await client.exec(command)
        try await channel.finishWriting()
        var output = ByteBuffer()
        while let bytes = try await channel.read() { output.writeImmutableBuffer(bytes) }
        await channel.waitForClose()
        await client.close()
        return String(buffer: output)
    }

    enum Lender: CaseIterable {
        case openSSH
        case asyncSSH
        case dropbear

        func start() async throws -> Peer {
            switch self {
            case .openSSH: try await Peer.openSSH(hostKeys: [.ed25519])
            case .asyncSSH: try await Peer.asyncSSH(hostKeys: [.ed25519])
            case .dropbear: try await Peer.dropbear(hostKeys: [.ed25519])
            }
        }
        static let available = allCases.filter { $0 != .dropbear || Peer.dropbearIsAvailable }
    }

    @Test("A lent agent shows its keys on the far side; one that is not lent does not", arguments: Lender.available)
    func forwarding(lender: Lender) async throws {
        let peer = try await lender.start()
        let agent = try await TestAgent()
        try await agent.add([peer.keys.clientKey(.ecdsa256)])
        let list = "for i in 1 2 3; do ssh-add -l 2>&1; done"
        let expected = String(repeating: try await agent.list(), count: 3)
        #expect(try await execute(list, peer) { $0.forwardAgent = .socket(agent.socket) } == expected)
        let usual = try await execute(list, peer) {
            $0.agentSocket = agent.socket
            $0.forwardAgent = .yes
        }
        #expect(usual == expected)
        let without = try await execute("ssh-add -l 2>&1", peer) { $0.agentSocket = agent.socket }
        #expect(!without.contains("ECDSA"), "\(without)")
    }

    @Test("A lent agent with nobody behind it is refused to the far side, and the session lives on")
    func goneAgent() async throws {
        let (peer, agent) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await TestAgent())
        // It takes its socket away when it ends.
        let command = """
            kill $(cat \(peer.directory.file("pid"))); while [ -e \(agent.socket) ]; do sleep 0.1; done
            ssh-add -l 2>&1; echo alive
            """
        let pid = try await run("pgrep", ["-f", agent.socket]).outputText
        try writeFile(peer.directory.file("pid"), text: pid)
        let output = try await execute(command, peer) { $0.forwardAgent = .socket(agent.socket) }
        #expect(output.hasSuffix("alive\n") && !output.contains("no identities"), "\(output)")
    }

    @Test("Keys that may not travel are not shown to the far side; those that may sign there")
    func forwardedConstraints() async throws {
        let (peer, next) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await Peer.openSSH(hostKeys: [.rsa]))
        let agent = try await TestAgent()
        let hosts = peer.directory.file("hosts")
        try writeFile(
            hosts,
            text: peer.keys.knownHosts("test-peer", [.ed25519]) + peer.keys.knownHosts("next", [.rsa]))
        // One for the first hop only, one for the way by it to the next.
        try await agent.add(["-h", "test-peer", "-H", hosts, peer.keys.clientKey(.ecdsa384)])
        try await agent.add(
            ["-h", "test-peer", "-h", "test-peer>next", "-H", hosts, peer.keys.clientKey(.ecdsa256)])
        let settings =
            "-F none -p \(next.port) -o UserKnownHostsFile=\(next.knownHosts) -o HostKeyAlias=test-peer "
            + "-o BatchMode=yes -o IdentityFile=none"
        let command = "ssh-add -l; ssh \(settings) \(next.sshDestination) echo arrived 2>&1"
        let output = try await execute(command, peer) { $0.forwardAgent = .socket(agent.socket) }
        #expect(output.contains("client_ecdsa256") && !output.contains("client_ecdsa384"), "\(output)")
        #expect(output.hasSuffix("arrived\n"), "\(output)")
    }

    @Test("scp lends an agent with -A only, whatever else it is told")
    func commandLine() async throws {
        let (peer, agent) = (try await Peer.openSSH(hostKeys: [.ed25519]), try await TestAgent())
        try await agent.add([peer.keys.clientKey(.ed25519)])
        let with = try await copy(peer, options(peer, agent, ["-A", "-vvv"]))
        #expect(with.succeeded && with.errorText.contains("auth-agent-req@openssh.com"), "\(with)")
        let without = try await copy(peer, options(peer, agent, ["-vvv"]))
        #expect(without.succeeded && !without.errorText.contains("auth-agent-req@openssh.com"), "\(without)")
    }
}
