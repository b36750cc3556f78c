import SSHCrypto
import SSHKeys
import SSHProtocol
import Testing

@testable import SSHServer

@Suite("What a server offers")
struct ServerConfigurationTests {
    @Test(
        "MACs over the plaintext are offered to clients that have no others, and to none else",
        arguments: [
            ("SSH-2.0-libssh2_1.10.0", true), ("SSH-2.0-libssh2_1.9.0_DEV", true), ("SSH-2.0-libssh2_1.11.0", false),
            ("SSH-2.0-libssh2_2.0", false), ("SSH-2.0-libssh2_", false), ("SSH-2.0-libssh_0.10.6", false),
            ("SSH-2.0-OpenSSH_9.2p1 libssh2_1.1", false),
        ])
    func plainMACs(_ identification: String, _ isOld: Bool) throws {
        let configuration = try ServerConfiguration(hostKeys: [.generate(.ed25519)]).connection()
        let offer = try #require(configuration.algorithmsForPeer?(identification))
        #expect(offer.macsClientToServer.contains("hmac-sha2-256") == isOld)
        #expect(offer.macsServerToClient.contains("hmac-sha2-256") == isOld)
        #expect(offer.macsClientToServer.contains("hmac-sha2-256-etm@openssh.com"))
        #expect(offer.macsClientToServer.first != "hmac-sha2-256")
    }

    @Test("Lists of one's own are what is offered, and names that do not exist an error")
    func lists() throws {
        var configuration = ServerConfiguration(hostKeys: [try .generate(.ed25519)])
        configuration.macs = ["hmac-sha2-512-etm@openssh.com"]
        configuration.keyExchanges = ["mlkem768x25519-sha256"]
        let connection = try configuration.connection()
        #expect(connection.algorithmsForPeer == nil)
        #expect(connection.algorithms.macsClientToServer == ["hmac-sha2-512-etm@openssh.com"])
        #expect(connection.algorithms.kex == ["mlkem768x25519-sha256"])
        configuration.ciphers = ["rot13"]
        #expect(throws: ServerError.unknownAlgorithm("rot13")) { _ = try configuration.connection() }
        #expect(throws: ServerError.noHostKey) { _ = try ServerConfiguration(hostKeys: []).connection() }
    }
}
