import NIOCore

/// Describes any payload for a trace (`scp -vvv`), field by field, with secrets and bulk data left out.
package struct MessageTrace: Sendable {
    /// Which exchange the numbers 30 to 49 belong to now (RFC 4250 section 4.1.1 gives them to the method).
    package enum KeyExchangeFamily: Sendable {
        case ecdh, dh, groupExchange

        /// The family of a method, by its name.
        package init(method: String) {
            if method.hasPrefix("diffie-hellman-group-exchange") {
                self = .groupExchange
            } else if method.hasPrefix("diffie-hellman") {
                self = .dh
            } else {
                self = .ecdh
            }
        }
    }
    /// Which authentication method the numbers 60 to 79 belong to now.
    package enum AuthenticationFamily: Sendable { case publicKey, password, keyboardInteractive }

    package var keyExchange = KeyExchangeFamily.ecdh
    package var authentication = AuthenticationFamily.publicKey

    package init() {}

    /// A payload as lines: the message's name and number, then a line for each field.
    package func describe(_ payload: ByteBuffer) -> [String] {
        guard let number = payload.getInteger(at: payload.readerIndex, as: UInt8.self) else { return ["empty payload"] }
        guard let type = messageType(number) else {
            return ["message \(number), payload \(payload.readableBytes) bytes (unknown)"]
        }
        let head = "\(type.name) (\(number)), payload \(payload.readableBytes) bytes"
        do {
            let message = try type.init(payload: payload)
            return [head] + message.fields.map { "\($0.name): \($0.type), \($0.size) bytes: \($0.value)" }
        } catch {
            return ["\(head): malformed: \(error)"]
        }
    }

    private static let common: [UInt8: any Message.Type] = {
        let types: [any Message.Type] = [
            Disconnect.self, Ignore.self, Unimplemented.self, Debug.self, ServiceRequest.self, ServiceAccept.self,
            ExtensionInfo.self, KexInit.self, NewKeys.self, UserAuthRequest.self, UserAuthFailure.self,
            UserAuthSuccess.self, UserAuthBanner.self, UserAuthInfoResponse.self, GlobalRequest.self,
            RequestSuccess.self, RequestFailure.self, ChannelOpen.self, ChannelOpenConfirmation.self,
            ChannelOpenFailure.self, ChannelWindowAdjust.self, ChannelData.self, ChannelExtendedData.self,
            ChannelEOF.self, ChannelClose.self, ChannelRequest.self, ChannelSuccess.self, ChannelFailure.self,
            Ping.self, Pong.self,
        ]
        return Dictionary(types.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
    }()

    private func messageType(_ number: UInt8) -> (any Message.Type)? {
        switch (number, keyExchange, authentication) {
        case (30, .ecdh, _): KexECDHInit.self
        case (31, .ecdh, _): KexECDHReply.self
        case (30, .dh, _): KexDHInit.self
        case (31, .dh, _): KexDHReply.self
        case (31, .groupExchange, _): KexGroup.self
        case (32, .groupExchange, _): KexGroupInit.self
        case (33, .groupExchange, _): KexGroupReply.self
        case (34, .groupExchange, _): KexGroupRequest.self
        case (60, _, .publicKey): UserAuthPublicKeyOK.self
        case (60, _, .password): UserAuthPasswordChangeRequest.self
        case (60, _, .keyboardInteractive): UserAuthInfoRequest.self
        default: Self.common[number]
        }
    }
}
