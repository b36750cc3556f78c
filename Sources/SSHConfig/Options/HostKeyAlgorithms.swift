import SSHKeys

/// The algorithms of host keys, certificates first.
package enum HostKeyAlgorithms {
    /// ECDSA comes last of each kind, as it goes wrong where random numbers do.
    package static let defaults = withCertificates(
        SignatureAlgorithm.defaults.filter { !isECDSA($0) } + SignatureAlgorithm.defaults.filter(isECDSA))
    /// Of these, those that a host gets to see which is known by them or has nothing else (``ClientOptions/Reach``).
    package static let fallbacks = withCertificates(SignatureAlgorithm.defaults.filter(isECDSA))
    package static let all = withCertificates(SignatureAlgorithm.all)

    private static func isECDSA(_ algorithm: SignatureAlgorithm) -> Bool {
        [.ecdsaP256, .ecdsaP384, .ecdsaP521, .securityKeyECDSA].contains(algorithm.keyType)
    }

    private static func withCertificates(_ algorithms: [SignatureAlgorithm]) -> [String] {
        algorithms.map { Certificate.name(certifying: $0.name) } + algorithms.map(\.name)
    }
}
