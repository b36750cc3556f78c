import SSHKeys

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// On what grounds a host is trusted.
enum HostTrust: Sendable {
    /// Its very key is known from a file of the user's, or the user confirmed it: it may tell of its other keys.
    case direct
    /// By a certificate, the system's files, a program, or because nobody asks.
    case indirect
}

extension PublicKey {
    /// Whether this is an RSA key with less bits than the user wants (`RequiredRSASize`, which can only raise the limit).
    func isTooShort(_ options: ClientOptions) -> Bool { type == .rsa && bitCount < options.requiredRSASize }
}

extension ClientOptions {
    /// The user's known hosts files where none are named.
    static func usualKnownHostsFiles(home: String) -> [String] {
        ["\(home)/.ssh/known_hosts", "\(home)/.ssh/known_hosts2"]
    }

    /// Whether the other keys of a known host are learnt: where nothing is said, only into the usual files.
    var learnsHostKeys: Bool {
        guard !userKnownHostsFiles.isEmpty else { return false }
        switch updateHostKeys {
        case .yes: return true
        case .no, .ask: return false
        case nil:
            let usual = Self.usualKnownHostsFiles(home: home)
            return !verifyHostKeyDNS && [usual, Array(usual.prefix(1))].contains(userKnownHostsFiles)
        }
    }
}

/// The algorithms of host keys, certificates first.
enum HostKeyAlgorithms {
    /// ECDSA comes last of each kind, as it goes wrong where random numbers do.
    static let defaults = withCertificates(
        SignatureAlgorithm.defaults.filter { !isECDSA($0) } + SignatureAlgorithm.defaults.filter(isECDSA))
    /// Of these, those that a host gets to see which is known by them or has nothing else (``ClientOptions/Reach``).
    static let fallbacks = withCertificates(SignatureAlgorithm.defaults.filter(isECDSA))
    static let all = withCertificates(SignatureAlgorithm.all)

    /// What `HostKeyAlgorithms` leaves, in its order.
    ///
    /// - Throws: `ClientError.badOption`.
    static func resolve(_ options: ClientOptions) throws(ClientError) -> [String] {
        try AlgorithmList.resolve(
            options.hostKeyAlgorithms, option: "HostKeyAlgorithms", defaults: defaults, all: all)
    }

    private static func isECDSA(_ algorithm: SignatureAlgorithm) -> Bool {
        [.ecdsaP256, .ecdsaP384, .ecdsaP521, .securityKeyECDSA].contains(algorithm.keyType)
    }

    private static func withCertificates(_ algorithms: [SignatureAlgorithm]) -> [String] {
        algorithms.map { Certificate.name(certifying: $0.name) } + algorithms.map(\.name)
    }
}

/// The time of day.
enum Clock {
    /// Seconds since 1970.
    static var now: UInt64 { UInt64(max(0, time(nil))) }
}
