import NIOCore

// Requests of the connection protocol: global ones (RFC 4254 section 4) and those to a channel (sections 5.4, 6).

/// SSH_MSG_GLOBAL_REQUEST (RFC 4254 section 4).
package struct GlobalRequest: Message {
    package static let number: UInt8 = 80
    package static let name = "SSH_MSG_GLOBAL_REQUEST"
    package var request = ""
    package var wantReply = false
    package var fields = ByteBuffer()

    package init() {}
    package init(request: String, wantReply: Bool, fields: ByteBuffer = ByteBuffer()) {
        self.request = request
        self.wantReply = wantReply
        self.fields = fields
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.text("request name", &request)
        try coder.boolean("want reply", &wantReply)
        try coder.rest("request-specific data", &fields)
    }
}

/// SSH_MSG_REQUEST_SUCCESS (RFC 4254 section 4).
package struct RequestSuccess: Message {
    package static let number: UInt8 = 81
    package static let name = "SSH_MSG_REQUEST_SUCCESS"
    package var fields = ByteBuffer()

    package init() {}
    package init(fields: ByteBuffer) { self.fields = fields }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.rest("response specific data", &fields)
    }
}

/// SSH_MSG_REQUEST_FAILURE (RFC 4254 section 4).
package struct RequestFailure: Message {
    package static let number: UInt8 = 82
    package static let name = "SSH_MSG_REQUEST_FAILURE"
    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {}
}

/// What a request to a channel asks or tells.
package enum ChannelRequestKind: Equatable, Sendable {
    /// RFC 4254 section 6.5: run a command; the SCP command execution packet.
    case exec(command: ByteBuffer)
    /// RFC 4254 section 6.5: start a subsystem, such as `sftp`.
    case subsystem(name: String)
    /// RFC 4254 section 6.4.
    case environment(name: String, value: String)
    /// RFC 4254 section 6.10.
    case exitStatus(UInt32)
    /// RFC 4254 section 6.10.
    case exitSignal(name: String, coreDumped: Bool, message: ByteBuffer)
    case other(name: String, fields: ByteBuffer)

    package var name: String {
        switch self {
        case .exec: "exec"
        case .subsystem: "subsystem"
        case .environment: "env"
        case .exitStatus: "exit-status"
        case .exitSignal: "exit-signal"
        case .other(let name, _): name
        }
    }
}

/// SSH_MSG_CHANNEL_REQUEST (RFC 4254 section 5.4).
package struct ChannelRequest: Message {
    package static let number: UInt8 = 98
    package static let name = "SSH_MSG_CHANNEL_REQUEST"
    package var recipientChannel: UInt32 = 0
    package var kind = ChannelRequestKind.other(name: "", fields: ByteBuffer())
    package var wantReply = false

    package init() {}
    package init(recipientChannel: UInt32, kind: ChannelRequestKind, wantReply: Bool) {
        self.recipientChannel = recipientChannel
        self.kind = kind
        self.wantReply = wantReply
    }

    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("recipient channel", &recipientChannel)
        var name = kind.name
        try coder.text("request type", &name)
        try coder.boolean("want reply", &wantReply)
        kind = try Self.code(name, kind, &coder)
    }

    private static func code(
        _ name: String, _ kind: ChannelRequestKind, _ coder: inout some FieldCoder
    ) throws(WireError) -> ChannelRequestKind {
        switch name {
        case "exec":
            var command = ByteBuffer()
            if case .exec(let bytes) = kind { command = bytes }
            try coder.string("command", &command)
            return .exec(command: command)
        case "subsystem":
            var subsystem = ""
            if case .subsystem(let text) = kind { subsystem = text }
            try coder.text("subsystem name", &subsystem)
            return .subsystem(name: subsystem)
        case "env":
            var (variable, value) = ("", "")
            if case .environment(let a, let b) = kind { (variable, value) = (a, b) }
            try coder.text("variable name", &variable)
            try coder.text("variable value", &value)
            return .environment(name: variable, value: value)
        case "exit-status":
            var status: UInt32 = 0
            if case .exitStatus(let number) = kind { status = number }
            try coder.uint32("exit_status", &status)
            return .exitStatus(status)
        case "exit-signal":
            var (signal, dumped, message, language) = ("", false, ByteBuffer(), ByteBuffer())
            if case .exitSignal(let a, let b, let c) = kind { (signal, dumped, message) = (a, b, c) }
            try coder.text("signal name", &signal)
            try coder.boolean("core dumped", &dumped)
            try coder.string("error message", &message)
            try coder.string("language tag", &language)
            return .exitSignal(name: signal, coreDumped: dumped, message: message)
        default:
            var fields = ByteBuffer()
            if case .other(_, let bytes) = kind { fields = bytes }
            try coder.rest("type-specific data", &fields)
            return .other(name: name, fields: fields)
        }
    }
}
