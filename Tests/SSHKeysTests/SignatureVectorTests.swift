import NIOCore
import SSHWire
import Testing

@testable import SSHKeys

@Suite("Wycheproof: signatures")
struct SignatureVectorTests {
    private func isTaken(
        _ key: ByteBuffer, _ algorithm: String, _ message: [UInt8], _ signature: [UInt8]
    ) -> Bool {
        let blob = SignatureTests.blob(algorithm, signature)
        return (try? PublicKey(blob: key).verify(signature: blob, of: message, algorithm: algorithm)) != nil
    }

    @Test("Ed25519", arguments: Vector.ed25519)
    func ed25519(vector: Vector) {
        var key = ByteBuffer()
        key.writeSSHString("ssh-ed25519")
        key.writeSSHString(vector.fields[0])
        #expect(isTaken(key, "ssh-ed25519", vector.fields[1], vector.fields[2]) == vector.isTaken)
    }

    @Test("ECDSA on P-256", arguments: Vector.ecdsaP256)
    func ecdsa256(vector: Vector) { check(vector, "nistp256") }

    @Test("ECDSA on P-384", arguments: Vector.ecdsaP384)
    func ecdsa384(vector: Vector) { check(vector, "nistp384") }

    @Test("ECDSA on P-521", arguments: Vector.ecdsaP521)
    func ecdsa521(vector: Vector) { check(vector, "nistp521") }

    private func check(_ vector: Vector, _ curve: String) {
        var key = ByteBuffer()
        for text in ["ecdsa-sha2-\(curve)", curve] { key.writeSSHString(text) }
        key.writeSSHString(vector.fields[0])
        var numbers = ByteBuffer()
        for number in vector.fields[2...] { numbers.writeSSHString(number) }
        #expect(
            isTaken(key, "ecdsa-sha2-\(curve)", vector.fields[1], Array(numbers.readableBytesView)) == vector.isTaken)
    }

    @Test("RSA with PKCS #1 v1.5", arguments: Vector.rsa)
    func rsa(vector: Vector) {
        var key = ByteBuffer()
        key.writeSSHString("ssh-rsa")
        key.writeMPInt(MPInt(bigEndian: [1, 0, 1]))
        key.writeMPInt(MPInt(bigEndian: Vector.rsaModulus))
        let signature = vector.fields[1]
        #expect(isTaken(key, "rsa-sha2-256", vector.fields[0], signature) == vector.isTaken)
        #expect(!isTaken(key, "rsa-sha2-512", vector.fields[0], signature), "for another hash")
    }
}
