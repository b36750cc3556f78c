import SSHCrypto
import Testing

@Suite("Algorithm negotiation (RFC 4253 section 7.1)")
struct NegotiationTests {
    private let client = AlgorithmProposal(
        kex: ["curve25519-sha256", "ecdh-sha2-nistp256", "ext-info-c", "kex-strict-c-v00@openssh.com"],
        hostKeys: ["ssh-ed25519", "rsa-sha2-512"],
        ciphers: ["aes128-gcm@openssh.com", "aes256-ctr"],
        macs: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512"],
        compression: ["none", "zlib@openssh.com"])

    @Test("the client's first name that the server has wins")
    func clientPrefers() throws {
        var server = client
        server.kex = ["ecdh-sha2-nistp256", "curve25519-sha256"]
        server.hostKeys = ["rsa-sha2-512", "ssh-ed25519"]
        server.ciphersServerToClient = ["aes256-ctr"]
        server.macsServerToClient = ["hmac-sha1", "hmac-sha2-512"]
        server.compressionServerToClient = ["zlib@openssh.com"]
        let agreed = try AlgorithmNegotiation.negotiate(client: client, server: server)
        #expect(
            agreed
                == NegotiatedAlgorithms(
                    kex: "curve25519-sha256", hostKey: "ssh-ed25519",
                    clientToServer: .init(cipher: "aes128-gcm@openssh.com", mac: nil, compression: "none"),
                    serverToClient: .init(
                        cipher: "aes256-ctr", mac: "hmac-sha2-512", compression: "zlib@openssh.com")))
    }

    @Test("an AEAD cipher needs no MAC in common")
    func noMACForAEAD() throws {
        var server = client
        server.macsClientToServer = []
        server.macsServerToClient = ["umac-64@openssh.com"]
        let agreed = try AlgorithmNegotiation.negotiate(client: client, server: server)
        #expect(agreed.clientToServer.mac == nil)
        #expect(agreed.serverToClient.mac == nil)
    }

    @Test("a name that only says what a side can do is never chosen")
    func markers() {
        var (one, other) = (client, client)
        one.kex = KeyExchangeMarker.allCases.map(\.rawValue)
        other.kex = one.kex
        #expect(throws: mismatch("key exchange method", [], [])) {
            try AlgorithmNegotiation.negotiate(client: one, server: other)
        }
    }

    private func mismatch(_ kind: String, _ client: [String], _ server: [String]) -> CryptoError {
        .noCommonAlgorithm(AlgorithmMismatch(kind: kind, client: client, server: server))
    }

    static let kinds: [(String, any WritableKeyPath<AlgorithmProposal, [String]> & Sendable)] = [
        ("key exchange method", \.kex),
        ("host key type", \.hostKeys),
        ("cipher client to server", \.ciphersClientToServer),
        ("cipher server to client", \.ciphersServerToClient),
        ("MAC client to server", \.macsClientToServer),
        ("MAC server to client", \.macsServerToClient),
        ("compression client to server", \.compressionClientToServer),
        ("compression server to client", \.compressionServerToClient),
    ]

    @Test("nothing in common is an error that names the kind and both offers", arguments: kinds)
    func nothingInCommon(kind: String, path: any WritableKeyPath<AlgorithmProposal, [String]> & Sendable) {
        var (one, other) = (client, client)
        // Ciphers without authentication, so that MACs matter.
        for direction in [\AlgorithmProposal.ciphersClientToServer, \.ciphersServerToClient] {
            one[keyPath: direction] = ["aes128-ctr"]
            other[keyPath: direction] = ["aes128-ctr"]
        }
        one[keyPath: path] = ["old", "older"]
        other[keyPath: path] = ["new"]
        #expect(throws: mismatch(kind, ["old", "older"], ["new"])) {
            try AlgorithmNegotiation.negotiate(client: one, server: other)
        }
        other[keyPath: path] = []
        #expect(throws: mismatch(kind, ["old", "older"], [])) {
            try AlgorithmNegotiation.negotiate(client: one, server: other)
        }
    }

    @Test("the error reads as a sentence, and a peer's control characters do not reach the terminal")
    func description() {
        #expect(
            mismatch("cipher client to server", ["a", "b"], ["c"]).description
                == "no common cipher client to server: the client offers a,b, the server offers c")
        #expect(
            mismatch("host key type", [], ["\u{1b}[2J"]).description
                == "no common host key type: the client offers none, the server offers \\033[2J")
    }

    @Test("a guessed packet is ignored unless both sides prefer the same method and host key")
    func guesses() {
        #expect(!AlgorithmNegotiation.guessIsWrong(client: client, server: client))
        var server = client
        server.kex.reverse()
        #expect(AlgorithmNegotiation.guessIsWrong(client: client, server: server))
        server = client
        server.hostKeys.reverse()
        #expect(AlgorithmNegotiation.guessIsWrong(client: client, server: server))
        server = client
        server.ciphersClientToServer.reverse()
        server.kex.insert("ext-info-s", at: 0)
        #expect(!AlgorithmNegotiation.guessIsWrong(client: client, server: server))
    }
}
