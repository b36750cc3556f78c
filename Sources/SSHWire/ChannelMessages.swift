import NIOCore

// The connection protocol's channels: RFC 4254 sections 5 and 6.

/// Why a channel was not opened (RFC 4254 section 5.1).
public struct ChannelOpenFailureReason: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let administrativelyProhibited = Self(rawValue: 1)
    public static let connectFailed = Self(rawValue: 2)
    public static let unknownChannelType = Self(rawValue: 3)
    public static let resourceShortage = Self(rawValue: 4)
}

/// What kind of channel is asked for.
package enum ChannelType: Equatable, Sendable {
    /// RFC 4254 section 6.1.
    case session
    /// RFC 4254 section 7.2: a TCP connection made by the peer.
    case directTCPIP(host: String, port: UInt32, originHost: String, originPort: UInt32)
    case other(name: String, fields: ByteBuffer)

    package var name: String {
        switch self {
        case .session: "session"
        case .directTCPIP: "direct-tcpip"
        case .other(let name, _): name
        }
    }
}

/// SSH_MSG_CHANNEL_OPEN (RFC 4254 section 5.1).
package struct ChannelOpen: Message {
    package static let number: UInt8 = 90
    package static let name = "SSH_MSG_CHANNEL_OPEN"
    package var type = ChannelType.session
    package var senderChannel: UInt32 = 0
    package var initialWindowSize: UInt32 = 0
    package var maximumPacketSize: UInt32 = 0

    package init() {}
    package init(type: ChannelType, senderChannel: UInt32, initialWindowSize: UInt32, maximumPacketSize: UInt32) {
        self.type = type
        self.senderChannel = senderChannel
        self.initialWindowSize = initialWindowSize
        self.maximumPacketSize = maximumPacketSize
    }

    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        var name = type.name
        try coder.text("channel type", &name)
        try coder.uint32("sender channel", &senderChannel)
        try coder.uint32("initial window size", &initialWindowSize)
        try coder.uint32("maximum packet size", &maximumPacketSize)
        switch name {
        case "session":
            type = .session
        case "direct-tcpip":
            var (host, port, originHost, originPort) = ("", UInt32(0), "", UInt32(0))
            if case .directTCPIP(let a, let b, let c, let d) = type {
                (host, port, originHost, originPort) = (a, b, c, d)
            }
            try coder.text("host to connect", &host)
            try coder.uint32("port to connect", &port)
            try coder.text("originator IP address", &originHost)
            try coder.uint32("originator port", &originPort)
            type = .directTCPIP(host: host, port: port, originHost: originHost, originPort: originPort)
        default:
            var fields = ByteBuffer()
            if case .other(_, let bytes) = type { fields = bytes }
            try coder.rest("channel type specific data", &fields)
            type = .other(name: name, fields: fields)
        }
    }
}

/// SSH_MSG_CHANNEL_OPEN_CONFIRMATION (RFC 4254 section 5.1).
package struct ChannelOpenConfirmation: Message {
    package static let number: UInt8 = 91
    package static let name = "SSH_MSG_CHANNEL_OPEN_CONFIRMATION"
    package var recipientChannel: UInt32 = 0
    package var senderChannel: UInt32 = 0
    package var initialWindowSize: UInt32 = 0
    package var maximumPacketSize: UInt32 = 0
    package var typeSpecificData = ByteBuffer()

    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
        try coder.uint32("sender channel", &senderChannel)
        try coder.uint32("initial window size", &initialWindowSize)
        try coder.uint32("maximum packet size", &maximumPacketSize)
        try coder.rest("channel type specific data", &typeSpecificData)
    }
}

/// SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 section 5.1).
package struct ChannelOpenFailure: Message {
    package static let number: UInt8 = 92
    package static let name = "SSH_MSG_CHANNEL_OPEN_FAILURE"
    package var recipientChannel: UInt32 = 0
    package var reason: UInt32 = 0
    package var text = ByteBuffer()
    package var languageTag = ByteBuffer()

    package init() {}
    package init(recipientChannel: UInt32, reason: ChannelOpenFailureReason, text: String) {
        self.recipientChannel = recipientChannel
        self.reason = reason.rawValue
        self.text = ByteBuffer(string: text)
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
        try coder.uint32("reason code", &reason)
        try coder.string("description", &text)
        try coder.string("language tag", &languageTag)
    }
}

/// SSH_MSG_CHANNEL_WINDOW_ADJUST (RFC 4254 section 5.2).
package struct ChannelWindowAdjust: Message {
    package static let number: UInt8 = 93
    package static let name = "SSH_MSG_CHANNEL_WINDOW_ADJUST"
    package var recipientChannel: UInt32 = 0
    package var bytesToAdd: UInt32 = 0

    package init() {}
    package init(recipientChannel: UInt32, bytesToAdd: UInt32) {
        self.recipientChannel = recipientChannel
        self.bytesToAdd = bytesToAdd
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
        try coder.uint32("bytes to add", &bytesToAdd)
    }
}

/// SSH_MSG_CHANNEL_DATA (RFC 4254 section 5.2).
package struct ChannelData: Message {
    package static let number: UInt8 = 94
    package static let name = "SSH_MSG_CHANNEL_DATA"
    /// Bytes of the payload before the data: number, channel, length.
    package static let overhead = 9
    package var recipientChannel: UInt32 = 0
    package var data = ByteBuffer()

    package init() {}
    package init(recipientChannel: UInt32, data: ByteBuffer) {
        self.recipientChannel = recipientChannel
        self.data = data
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
        try coder.data("data", &data)
    }
}

/// SSH_MSG_CHANNEL_EXTENDED_DATA (RFC 4254 section 5.2).
package struct ChannelExtendedData: Message {
    package static let number: UInt8 = 95
    package static let name = "SSH_MSG_CHANNEL_EXTENDED_DATA"
    /// SSH_EXTENDED_DATA_STDERR.
    package static let standardError: UInt32 = 1
    package var recipientChannel: UInt32 = 0
    package var dataType: UInt32 = 0
    package var data = ByteBuffer()

    package init() {}
    package init(recipientChannel: UInt32, standardError data: ByteBuffer) {
        self.recipientChannel = recipientChannel
        dataType = Self.standardError
        self.data = data
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
        try coder.uint32("data_type_code", &dataType)
        try coder.data("data", &data)
    }
}

/// SSH_MSG_CHANNEL_EOF (RFC 4254 section 5.3).
package struct ChannelEOF: Message {
    package static let number: UInt8 = 96
    package static let name = "SSH_MSG_CHANNEL_EOF"
    package var recipientChannel: UInt32 = 0

    package init() {}
    package init(recipientChannel: UInt32) { self.recipientChannel = recipientChannel }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
    }
}

/// SSH_MSG_CHANNEL_CLOSE (RFC 4254 section 5.3).
package struct ChannelClose: Message {
    package static let number: UInt8 = 97
    package static let name = "SSH_MSG_CHANNEL_CLOSE"
    package var recipientChannel: UInt32 = 0

    package init() {}
    package init(recipientChannel: UInt32) { self.recipientChannel = recipientChannel }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
    }
}

/// SSH_MSG_CHANNEL_SUCCESS (RFC 4254 section 5.4).
package struct ChannelSuccess: Message {
    package static let number: UInt8 = 99
    package static let name = "SSH_MSG_CHANNEL_SUCCESS"
    package var recipientChannel: UInt32 = 0

    package init() {}
    package init(recipientChannel: UInt32) { self.recipientChannel = recipientChannel }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
    }
}

/// SSH_MSG_CHANNEL_FAILURE (RFC 4254 section 5.4).
package struct ChannelFailure: Message {
    package static let number: UInt8 = 100
    package static let name = "SSH_MSG_CHANNEL_FAILURE"
    package var recipientChannel: UInt32 = 0

    package init() {}
    package init(recipientChannel: UInt32) { self.recipientChannel = recipientChannel }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
    }
}
