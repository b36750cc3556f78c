import SSHCrypto
import SSHKeys
import SSHWire

/// How a connection behaves; the same for both roles unless said.
package struct ConnectionConfiguration: Sendable {
    /// What follows `SSH-2.0-` in our identification.
    package var softwareVersion = "swift-scp_\(ProductVersion.text)"
    /// What is offered, best first.
    package var algorithms = AlgorithmProposal.defaults
    /// Server: what is offered to a client that identifies itself so, where that depends on it. KEXINIT then waits for the
    /// client's identification, which most clients send at once.
    package var algorithmsForPeer: (@Sendable (_ identification: String) -> AlgorithmProposal)?
    /// New keys after this many bytes in either direction; nil for the cipher's own limit.
    package var rekeyBytes: UInt64?
    /// New keys after this many seconds; nil for never by time.
    package var rekeySeconds: Int64?
    /// The server's keys, one of a type at most.
    package var hostKeys: [PrivateKey] = []
    /// Certificates of them, shown to clients that know certificates.
    package var hostCertificates: [Certificate] = []
    /// How much the peer may send ahead of the reader on each channel, in bytes.
    package var receiveWindow = ReceiveWindow.usualSize
    /// The most data of a packet we accept, in bytes.
    package var maximumPacketSize: UInt32 = 32 * 1024
    /// The same where the peer is of this package: fewer packets are less work.
    package var ownMaximumPacketSize: UInt32 = 128 * 1024
    /// The most channels open at once.
    package var mostChannels = 1024

    package init() {}

    /// The bytes after which a cipher's key is to be replaced, by RFC 4344 section 3.2: 2^(L/4) blocks of L bits,
    /// and a gigabyte for ciphers without such blocks.
    func rekeyLimit(for cipher: CipherAlgorithm) -> UInt64 {
        if let rekeyBytes { return rekeyBytes }
        return cipher.blockSize >= 16 ? 1 << 36 : 1 << 30
    }
}

extension AlgorithmProposal {
    /// What is offered unless somebody asks for other algorithms.
    package static var defaults: AlgorithmProposal {
        AlgorithmProposal(
            kex: KeyExchangeAlgorithm.defaults.map(\.name), hostKeys: SignatureAlgorithm.defaults.map(\.name),
            ciphers: CipherAlgorithm.defaults.map(\.name), macs: MACAlgorithm.defaults.map(\.name),
            compression: ["none"])
    }
}
