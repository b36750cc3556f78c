import SSHCrypto

/// What the `%` tokens of ssh_config(5) stand for.
struct ConnectionTokens: Sendable {
    /// The host as typed (`%n`).
    var originalHost: String
    /// The host's name after `HostName` and canonicalization (`%h`).
    var host: String
    var port: Int
    /// The user there (`%r`).
    var user: String
    /// `HostKeyAlias`, else the host as typed (`%k`).
    var keyAlias: String
    /// The last jump host before the server, empty where there is none (`%j`).
    var jumpHost = ""
    /// The local account's name (`%u`), home (`%d`) and number (`%i`).
    var localUser: String
    var home: String
    var userID: UInt32
    /// This machine's full name (`%l`); `%L` is its part before the first dot.
    var localHost: String

    /// What one token stands for; nil for one that does not exist.
    func value(_ token: UInt8) -> String? {
        switch token {
        case UInt8(ascii: "C"): hash
        case UInt8(ascii: "d"): home
        case UInt8(ascii: "h"): host
        case UInt8(ascii: "i"): String(userID)
        case UInt8(ascii: "j"): jumpHost
        case UInt8(ascii: "k"): keyAlias
        case UInt8(ascii: "L"): String(localHost.prefix { $0 != "." })
        case UInt8(ascii: "l"): localHost
        case UInt8(ascii: "n"): originalHost
        case UInt8(ascii: "p"): String(port)
        case UInt8(ascii: "r"): user
        case UInt8(ascii: "u"): localUser
        default: nil
        }
    }

    /// `%C`: the SHA-1 of %l%h%p%r%j, in hexadecimal.
    private var hash: String {
        let text = localHost + host + String(port) + user + jumpHost
        return HashAlgorithm.sha1.digest(Array(text.utf8)).reduce(into: "") { hex, byte in
            hex += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}

/// What a keyword's arguments may hold that stands for something else.
struct Expansion: Sendable {
    /// The letters of the `%` tokens; none for a keyword in which `%` is itself.
    var tokens = ""
    /// Whether `${NAME}` stands for a variable of the environment.
    var variables = false
    /// Whether `~` at the start stands for a home directory.
    var tilde = false
    /// Whether `$NAME` alone stands for a variable, one without a value for `none`.
    var wholeVariable = false
    /// Whether a shell reads the result: no name in it may hold what means more to a shell.
    var isForShell = false

    static let none = Expansion()
    /// File names.
    static let path = Expansion(tokens: allTokens, variables: true, tilde: true)
    static let agent = Expansion(tokens: allTokens, variables: true, tilde: true, wholeVariable: true)
    /// Other text with tokens and variables.
    static let text = Expansion(tokens: allTokens, variables: true)
    static let tilde = Expansion(tilde: true)
    /// A command that the user's shell runs.
    static let proxyCommand = Expansion(tokens: "hknpr", isForShell: true)
    static let matchExec = Expansion(tokens: allTokens, isForShell: true)
    /// The name of a server on the way.
    static let jumpHost = Expansion(tokens: "hknpr")
    static let hostName = Expansion(tokens: "h")
    static let user = Expansion(tokens: "dhijkLlnpu", variables: true)

    private static let allTokens = "CdhijkLlnpru"

    /// Why a text cannot be expanded.
    struct Fault: Error { let reason: String }

    /// The text with all that stands for something else replaced; what comes from a replacement is left as it is.
    ///
    /// - Parameters:
    ///   - token: what a token stands for.
    ///   - variable: looks up a variable of the environment.
    ///   - home: the home directory of a user; of the local one for an empty name.
    /// - Throws: ``Fault``.
    func expand(
        _ text: String, token: (UInt8) -> String?, variable: (String) -> String?, home: (String) -> String?
    ) throws(Fault) -> String {
        if wholeVariable, text.hasPrefix("$"), !text.hasPrefix("${") {
            return variable(String(text.dropFirst())) ?? "none"
        }
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        if tilde, rest.first == UInt8(ascii: "~") {
            let user = rest.dropFirst().prefix { $0 != UInt8(ascii: "/") }
            rest = rest.dropFirst(1 + user.count).drop { $0 == UInt8(ascii: "/") }
            let name = String(decoding: user, as: UTF8.self)
            guard let directory = home(name) else { throw Fault(reason: "no such user \"\(name)\"") }
            result += directory.utf8
            if result.last != UInt8(ascii: "/"), !rest.isEmpty { result.append(UInt8(ascii: "/")) }
        }
        while let byte = rest.first {
            rest = rest.dropFirst()
            if variables, byte == UInt8(ascii: "$"), rest.first == UInt8(ascii: "{") {
                result += try value(ofVariableAt: &rest, variable).utf8
            } else if !tokens.isEmpty, byte == UInt8(ascii: "%") {
                result += try value(ofTokenAt: &rest, token).utf8
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The text with all that stands for something else replaced.
    ///
    /// - Throws: ``Fault``.
    func expand(
        _ text: String, _ tokens: ConnectionTokens, _ environment: some ConfigurationEnvironment
    ) throws(Fault) -> String {
        try expand(text, token: tokens.value, variable: environment.variable, home: environment.home)
    }

    private func value(
        ofVariableAt rest: inout ArraySlice<UInt8>, _ variable: (String) -> String?
    ) throws(Fault) -> String {
        let name = rest.dropFirst().prefix { $0 != UInt8(ascii: "}") }
        let text = String(decoding: name, as: UTF8.self)
        guard name.endIndex < rest.endIndex else { throw Fault(reason: "\"${\(text)\" misses its closing brace") }
        guard !name.isEmpty else { throw Fault(reason: "\"${}\" names no variable") }
        rest = rest[(name.endIndex + 1)...]
        guard let value = variable(text) else { throw Fault(reason: "the variable ${\(text)} has no value") }
        return value
    }

    private func value(ofTokenAt rest: inout ArraySlice<UInt8>, _ token: (UInt8) -> String?) throws(Fault) -> String {
        guard let letter = rest.first else { throw Fault(reason: "\"%\" ends it without a token") }
        rest = rest.dropFirst()
        if letter == UInt8(ascii: "%") { return "%" }
        let name = String(decoding: [letter], as: UTF8.self)
        guard tokens.utf8.contains(letter), let value = token(letter) else {
            throw Fault(reason: "unknown token %\(name)")
        }
        guard !isForShell || Self.isSafe(value, for: letter) else {
            throw Fault(reason: "%\(name) contains characters that a shell may take for more")
        }
        return value
    }

    /// Whether a shell takes the value of a token for a name and no more. What tells of this machine is the user's own.
    private static func isSafe(_ value: String, for token: UInt8) -> Bool {
        switch token {
        case UInt8(ascii: "h"), UInt8(ascii: "k"), UInt8(ascii: "n"), UInt8(ascii: "j"): HostAddress.isValidHost(value)
        case UInt8(ascii: "r"): HostAddress.isValidUser(value)
        default: true
        }
    }
}
