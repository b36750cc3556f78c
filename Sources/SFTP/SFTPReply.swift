import NIOCore
import SSHWire

/// What a server answers (draft-ietf-secsh-filexfer-02 section 7).
public enum SFTPReply: Equatable, Sendable {
    case status(SFTPStatus)
    case handle(ByteBuffer)
    case data(ByteBuffer)
    case names([SFTPName])
    case attributes(SFTPAttributes)
    /// The answer to a request of some maker's own, its fields still encoded.
    case extended(fields: ByteBuffer)

    /// The packet type.
    public var type: UInt8 {
        switch self {
        case .status: 101
        case .handle: 102
        case .data: Self.dataType
        case .names: 104
        case .attributes: 105
        case .extended: 201
        }
    }

    static let dataType: UInt8 = 103

    /// The packet's name in the draft.
    public var name: String {
        switch self {
        case .status: "SSH_FXP_STATUS"
        case .handle: "SSH_FXP_HANDLE"
        case .data: "SSH_FXP_DATA"
        case .names: "SSH_FXP_NAME"
        case .attributes: "SSH_FXP_ATTRS"
        case .extended: "SSH_FXP_EXTENDED_REPLY"
        }
    }

    private static func blank(_ type: UInt8) -> SFTPReply? {
        switch type {
        case 101: .status(SFTPStatus(.ok))
        case 102: .handle(ByteBuffer())
        case 103: .data(ByteBuffer())
        case 104: .names([])
        case 105: .attributes(SFTPAttributes())
        case 201: .extended(fields: ByteBuffer())
        default: nil
        }
    }

    /// Decodes the fields that follow the request's number.
    ///
    /// - Returns: nil for a type that does not exist.
    /// - Throws: `WireError`.
    package init?(type: UInt8, fields: ByteBuffer) throws(WireError) {
        guard let blank = Self.blank(type) else { return nil }
        self = blank
        var decoder = FieldDecoder(fields)
        try code(&decoder)
        // Bytes behind the last field are let be: servers of several makers send some.
    }

    /// Passes every field, in wire order, to `coder`.
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        switch self {
        case .status(var status):
            var code = status.code.rawValue
            try coder.uint32("code", &code)
            status.code = SFTPStatusCode(rawValue: code)
            // Servers older than the draft's version 3 end here.
            try coder.optionalString("message", &status.message)
            var language = ByteBuffer()
            try coder.optionalString("language tag", &language)
            self = .status(status)
        case .handle(var handle):
            try coder.string("handle", &handle)
            guard handle.readableBytes <= SFTPRequest.longestHandle else {
                throw .invalid(field: "handle", reason: "more than \(SFTPRequest.longestHandle) bytes")
            }
            self = .handle(handle)
        case .data(var data):
            try coder.data("data", &data)
            self = .data(data)
        case .names(var names):
            var count = UInt32(clamping: names.count)
            try coder.uint32("count", &count)
            for index in 0..<Int(count) {
                var name = index < names.count ? names[index] : SFTPName()
                try name.code(&coder)
                if index < names.count { names[index] = name } else { names.append(name) }
            }
            self = .names(names)
        case .attributes(var attributes):
            try attributes.code(&coder)
            self = .attributes(attributes)
        case .extended(var fields):
            try coder.rest("fields", &fields)
            self = .extended(fields: fields)
        }
    }
}

/// An entry of a directory, or the answer to a question for a path.
public struct SFTPName: Equatable, Sendable {
    public var name: ByteBuffer
    /// A line as `ls -l` has it, for a person's eyes.
    public var longName: ByteBuffer
    public var attributes: SFTPAttributes

    public init(
        name: ByteBuffer = ByteBuffer(), longName: ByteBuffer = ByteBuffer(),
        attributes: SFTPAttributes = SFTPAttributes()
    ) {
        self.name = name
        self.longName = longName
        self.attributes = attributes
    }

    mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.string("filename", &name)
        try coder.string("longname", &longName)
        try attributes.code(&coder)
    }
}
