/// Why a certificate, well signed, does not hold for a use.
public enum CertificateError: Error, Equatable, Sendable {
    case wrongRole(Certificate.Role)
    /// The clock is before its time; both in seconds since 1970.
    case notYetValid(from: UInt64, now: UInt64)
    /// The clock is past its time; both in seconds since 1970.
    case expired(since: UInt64, now: UInt64)
    case wrongPrincipal(wanted: String, principals: [String])
    /// A user certificate that would be good for every user.
    case noPrincipals
    case unknownCriticalOption(String)
}

extension CertificateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .wrongRole(let role): "the certificate is for a \(role)"
        case .notYetValid(let from, let now): "the certificate is valid from \(from), and it is \(now)"
        case .expired(let since, let now): "the certificate expired at \(since), and it is \(now)"
        case .wrongPrincipal(let wanted, let principals):
            "the certificate is for \(principals.joined(separator: ", ")), not for \(wanted)"
        case .noPrincipals: "the certificate names no user"
        case .unknownCriticalOption(let name): "the certificate demands \"\(name)\", which is unknown here"
        }
    }
}

extension Certificate {
    /// The critical options defined for user certificates (OpenSSH's PROTOCOL.certkeys, Critical options).
    public static let userCriticalOptions: Set<String> = ["force-command", "source-address", "verify-required"]

    /// Checks that the certificate holds for a use. Whether its authority is trusted is for the caller.
    ///
    /// - Parameters:
    ///   - role: what it is shown as.
    ///   - principal: the host's name, or the user's. A host's principals may be patterns, and a host's certificate
    ///     without principals is good for all hosts; a user's must name the user.
    ///   - now: seconds since 1970.
    ///   - knownOptions: the critical options that the caller will enforce; any other one refuses the certificate.
    public func check(
        role: Role, principal: String, at now: UInt64, knownOptions: Set<String> = []
    ) throws(CertificateError) {
        guard self.role == role else { throw .wrongRole(self.role) }
        guard now >= validAfter else { throw .notYetValid(from: validAfter, now: now) }
        guard now < validBefore else { throw .expired(since: validBefore, now: now) }
        if let unknown = criticalOptions.first(where: { !knownOptions.contains($0.name) }) {
            throw .unknownCriticalOption(unknown.name)
        }
        let covered =
            switch role {
            case .user: principals.contains(principal)
            case .host: principals.isEmpty || principals.contains { HostPattern($0).covers(principal) }
            }
        if role == .user, principals.isEmpty { throw .noPrincipals }
        guard covered else { throw .wrongPrincipal(wanted: principal, principals: principals) }
    }
}
