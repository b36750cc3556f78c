import NIOCore
import SSHWire
import TestSupport

extension SeededGenerator {
    mutating func buffer(upTo most: Int = 40) -> ByteBuffer {
        ByteBuffer(bytes: bytes(Int.random(in: 0...most, using: &self)))
    }

    mutating func text(upTo most: Int = 20) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789-@.äß日")
        return String(
            (0..<Int.random(in: 0...most, using: &self)).map { _ in letters.randomElement(using: &self) ?? "a" })
    }

    mutating func names() -> [String] {
        (0..<Int.random(in: 0...6, using: &self)).map { "name\($0)-\(UInt8.random(in: .min ... .max, using: &self))" }
    }

    mutating func number() -> UInt32 { UInt32.random(in: .min ... .max, using: &self) }
}

/// Fills every field of a message with random values, by passing as a coder over it.
struct RandomFiller: FieldCoder {
    var random: SeededGenerator
    /// What the next `text` fields are set to: names that choose the layout of what follows them.
    var texts: [String: String] = [:]
    /// What the counts of lists are set to.
    var counts: UInt32 = 3

    mutating func byte(_ name: String, _ value: inout UInt8) { value = random.bytes(1)[0] }
    mutating func boolean(_ name: String, _ value: inout Bool) { value = Bool.random(using: &random) }
    mutating func uint32(_ name: String, _ value: inout UInt32) {
        value = name.hasPrefix("num-") || name.hasPrefix("nr-") ? counts : random.number()
    }
    mutating func uint64(_ name: String, _ value: inout UInt64) { value = random.next() }
    mutating func string(_ name: String, _ value: inout ByteBuffer) { value = random.buffer() }
    mutating func optionalString(_ name: String, _ value: inout ByteBuffer) { value = random.buffer() }
    mutating func text(_ name: String, _ value: inout String) { value = texts[name] ?? random.text() }
    mutating func nameList(_ name: String, _ value: inout [String]) { value = random.names() }
    mutating func mpint(_ name: String, _ value: inout MPInt) {
        value = MPInt(bigEndian: random.bytes(Int.random(in: 0...33, using: &random)))
    }
    mutating func bytes(_ name: String, count: Int, _ value: inout ByteBuffer) {
        value = ByteBuffer(bytes: random.bytes(count))
    }
    mutating func rest(_ name: String, _ value: inout ByteBuffer) { value = random.buffer() }
    mutating func secret(_ name: String, _ value: inout ByteBuffer) { value = random.buffer() }
    mutating func secretRest(_ name: String, _ value: inout ByteBuffer) { value = random.buffer() }
    mutating func data(_ name: String, _ value: inout ByteBuffer) { value = random.buffer() }
}

/// A message type and the layout of it to try.
struct MessageSample: CustomStringConvertible, Sendable {
    let type: any Message.Type
    var texts: [String: String] = [:]
    /// Whether the last field takes all that is left, so that neither its end nor more bytes can be an error.
    var isOpenEnded = false

    var description: String { ([type.name] + texts.values.sorted()).joined(separator: " ") }

    func make(seed: UInt64) throws -> any Message {
        var message = type.init()
        var filler = RandomFiller(random: SeededGenerator(seed: seed), texts: texts)
        try message.code(&filler)
        return message
    }

    static let all: [MessageSample] =
        plain
        + ["none", "publickey", "publickey-hostbound-v00@openssh.com", "password", "keyboard-interactive"].map {
            MessageSample(type: UserAuthRequest.self, texts: ["method name": $0])
        }
        + ["session", "direct-tcpip"].map { MessageSample(type: ChannelOpen.self, texts: ["channel type": $0]) }
        + ["exec", "subsystem", "env", "exit-status", "exit-signal"].map {
            MessageSample(type: ChannelRequest.self, texts: ["request type": $0])
        }
        + [
            MessageSample(type: UserAuthRequest.self, texts: ["method name": "x@y"], isOpenEnded: true),
            MessageSample(type: ChannelOpen.self, texts: ["channel type": "x@y"], isOpenEnded: true),
            MessageSample(type: ChannelRequest.self, texts: ["request type": "x@y"], isOpenEnded: true),
            MessageSample(type: GlobalRequest.self, isOpenEnded: true),
            MessageSample(type: RequestSuccess.self, isOpenEnded: true),
            MessageSample(type: ChannelOpenConfirmation.self, isOpenEnded: true),
        ]

    private static let plain: [MessageSample] = {
        let types: [any Message.Type] = [
            Disconnect.self, Ignore.self, Unimplemented.self, Debug.self, ServiceRequest.self, ServiceAccept.self,
            ExtensionInfo.self, KexInit.self, NewKeys.self, KexECDHInit.self, KexECDHReply.self, KexDHInit.self,
            KexDHReply.self, KexGroupRequest.self, KexGroup.self, KexGroupInit.self, KexGroupReply.self,
            UserAuthFailure.self, UserAuthSuccess.self, UserAuthBanner.self, UserAuthPublicKeyOK.self,
            UserAuthPasswordChangeRequest.self, UserAuthInfoRequest.self, UserAuthInfoResponse.self,
            RequestFailure.self, ChannelOpenFailure.self, ChannelWindowAdjust.self, ChannelData.self,
            ChannelExtendedData.self, ChannelEOF.self, ChannelClose.self, ChannelSuccess.self, ChannelFailure.self,
            Ping.self, Pong.self,
        ]
        return types.map { MessageSample(type: $0) }
    }()
}
