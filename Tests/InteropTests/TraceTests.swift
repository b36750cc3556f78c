import TestSupport
import Testing

@Suite("What -v tells", .timeLimit(.minutes(hangMinutes)))
struct TraceTests {
    private let contents = "the contents of this file are nobody's business"

    private func start() async throws -> Peer {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try makeTree(.named(["f": .file(Array(contents.utf8), mode: 0o640)]), at: peer.directory.file("d"))
        return peer
    }

    /// What every copy shows, in the order in which it comes: the connection's messages, and the given marks of the
    /// protocol that copies.
    private func expectMessages(_ text: String, _ copying: [String]) {
        var rest = text[...]
        let opening = [
            "SSH_MSG_KEXINIT (20)", "SSH_MSG_KEX_ECDH_INIT (30)", "SSH_MSG_KEX_ECDH_REPLY (31)", "SSH_MSG_NEWKEYS (21)",
            "SSH_MSG_SERVICE_REQUEST (5)", "SSH_MSG_USERAUTH_REQUEST (50)", "\"publickey",
        ]
        for mark in opening + copying + ["SSH_MSG_DISCONNECT (1)"] {
            guard let found = rest.firstRange(of: mark) else {
                Issue.record("no \(mark) where it is due in\n\(text)")
                return
            }
            rest = rest[found.upperBound...]
        }
        // The ends may say goodbye in either order.
        for mark in [
            "SSH_MSG_CHANNEL_OPEN (90)", "\"session\"", "initial window size", "SSH_MSG_CHANNEL_EOF (96)",
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
        let old = try await peer.scp(["-vvv", "-O", "-r", "-p"], operands)
        #expect(old.succeeded, "\(old)")
        expectMessages(
            old.errorText,
            [
                "SSH_MSG_USERAUTH_SUCCESS (52)", "SSH_MSG_CHANNEL_REQUEST (98)", "\"exec\"",
                "\"scp -v -r -p \(isUpload ? "-t" : "-f") ", "SSH_MSG_CHANNEL_SUCCESS (99)",
                "SSH_MSG_CHANNEL_DATA (94)", "SCP timestamps (T)", "SCP directory (D): mode 0755, name \"d\"",
                "SCP file (C): mode 0640, size 47 bytes, name \"f\"", "SCP end of directory (E)",
                "SSH_MSG_CHANNEL_CLOSE (97)",
            ])
        for mark in ["SCP acknowledgement (0): ok", "\"exit-status\""] {
            #expect(old.errorText.contains(mark), "\(old)")
        }

        let usual = try await peer.scp(["-vvv", "-r", "-p"], operands)
        #expect(usual.succeeded, "\(usual)")
        expectMessages(
            usual.errorText,
            [
                "SSH_MSG_CHANNEL_REQUEST (98)", "\"subsystem\"", "\"sftp\"", "SSH_MSG_USERAUTH_SUCCESS (52)",
                "SSH_MSG_CHANNEL_SUCCESS (99)", "sftp request 0 SSH_FXP_STAT (17): path", "sftp answer 0 SSH_FXP_",
                isUpload ? "SSH_FXP_MKDIR (14): path" : "SSH_FXP_READDIR (12): handle", "SSH_FXP_OPEN (3): filename",
                isUpload
                    ? "SSH_FXP_WRITE (6): handle 00000000, offset 0, 47 bytes of data"
                    : "SSH_FXP_READ (5): handle 0000000",
                "SSH_FXP_CLOSE (4): handle",
            ])
    }

    @Test("-v shows the steps, and no packets")
    func steps() async throws {
        let peer = try await start()
        for (options, last) in [([], "Sending subsystem: sftp"), (["-O"], "Sending command: scp -v -t ")] {
            let finished = try await peer.scp(["-v"] + options, [peer.directory.file("d/f"), peer.remote("copy")])
            let text = finished.errorText
            for step in [
                "Connecting to 127.0.0.1", "Remote protocol version SSH-2.0-OpenSSH", "kex: algorithm: ",
                "Server host key: ssh-ed25519 SHA256:", "is known and matches", "Offering public key:",
                "Authenticated to", last,
            ] { #expect(text.contains(step), "no \(step) in\n\(text)") }
            #expect(!text.contains("SSH_MSG_CHANNEL") && !text.contains("SSH_FXP"))
        }
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
