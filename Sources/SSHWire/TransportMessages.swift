import NIOCore

// The transport layer's own messages: RFC 4253 section 11, RFC 8308, and OpenSSH's PROTOCOL section 1.

/// Why a connection was ended (RFC 4250 section 4.2.2).
public struct DisconnectReason: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let hostNotAllowedToConnect = Self(rawValue: 1)
    public static let protocolError = Self(rawValue: 2)
    public static let keyExchangeFailed = Self(rawValue: 3)
    public static let macError = Self(rawValue: 5)
    public static let compressionError = Self(rawValue: 6)
    public static let serviceNotAvailable = Self(rawValue: 7)
    public static let protocolVersionNotSupported = Self(rawValue: 8)
    public static let hostKeyNotVerifiable = Self(rawValue: 9)
    public static let connectionLost = Self(rawValue: 10)
    public static let byApplication = Self(rawValue: 11)
    public static let tooManyConnections = Self(rawValue: 12)
    public static let authenticationCancelledByUser = Self(rawValue: 13)
    public static let noMoreAuthenticationMethods = Self(rawValue: 14)
    public static let illegalUserName = Self(rawValue: 15)
}

/// SSH_MSG_DISCONNECT (RFC 4253 section 11.1).
package struct Disconnect: Message {
    package static let number: UInt8 = 1
    package static let name = "SSH_MSG_DISCONNECT"
    package var reason: UInt32 = 0
    /// Free text; kept as bytes, as a dying peer's words need not be UTF-8.
    package var text = ByteBuffer()
    package var languageTag = ByteBuffer()

    package init() {}
    package init(reason: DisconnectReason, text: String) {
        self.reason = reason.rawValue
        self.text = ByteBuffer(string: text)
    }

    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("reason code", &reason)
        try coder.string("description", &text)
        try coder.string("language tag", &languageTag)
    }
}

/// SSH_MSG_IGNORE (RFC 4253 section 11.2).
package struct Ignore: Message {
    package static let number: UInt8 = 2
    package static let name = "SSH_MSG_IGNORE"
    package var data = ByteBuffer()

    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) { try coder.data("data", &data) }
}

/// SSH_MSG_UNIMPLEMENTED (RFC 4253 section 11.4).
package struct Unimplemented: Message {
    package static let number: UInt8 = 3
    package static let name = "SSH_MSG_UNIMPLEMENTED"
    package var sequenceNumber: UInt32 = 0

    package init() {}
    package init(sequenceNumber: UInt32) { self.sequenceNumber = sequenceNumber }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("packet sequence number of rejected message", &sequenceNumber)
    }
}

/// SSH_MSG_DEBUG (RFC 4253 section 11.3).
package struct Debug: Message {
    package static let number: UInt8 = 4
    package static let name = "SSH_MSG_DEBUG"
    package var alwaysDisplay = false
    package var text = ByteBuffer()
    package var languageTag = ByteBuffer()

    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.boolean("always_display", &alwaysDisplay)
        try coder.string("message", &text)
        try coder.string("language tag", &languageTag)
    }
}

/// SSH_MSG_SERVICE_REQUEST (RFC 4253 section 10).
package struct ServiceRequest: Message {
    package static let number: UInt8 = 5
    package static let name = "SSH_MSG_SERVICE_REQUEST"
    package var service = ""

    package init() {}
    package init(service: String) { self.service = service }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.text("service name", &service)
    }
}

/// SSH_MSG_SERVICE_ACCEPT (RFC 4253 section 10).
package struct ServiceAccept: Message {
    package static let number: UInt8 = 6
    package static let name = "SSH_MSG_SERVICE_ACCEPT"
    package var service = ""

    package init() {}
    package init(service: String) { self.service = service }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.text("service name", &service)
    }
}

/// SSH_MSG_EXT_INFO (RFC 8308 section 2.3).
package struct ExtensionInfo: Message {
    package static let number: UInt8 = 7
    package static let name = "SSH_MSG_EXT_INFO"
    /// More extensions than anybody has thought of; a list beyond it is refused before it is read.
    private static let mostExtensions: UInt32 = 1024

    package struct Extension: Equatable, Sendable {
        package var name: String
        package var value: ByteBuffer
        package init(name: String, value: ByteBuffer) {
            self.name = name
            self.value = value
        }
    }

    package var extensions: [Extension] = []

    package init() {}
    package init(_ extensions: [Extension]) { self.extensions = extensions }

    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        var count = UInt32(extensions.count)
        try coder.uint32("nr-extensions", &count)
        guard count <= Self.mostExtensions else {
            throw .invalid(field: "nr-extensions", reason: "\(count), at most \(Self.mostExtensions) are read")
        }
        for index in 0..<Int(count) {
            var one = index < extensions.count ? extensions[index] : Extension(name: "", value: ByteBuffer())
            try coder.text("extension-name", &one.name)
            try coder.string("extension-value", &one.value)
            if index < extensions.count { extensions[index] = one } else { extensions.append(one) }
        }
    }

    /// The value of the first extension of a name.
    package subscript(name: String) -> ByteBuffer? { extensions.first { $0.name == name }?.value }
}

/// SSH_MSG_PING of OpenSSH (`ping@openssh.com`, PROTOCOL section 1.9).
package struct Ping: Message {
    package static let number: UInt8 = 192
    package static let name = "SSH2_MSG_PING"
    package var data = ByteBuffer()

    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) { try coder.data("data", &data) }
}

/// SSH_MSG_PONG of OpenSSH, the answer to ``Ping`` with its data.
package struct Pong: Message {
    package static let number: UInt8 = 193
    package static let name = "SSH2_MSG_PONG"
    package var data = ByteBuffer()

    package init() {}
    package init(data: ByteBuffer) { self.data = data }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) { try coder.data("data", &data) }
}
