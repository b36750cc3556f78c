import NIOCore
import SSHWire

@testable import SSHKeys

extension FuzzTarget {
    static let keys: [FuzzTarget] = [
        FuzzTarget(name: "key-files", seeds: Keys.files, run: Keys.readFile, tries: 100),
        FuzzTarget(name: "public-keys", seeds: Keys.publicKeys, run: Keys.readPublicKey),
        FuzzTarget(name: "signatures", seeds: Keys.signatures, run: Keys.verify),
        FuzzTarget(name: "revocation-lists", seeds: Keys.lists, run: Keys.readList),
        FuzzTarget(name: "der", seeds: { [[0x30, 5, 2, 1, 0, 2, 0], [0x30, 0x82, 1, 0]] }, run: Keys.readDER),
        FuzzTarget(name: "known-hosts", seeds: Keys.knownHosts, run: Keys.readKnownHosts),
        FuzzTarget(name: "authorized-keys", seeds: Keys.authorizedKeys, run: Keys.readAuthorizedKeys),
        FuzzTarget(name: "agent-answers", seeds: Keys.agentAnswers) { bytes in
            _ = try? AgentAnswer(body: ByteBuffer(bytes: bytes))
        },
        FuzzTarget(name: "base64", seeds: { ["AAAA", "AA==", "A A\n=", "/+8="].map { Array($0.utf8) } }) { bytes in
            guard let decoded = Base64.decode(bytes) else { return }
            precondition(Base64.decode(Array(Base64.encode(decoded).utf8)) == decoded, "another value comes back")
        },
    ]
}

private enum Keys {
    private static let key: PrivateKey? = try? PrivateKey.generate(.ed25519)
    private static let rsa: PrivateKey? = try? PrivateKey.generate(.rsa, bits: 2048)
    private static let ecdsa: PrivateKey? = try? PrivateKey.generate(.ecdsaP256)
    private static let all = [key, ecdsa, rsa].compactMap(\.self)

    private static func line(_ key: PrivateKey) -> String {
        "\(key.publicKey.type.rawValue) \(Base64.encode(key.publicKey.blob.bytes))"
    }

    // MARK: Files

    @Sendable static func files() -> [[UInt8]] {
        let written = all.flatMap { key in
            [nil, Array("x".utf8)].compactMap { try? key.openSSHFile(passphrase: $0, rounds: 1) }
        }
        let labels = ["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "DSA PRIVATE KEY"]
        let frames = labels.map {
            "-----BEGIN \($0)-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                + "MAUCAQACAQE=\n-----END \($0)-----\n"
        }
        let putty =
            "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: c\nPublic-Lines: 1\nAAAA\n"
            + "Private-Lines: 1\nAAAA\nPrivate-MAC: 00\n"
        return written.map { Array($0.utf8) } + (frames + [putty]).map { Array($0.utf8) }
            + [[0, 0, 0, 7] + Array("ssh-rsa".utf8) + [0, 0, 0, 1, 1]]
    }

    @Sendable static func readFile(_ bytes: [UInt8]) {
        // A passphrase only where the file cannot say how much work its key derivation is.
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try? PrivateKey(file: bytes)
        if text.contains("Proc-Type"), !text.contains("OPENSSH"), !text.contains("PuTTY") {
            _ = try? PrivateKey(file: bytes, passphrase: Array("x".utf8))
        }
    }

    // MARK: Public keys, signatures

    @Sendable static func publicKeys() -> [[UInt8]] {
        all.flatMap { [[0] + $0.publicKey.blob.bytes, [1] + Array(line($0).utf8)] }
            + [
                [2] + certificateBlob,
                [3] + Array("ssh-ed25519-cert-v01@openssh.com \(Base64.encode(certificateBlob))".utf8),
            ]
    }

    /// A certificate whose signature is of nothing.
    private static var certificateBlob: [UInt8] {
        guard let key else { return [] }
        var blob = ByteBuffer()
        blob.writeSSHString("ssh-ed25519-cert-v01@openssh.com")
        blob.writeSSHString("nonce")
        blob.writeSSHString(Array(key.publicKey.blob.bytes.suffix(32)))
        blob.writeBytes([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1])
        for text in ["id", "\u{0}\u{0}\u{0}\u{2}me"] { blob.writeSSHString(text) }
        blob.writeBytes([UInt8](repeating: 0, count: 8) + [UInt8](repeating: 0xff, count: 8))
        for text in ["", "", ""] { blob.writeSSHString(text) }
        blob.writeSSHString(key.publicKey.blob)
        var signature = ByteBuffer()
        signature.writeSSHString("ssh-ed25519")
        signature.writeSSHString([UInt8](repeating: 1, count: 64))
        blob.writeSSHString(signature)
        return blob.bytes
    }

    @Sendable static func readPublicKey(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        let kind = input.choice(4)
        let rest = input.rest
        let text = String(decoding: rest, as: UTF8.self)
        switch kind {
        case 0:
            guard let key = try? PublicKey(blob: ByteBuffer(bytes: rest)) else { return }
            precondition(key.blob.bytes == rest, "another blob comes back")
        case 1: _ = try? PublicKey(openSSHLine: text)
        case 2: _ = try? Certificate(blob: ByteBuffer(bytes: rest))
        default: _ = try? Certificate(openSSHLine: text)
        }
    }

    @Sendable static func signatures() -> [[UInt8]] {
        all.indices.flatMap { index in
            ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "ssh-rsa"].map { name in
                var signature = ByteBuffer()
                signature.writeSSHString(name)
                signature.writeSSHString([UInt8](repeating: 1, count: 64))
                return [UInt8(index), 0] + signature.bytes
            }
        }
    }

    @Sendable static func verify(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        guard !all.isEmpty else { return }
        let key = all[input.choice(all.count)].publicKey
        let algorithms = SignatureAlgorithm.all
        let algorithm = algorithms[input.choice(algorithms.count)].name
        let signature = ByteBuffer(bytes: input.rest)
        let isTaken = (try? key.verify(signature: signature, of: Array("data".utf8), algorithm: algorithm)) != nil
        precondition(!isTaken, "a forged signature is taken")
    }

    // MARK: Lists

    @Sendable static func lists() -> [[UInt8]] {
        let head = Array("SSHKRL\n\u{0}".utf8) + [0, 0, 0, 1] + [UInt8](repeating: 0, count: 24)
        let empty = head + [0, 0, 0, 0, 0, 0, 0, 0]
        return [empty, empty + [1, 0, 0, 0, 4, 0, 0, 0, 0], empty + [2, 0, 0, 0, 8, 0, 0, 0, 4, 1, 2, 3, 4]]
            + all.map { Array(line($0).utf8) }
    }

    @Sendable static func readList(_ bytes: [UInt8]) {
        let list = try? KeyRevocationList(bytes)
        let revoked = try? RevokedKeys(bytes)
        for key in all {
            _ = list?.revocation(of: key.publicKey)
            _ = revoked?.revocation(of: key.publicKey)
        }
    }

    @Sendable static func readDER(_ bytes: [UInt8]) {
        var reader = DERReader(bytes, what: "input")
        var depth = 0
        while depth < 100, let inner = try? reader.sequence("sequence") {
            reader = inner
            depth += 1
        }
        while (try? reader.integer("number")) != nil {}
        _ = try? reader.element(4, "bytes")
    }

    @Sendable static func knownHosts() -> [[UInt8]] {
        all.flatMap { key in
            [
                "host,*.example.net,!not.example.net \(line(key)) comment\n",
                "@cert-authority [host]:2222 \(line(key))\r\n@revoked * \(line(key))\n",
                "|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA= \(line(key))\n# comment\n",
            ].map { Array($0.utf8) }
        }
    }

    @Sendable static func readKnownHosts(_ bytes: [UInt8]) {
        let hosts = KnownHosts(file: "known_hosts", text: String(decoding: bytes, as: UTF8.self))
        for key in all {
            for (host, port) in [("host", 22), ("host", 2222), ("a.example.net", 22)] {
                _ = hosts.verdict(host: host, port: port, addresses: ["192.0.2.1"], key: key.publicKey)
                _ = hosts.verdict(host: host, port: port, authority: key.publicKey)
                _ = hosts.keyTypes(host: host, port: port)
            }
        }
    }

    @Sendable static func authorizedKeys() -> [[UInt8]] {
        let options = [
            "", "from=\"10.0.0.0/8,!10.0.0.1,*.example.net,2001:db8::/32\",command=\"scp -t \\\"x\\\"\" ",
            "cert-authority,principals=\"a,b\",expiry-time=\"20300101Z\" ", "restrict,no-pty,environment=\"A=b\" ",
        ]
        return all.flatMap { key in options.map { Array("\($0)\(line(key)) me\n".utf8) } }
    }

    @Sendable static func readAuthorizedKeys(_ bytes: [UInt8]) {
        let keys = AuthorizedKeys(bytes)
        for entry in keys.entries { _ = entry.key.blob }
        _ = ExpiryTime.parse(bytes)
    }

    @Sendable static func agentAnswers() -> [[UInt8]] {
        guard let key else { return [] }
        var identities = ByteBuffer(bytes: [12, 0, 0, 0, 1])
        identities.writeSSHString(key.publicKey.blob)
        identities.writeSSHString("comment")
        var signature = ByteBuffer(bytes: [14])
        signature.writeSSHString("signature")
        return [identities.bytes, signature.bytes, [5], [6]]
    }
}
