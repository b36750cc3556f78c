import SSHKeys

extension PublicKey {
    /// Whether this is an RSA key with less bits than the user wants (`RequiredRSASize`, which can only raise the limit).
    package func isTooShort(_ options: ClientOptions) -> Bool { type == .rsa && bitCount < options.requiredRSASize }
}

extension ClientOptions {
    /// The user's known hosts files where none are named.
    package static func usualKnownHostsFiles(home: String) -> [String] {
        ["\(home)/.ssh/known_hosts", "\(home)/.ssh/known_hosts2"]
    }

    /// Whether the other keys of a known host are learnt: where nothing is said, only into the usual files.
    package var learnsHostKeys: Bool {
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
