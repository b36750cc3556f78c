import Crypto
import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHCrypto

@Suite("Elliptic curve key exchange")
struct EllipticCurveTests {
    @Test("X25519 gives RFC 7748's shared secret (section 6.1), as an mpint")
    func x25519() throws {
        let alice = Curve25519Keys(
            try Curve25519.KeyAgreement.PrivateKey(
                rawRepresentation: hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")))
        let bob = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        #expect(alice.publicValue == hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"))
        let agreement = CurveAgreement<Curve25519Keys>(name: "curve25519-sha256")
        var secret = try agreement.complete(alice, with: bob)
        #expect(
            try secret.readMPInt("K").magnitude
                == hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"))
    }

    @Test("P-256 gives RFC 5903's shared secret (section 8.1), as an mpint")
    func p256() throws {
        let initiator = try P256.KeyAgreement.PrivateKey(
            rawRepresentation: hex("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433"))
        let responder = hex(
            """
            04 D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63
            56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB
            """)
        let agreement = CurveAgreement<P256.KeyAgreement.PrivateKey>(name: "ecdh-sha2-nistp256")
        let secret = try agreement.complete(initiator, with: responder)
        // The top bit is set, so that the mpint begins with a zero byte.
        #expect(
            Array(secret.readableBytesView)
                == [0, 0, 0, 33, 0] + hex("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE"))
    }

    @Test("a public value of the wrong length, off the curve, compressed or zero is refused by both sides")
    func badPublicValues() throws {
        for (name, length) in [
            ("curve25519-sha256", 32), ("ecdh-sha2-nistp256", 65), ("ecdh-sha2-nistp384", 97),
            ("ecdh-sha2-nistp521", 133),
        ] {
            let algorithm = try #require(KeyExchangeAlgorithm.named(name))
            var good = try algorithm.makeClient().initialPayload
            good.moveReaderIndex(forwardBy: 5)
            let valid = Array(good.readableBytesView)
            try #require(valid.count == length)
            var bad: [[UInt8]] = [
                [], [0], Array(valid.dropLast()), valid + [0], [UInt8](repeating: 0, count: length),
            ]
            if length > 32 {
                var offCurve = valid
                offCurve[length - 1] ^= 1
                bad += [offCurve, [2] + valid[1...(length / 2)], [6] + valid.dropFirst()]
            } else {
                // Points of order 1 and 8 (RFC 7748 section 6.1 asks for the check of the result).
                bad += [
                    [1] + [UInt8](repeating: 0, count: 31),
                    hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
                ]
            }
            for value in bad { try expectRefusal(of: value, by: algorithm) }
        }
    }

    private func expectRefusal(of value: [UInt8], by algorithm: KeyExchangeAlgorithm) throws {
        var server = try algorithm.makeServer()
        var initial = ByteBuffer(bytes: [30])
        initial.writeSSHString(value)
        #expect(throws: CryptoError.invalidPublicKey(algorithm: algorithm.name)) { try server.receive(initial) }

        var client = try algorithm.makeClient()
        var reply = ByteBuffer(bytes: [31])
        reply.writeSSHString("K_S")
        reply.writeSSHString(value)
        reply.writeSSHString("signature")
        #expect(throws: CryptoError.invalidPublicKey(algorithm: algorithm.name)) { try client.receive(reply) }
    }
}
