import SSHWire

/// What stands in front of a key in a file of authorized keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT), as far as it
/// concerns who is let in and what is served. Options about terminals, forwarding and tunnels are read and have no effect:
/// a server of files offers nothing of it.
public struct AuthorizedKeyOptions: Hashable, Sendable {
    /// Where the user may come from (`from=`); nil for anywhere.
    package var from: AddressList?
    /// What is served whatever the client asks for (`command=`).
    public var command: [UInt8]?
    /// Seconds since 1970 after which the key is refused (`expiry-time=`).
    public var expiry: UInt64?
    /// The key is an authority's, and its certificates are let in, not the key itself.
    public var isCertificateAuthority = false
    /// Those of whom a certificate must name one (`principals=`); nil for the user's name.
    public var principals: [String]?
    /// Whether a security key must have been touched; not so with `no-touch-required`.
    public var requiresTouch = true
    /// Whether a security key must have known its owner.
    public var requiresVerification = false

    public init() {}

    /// Takes the options off the front of a line, up to the blank behind them.
    init(reading text: inout ArraySlice<UInt8>) throws(AuthorizedKeyFault) {
        var seen: Set<String> = []
        while true {
            let word = text.prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ",") && !isBlank($0) }
            let name = String(decoding: word, as: UTF8.self).asciiLowercased
            text = text[word.endIndex...]
            guard let option = Self.known[name] else { throw AuthorizedKeyFault(.unknownOption(name)) }
            var value: [UInt8]?
            if text.first == UInt8(ascii: "=") {
                text.removeFirst()
                value = try Self.quoted(&text, name)
            }
            if option.standsOnce, !seen.insert(name).inserted { throw AuthorizedKeyFault(.repeated(option: name)) }
            switch (option.kind, value) {
            case (.flag(let set), nil): set(&self)
            case (.value(let set), .some(let value)):
                guard set(&self, value) else {
                    throw AuthorizedKeyFault(.badValue(option: name, value: String(decoding: value, as: UTF8.self)))
                }
            case (.flag, .some): throw AuthorizedKeyFault(.unexpectedValue(option: name))
            case (.value, nil): throw AuthorizedKeyFault(.missingValue(option: name))
            }
            guard let next = text.first, !isBlank(next) else { break }
            guard next == UInt8(ascii: ",") else { throw AuthorizedKeyFault(.strayCharacter(behind: name)) }
            text.removeFirst()
        }
        if principals != nil, !isCertificateAuthority { throw AuthorizedKeyFault(.principalsWithoutAuthority) }
    }

    /// Takes a value off the front of the text; `\"` stands for a quotation mark inside it.
    private static func quoted(_ text: inout ArraySlice<UInt8>, _ name: String) throws(AuthorizedKeyFault) -> [UInt8] {
        let (mark, escape) = (UInt8(ascii: "\""), UInt8(ascii: "\\"))
        guard text.first == mark else { throw AuthorizedKeyFault(.unquotedValue(option: name)) }
        text.removeFirst()
        var value: [UInt8] = []
        while let byte = text.first {
            text.removeFirst()
            if byte == mark { return value }
            if byte == escape, text.first == mark {
                text.removeFirst()
                value.append(mark)
            } else {
                value.append(byte)
            }
        }
        throw AuthorizedKeyFault(.unquotedValue(option: name))
    }
}

extension AuthorizedKeyOptions {
    /// An option and what it does; the closure of one with a value tells whether the value is one.
    private struct Known: Sendable {
        enum Kind: Sendable {
            case flag(@Sendable (inout AuthorizedKeyOptions) -> Void)
            case value(@Sendable (inout AuthorizedKeyOptions, [UInt8]) -> Bool)
        }
        let kind: Kind
        var standsOnce = false
    }

    private static let known: [String: Known] = {
        var table: [String: Known] = [
            "from": Known(
                kind: .value { options, value in
                    options.from = AddressList(patterns: String(decoding: value, as: UTF8.self))
                    return options.from != nil
                }, standsOnce: true),
            "command": Known(
                kind: .value { options, value in
                    options.command = value
                    return true
                }, standsOnce: true),
            "expiry-time": Known(
                kind: .value { options, value in
                    guard let time = ExpiryTime.parse(value) else { return false }
                    options.expiry = min(time, options.expiry ?? .max)
                    return true
                }),
            "principals": Known(
                kind: .value { options, value in
                    let names = String(decoding: value, as: UTF8.self)
                        .split(separator: ",", omittingEmptySubsequences: false).map(String.init)
                    options.principals = names
                    return !names.contains("")
                }, standsOnce: true),
            "cert-authority": Known(kind: .flag { $0.isCertificateAuthority = true }),
            "touch-required": Known(kind: .flag { $0.requiresTouch = true }),
            "no-touch-required": Known(kind: .flag { $0.requiresTouch = false }),
            "verify-required": Known(kind: .flag { $0.requiresVerification = true }),
            "no-verify-required": Known(kind: .flag { $0.requiresVerification = false }),
            // Nothing of what follows is offered here, so nothing changes with it.
            "restrict": Known(kind: .flag { _ in }),
            "environment": Known(kind: .value { _, value in value.firstIndex(of: UInt8(ascii: "=")) ?? 0 > 0 }),
            "permitopen": Known(kind: .value { _, value in !value.isEmpty }),
            "permitlisten": Known(kind: .value { _, value in !value.isEmpty }),
            "tunnel": Known(
                kind: .value { _, value in !value.isEmpty && value.allSatisfy { (0x30...0x39).contains($0) } },
                standsOnce: true),
        ]
        for name in ["pty", "port-forwarding", "agent-forwarding", "x11-forwarding", "user-rc"] {
            table[name] = Known(kind: .flag { _ in })
            table["no-" + name] = Known(kind: .flag { _ in })
        }
        return table
    }()
}

extension AuthorizedKeys.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noKey: "no key"
        case .key(let error): "\(error)"
        case .unknownOption(let name): "unknown option \(Printable.name(name))"
        case .unquotedValue(let name): "the value of \(name) is not in quotation marks"
        case .missingValue(let name): "\(name) needs a value"
        case .unexpectedValue(let name): "\(name) takes no value"
        case .badValue(let name, let value): "\"\(Printable.excerpt(value, limit: 64))\" is no value for \(name)"
        case .repeated(let name): "\(name) stands there twice"
        case .principalsWithoutAuthority: "principals without cert-authority"
        case .strayCharacter(let name): "neither a comma nor a blank behind \(name)"
        }
    }
}
