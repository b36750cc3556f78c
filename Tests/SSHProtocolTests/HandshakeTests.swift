import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import Testing

@testable import SSHProtocol

@Suite("Handshake")
struct HandshakeTests {
    private func expectSession(_ pair: JoinedPair, _ comment: Comment) {
        #expect(pair.client.failure == nil, comment)
        #expect(pair.server.failure == nil, comment)
        #expect(pair.client.connection.isAuthenticated, comment)
        #expect(pair.server.connection.isAuthenticated, comment)
        #expect(pair.client.connection.sessionID != nil, comment)
        #expect(pair.client.connection.sessionID == pair.server.connection.sessionID, comment)
        #expect(pair.client.connection.negotiated == pair.server.connection.negotiated, comment)
    }

    private func connect(_ change: (inout AlgorithmProposal) -> Void, key: PrivateKey? = nil) -> JoinedPair {
        let client = ConnectionConfiguration.quick.with { change(&$0.algorithms) }
        let server = ConnectionConfiguration.server().with { if let key { $0.hostKeys = [key] } }
        let pair = JoinedPair(client: client, server: server)
        pair.start()
        #expect(pair.run())
        return pair
    }

    @Test("Every key exchange method works", arguments: KeyExchangeAlgorithm.all.map(\.name))
    func methods(_ name: String) {
        let pair = connect { $0.kex = [name] }
        expectSession(pair, "\(name)")
        #expect(pair.client.connection.negotiated?.kex == name)
    }

    @Test("Every cipher works", arguments: CipherAlgorithm.all.map(\.name))
    func ciphers(_ name: String) {
        let pair = connect {
            ($0.ciphersClientToServer, $0.ciphersServerToClient) = ([name], [name])
            ($0.macsClientToServer, $0.macsServerToClient) = (["hmac-sha2-256"], ["hmac-sha2-512"])
        }
        expectSession(pair, "\(name)")
        #expect(pair.client.connection.negotiated?.clientToServer.cipher == name)
    }

    @Test("Every MAC works", arguments: MACAlgorithm.all.map(\.name))
    func macs(_ name: String) {
        let pair = connect {
            ($0.ciphersClientToServer, $0.ciphersServerToClient) = (["aes128-ctr"], ["aes256-ctr"])
            ($0.macsClientToServer, $0.macsServerToClient) = ([name], [name])
        }
        expectSession(pair, "\(name)")
        #expect(pair.client.connection.negotiated?.serverToClient.mac == name)
    }

    @Test(
        "Every host key algorithm works",
        arguments: SignatureAlgorithm.all.filter { !$0.name.hasPrefix("sk-") }.map(\.name))
    func hostKeys(_ name: String) throws {
        let type = try #require(SignatureAlgorithm.named(name)?.keyType)
        let key = try PrivateKey.generate(type, bits: 2048)
        let pair = connect({ $0.hostKeys = [name] }, key: key)
        expectSession(pair, "\(name)")
        #expect(pair.client.connection.negotiated?.hostKey == name)
        #expect(pair.client.connection.hostKey == key.publicKey)
    }

    @Test("A server offers only host key algorithms it has a key for")
    func offeredHostKeys() throws {
        let pair = JoinedPair(
            client: ConnectionConfiguration(),
            server: .server().with {
                $0.hostKeys = [try? PrivateKey.generate(.ecdsaP384), try? PrivateKey.generate(.rsa, bits: 2048)]
                    .compactMap(\.self)
            })
        pair.start()
        pair.run()
        expectSession(pair, "ecdsa-sha2-nistp384 and RSA")
        #expect(pair.client.connection.negotiated?.hostKey == "ecdsa-sha2-nistp384")
    }

    @Test("Nothing depends on how the bytes are cut", arguments: [1...1, 1...3, 1...40, 1...2000])
    func pieces(_ pieces: ClosedRange<Int>) {
        let pair = JoinedPair()
        pair.pieces = pieces
        pair.start()
        #expect(pair.run())
        expectSession(pair, "\(pieces)")
    }

    @Test("The proof of the host key is the first exchange's, and a rekey leaves it")
    func hostKeyProof() throws {
        let pair = JoinedPair.authenticated()
        let proof = try #require(pair.client.connection.hostKeyProof)
        let session = try #require(pair.client.connection.sessionID)
        let key = try #require(pair.client.connection.hostKey)
        #expect(proof.blob == key.blob)
        try key.verify(signature: proof.signature, of: session, algorithm: "ssh-ed25519")
        pair.client.attempt { try $0.rekey() }
        pair.run()
        #expect(pair.client.connection.hostKeyProof?.signature == proof.signature)
        #expect(pair.client.story.contains("rekeyed"))
    }

    @Test("Each end tells the other its extensions with its first keys, where the other reads them")
    func extensions() {
        let pair = JoinedPair.authenticated()
        let told = pair.server.connection.peerExtensions
        #expect(told?["ext-info-in-auth@openssh.com"] != nil && told?["ping@openssh.com"] != nil)
        #expect(pair.client.connection.peerExtensions?["server-sig-algs"] != nil)
    }

    @Test("The events of a client and of a server come in order")
    func story() {
        let pair = JoinedPair.authenticated()
        #expect(pair.client.story == ["identification", "hostKey", "ready", "extensions", "authenticated"])
        #expect(pair.server.story == ["identification", "ready", "extensions", "authenticationRequested"])
    }

    @Test("Nothing goes on before the host key is accepted, however much waits behind it")
    func verdict() throws {
        let pair = JoinedPair()
        pair.client.acts = { _, event in if case .hostKey = event { true } else { false } }
        pair.start()
        #expect(pair.run())
        #expect(pair.client.story == ["identification", "hostKey"])
        #expect(pair.client.connection.sessionID != nil)
        #expect(pair.server.story == ["identification"])
        pair.client.attempt { try $0.acceptHostKey() }
        pair.run()
        expectSession(pair, "accepted late")
    }

    @Test("A refused host key ends the connection, and the server is told why")
    func refusedHostKey() {
        let pair = JoinedPair()
        pair.client.acts = { connection, event in
            guard case .hostKey = event else { return false }
            connection.fail(.hostKeyRejected)
            return true
        }
        pair.start()
        pair.run()
        guard case .disconnected(.hostKeyNotVerifiable, _) = pair.server.failure else {
            Issue.record("\(String(describing: pair.server.failure))")
            return
        }
    }

    @Test("A signature of the host key over something else is refused")
    func falseSignature() throws {
        let pair = JoinedPair()
        // The last byte of the KEX reply's signature, found by the length of the stream up to NEWKEYS.
        pair.records = true
        pair.tamper = { role, _, bytes in
            guard role == .server, let at = bytes.firstRange(of: Array("ssh-ed25519".utf8) + [0, 0, 0, 64]) else {
                return
            }
            bytes[at.upperBound + 3] ^= 1
        }
        pair.start()
        pair.run()
        guard case .keyExchangeFailed = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
        #expect(!pair.client.story.contains("hostKey"))
    }

    @Test(
        "Offers without anything in common are refused on both sides with both lists",
        arguments: ["kex", "host key", "cipher", "MAC", "compression"])
    func nothingInCommon(_ kind: String) {
        let pair = connect {
            switch kind {
            case "kex": $0.kex = ["foo@example.org"]
            case "host key": $0.hostKeys = ["foo@example.org"]
            case "cipher": $0.ciphersServerToClient = ["foo@example.org"]
            case "MAC":
                ($0.ciphersClientToServer, $0.macsClientToServer) = (["aes128-ctr"], ["foo@example.org"])
            default: $0.compressionClientToServer = ["foo@example.org"]
            }
        }
        for end in [pair.client, pair.server] {
            guard case .noCommonAlgorithm(let text) = end.failure else {
                Issue.record("\(String(describing: end.failure))")
                continue
            }
            #expect(text.description.contains("foo@example.org"))
        }
    }

    @Test("A compression that both were configured with but nobody can do is refused, not run into")
    func unknownCompression() {
        let pair = JoinedPair(
            client: .quick.with {
                $0.algorithms.compressionClientToServer = ["foo@example.org"]
            }, server: .server().with { $0.algorithms.compressionClientToServer = ["foo@example.org"] })
        pair.start()
        pair.run()
        guard case .keyExchangeFailed = pair.client.failure else {
            Issue.record("\(String(describing: pair.client.failure))")
            return
        }
    }

    @Test("An offer of names without end makes an error of readable length, and the peer is still told")
    func endlessOffer() {
        let pair = connect { $0.kex = (0..<20_000).map { "method-\($0)" } }
        guard case .noCommonAlgorithm(let text) = pair.server.failure else {
            Issue.record("\(String(describing: pair.server.failure).prefix(200))")
            return
        }
        #expect(text.description.utf8.count < 2000)
    }
}
