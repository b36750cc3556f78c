import TestSupport
import Testing

@Suite("What -v tells", .timeLimit(.minutes(10)))
struct TraceTests {
    private let contents = "the contents of this file are nobody's business"

    private func start() async throws -> Peer {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try makeTree(.named(["f": .file(Array(contents.utf8), mode: 0o640)]), at: peer.directory.file("d"))
        return peer
    }

    /// Messages that every copy shows, in the order in which they come.
    private func expectMessages(_ text: String, role: String) {
        var rest = text[...]
        for mark in [
            "SSH_MSG_KEXINIT (20)", "SSH_MSG_KEX_ECDH_INIT (30)", "SSH_MSG_KEX_ECDH_REPLY (31)", "SSH_MSG_NEWKEYS (21)",
            "SSH_MSG_SERVICE_REQUEST (5)", "SSH_MSG_USERAUTH_REQUEST (50)", "\"publickey",
            "SSH_MSG_USERAUTH_SUCCESS (52)", "SSH_MSG_CHANNEL_REQUEST (98)", "\"exec\"", "\"scp -v -r -p \(role) ",
            "SSH_MSG_CHANNEL_SUCCESS (99)", "SSH_MSG_CHANNEL_DATA (94)", "SCP timestamps (T)",
            "SCP directory (D): mode 0755, name \"d\"", "SCP file (C): mode 0640, size 47 bytes, name \"f\"",
            "SCP end of directory (E)", "SSH_MSG_CHANNEL_CLOSE (97)",
            "SSH_MSG_DISCONNECT (1)",
        ] {
            guard let found = rest.firstRange(of: mark) else {
                Issue.record("no \(mark) where it is due in\n\(text)")
                return
            }
            rest = rest[found.upperBound...]
        }
        // The ends may say goodbye in either order.
        for mark in [
            "SSH_MSG_CHANNEL_OPEN (90)", "\"session\"", "initial window size", "SCP acknowledgement (0): ok",
            "SSH_MSG_CHANNEL_EOF (96)", "\"exit-status\"",
        ] {
            #expect(text.contains(mark), "no \(mark) in\n\(text)")
        }
        #expect(!text.contains("nobody's business"))
    }

    @Test("-vvv shows every message and record by name, and no contents", arguments: [true, false])
    func packets(isUpload: Bool) async throws {
        let peer = try await start()
        let operands =
            isUpload
            ? [peer.directory.file("d"), peer.remote("copy")] : [peer.remote("d"), peer.directory.file("copy")]
        let finished = try await peer.scp(["-vvv", "-r", "-p"], operands)
        #expect(finished.succeeded, "\(finished)")
        expectMessages(finished.errorText, role: isUpload ? "-t" : "-f")
    }

    @Test("-v shows the steps, and no packets")
    func steps() async throws {
        let peer = try await start()
        let finished = try await peer.scp(["-v"], [peer.directory.file("d/f"), peer.remote("copy")])
        let text = finished.errorText
        for step in [
            "Connecting to 127.0.0.1", "Remote protocol version SSH-2.0-OpenSSH", "kex: algorithm: ",
            "Server host key: ssh-ed25519 SHA256:", "is known and matches", "Offering public key:", "Authenticated to",
            "Sending command: scp -v -t ",
        ] { #expect(text.contains(step), "no \(step) in\n\(text)") }
        #expect(!text.contains("SSH_MSG_CHANNEL"))
    }

    @Test("Without -v nothing is told")
    func silence() async throws {
        let peer = try await start()
        let finished = try await peer.scp([peer.directory.file("d/f"), peer.remote("copy")])
        #expect(finished.succeeded && finished.errors.isEmpty && finished.output.isEmpty, "\(finished)")
    }

    @Test("-vvv never shows a password", .enabled(if: SyntheticAccounts.canHavePasswords))
    func password() async throws {
        let secret = "correct horse"
        let peer = try await Peer.openSSH(
            hostKeys: [.ed25519], configuration: ["PasswordAuthentication yes", "PubkeyAuthentication no"],
            accounts: SyntheticAccounts(passwords: [("alice", secret)]))
        let terminal = try peer.scpOnTerminal(
            ["-vvv", "-oUser=alice"], [peer.knownHosts, "127.0.0.1:\(peer.directory.file("copy"))"])
        try await terminal.wait(for: "assword: ")
        try terminal.send(secret + "\n")
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)")
        let text = terminal.transcript
        #expect(text.contains("SSH_MSG_USERAUTH_REQUEST") && text.contains("\"password\""))
        let hexadecimal = secret.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        for form in [secret, hexadecimal] { #expect(!text.contains(form)) }
    }
}
