import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import Testing

@testable import SSHProtocol

@Suite("The server's side of a connection")
struct ServerRoleTests {
    @Test("Standard error, EOF, the exit status and CLOSE follow the data, in this order")
    func endOfSession() throws {
        let (pair, id) = JoinedPair.withChannel(
            client: .quick.with { $0.receiveWindow = 1000 }, server: .server())
        pair.server.attempt { connection in
            try connection.write(id, ByteBuffer(repeating: 1, count: 5000))
            try connection.writeErrors(id, ByteBuffer(string: "no such file\n"))
            connection.setExitStatus(id, 7)
            connection.finishWriting(id)
            connection.close(id)
        }
        #expect(pair.run())
        #expect(pair.client.data[id]?.readableBytes == 5000)
        #expect(pair.client.errorData[id].map { String(buffer: $0) } == "no such file\n")
        let ends = pair.client.events.compactMap { event -> String? in
            switch event {
            case .channelEOF: "EOF"
            case .channelRequest(_, .exitStatus(let status), wantReply: false): "exit \(status)"
            case .channelClosed: "closed"
            default: nil
            }
        }
        #expect(ends == ["EOF", "exit 7", "closed"])
    }

    @Test("A client learns the host keys, and each key proves itself when asked", arguments: [KeyType.ed25519, .rsa])
    func rotation(_ shown: KeyType) throws {
        let keys = try [PrivateKey.generate(.ed25519), PrivateKey.generate(.ecdsaP384), PrivateKey.generate(.rsa)]
        let names = shown == .rsa ? ["rsa-sha2-256"] : ["ssh-ed25519"]
        let pair = JoinedPair.authenticated(
            client: .quick.with { $0.algorithms.hostKeys = names }, server: .server().with { $0.hostKeys = keys })
        pair.server.attempt { try $0.announceHostKeys() }
        pair.run()
        let announced = pair.client.events.compactMap { event -> ByteBuffer? in
            if case .globalRequest(let request) = event, request.request == HostKeyRotation.announcement {
                request.fields
            } else {
                nil
            }
        }
        var all = ByteBuffer()
        for key in keys { all.writeSSHString(key.publicKey.blob) }
        #expect(announced == [all])

        pair.client.attempt { try $0.globalRequest(HostKeyRotation.proof, wantReply: true, all) }
        pair.run()
        var proofs = try #require(
            pair.client.events.compactMap { event -> ByteBuffer? in
                if case .globalReply(HostKeyRotation.proof, let fields) = event { fields } else { nil }
            }.last)
        let session = try #require(pair.client.connection.sessionID)
        for key in keys {
            let signature = try proofs.readSSHString("signature")
            let algorithm =
                switch key.publicKey.type {
                case .rsa: shown == .rsa ? "rsa-sha2-256" : "rsa-sha2-512"
                default: key.publicKey.type.name
                }
            let data = HostKeyRotation.signedData(sessionID: session, key: key.publicKey)
            try key.publicKey.verify(signature: signature, of: data.readableBytesView, algorithm: algorithm)
        }
        #expect(proofs.readableBytes == 0)
    }

    @Test("Proof of a key that is not the server's, of none, of one twice, or of rubbish is refused")
    func refusedProofs() throws {
        let key = try PrivateKey.generate(.ed25519)
        let other = try PrivateKey.generate(.ed25519).publicKey.blob
        let pair = JoinedPair.authenticated(client: .quick, server: .server().with { $0.hostKeys = [key] })
        var foreign = ByteBuffer()
        foreign.writeSSHString(key.publicKey.blob)
        var twice = foreign
        twice.writeSSHString(key.publicKey.blob)
        foreign.writeSSHString(other)
        for fields in [ByteBuffer(), foreign, twice, ByteBuffer(repeating: 0xff, count: 9)] {
            pair.client.attempt { try $0.globalRequest(HostKeyRotation.proof, wantReply: true, fields) }
        }
        pair.run()
        let refused = pair.client.events.filter {
            if case .globalReply(HostKeyRotation.proof, nil) = $0 { true } else { false }
        }
        #expect(refused.count == 4)
        #expect(pair.server.failure == nil)
    }
}
