import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire

/// What a connection has to tell whoever drives it.
package enum ConnectionEvent: Sendable {
    /// A line a server sent before its identification.
    case preamble(PeerText)
    /// The peer's identification.
    case identification(String)
    /// Client: the server proved that it holds this key; `hostCertificate` is what it showed it in. Nothing goes on until
    /// `acceptHostKey` or `fail`.
    case hostKey(PublicKey)
    /// The first keys are in use both ways. Client: the authentication service has been asked for; authenticate now.
    case ready(NegotiatedAlgorithms)
    /// Later keys are in use.
    case rekeyed
    case extensions(ExtensionInfo)

    // Authentication, client
    case banner(ByteBuffer)
    case authenticated
    case authenticationFailed(methods: [String], partialSuccess: Bool)
    case publicKeyAcceptable(algorithm: String, key: ByteBuffer)
    case passwordChangeRequested(prompt: ByteBuffer)
    case informationRequested(UserAuthInfoRequest)

    // Authentication, server
    /// To be answered by `acceptAuthentication`, `rejectAuthentication`, `acknowledge`, `requestPasswordChange` or
    /// `requestInformation`; so is ``informationGiven(_:)``, without `acknowledge`.
    case authenticationRequested(AuthenticationAttempt)
    case informationGiven([ByteBuffer])

    // Channels
    /// To be answered by `acceptChannel` or `rejectChannel`.
    case channelOffered(ChannelID, ChannelType)
    case channelOpened(ChannelID)
    /// The number is free again.
    case channelRefused(ChannelID, ChannelOpenFailureReason, PeerText)
    /// To be answered by `replyToRequest` where `wantReply` is set.
    case channelRequest(ChannelID, ChannelRequestKind, wantReply: Bool)
    case channelReply(ChannelID, success: Bool)
    /// Data or standard error came since it was last taken.
    case channelReadable(ChannelID)
    case channelEOF(ChannelID)
    /// Closed both ways; what was received before is still to be taken. `release` frees the number.
    case channelClosed(ChannelID)

    /// A request about the whole connection; where an answer is wanted, it has been refused already.
    case globalRequest(GlobalRequest)
    /// The answer to a request of that name; nil for the refusal.
    case globalReply(to: String, ByteBuffer?)
    /// A debug message the peer wants shown.
    case debug(PeerText)
}

/// One request of a client to be let in. Signatures in it are not verified: that takes its time, and is due only for a key
/// that would be let in.
package struct AuthenticationAttempt: Sendable {
    package enum Proof: Sendable {
        case none
        /// The key would be used; nothing is proved.
        case publicKeyOffered(ShownKey)
        /// The client shows that it holds the key, if the signature is good.
        case publicKey(SignedKey)
        /// A key or certificate that cannot be read or does not fit its algorithm: nothing is proved.
        case unusableKey(reason: PeerText)
        case password(ByteBuffer, new: ByteBuffer?)
        case keyboardInteractive
        case other(String)
    }
    package let user: String
    package let proof: Proof
}

extension AuthenticationAttempt.Proof: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The method alone: no password reaches a log this way.
    package var description: String {
        switch self {
        case .none: "none"
        case .publicKeyOffered(let shown): "publickey, offered, \(shown.algorithm)"
        case .publicKey(let signed): "publickey, signed, \(signed.shown.algorithm)"
        case .unusableKey(let reason): "publickey, unusable: \(reason)"
        case .password: "password"
        case .keyboardInteractive: "keyboard-interactive"
        case .other(let name): "\(PeerText(name))"
        }
    }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The key of an authentication request, and the certificate it is shown in.
package struct ShownKey: Sendable {
    package let key: PublicKey
    /// Not looked at beyond its form, its authority's signature neither.
    package let certificate: Certificate?
    /// The algorithm as the request names it.
    package let algorithm: String
    /// What a security key says of its owner in its signature; nil for other keys, and before there is a signature.
    package let securityKey: SecurityKeyFlags?

    /// What the request carries: the certificate's blob, or the key's.
    package var blob: ByteBuffer { certificate?.blob ?? key.blob }
    /// The algorithm of the signature itself, which never names a certificate.
    package var signatureAlgorithm: String { Certificate.plainName(of: algorithm) ?? algorithm }
}

/// A key with what a client signed with it (RFC 4252 section 7).
package struct SignedKey: Sendable {
    /// What is shown, without a security key's word on its owner, which is part of the signature.
    package let shown: ShownKey
    let signature: ByteBuffer
    let data: ByteBuffer

    /// Verifies the signature, which may take milliseconds: not for an event loop's thread.
    ///
    /// - Returns: the key, with what a security key says of its owner.
    package func verified() throws(KeyError) -> ShownKey {
        let flags = try shown.key.verifyWithFlags(
            signature: signature, of: data.readableBytesView, algorithm: shown.signatureAlgorithm)
        return ShownKey(
            key: shown.key, certificate: shown.certificate, algorithm: shown.algorithm, securityKey: flags)
    }
}

/// What binds a connection to a host key: an agent can check it (OpenSSH's PROTOCOL.agent section 1).
package struct HostKeyProof: Sendable {
    /// The key, or the certificate, as the server sent it.
    package let blob: ByteBuffer
    /// Its signature of the first exchange hash, which is the session identifier.
    package let signature: ByteBuffer
}
