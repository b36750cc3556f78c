import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

/// How a server tells the other keys that it has, and shows that it has them (OpenSSH's PROTOCOL section 2.5).
package enum HostKeyRotation {
    /// The global request in which a server tells its keys.
    package static let announcement = "hostkeys-00@openssh.com"
    /// The global request in which a client asks for signatures that show that the server holds them.
    package static let proof = "hostkeys-prove-00@openssh.com"

    /// What the signature of a proof covers.
    package static func signedData(sessionID: [UInt8], key: PublicKey) -> ByteBuffer {
        var data = ByteBuffer()
        data.writeSSHString(proof)
        data.writeSSHString(sessionID)
        data.writeSSHString(key.blob)
        return data
    }
}

extension Connection {
    /// Server: tells the client all host keys, so that it knows the next ones before they are needed.
    package mutating func announceHostKeys() throws(ConnectionError) {
        var fields = ByteBuffer()
        for key in hostKeys { fields.writeSSHString(key.publicKey.blob) }
        try globalRequest(HostKeyRotation.announcement, wantReply: false, fields)
    }

    private var hostKeys: [PrivateKey] { transport.configuration.hostKeys }

    /// The signatures that a client asks for, in its order; nil for a key that is not ours, or none.
    func proveHostKeys(_ fields: ByteBuffer) -> ByteBuffer? {
        guard let sessionID, let shown = negotiated?.hostKey else { return nil }
        var fields = fields
        var proofs = ByteBuffer()
        // Each key once: signatures are work.
        var left = hostKeys
        while fields.readableBytes > 0 {
            guard let blob = try? fields.readSSHString("host key"),
                let index = left.firstIndex(where: { $0.publicKey.blob == blob })
            else { return nil }
            let key = left.remove(at: index)
            let data = HostKeyRotation.signedData(sessionID: sessionID, key: key.publicKey)
            let algorithms = key.signatureAlgorithms
            // An RSA key signs as it did for the key exchange, so that the client knows the algorithm.
            let plain = Certificate.plainName(of: shown) ?? shown
            guard let algorithm = algorithms.first(where: { $0 == plain }) ?? algorithms.first,
                let signature = try? key.sign(data.readableBytesView, algorithm: algorithm)
            else { return nil }
            proofs.writeSSHString(signature)
        }
        return proofs.readableBytes > 0 ? proofs : nil
    }
}
