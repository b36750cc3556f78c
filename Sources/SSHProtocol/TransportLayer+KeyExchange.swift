import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

// The exchange of keys (RFC 4253 sections 7 to 9), first and later ones, both roles.

extension TransportLayer {
    mutating func sendKexInit() throws(ConnectionError) {
        var markers: [KeyExchangeMarker] = []
        if isFirstExchange {
            if asksForExtensions { markers.append(role == .client ? .extInfoClient : .extInfoServer) }
            if offersStrictOrder { markers.append(role == .client ? .strictClient : .strictServer) }
        }
        let message = KexInit(offer, markers: markers)
        let payload: ByteBuffer
        do { payload = try message.encoded() } catch { throw .violation("\(error)") }
        try outbound.send(head: payload, body: nil)
        observer?.note(1, "SSH2_MSG_KEXINIT sent")
        exchange = .initSent(.init(message: message, payload: payload))
    }

    /// What this side can do: a server offers no host key algorithm that it has no key for.
    private var offer: AlgorithmProposal {
        guard role == .server else { return configuration.algorithms }
        var offer = configuration.algorithms
        offer.hostKeys.removeAll { hostIdentity(for: $0) == nil }
        return offer
    }

    /// What a server signs with for a host key algorithm, and the certificate it shows the key in; nil where it has none.
    private func hostIdentity(for algorithm: String) -> (key: PrivateKey, certificate: Certificate?)? {
        let plain = Certificate.plainName(of: algorithm)
        guard let type = SignatureAlgorithm.named(plain ?? algorithm)?.keyType,
            let key = configuration.hostKeys.first(where: { $0.publicKey.type == type })
        else { return nil }
        guard plain != nil else { return (key, nil) }
        guard let certificate = configuration.hostCertificates.first(where: { $0.key == key.publicKey }) else {
            return nil
        }
        return (key, certificate)
    }

    mutating func receivedKexInit(_ payload: ByteBuffer) throws(ConnectionError) {
        let theirs = KeyExchangeState.KexInitPayload(message: try KexInit(decoding: payload), payload: payload)
        if case .idle = exchange { try sendKexInit() }
        guard case .initSent(let ours) = exchange else {
            throw .unexpected(message: KexInit.number, during: PeerText(exchange.name))
        }
        observer?.note(1, "SSH2_MSG_KEXINIT received")
        let (client, server) = role == .client ? (ours, theirs) : (theirs, ours)
        if isFirstExchange {
            clientReadsExtensions = client.message.kexAlgorithms.contains(KeyExchangeMarker.extInfoClient.rawValue)
            peerReadsExtensions = theirs.message.kexAlgorithms.contains(KeyExchangeMarker.extInfoServer.rawValue)
            try agreeOnStrictness(client.message, server.message)
        }

        let choice: NegotiatedAlgorithms
        do {
            choice = try AlgorithmNegotiation.negotiate(
                client: client.message.proposal, server: server.message.proposal)
        } catch {
            throw .noCommonAlgorithm("\(error)")
        }
        for name in [choice.clientToServer.compression, choice.serverToClient.compression]
        where CompressionAlgorithm.named(name) == nil {
            throw .keyExchangeFailed("compression \(name) was chosen and is not supported")
        }
        guard let algorithm = KeyExchangeAlgorithm.named(choice.kex) else {
            throw .keyExchangeFailed("method \(choice.kex) was chosen and does not exist")
        }
        note(choice)
        outbound.trace.keyExchange = MessageTrace.KeyExchangeFamily(method: choice.kex)
        inbound.trace.keyExchange = outbound.trace.keyExchange
        exchange = .running(
            .init(
                method: try makeMethod(algorithm),
                algorithm: algorithm, negotiated: choice, clientInit: client.payload, serverInit: server.payload,
                dropsNextPacket: theirs.message.firstKexPacketFollows
                    && AlgorithmNegotiation.guessIsWrong(
                        client: client.message.proposal, server: server.message.proposal)
            ))
    }

    private mutating func makeMethod(
        _ algorithm: KeyExchangeAlgorithm
    ) throws(ConnectionError) -> KeyExchangeState.Exchange.Method {
        do {
            switch role {
            case .client:
                let method = try algorithm.makeClient()
                try outbound.send(head: method.initialPayload, body: nil)
                return .client(method)
            case .server:
                return .server(try algorithm.makeServer())
            }
        } catch let error as ConnectionError {
            throw error
        } catch {
            throw .keyExchangeFailed("\(error)")
        }
    }

    private mutating func agreeOnStrictness(_ client: KexInit, _ server: KexInit) throws(ConnectionError) {
        isStrict =
            client.kexAlgorithms.contains(KeyExchangeMarker.strictClient.rawValue)
            && server.kexAlgorithms.contains(KeyExchangeMarker.strictServer.rawValue)
        guard isStrict else { return }
        observer?.note(3, "will use strict KEX ordering")
        guard inbound.counter.sequenceNumber == 1 else {
            throw .violation("strict key exchange: KEXINIT was not the first packet")
        }
    }

    mutating func receivedMethodMessage(_ payload: ByteBuffer) throws(ConnectionError) {
        guard case .running(var running) = exchange else {
            let number = payload.getInteger(at: payload.readerIndex, as: UInt8.self) ?? 0
            throw .unexpected(message: number, during: PeerText(exchange.name))
        }
        if running.dropsNextPacket {
            running.dropsNextPacket = false
            exchange = .running(running)
            return
        }
        do {
            switch running.method {
            case .client(var method):
                let step = try method.receive(payload)
                running.method = .client(method)
                exchange = .running(running)
                switch step {
                case .send(let next): try outbound.send(head: next, body: nil)
                case .finished(let result): try finishAsClient(running, result)
                }
            case .server(var method):
                let step = try method.receive(payload)
                running.method = .server(method)
                exchange = .running(running)
                switch step {
                case .send(let next): try outbound.send(head: next, body: nil)
                case .computed(let tail, let secret):
                    try finishAsServer(running, method, tail: tail, secret: secret)
                }
            }
        } catch let error as ConnectionError {
            throw error
        } catch {
            throw .keyExchangeFailed("\(error)")
        }
    }

    private func exchangeHash(_ running: KeyExchangeState.Exchange, hostKey: ByteBuffer, tail: ByteBuffer) -> [UInt8] {
        let peer = peerVersion ?? ""
        var input = ByteBuffer()
        input.writeSSHString(role == .client ? ourVersion : peer)
        input.writeSSHString(role == .client ? peer : ourVersion)
        input.writeSSHString(running.clientInit)
        input.writeSSHString(running.serverInit)
        input.writeSSHString(hostKey)
        input.writeImmutableBuffer(tail)
        return running.algorithm.hash.digest(input)
    }

    private mutating func finishAsClient(
        _ running: KeyExchangeState.Exchange, _ result: KeyExchangeResult
    ) throws(ConnectionError) {
        let hash = exchangeHash(running, hostKey: result.hostKey, tail: result.exchangeHashTail)
        let key: PublicKey
        var certificate: Certificate?
        do {
            // With a certificate's algorithm the server shows a certificate, and signs with the key in it.
            let plain = Certificate.plainName(of: running.negotiated.hostKey)
            if plain != nil { certificate = try Certificate(blob: result.hostKey) }
            key = try certificate?.key ?? PublicKey(blob: result.hostKey)
            try key.verify(
                signature: result.signature, of: hash, algorithm: plain ?? running.negotiated.hostKey)
        } catch { throw .keyExchangeFailed("host key: \(error)") }
        observer?.note(1, "Server host key: \(key.type.name) \(key.fingerprint())")
        if hostKeyProof == nil { hostKeyProof = HostKeyProof(blob: result.hostKey, signature: result.signature) }
        var fresh = freshKeys(running, result.sharedSecret, hash, key)
        fresh.certificate = certificate
        if let hostKey {
            guard hostKey == key else { throw .keyExchangeFailed("the server changed its host key within the session") }
            try sendNewKeys(fresh)
        } else {
            hostCertificate = certificate
            exchange = .awaitingVerdict(fresh)
            events.append(.hostKey(key))
        }
    }

    /// The host key is the right one: the exchange goes on.
    mutating func acceptHostKey() throws(ConnectionError) {
        guard case .awaitingVerdict(let fresh) = exchange else { throw .violation("no host key awaits a verdict") }
        hostKey = fresh.hostKey
        try sendNewKeys(fresh)
    }

    private mutating func finishAsServer(
        _ running: KeyExchangeState.Exchange, _ method: any ServerKeyExchange, tail: ByteBuffer, secret: ByteBuffer
    ) throws(ConnectionError) {
        let algorithm = running.negotiated.hostKey
        guard let (key, certificate) = hostIdentity(for: algorithm) else {
            throw .keyExchangeFailed("no host key for \(algorithm)")
        }
        let blob = certificate?.blob ?? key.publicKey.blob
        let hash = exchangeHash(running, hostKey: blob, tail: tail)
        do {
            let signature = try key.sign(hash, algorithm: Certificate.plainName(of: algorithm) ?? algorithm)
            try outbound.send(head: method.makeReply(hostKey: blob, signature: signature), body: nil)
        } catch let error as ConnectionError { throw error } catch { throw .keyExchangeFailed("\(error)") }
        hostKey = key.publicKey
        hostCertificate = certificate
        try sendNewKeys(freshKeys(running, secret, hash, key.publicKey))
    }

    private mutating func freshKeys(
        _ running: KeyExchangeState.Exchange, _ secret: ByteBuffer, _ hash: [UInt8], _ hostKey: PublicKey
    ) -> KeyExchangeState.FreshKeys {
        let session = sessionID ?? hash
        sessionID = session
        return .init(
            negotiated: running.negotiated,
            derivation: KeyDerivation(
                hash: running.algorithm.hash, sharedSecret: secret, exchangeHash: hash, sessionID: session),
            hostKey: hostKey)
    }

    private mutating func sendNewKeys(_ fresh: KeyExchangeState.FreshKeys) throws(ConnectionError) {
        let direction = try fresh.direction(clientToServer: role == .client)
        try sendNow(NewKeys())
        observer?.note(1, "SSH2_MSG_NEWKEYS sent")
        do {
            let sealer = try PacketProtection.makeSealer(
                cipher: direction.cipher, mac: direction.mac, keys: direction.keys)
            try outbound.use(sealer, compression: direction.compression, resettingSequence: isStrict)
        } catch { throw .keyExchangeFailed("\(error)") }
        rekeyLimits.sent = configuration.rekeyLimit(for: direction.cipher)
        exchange = .newKeysSent(fresh)
        if isFirstExchange && role == .server && clientReadsExtensions { try sendExtensions() }
        if isFirstExchange && role == .client && peerReadsExtensions { try sendClientExtensions() }
        while let payload = held.popFirst() { try outbound.send(head: payload, body: nil) }
        heldBytes = 0
    }

    private mutating func sendExtensions() throws(ConnectionError) {
        let names = SignatureAlgorithm.defaults.map(\.name).joined(separator: ",")
        try sendNow(
            ExtensionInfo([
                .init(name: "server-sig-algs", value: ByteBuffer(string: names)),
                .init(name: "publickey-hostbound@openssh.com", value: ByteBuffer(string: "0")),
                .init(name: "ping@openssh.com", value: ByteBuffer(string: "0")),
            ]))
    }

    /// RFC 8308 section 2.4: right behind NEWKEYS. The first lets the server tell more once it knows the user
    /// (OpenSSH's PROTOCOL section 1.10), the second that pings are answered (section 1.8).
    private mutating func sendClientExtensions() throws(ConnectionError) {
        let names = ["ext-info-in-auth@openssh.com", "ping@openssh.com"]
        try sendNow(ExtensionInfo(names.map { .init(name: $0, value: ByteBuffer(string: "0")) }))
    }

    mutating func receivedNewKeys() throws(ConnectionError) {
        guard case .newKeysSent(let fresh) = exchange else {
            throw .unexpected(message: NewKeys.number, during: PeerText(exchange.name))
        }
        observer?.note(1, "SSH2_MSG_NEWKEYS received")
        let direction = try fresh.direction(clientToServer: role == .server)
        do {
            let opener = try PacketProtection.makeOpener(
                cipher: direction.cipher, mac: direction.mac, keys: direction.keys)
            try inbound.use(opener, compression: direction.compression, resettingSequence: isStrict)
        } catch { throw .keyExchangeFailed("\(error)") }
        rekeyLimits.received = configuration.rekeyLimit(for: direction.cipher)
        exchange = .idle
        keysSince = now
        negotiated = fresh.negotiated
        events.append(isFirstExchange ? .ready(fresh.negotiated) : .rekeyed)
        let asksForService = isFirstExchange && role == .client
        isFirstExchange = false
        if asksForService { try sendNow(ServiceRequest(service: "ssh-userauth")) }
    }

    private func note(_ choice: NegotiatedAlgorithms) {
        guard let observer else { return }
        observer.note(1, "kex: algorithm: \(choice.kex)")
        observer.note(1, "kex: host key algorithm: \(choice.hostKey)")
        for (label, way) in [("server->client", choice.serverToClient), ("client->server", choice.clientToServer)] {
            let mac = way.mac ?? "<implicit>"
            observer.note(1, "kex: \(label) cipher: \(way.cipher) MAC: \(mac) compression: \(way.compression)")
        }
    }
}
