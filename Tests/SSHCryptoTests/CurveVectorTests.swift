import Crypto
import NIOCore
import SSHWire
import Testing

@testable import SSHCrypto

@Suite("Wycheproof: elliptic curve agreement")
struct CurveVectorTests {
    private func check(_ vector: Vector, _ agree: ([UInt8], [UInt8]) throws -> [UInt8]?) throws {
        let (secret, peer, shared) = (vector.fields[0], vector.fields[1], vector.fields[2])
        #expect(try agree(secret, peer) == (vector.isTaken ? shared : nil))
    }

    @Test("X25519", arguments: Vector.x25519)
    func x25519(vector: Vector) throws {
        try check(vector) {
            Curve25519Keys(try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: $0)).agree(with: $1)
        }
    }

    @Test("P-256", arguments: Vector.p256)
    func p256(vector: Vector) throws {
        try check(vector) { try P256.KeyAgreement.PrivateKey(rawRepresentation: $0).agree(with: $1) }
    }

    @Test("P-384", arguments: Vector.p384)
    func p384(vector: Vector) throws {
        try check(vector) { try P384.KeyAgreement.PrivateKey(rawRepresentation: $0).agree(with: $1) }
    }

    @Test("P-521", arguments: Vector.p521)
    func p521(vector: Vector) throws {
        try check(vector) { try P521.KeyAgreement.PrivateKey(rawRepresentation: $0).agree(with: $1) }
    }
}
