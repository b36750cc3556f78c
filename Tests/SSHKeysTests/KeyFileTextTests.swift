import TestSupport
import Testing

@testable import SSHKeys

@Suite("Key files whose text suffered on the way")
struct KeyFileTextTests {
    /// Each kind of file, with its passphrase.
    private struct Sample {
        let text: String
        let passphrase: [UInt8]?
        let key: PublicKey
    }

    private static let passphrase = Array("pass phrase".utf8)

    private func samples() async throws -> [Sample] {
        let directory = try TemporaryDirectory()
        var samples: [Sample] = []
        func add(_ name: String, _ passphrase: [UInt8]?) throws {
            let text = try directory.read(name)
            samples.append(
                Sample(
                    text: text, passphrase: passphrase,
                    key: try PrivateKey(text: text, passphrase: passphrase).publicKey))
        }
        for words in ["", "pass phrase"] {
            let passphrase = words.isEmpty ? nil : Self.passphrase
            for (type, format) in [("ed25519", "RFC4716"), ("ecdsa", "PEM"), ("ecdsa", "PKCS8"), ("rsa", "PEM")] {
                let name = "\(type)-\(format)-\(words.count)"
                try await succeed(
                    "ssh-keygen", ["-q", "-t", type, "-m", format, "-N", words, "-f", directory.file(name)])
                try add(name, passphrase)
            }
            try directory.write(words, to: "words")
            let name = "putty-\(words.count)"
            try await succeed(
                "puttygen",
                [
                    "-q", "-t", "ed25519", "-C", "a comment: with a colon", "-o", directory.file(name),
                    "--new-passphrase", directory.file("words"),
                ])
            try add(name, passphrase)
        }
        return samples
    }

    @Test(
        "Line ends may be those of any system, blanks, or written out; the whole may be quoted and behind a byte order mark"
    )
    func lineEnds() async throws {
        for sample in try await samples() {
            for end in ["\r\n", "\r", " ", "\\n", "\\r\\n", "\n\n", "\t"] {
                let changed = sample.text.split(separator: "\n").joined(separator: end)
                // Opening an encrypted one takes its time.
                guard sample.passphrase == nil || [" ", "\\n"].contains(end) else { continue }
                let whole = [changed, changed + end, "\u{feff}" + changed, "\"\(changed)\"", "  " + changed]
                for text in sample.passphrase == nil ? whole : [changed] {
                    let key = try PrivateKey(text: text, passphrase: sample.passphrase)
                    #expect(key.publicKey == sample.key, "\(end.debugDescription)")
                }
            }
        }
    }

    @Test("A key without encryption may lose its line ends altogether")
    func noLineEnds() async throws {
        for sample in try await samples() where sample.passphrase == nil && !sample.text.hasPrefix("PuTTY") {
            let text = sample.text.split(separator: "\n").joined()
            #expect(try PrivateKey(text: text).publicKey == sample.key)
        }
    }

    @Test("No message about a file shows what it holds, however it is damaged")
    func messages() async throws {
        for sample in try await samples() {
            let lines = sample.text.split(separator: "\n").map(String.init)
            let secrets = lines.filter { !$0.hasPrefix("-") && !$0.contains(":") && $0.count > 12 }
            let joined = lines.joined(separator: " ")
            var damaged = [
                joined.replacing("-----END", with: "----END"), joined.replacing("-----BEGIN", with: "BEGIN"),
                joined.replacing("KEY-----", with: "KEY"), String(joined.dropLast(30)), lines.joined(),
                secrets.joined(separator: "\n"), secrets.joined(), joined.replacing(" ", with: ":"),
                joined.replacing(":", with: ""), joined.replacing("=", with: "!"),
            ]
            for cut in stride(from: 5, to: joined.count, by: 211) {
                damaged.append(String(joined.prefix(cut)))
                damaged.append(String(sample.text.prefix(cut)))
                damaged.append(sample.text.prefix(cut) + "*" + sample.text.dropFirst(cut))
            }
            for text in damaged {
                expectSilence(of: secrets) { _ = try PrivateKey(text: text) }
                expectSilence(of: secrets) { _ = try PublicKey(privateKeyText: text) }
                expectSilence(of: secrets) { _ = try PublicKey(openSSHLine: text) }
                expectSilence(of: secrets) { _ = try Certificate(openSSHLine: text) }
                expectSilence(of: secrets) { _ = try RevokedKeys(Array(text.utf8)) }
                let told =
                    AuthorizedKeys(Array(text.utf8)).faults.map(\.description)
                    + KnownHosts(file: "kh", text: text).warnings.map(\.description)
                expectSilence(of: secrets, in: told.joined(separator: "\n"))
            }
        }
    }

    /// Runs something that may fail, and checks what the failure says.
    private func expectSilence(of secrets: [String], _ body: () throws -> Void) {
        do { try body() } catch { expectSilence(of: secrets, in: "\(error)") }
    }

    private func expectSilence(of secrets: [String], in message: String) {
        for secret in secrets {
            let text = message.lowercased()
            let pieces = stride(from: 0, to: secret.count - 12, by: 8).map {
                secret.dropFirst($0).prefix(12).lowercased()
            }
            #expect(!pieces.contains { text.contains($0) }, "\(message)")
        }
        for line in message.split(separator: "\n") { #expect(line.utf8.count < 400) }
    }

    @Test(
        "What is no private key is told as what it is",
        arguments: [
            ("", "it is empty"), (" \n", "it is empty"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDcz+RG7DPpf4FgB3zoPpXhjFwMzyTNdTTpvRvLDxWiP me", "public key"),
            ("hello", "no private key in it"), ("b\0e\0g\0i\0n\0", "UTF-16"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "no line -----END OPENSSH PRIVATE KEY-----"),
            ("---BEGIN OPENSSH PRIVATE KEY---\nAAAA", "no line -----BEGIN"),
        ])
    func others(text: String, words: String) {
        #expect {
            try PrivateKey(text: text)
        } throws: {
            "\($0)".contains(words)
        }
    }
}
