import NIOCore

// The authentication protocol: RFC 4252, RFC 4256, and OpenSSH's PROTOCOL section 3.

/// What a user authentication request asks to be judged by.
package enum AuthenticationMethod: Equatable, Sendable {
    /// RFC 4252 section 5.2.
    case none
    /// RFC 4252 section 7; without a signature it only asks whether the key would do.
    case publicKey(algorithm: String, key: ByteBuffer, signature: ByteBuffer?)
    /// `publickey-hostbound-v00@openssh.com` (OpenSSH's PROTOCOL section 3.1).
    case hostBoundPublicKey(algorithm: String, key: ByteBuffer, hostKey: ByteBuffer, signature: ByteBuffer?)
    /// RFC 4252 section 8; with a new password it answers a change request.
    case password(ByteBuffer, new: ByteBuffer?)
    /// RFC 4256 section 3.1.
    case keyboardInteractive(submethods: String)
    case other(name: String, fields: ByteBuffer)

    package var name: String {
        switch self {
        case .none: "none"
        case .publicKey: "publickey"
        case .hostBoundPublicKey: "publickey-hostbound-v00@openssh.com"
        case .password: "password"
        case .keyboardInteractive: "keyboard-interactive"
        case .other(let name, _): name
        }
    }

    /// Whether it proves that the user holds a key.
    package var isSigned: Bool {
        switch self {
        case .publicKey(_, _, let signature), .hostBoundPublicKey(_, _, _, let signature): signature != nil
        case .none, .password, .keyboardInteractive, .other: false
        }
    }
}

/// SSH_MSG_USERAUTH_REQUEST (RFC 4252 section 5).
package struct UserAuthRequest: Message {
    package static let number: UInt8 = 50
    package static let name = "SSH_MSG_USERAUTH_REQUEST"
    package var user = ""
    package var service = ""
    package var method = AuthenticationMethod.none

    package init() {}
    package init(user: String, service: String = "ssh-connection", method: AuthenticationMethod) {
        self.user = user
        self.service = service
        self.method = method
    }

    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.text("user name", &user)
        try coder.text("service name", &service)
        var methodName = method.name
        try coder.text("method name", &methodName)
        method = try Self.code(methodName, method, &coder)
    }

    private static func code(
        _ name: String, _ method: AuthenticationMethod, _ coder: inout some FieldCoder
    ) throws(WireError) -> AuthenticationMethod {
        switch name {
        case "none":
            return .none
        case "publickey":
            var parts = PublicKeyFields()
            if case .publicKey(let algorithm, let key, let signature) = method {
                parts = PublicKeyFields(algorithm: algorithm, key: key, signature: signature)
            }
            try parts.codeKey(&coder)
            try parts.codeSignature(&coder)
            return .publicKey(algorithm: parts.algorithm, key: parts.key, signature: parts.signature)
        case "publickey-hostbound-v00@openssh.com":
            var parts = PublicKeyFields()
            var hostKey = ByteBuffer()
            if case .hostBoundPublicKey(let algorithm, let key, let host, let signature) = method {
                parts = PublicKeyFields(algorithm: algorithm, key: key, signature: signature)
                hostKey = host
            }
            try parts.codeKey(&coder)
            try coder.string("server host key", &hostKey)
            try parts.codeSignature(&coder)
            return .hostBoundPublicKey(
                algorithm: parts.algorithm, key: parts.key, hostKey: hostKey, signature: parts.signature)
        case "password":
            var (password, new): (ByteBuffer, ByteBuffer?) = (ByteBuffer(), nil)
            if case .password(let old, let other) = method { (password, new) = (old, other) }
            var changes = new != nil
            try coder.boolean("new password follows", &changes)
            try coder.secret("plaintext password", &password)
            guard changes else { return .password(password, new: nil) }
            var changed = new ?? ByteBuffer()
            try coder.secret("plaintext new password", &changed)
            return .password(password, new: changed)
        case "keyboard-interactive":
            var (language, submethods) = ("", "")
            if case .keyboardInteractive(let names) = method { submethods = names }
            try coder.text("language tag", &language)
            try coder.text("submethods", &submethods)
            return .keyboardInteractive(submethods: submethods)
        default:
            var fields = ByteBuffer()
            if case .other(_, let bytes) = method { fields = bytes }
            // What an unknown method carries may be a password by another name.
            try coder.secretRest("method specific fields", &fields)
            return .other(name: name, fields: fields)
        }
    }

    private struct PublicKeyFields {
        var algorithm = ""
        var key = ByteBuffer()
        var signature: ByteBuffer?
        var isSigned = false

        init() {}
        init(algorithm: String, key: ByteBuffer, signature: ByteBuffer?) {
            self.algorithm = algorithm
            self.key = key
            self.signature = signature
            isSigned = signature != nil
        }

        mutating func codeKey(_ coder: inout some FieldCoder) throws(WireError) {
            try coder.boolean("signature follows", &isSigned)
            try coder.text("public key algorithm name", &algorithm)
            try coder.string("public key", &key)
        }

        mutating func codeSignature(_ coder: inout some FieldCoder) throws(WireError) {
            guard isSigned else { return }
            var bytes = signature ?? ByteBuffer()
            try coder.string("signature", &bytes)
            signature = bytes
        }
    }
}

/// SSH_MSG_USERAUTH_FAILURE (RFC 4252 section 5.1).
package struct UserAuthFailure: Message {
    package static let number: UInt8 = 51
    package static let name = "SSH_MSG_USERAUTH_FAILURE"
    package var methods: [String] = []
    package var partialSuccess = false

    package init() {}
    package init(methods: [String], partialSuccess: Bool) {
        self.methods = methods
        self.partialSuccess = partialSuccess
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.nameList("authentications that can continue", &methods)
        try coder.boolean("partial success", &partialSuccess)
    }
}

/// SSH_MSG_USERAUTH_SUCCESS (RFC 4252 section 5.1).
package struct UserAuthSuccess: Message {
    package static let number: UInt8 = 52
    package static let name = "SSH_MSG_USERAUTH_SUCCESS"
    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {}
}

/// SSH_MSG_USERAUTH_BANNER (RFC 4252 section 5.4).
package struct UserAuthBanner: Message {
    package static let number: UInt8 = 53
    package static let name = "SSH_MSG_USERAUTH_BANNER"
    package var text = ByteBuffer()
    package var languageTag = ByteBuffer()

    package init() {}
    package init(text: String) { self.text = ByteBuffer(string: text) }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.string("message", &text)
        try coder.string("language tag", &languageTag)
    }
}

/// SSH_MSG_USERAUTH_PK_OK (RFC 4252 section 7): the key would do, if signed with.
package struct UserAuthPublicKeyOK: Message {
    package static let number: UInt8 = 60
    package static let name = "SSH_MSG_USERAUTH_PK_OK"
    package var algorithm = ""
    package var key = ByteBuffer()

    package init() {}
    package init(algorithm: String, key: ByteBuffer) {
        self.algorithm = algorithm
        self.key = key
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.text("public key algorithm name from the request", &algorithm)
        try coder.string("public key blob from the request", &key)
    }
}

/// SSH_MSG_USERAUTH_PASSWD_CHANGEREQ (RFC 4252 section 8).
package struct UserAuthPasswordChangeRequest: Message {
    package static let number: UInt8 = 60
    package static let name = "SSH_MSG_USERAUTH_PASSWD_CHANGEREQ"
    package var prompt = ByteBuffer()
    package var languageTag = ByteBuffer()

    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.string("prompt", &prompt)
        try coder.string("language tag", &languageTag)
    }
}

/// SSH_MSG_USERAUTH_INFO_REQUEST (RFC 4256 section 3.2).
package struct UserAuthInfoRequest: Message {
    package static let number: UInt8 = 60
    package static let name = "SSH_MSG_USERAUTH_INFO_REQUEST"
    private static let mostPrompts: UInt32 = 256

    package struct Prompt: Equatable, Sendable {
        package var text: ByteBuffer
        /// Whether the answer may be shown as it is typed.
        package var echo: Bool
        package init(text: ByteBuffer, echo: Bool) {
            self.text = text
            self.echo = echo
        }
    }

    package var title = ByteBuffer()
    package var instruction = ByteBuffer()
    package var languageTag = ByteBuffer()
    package var prompts: [Prompt] = []

    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.string("name", &title)
        try coder.string("instruction", &instruction)
        try coder.string("language tag", &languageTag)
        var count = UInt32(prompts.count)
        try coder.uint32("num-prompts", &count)
        guard count <= Self.mostPrompts else {
            throw .invalid(field: "num-prompts", reason: "\(count), at most \(Self.mostPrompts) are read")
        }
        for index in 0..<Int(count) {
            var prompt = index < prompts.count ? prompts[index] : Prompt(text: ByteBuffer(), echo: false)
            try coder.string("prompt", &prompt.text)
            try coder.boolean("echo", &prompt.echo)
            if index < prompts.count { prompts[index] = prompt } else { prompts.append(prompt) }
        }
    }
}

/// SSH_MSG_USERAUTH_INFO_RESPONSE (RFC 4256 section 3.4).
package struct UserAuthInfoResponse: Message {
    package static let number: UInt8 = 61
    package static let name = "SSH_MSG_USERAUTH_INFO_RESPONSE"
    private static let mostAnswers: UInt32 = 256
    package var answers: [ByteBuffer] = []

    package init() {}
    package init(answers: [ByteBuffer]) { self.answers = answers }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        var count = UInt32(answers.count)
        try coder.uint32("num-responses", &count)
        guard count <= Self.mostAnswers else {
            throw .invalid(field: "num-responses", reason: "\(count), at most \(Self.mostAnswers) are read")
        }
        for index in 0..<Int(count) {
            var answer = index < answers.count ? answers[index] : ByteBuffer()
            try coder.secret("response", &answer)
            if index < answers.count { answers[index] = answer } else { answers.append(answer) }
        }
    }
}
