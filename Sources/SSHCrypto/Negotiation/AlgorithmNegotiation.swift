/// What one side offers in its SSH_MSG_KEXINIT, best first (RFC 4253 section 7.1).
package struct AlgorithmProposal: Sendable, Equatable {
    package var kex: [String]
    package var hostKeys: [String]
    package var ciphersClientToServer: [String]
    package var ciphersServerToClient: [String]
    package var macsClientToServer: [String]
    package var macsServerToClient: [String]
    package var compressionClientToServer: [String]
    package var compressionServerToClient: [String]

    package init(
        kex: [String], hostKeys: [String], ciphersClientToServer: [String], ciphersServerToClient: [String],
        macsClientToServer: [String], macsServerToClient: [String], compressionClientToServer: [String],
        compressionServerToClient: [String]
    ) {
        self.kex = kex
        self.hostKeys = hostKeys
        self.ciphersClientToServer = ciphersClientToServer
        self.ciphersServerToClient = ciphersServerToClient
        self.macsClientToServer = macsClientToServer
        self.macsServerToClient = macsServerToClient
        self.compressionClientToServer = compressionClientToServer
        self.compressionServerToClient = compressionServerToClient
    }

    /// The same offer for both directions.
    package init(kex: [String], hostKeys: [String], ciphers: [String], macs: [String], compression: [String]) {
        self.init(
            kex: kex, hostKeys: hostKeys, ciphersClientToServer: ciphers, ciphersServerToClient: ciphers,
            macsClientToServer: macs, macsServerToClient: macs, compressionClientToServer: compression,
            compressionServerToClient: compression)
    }
}

/// What both sides will use, by name.
package struct NegotiatedAlgorithms: Sendable, Equatable {
    /// The algorithms of one direction.
    package struct Direction: Sendable, Equatable {
        package let cipher: String
        /// nil where the cipher authenticates itself.
        package let mac: String?
        package let compression: String

        package init(cipher: String, mac: String?, compression: String) {
            self.cipher = cipher
            self.mac = mac
            self.compression = compression
        }
    }

    package let kex: String
    package let hostKey: String
    package let clientToServer: Direction
    package let serverToClient: Direction

    package init(kex: String, hostKey: String, clientToServer: Direction, serverToClient: Direction) {
        self.kex = kex
        self.hostKey = hostKey
        self.clientToServer = clientToServer
        self.serverToClient = serverToClient
    }
}

/// Names among the key exchange methods that say what a side can do and are never chosen.
package enum KeyExchangeMarker: String, CaseIterable, Sendable {
    /// RFC 8308 section 2.1, offered by a client.
    case extInfoClient = "ext-info-c"
    /// RFC 8308 section 2.1, offered by a server.
    case extInfoServer = "ext-info-s"
    /// Strict key exchange (OpenSSH's PROTOCOL section 1.10), offered by a client.
    case strictClient = "kex-strict-c-v00@openssh.com"
    /// Strict key exchange, offered by a server.
    case strictServer = "kex-strict-s-v00@openssh.com"
}

/// The choice of algorithms out of two offers (RFC 4253 section 7.1).
package enum AlgorithmNegotiation {
    /// Chooses, for each kind, the client's first name that the server has too.
    ///
    /// Every host key type here can sign, which is all that any key exchange method here asks of it, so that methods
    /// and host keys are chosen apart.
    ///
    /// - Throws: ``CryptoError/noCommonAlgorithm(_:)``
    package static func negotiate(
        client: AlgorithmProposal, server: AlgorithmProposal
    ) throws(CryptoError) -> NegotiatedAlgorithms {
        NegotiatedAlgorithms(
            kex: try choose("key exchange method", methods(client.kex), methods(server.kex)),
            hostKey: try choose("host key type", client.hostKeys, server.hostKeys),
            clientToServer: try direction(
                "client to server",
                ciphers: (client.ciphersClientToServer, server.ciphersClientToServer),
                macs: (client.macsClientToServer, server.macsClientToServer),
                compression: (client.compressionClientToServer, server.compressionClientToServer)),
            serverToClient: try direction(
                "server to client",
                ciphers: (client.ciphersServerToClient, server.ciphersServerToClient),
                macs: (client.macsServerToClient, server.macsServerToClient),
                compression: (client.compressionServerToClient, server.compressionServerToClient)))
    }

    /// Whether the packet a peer sends behind its SSH_MSG_KEXINIT with `first_kex_packet_follows` must be ignored, the
    /// peer having guessed wrong: the two sides do not prefer the same key exchange method and host key type.
    package static func guessIsWrong(client: AlgorithmProposal, server: AlgorithmProposal) -> Bool {
        methods(client.kex).first != methods(server.kex).first || client.hostKeys.first != server.hostKeys.first
    }

    private static func methods(_ names: [String]) -> [String] {
        names.filter { KeyExchangeMarker(rawValue: $0) == nil }
    }

    private static func direction(
        _ way: String, ciphers: ([String], [String]), macs: ([String], [String]), compression: ([String], [String])
    ) throws(CryptoError) -> NegotiatedAlgorithms.Direction {
        let cipher = try choose("cipher \(way)", ciphers.0, ciphers.1)
        let needsMAC = CipherAlgorithm.named(cipher)?.isAEAD != true
        return NegotiatedAlgorithms.Direction(
            cipher: cipher,
            mac: needsMAC ? try choose("MAC \(way)", macs.0, macs.1) : nil,
            compression: try choose("compression \(way)", compression.0, compression.1))
    }

    private static func choose(
        _ kind: String, _ client: [String], _ server: [String]
    ) throws(CryptoError) -> String {
        guard let name = client.first(where: server.contains) else {
            throw .noCommonAlgorithm(AlgorithmMismatch(kind: kind, client: client, server: server))
        }
        return name
    }
}
