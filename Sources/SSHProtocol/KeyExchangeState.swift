import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

/// Where the exchange of keys stands (RFC 4253 sections 7 and 9).
///
/// A state holds only what it may use, so that a message out of turn has nowhere to go.
enum KeyExchangeState {
    /// None under way.
    case idle
    /// Our KEXINIT is sent, the peer's awaited.
    case initSent(KexInitPayload)
    /// Both KEXINITs are known; the method's messages pass.
    case running(Exchange)
    /// Client, first exchange: the host key awaits its verdict.
    case awaitingVerdict(FreshKeys)
    /// Our NEWKEYS is sent, the peer's awaited.
    case newKeysSent(FreshKeys)

    var name: String {
        switch self {
        case .idle: "no key exchange"
        case .initSent: "key exchange before the peer's KEXINIT"
        case .running: "key exchange"
        case .awaitingVerdict: "host key verification"
        case .newKeysSent: "key exchange before the peer's NEWKEYS"
        }
    }

    /// Whether the peer may send messages of upper layers: it has not sent KEXINIT, or has sent NEWKEYS.
    var passesUpperLayers: Bool {
        switch self {
        case .idle, .initSent: true
        case .running, .awaitingVerdict, .newKeysSent: false
        }
    }

    /// A KEXINIT with the payload it was sent or received as, which enters the exchange hash.
    struct KexInitPayload {
        let message: KexInit
        let payload: ByteBuffer
    }

    /// An exchange between the two KEXINITs and our NEWKEYS.
    struct Exchange {
        enum Method {
            case client(any ClientKeyExchange)
            case server(any ServerKeyExchange)
        }
        var method: Method
        let algorithm: KeyExchangeAlgorithm
        let negotiated: NegotiatedAlgorithms
        let clientInit: ByteBuffer
        let serverInit: ByteBuffer
        /// The peer guessed another method and its first packet is to be dropped.
        var dropsNextPacket: Bool
    }

    /// The outcome of an exchange: what both directions are to use.
    struct FreshKeys {
        let negotiated: NegotiatedAlgorithms
        let derivation: KeyDerivation
        let hostKey: PublicKey
        /// What the server showed the key in; nil for the plain key.
        var certificate: Certificate?

        /// The cipher, MAC and keys of one direction.
        func direction(clientToServer: Bool) throws(ConnectionError) -> Direction {
            let names = clientToServer ? negotiated.clientToServer : negotiated.serverToClient
            guard let cipher = CipherAlgorithm.named(names.cipher) else {
                throw .keyExchangeFailed("cipher \(names.cipher) was chosen and does not exist")
            }
            let mac = names.mac.flatMap(MACAlgorithm.named)
            let keys = derivation.directionKeys(clientToServer: clientToServer, cipher: cipher, mac: mac)
            guard let compression = CompressionAlgorithm.named(names.compression) else {
                throw .keyExchangeFailed("compression \(names.compression) was chosen and does not exist")
            }
            return Direction(cipher: cipher, mac: mac, keys: keys, compression: compression)
        }
    }

    struct Direction {
        let cipher: CipherAlgorithm
        let mac: MACAlgorithm?
        let keys: DirectionKeys
        let compression: CompressionAlgorithm
    }
}

extension KexInit {
    /// A KEXINIT that offers `proposal`, with a random cookie.
    init(_ proposal: AlgorithmProposal, markers: [KeyExchangeMarker]) {
        self.init()
        var random = SystemRandomNumberGenerator()
        cookie = ByteBuffer()
        cookie.writeInteger(random.next() as UInt64)
        cookie.writeInteger(random.next() as UInt64)
        kexAlgorithms = proposal.kex + markers.map(\.rawValue)
        serverHostKeyAlgorithms = proposal.hostKeys
        encryptionClientToServer = proposal.ciphersClientToServer
        encryptionServerToClient = proposal.ciphersServerToClient
        macClientToServer = proposal.macsClientToServer
        macServerToClient = proposal.macsServerToClient
        compressionClientToServer = proposal.compressionClientToServer
        compressionServerToClient = proposal.compressionServerToClient
    }

    var proposal: AlgorithmProposal {
        AlgorithmProposal(
            kex: kexAlgorithms, hostKeys: serverHostKeyAlgorithms,
            ciphersClientToServer: encryptionClientToServer, ciphersServerToClient: encryptionServerToClient,
            macsClientToServer: macClientToServer, macsServerToClient: macServerToClient,
            compressionClientToServer: compressionClientToServer, compressionServerToClient: compressionServerToClient)
    }
}
