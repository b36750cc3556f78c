import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

/// What a public key signature of an authentication request covers (RFC 4252 section 7).
package enum AuthenticationSignature {
    /// The bytes to sign for, or verify of, a request that carries a key.
    package static func signedData(
        sessionID: [UInt8], user: String, algorithm: String, key: ByteBuffer, hostKey: ByteBuffer? = nil
    ) -> ByteBuffer {
        var data = ByteBuffer()
        data.writeSSHString(sessionID)
        data.writeInteger(UserAuthRequest.number)
        data.writeSSHString(user)
        data.writeSSHString("ssh-connection")
        data.writeSSHString(hostKey == nil ? "publickey" : "publickey-hostbound-v00@openssh.com")
        data.writeSSHBoolean(true)
        data.writeSSHString(algorithm)
        data.writeSSHString(key)
        if let hostKey { data.writeSSHString(hostKey) }
        return data
    }
}

/// The client's side of the authentication protocol (RFC 4252).
struct ClientAuthentication {
    enum State: Equatable {
        /// The service is asked for with the first keys; a request may follow at once.
        case idle
        case waiting
        case done
    }
    private(set) var state = State.idle
    private var serviceAccepted = false
    /// The method of the request under way; the numbers 60 to 79 mean what it says.
    private var method = AuthenticationMethod.none
    /// How many answers the server waits for; nil while it has asked nothing.
    private(set) var promptsAwaitingAnswers: Int?

    mutating func sent(_ method: AuthenticationMethod) {
        self.method = method
        state = .waiting
        promptsAwaitingAnswers = nil
    }

    mutating func answered() { promptsAwaitingAnswers = nil }

    /// Handles a message of the peer's; returns what it means.
    mutating func receive(_ payload: ByteBuffer, number: UInt8) throws(ConnectionError) -> ConnectionEvent? {
        switch (number, state) {
        case (ServiceAccept.number, _) where !serviceAccepted:
            let message = try ServiceAccept(decoding: payload)
            guard message.service == "ssh-userauth" else { throw .violation("service \(message.service) accepted") }
            serviceAccepted = true
            return nil
        case (UserAuthBanner.number, _) where state != .done:
            return .banner(try UserAuthBanner(decoding: payload).text)
        case (UserAuthSuccess.number, .waiting):
            _ = try UserAuthSuccess(decoding: payload)
            state = .done
            return .authenticated
        case (UserAuthFailure.number, .waiting):
            let message = try UserAuthFailure(decoding: payload)
            state = .idle
            return .authenticationFailed(methods: message.methods, partialSuccess: message.partialSuccess)
        case (60, .waiting):
            return try receiveMethodSpecific(payload)
        default:
            throw .unexpected(message: number, during: "authentication")
        }
    }

    private mutating func receiveMethodSpecific(_ payload: ByteBuffer) throws(ConnectionError) -> ConnectionEvent {
        switch method {
        case .publicKey(_, let key, nil), .hostBoundPublicKey(_, let key, _, nil):
            let message = try UserAuthPublicKeyOK(decoding: payload)
            guard message.key == key else { throw .violation("another key than the one asked about was accepted") }
            state = .idle
            return .publicKeyAcceptable(algorithm: message.algorithm, key: message.key)
        case .password:
            state = .idle
            return .passwordChangeRequested(prompt: try UserAuthPasswordChangeRequest(decoding: payload).prompt)
        case .keyboardInteractive:
            guard promptsAwaitingAnswers == nil else { throw .violation("questions before the last were answered") }
            let request = try UserAuthInfoRequest(decoding: payload)
            promptsAwaitingAnswers = request.prompts.count
            return .informationRequested(request)
        default:
            throw .unexpected(message: 60, during: "\(method.name) authentication")
        }
    }
}

/// The server's side of the authentication protocol (RFC 4252).
struct ServerAuthentication {
    enum State: Equatable {
        case awaitingService
        case idle
        /// A request awaits its verdict; nothing more is read until then.
        case judging
        /// Questions were put to the client.
        case questioning
        case done
    }
    private(set) var state = State.awaitingService

    var isJudging: Bool { state == .judging }
    var isDone: Bool { state == .done }

    mutating func serviceAccepted() { state = .idle }
    mutating func answered() { state = .idle }
    mutating func questioned() { state = .questioning }
    mutating func accepted() { state = .done }

    /// Handles a client's message; nil where it is to be ignored.
    mutating func receive(
        _ payload: ByteBuffer, number: UInt8, sessionID: [UInt8], hostKey: ByteBuffer
    ) throws(ConnectionError) -> ConnectionEvent? {
        switch (number, state) {
        case (UserAuthRequest.number, .idle), (UserAuthRequest.number, .questioning):
            let request = try UserAuthRequest(decoding: payload)
            guard request.service == "ssh-connection" else {
                throw .violation("authentication for service \(request.service)")
            }
            state = .judging
            return .authenticationRequested(
                AuthenticationAttempt(
                    user: request.user, proof: prove(request, sessionID: sessionID, hostKey: hostKey)))
        case (UserAuthRequest.number, .done):
            return nil  // RFC 4252 section 5.3: requests that come after success are ignored
        case (UserAuthInfoResponse.number, .questioning):
            state = .judging
            return .informationGiven(try UserAuthInfoResponse(decoding: payload).answers)
        default:
            throw .unexpected(message: number, during: "authentication")
        }
    }

    private func prove(_ request: UserAuthRequest, sessionID: [UInt8], hostKey: ByteBuffer)
        -> AuthenticationAttempt.Proof
    {
        switch request.method {
        case .none:
            return .none
        case .publicKey(let algorithm, let key, let signature):
            return proveKey(request.user, algorithm, key, signature, bound: nil, sessionID: sessionID)
        case .hostBoundPublicKey(let algorithm, let key, let bound, let signature):
            guard bound == hostKey else { return .unusableKey(reason: "a request bound to another host key") }
            return proveKey(request.user, algorithm, key, signature, bound: bound, sessionID: sessionID)
        case .password(let password, let new):
            return .password(password, new: new)
        case .keyboardInteractive:
            return .keyboardInteractive
        case .other(let name, _):
            return .other(name)
        }
    }

    private func proveKey(
        _ user: String, _ algorithm: String, _ blob: ByteBuffer, _ signature: ByteBuffer?, bound: ByteBuffer?,
        sessionID: [UInt8]
    ) -> AuthenticationAttempt.Proof {
        do throws(KeyError) {
            let (key, certificate) = try read(blob, algorithm: algorithm)
            let shown = ShownKey(key: key, certificate: certificate, algorithm: algorithm, securityKey: nil)
            guard let signature else { return .publicKeyOffered(shown) }
            let data = AuthenticationSignature.signedData(
                sessionID: sessionID, user: user, algorithm: algorithm, key: blob, hostKey: bound)
            return .publicKey(SignedKey(shown: shown, signature: signature, data: data))
        } catch {
            return .unusableKey(reason: "\(error)")
        }
    }

    /// The key of a request, of the type that its algorithm is for; a certificate only where the algorithm says so.
    private func read(
        _ blob: ByteBuffer, algorithm: String
    ) throws(KeyError) -> (PublicKey, Certificate?) {
        let plain = Certificate.plainName(of: algorithm)
        guard let known = SignatureAlgorithm.named(plain ?? algorithm) else {
            throw .unknownAlgorithm(PeerText(algorithm))
        }
        let certificate: Certificate?
        let key: PublicKey
        if plain == nil {
            certificate = nil
            key = try PublicKey(blob: blob)
        } else {
            let read = try Certificate(unverified: blob)
            certificate = read
            key = read.key
        }
        guard known.keyType == key.type else {
            throw .unsuitableAlgorithm(algorithm: PeerText(algorithm), keyType: key.type.name)
        }
        return (key, certificate)
    }
}
