import NIOCore
import SSHKeys

/// A key of the user's that can be offered to a server, wherever its secret half is.
struct Identity {
    /// Who can sign with it.
    enum Signer {
        case key(PrivateKey)
        case agent(AgentClient)
        /// An encrypted file: its text, until a passphrase opens it.
        case locked(String)
    }

    /// The file, or what the agent calls it.
    let name: String
    /// nil for an encrypted file that hides it and has no `.pub` beside it.
    let publicKey: PublicKey?
    var signer: Signer
    /// Offered in place of the plain key.
    var certificate: Certificate?
    /// What the server has refused the key with.
    var refusedAlgorithms: [String] = []

    /// Whether a signature costs nobody a question, so that the key need not be asked about first.
    var signsUnasked: Bool {
        if case .key = signer { true } else { false }
    }

    /// What is sent as the key: the certificate where there is one.
    var blob: ByteBuffer? { certificate?.blob ?? publicKey?.blob }

    /// The names of the algorithms that it can be used with, best first.
    var algorithms: [String] {
        if let certificate { return certificate.algorithms }
        guard let publicKey else { return [] }
        return SignatureAlgorithm.all.filter { $0.keyType == publicKey.type }.map(\.name)
    }

    /// A signature blob over `data`.
    ///
    /// - Throws: `KeyError`, `AgentClient.Fault`.
    func sign(_ data: ByteBuffer, algorithm: String) async throws -> ByteBuffer {
        let plain = Certificate.plainName(of: algorithm) ?? algorithm
        switch signer {
        case .key(let key): return try key.sign(data.readableBytesView, algorithm: plain)
        case .agent(let agent): return try await agent.sign(data, key: blob ?? ByteBuffer(), algorithm: plain)
        case .locked: throw KeyError.passphraseNeeded
        }
    }
}
