import SSHCrypto
import SSHKeys

/// A list of algorithms as ssh_config(5) writes it: names with wildcards, alone or after `+`, `-` or `^`.
enum AlgorithmList {
    /// Applies what the user wrote to the defaults.
    ///
    /// - Parameters:
    ///   - text: `a,b` replaces the defaults, `+a` appends to them, `-a` takes away, `^a` puts first.
    ///   - all: every name there is.
    /// - Throws: `ConfigurationError.option` for a name that does not exist, or a list that leaves nothing.
    static func resolve(
        _ text: String?, option: String, defaults: [String], all: [String]
    ) throws(ConfigurationError) -> [String] {
        guard let text, let first = text.first else { return defaults }
        let isChange = "+-^".contains(first)
        let patterns = (isChange ? text.dropFirst() : text[...]).split(separator: ",").map { HostPattern($0) }
        func matches(_ names: [String]) -> [String] {
            var found: [String] = []
            for pattern in patterns {
                for name in names where pattern.covers(name) && !found.contains(name) { found.append(name) }
            }
            return found
        }
        try check(text, option: option, all: all)
        let named = matches(all)
        let result: [String] =
            switch first {
            case "+": defaults + named.filter { !defaults.contains($0) }
            case "^": named + defaults.filter { !named.contains($0) }
            case "-": defaults.filter { !named.contains($0) }
            default: named
            }
        guard !result.isEmpty else { throw .option(name: option, reason: "'\(text)' leaves no algorithm") }
        return result
    }

    /// Checks that every name is one of an algorithm, here or with OpenSSH.
    ///
    /// - Throws: `ConfigurationError.option`.
    static func check(_ text: String, option: String, all: [String]) throws(ConfigurationError) {
        guard let first = text.first, first != "-" else { return }
        let names = ("+^".contains(first) ? text.dropFirst() : text[...]).split(separator: ",")
        let known = all + elsewhere
        let stranger = names.first { name in !known.contains { HostPattern(name).covers($0) } }
        if let stranger { throw .option(name: option, reason: "no algorithm is called '\(stranger)'") }
    }

    /// What OpenSSH's lists may name besides: passed over, so that a configuration that serves ssh serves here.
    private static let elsewhere = [
        "rijndael-cbc@lysator.liu.se",
        "mlkem768nistp256-sha256", "hmac-sha1-96", "hmac-md5", "hmac-md5-96", "hmac-sha1-96-etm@openssh.com",
        "hmac-md5-etm@openssh.com",
        "hmac-md5-96-etm@openssh.com", "diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1",
        "diffie-hellman-group-exchange-sha1",
        "ssh-dss", "ssh-dss-cert-v01@openssh.com", "ssh-rsa", "ssh-rsa-cert-v01@openssh.com",
        "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "ssh-mldsa44-ed25519@openssh.com",
        "ssh-mldsa44-ed25519-cert-v01@openssh.com",
    ]
}

/// The lists of algorithms that can be configured.
package enum AlgorithmKind: Sendable {
    case cipher
    case mac
    case keyExchange
    case signature
    /// Signature algorithms, with and without certificates.
    case anySignature

    /// The names of all there are, in order.
    package var all: [String] {
        switch self {
        case .cipher: CipherAlgorithm.all.map(\.name)
        case .mac: MACAlgorithm.all.map(\.name)
        case .keyExchange: KeyExchangeAlgorithm.all.map(\.name)
        case .signature: SignatureAlgorithm.all.map(\.name)
        case .anySignature: HostKeyAlgorithms.all
        }
    }

    /// The names of those used without any configuration.
    package var defaults: [String] {
        switch self {
        case .cipher: CipherAlgorithm.defaults.map(\.name)
        case .mac: MACAlgorithm.defaults.map(\.name)
        case .keyExchange: KeyExchangeAlgorithm.defaults.map(\.name)
        case .signature: SignatureAlgorithm.defaults.map(\.name)
        case .anySignature: HostKeyAlgorithms.defaults
        }
    }

    /// The list that a setting leads to.
    ///
    /// - Parameters:
    ///   - text: what the user wrote; nil for nothing.
    ///   - option: the keyword, for the error.
    ///   - defaults: what holds without it; nil for those of every connection.
    /// - Throws: `ConfigurationError.option`.
    package func list(
        _ text: String?, option: String, defaults: [String]? = nil
    ) throws(ConfigurationError) -> [String] {
        try AlgorithmList.resolve(text, option: option, defaults: defaults ?? self.defaults, all: all)
    }
}

extension Keyword {
    /// A list of algorithms.
    static func algorithms(
        _ path: any WritableKeyPath<ClientOptions, String?> & Sendable, _ kind: AlgorithmKind
    ) -> Keyword {
        Keyword { (options, value) throws(Fault) in
            do throws(ConfigurationError) {
                // A list that leaves nothing stops only a connection that it is for.
                try AlgorithmList.check(value, option: "", all: kind.all)
            } catch {
                guard case .option(_, let reason) = error else { throw unsupported(value) }
                throw Fault(reason: reason)
            }
            options[keyPath: path] = value
        }
    }
}
