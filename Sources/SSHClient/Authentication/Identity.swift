import NIOCore
import SSHKeys

/// A key of the user's that can be offered to a server, wherever its secret half is.
struct Identity {
    /// Who can sign with it.
    enum Signer {
        case key(PrivateKey)
        /// An agent, by the blob it knows the key as: that of the plain key, or of a certificate it holds itself.
        case agent(AgentClient, key: ByteBuffer)
        /// An encrypted file: its content, until a passphrase opens it.
        case locked([UInt8])
        /// Only the public half is at hand: it chooses among the agent's keys.
        case nobody
    }

    /// The file, or what the agent calls it.
    let name: String
    /// nil for an encrypted file that hides it and has no `.pub` beside it.
    let publicKey: PublicKey?
    var signer: Signer
    /// Offered in place of the plain key.
    var certificate: Certificate?
    /// Whether the key of a file is in the agent as well.
    var isInAgent = false
    /// What the server has refused the key with.
    var refusedAlgorithms: [String] = []

    /// Whether a signature costs nobody a question, so that the key need not be asked about first.
    var signsUnasked: Bool {
        if case .key = signer { true } else { false }
    }

    var canSign: Bool {
        if case .nobody = signer { false } else { true }
    }

    /// What is sent as the key: the certificate where there is one.
    var blob: ByteBuffer? { certificate?.blob ?? publicKey?.blob }

    /// The names of the algorithms that it can be used with, best first.
    var algorithms: [String] {
        guard let publicKey else { return [] }
        let plain = SignatureAlgorithm.all.filter { $0.keyType == publicKey.type }.map(\.name)
        return certificate == nil ? plain : plain.map(Certificate.name(certifying:))
    }

    /// The key with a certificate, which is then what is offered.
    func certified(by certificate: Certificate) -> Identity {
        var certified = self
        certified.certificate = certificate
        return certified
    }

    /// A signature blob over `data`.
    ///
    /// - Throws: `KeyError`, `AgentClient.Fault`.
    func sign(_ data: ByteBuffer, algorithm: String) async throws -> ByteBuffer {
        let plain = Certificate.plainName(of: algorithm) ?? algorithm
        switch signer {
        case .key(let key): return try key.sign(data.readableBytesView, algorithm: plain)
        case .agent(let agent, let held): return try await agent.sign(data, key: held, algorithm: plain)
        case .locked, .nobody: throw KeyError.passphraseNeeded
        }
    }
}
