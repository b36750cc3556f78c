import Crypto
import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHKeys

@Suite("OpenSSH private key files")
struct OpenSSHKeyFileTests {
    @Test("what ssh-keygen wrote is read", arguments: signingTypes)
    func readsSSHKeygen(type: KeyType, arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("ssh-keygen", arguments + ["-q", "-N", "", "-C", "me@host", "-f", directory.file("key")])
        let key = try PrivateKey(text: directory.read("key"))
        #expect(key.comment == "me@host")
        #expect(key.publicKey.openSSHLine + " me@host\n" == (try directory.read("key.pub")))
    }

    @Test("what we write, ssh-keygen and we read", arguments: signingTypes)
    func writtenForSSHKeygen(type: KeyType, arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        let key = try PrivateKey.generate(type, bits: 2048, comment: "ours")
        for passphrase in [nil, Array("secret".utf8)] {
            let text = try key.openSSHFile(passphrase: passphrase, rounds: 1)
            try directory.write(text, to: "key")
            let words = passphrase == nil ? "" : "secret"
            let line = try await succeed("ssh-keygen", ["-y", "-P", words, "-f", directory.file("key")])
            #expect(line == key.publicKey.openSSHLine + " ours\n")
            let again = try PrivateKey(text: text, passphrase: passphrase)
            #expect(again.publicKey == key.publicKey)
            #expect(again.comment == "ours")
            #expect(try PublicKey(privateKeyText: text) == key.publicKey)
        }
    }

    @Test("RSA keys of odd sizes pass through our writer", arguments: [1024, 1031, 2047])
    func oddRSA(bits: Int) async throws {
        let directory = try TemporaryDirectory()
        try await succeed("ssh-keygen", ["-t", "rsa", "-b", "\(bits)", "-q", "-N", "", "-f", directory.file("key")])
        let key = try PrivateKey(text: directory.read("key"))
        try directory.write(key.openSSHFile(), to: "again")
        let line = try await succeed("ssh-keygen", ["-y", "-P", "", "-f", directory.file("again")])
        #expect(line.trimmed.hasPrefix(key.publicKey.openSSHLine))
    }

    @Test("every cipher ssh-keygen writes with is opened and written", arguments: KeyFileCipher.all.map(\.name))
    func ciphers(name: String) async throws {
        let directory = try TemporaryDirectory()
        try await succeed(
            "ssh-keygen",
            ["-t", "ed25519", "-q", "-N", "pass phrase", "-a", "1", "-Z", name, "-f", directory.file("key")])
        let text = try directory.read("key")
        let key = try PrivateKey(text: text, passphrase: Array("pass phrase".utf8))
        #expect(
            key.publicKey.openSSHLine
                == (try directory.read("key.pub")).split(separator: " ").prefix(2).joined(separator: " "))
        #expect(throws: KeyError.wrongPassphrase) { try PrivateKey(text: text, passphrase: Array("other".utf8)) }
        #expect(throws: KeyError.passphraseNeeded) { try PrivateKey(text: text) }
        #expect(throws: KeyError.passphraseNeeded) { try PrivateKey(text: text, passphrase: []) }
        try directory.write(key.openSSHFile(passphrase: Array("new".utf8), cipher: name, rounds: 1), to: "key")
        let line = try await succeed("ssh-keygen", ["-y", "-P", "new", "-f", directory.file("key")])
        #expect(line.trimmed.hasPrefix(key.publicKey.openSSHLine))
    }

    @Test("a cipher we lack is named")
    func unknownCipher() throws {
        let key = try PrivateKey.generate(.ed25519)
        let text = try key.openSSHFile(passphrase: [1], cipher: "aes256-ctr", rounds: 1)
        let pem = try #require(try PEM(privateKeyIn: Array(text.utf8)))
        var strange = pem.bytes
        let name = Array("aes256-ctr".utf8)
        let start = try #require(strange.indices.first { strange[$0...].starts(with: name) })
        strange.replaceSubrange(start..<(start + name.count), with: Array("aes256-xyz".utf8))
        let file = PEM.text(label: pem.label, bytes: strange, width: 70)
        #expect(throws: KeyError.unsupported(what: "key file cipher", name: "aes256-xyz")) {
            try PrivateKey(text: file, passphrase: [1])
        }
    }

    @Test("bcrypt_pbkdf gives the published vectors")
    func bcryptVectors() throws {
        // From the test of the Go module golang.org/x/crypto and of the Rust crate bcrypt-pbkdf (values only).
        #expect(
            try BcryptPBKDF.derive(
                passphrase: Array("password".utf8), salt: Array("salt".utf8), rounds: 4, count: 32)
                == hex("5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9"))
    }

    @Test("checks numbers, padding and the public half")
    func inconsistencies() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "abc")
        let other = try PrivateKey.generate(.ed25519)
        func file(
            checks: (UInt32, UInt32) = (7, 7), publicKey: PublicKey, firstPad: UInt8 = 1, count: UInt32 = 1,
            trailing: [UInt8] = []
        ) throws -> String {
            var plain = ByteBuffer()
            plain.writeInteger(checks.0)
            plain.writeInteger(checks.1)
            try key.material.writeOpenSSH(publicKey: key.publicKey, to: &plain)
            plain.writeSSHString("abc")
            let needed = (8 - plain.readableBytes % 8) % 8
            #expect(needed > 0)
            plain.writeBytes((0..<needed).map { UInt8($0) + firstPad })
            var bytes = ByteBuffer(bytes: OpenSSHKeyFile.magic)
            for word in ["none", "none", ""] { bytes.writeSSHString(word) }
            bytes.writeInteger(count)
            bytes.writeSSHString(publicKey.blobBytes)
            bytes.writeSSHString(plain)
            bytes.writeBytes(trailing)
            return PEM.text(label: OpenSSHKeyFile.label, bytes: Array(bytes.readableBytesView), width: 70)
        }
        #expect(try PrivateKey(text: file(publicKey: key.publicKey)).publicKey == key.publicKey)
        for bad in [
            try file(checks: (7, 8), publicKey: key.publicKey), try file(publicKey: other.publicKey),
            try file(publicKey: key.publicKey, count: 2), try file(publicKey: key.publicKey, trailing: [0]),
            try file(publicKey: key.publicKey, firstPad: 0),
            try file(publicKey: key.publicKey, firstPad: 2),
        ] {
            #expect(throws: KeyError.self) { try PrivateKey(text: bad) }
        }
    }

    @Test("every truncation is refused, and flipped bits never trap", arguments: signingTypes)
    func damage(type: KeyType, arguments: [String]) throws {
        let key = try PrivateKey.generate(type, bits: 1024, comment: "c")
        let pem = try #require(try PEM(privateKeyIn: Array(try key.openSSHFile().utf8)))
        for count in pem.bytes.indices {
            #expect(throws: KeyError.self) {
                try OpenSSHKeyFile(bytes: Array(pem.bytes.prefix(count))).privateKey(passphrase: nil)
            }
        }
        var random = SeededGenerator(seed: 2)
        for _ in 0..<500 {
            var damaged = pem.bytes
            let place = Int.random(in: damaged.indices, using: &random)
            damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            if let read = try? OpenSSHKeyFile(bytes: damaged).privateKey(passphrase: nil) {
                // What survives is a change of the comment or of the check numbers' both halves: never of the key.
                #expect(read.publicKey == key.publicKey)
            }
        }
    }

    @Test("a damaged text is refused, and never traps")
    func damagedText() throws {
        let text = Array(try PrivateKey.generate(.ed25519).openSSHFile().utf8)
        for count in 0..<(text.count - 1) {
            #expect(throws: KeyError.self) { try PrivateKey(text: String(decoding: text.prefix(count), as: UTF8.self)) }
        }
        var random = SeededGenerator(seed: 3)
        for _ in 0..<500 {
            var damaged = text
            damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = try? PrivateKey(text: String(decoding: damaged, as: UTF8.self))
        }
    }

    @Test("text around the armour and Windows line ends are skipped")
    func surroundings() throws {
        let key = try PrivateKey.generate(.ed25519)
        let text = "a note\r\n" + (try key.openSSHFile()).split(separator: "\n").joined(separator: "\r\n") + "\r\nmore"
        #expect(try PrivateKey(text: text).publicKey == key.publicKey)
    }

    @Test("neither a description nor a dump shows the secret half")
    func secretsStayInside() throws {
        let key = try PrivateKey.generate(.rsa, bits: 1024)
        var text = ""
        dump(key, to: &text)
        #expect(text.utf8.count < 200)
        #expect("\(key)" == "ssh-rsa private key \(key.publicKey.fingerprint())")
    }
}
