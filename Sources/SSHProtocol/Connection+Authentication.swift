import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

extension Connection {
    // MARK: Client

    /// The key of ``ConnectionEvent/hostKey(_:)`` is the right one: go on.
    package mutating func acceptHostKey() throws(ConnectionError) {
        try checkAlive()
        guard transport.isPaused else { throw .violation("no host key awaits a verdict") }
        try guarded { (connection) throws(ConnectionError) in try connection.transport.acceptHostKey() }
        try resume()
    }

    /// Asks to be let in. One request is under way at a time.
    ///
    /// - Parameter session: behind the first request that carries a signature, so most likely to succeed, a session channel is
    ///   asked for, if the server is known to take that, and these requests are made on it. The next
    ///   ``openChannel(_:requests:)`` of a session with the same requests gives it out, or any if there are none; a round trip is
    ///   saved by the channel, and one by the requests. Nil for no channel.
    package mutating func authenticate(
        user: String, _ method: AuthenticationMethod, session: [ChannelRequestKind]? = nil
    ) throws(ConnectionError) {
        try checkAlive()
        guard role == .client, negotiated != nil, clientAuthentication.state == .idle else {
            throw .violation("an authentication request out of turn")
        }
        try guarded { (connection) throws(ConnectionError) in
            connection.transport.describeAuthentication(method.withoutSecrets)
            try connection.sendSecret(UserAuthRequest(user: user, method: method))
            connection.clientAuthentication.sent(method.withoutSecrets)
            if let session, method.isSigned { try connection.openAhead(session) }
        }
    }

    private mutating func openAhead(_ requests: [ChannelRequestKind]) throws(ConnectionError) {
        guard takesChannelsAhead, !hasOpenedAhead, transport.maySend else { return }
        hasOpenedAhead = true
        channels.isPeerOurs = peer?.isOurs == true
        try channels.openAhead(packet: transport.outbound.counter.sequenceNumber, requests: requests)
        try sendChannelMessages()
    }

    /// Whether the server reads on behind a request to be let in and handles what follows when it has answered: OpenSSH's
    /// does, and answers with UNIMPLEMENTED if the user was not let in. Others end the connection. A delayed compression
    /// would begin in between.
    private var takesChannelsAhead: Bool {
        negotiated?.clientToServer.compression == "none" && peer?.isKnown == true
    }

    /// Answers ``ConnectionEvent/informationRequested(_:)``, one answer a prompt.
    package mutating func answer(_ answers: [ByteBuffer]) throws(ConnectionError) {
        try checkAlive()
        guard let prompts = clientAuthentication.promptsAwaitingAnswers, clientAuthentication.state == .waiting else {
            throw .violation("answers to no question")
        }
        guard prompts == answers.count else { throw .violation("\(answers.count) answers to \(prompts) questions") }
        clientAuthentication.answered()
        try guarded { (connection) throws(ConnectionError) in
            try connection.sendSecret(UserAuthInfoResponse(answers: answers))
        }
    }

    // MARK: Server

    /// Lets the client in.
    package mutating func acceptAuthentication() throws(ConnectionError) {
        try judge { (connection) throws(ConnectionError) in
            connection.serverAuthentication.accepted()
            try connection.send(UserAuthSuccess())
            connection.authenticated()
        }
    }

    /// Refuses the request, or takes it as one step of several.
    ///
    /// - Parameter methods: what the client may try now.
    package mutating func rejectAuthentication(
        methods: [String], partialSuccess: Bool = false
    ) throws(ConnectionError) {
        try judge { (connection) throws(ConnectionError) in
            connection.serverAuthentication.answered()
            try connection.send(UserAuthFailure(methods: methods, partialSuccess: partialSuccess))
        }
    }

    /// Tells the client that the key it asked about would do.
    package mutating func acknowledge(_ shown: ShownKey) throws(ConnectionError) {
        try judge { (connection) throws(ConnectionError) in
            connection.serverAuthentication.answered()
            try connection.send(UserAuthPublicKeyOK(algorithm: shown.algorithm, key: shown.blob))
        }
    }

    /// Asks for a new password in place of the one given (RFC 4252 section 8).
    package mutating func requestPasswordChange(prompt: String) throws(ConnectionError) {
        try judge { (connection) throws(ConnectionError) in
            connection.serverAuthentication.answered()
            var request = UserAuthPasswordChangeRequest()
            request.prompt = ByteBuffer(string: prompt)
            try connection.send(request)
        }
    }

    /// Puts questions to the client (RFC 4256).
    package mutating func requestInformation(_ request: UserAuthInfoRequest) throws(ConnectionError) {
        try judge { (connection) throws(ConnectionError) in
            connection.serverAuthentication.questioned()
            try connection.send(request)
        }
    }

    /// Shows the client a text before it is let in.
    package mutating func sendBanner(_ text: String) throws(ConnectionError) {
        try guarded { (connection) throws(ConnectionError) in try connection.send(UserAuthBanner(text: text)) }
    }

    private mutating func judge(
        _ body: (inout Connection) throws(ConnectionError) -> Void
    ) throws(ConnectionError) {
        try checkAlive()
        guard serverAuthentication.isJudging else { throw .violation("no request awaits a verdict") }
        try guarded(body)
        try resume()
    }

    // MARK: Incoming

    /// Handles a message of the connection protocol that comes before the user is let in.
    ///
    /// Client: a server that looks at a channel asked for ahead may refuse it in due form. Server: a client that expects to
    /// be let in may ask for one channel ahead and make requests on it, which is then as if it had not (OpenSSH's server treats
    /// all messages that way). Anything else ends the connection (RFC 4252 section 6).
    mutating func receivedTooEarly(_ number: UInt8) throws(ConnectionError) {
        switch (role, number) {
        case (.client, ChannelOpenFailure.number) where hasOpenedAhead && !hasHeardOfAhead:
            hasHeardOfAhead = true
            channels.forgetAhead()
        case (.server, ChannelOpen.number) where !hasHeardOfAhead:
            hasHeardOfAhead = true
            try sendUnimplemented()
        case (.server, ChannelRequest.number) where hasHeardOfAhead && requestsTooEarly < Self.mostRequestsTooEarly:
            requestsTooEarly += 1
            try sendUnimplemented()
        default:
            throw .unexpected(message: number, during: "authentication")
        }
    }

    mutating func receivedAuthentication(_ payload: ByteBuffer, _ number: UInt8) throws(ConnectionError) {
        let event: ConnectionEvent?
        switch role {
        case .client:
            event = try clientAuthentication.receive(payload, number: number)
            switch event {
            case nil, .banner, .authenticated: break
            default: channels.forgetAhead()
            }
        case .server:
            guard let sessionID = transport.sessionID, let hostKey = hostKeyBlob else { return }
            if transport.observer != nil, let request = try? UserAuthRequest(payload: payload) {
                transport.describeAuthentication(request.method.withoutSecrets)
            }
            event = try serverAuthentication.receive(
                payload, number: number, sessionID: sessionID, hostKey: hostKey)
        }
        if case .authenticated = event { authenticated() }
        if let event { transport.emit(event) }
    }

    /// The user is let in: channels may follow.
    private mutating func authenticated() {
        transport.authenticated()
        channels.isPeerOurs = peer?.isOurs == true
    }
}
