import SSHWire

/// Why a certificate, well signed, does not hold for a use.
public enum CertificateError: Error, Equatable, Sendable {
    case wrongRole(Certificate.Role)
    /// The clock is before its time; both in seconds since 1970.
    case notYetValid(from: UInt64, now: UInt64)
    /// The clock is past its time; both in seconds since 1970.
    case expired(since: UInt64, now: UInt64)
    case wrongPrincipal(wanted: String, principals: [PeerText])
    /// A certificate that would be good for everybody.
    case noPrincipals
    case unknownCriticalOption(PeerText)
    /// The authority signed with an algorithm that is not accepted.
    case disallowedSignature(algorithm: PeerText)
}

extension CertificateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .wrongRole(let role): "the certificate is for a \(role)"
        case .notYetValid(let from, let now):
            "the certificate is not yet valid: from \(Timestamp(from)), and it is \(Timestamp(now))"
        case .expired(let since, let now):
            "the certificate expired at \(Timestamp(since)), and it is \(Timestamp(now))"
        case .wrongPrincipal(let wanted, let principals):
            "the certificate is for \(PeerText(principals.map(\.description).joined(separator: ", "))), not for \(wanted)"
        case .noPrincipals: "the certificate lists no principal"
        case .unknownCriticalOption(let name):
            "the certificate demands \"\(name)\", which is unknown here"
        case .disallowedSignature(let algorithm): "the certificate was signed with \(algorithm), which is not allowed"
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
    ///   - principal: the host's name, or the user's. A host's principals may be patterns. A certificate that lists
    ///     none is good for nobody, as in OpenSSH's current release.
    ///   - now: seconds since 1970.
    ///   - knownOptions: the critical options that the caller will enforce; any other one refuses the certificate.
    ///   - signatureAlgorithms: the names of those an authority may have signed with.
    public func check(
        role: Role, principal: String, at now: UInt64, knownOptions: Set<String> = [],
        signatureAlgorithms: [String] = SignatureAlgorithm.defaults.map(\.name)
    ) throws(CertificateError) {
        guard self.role == role else { throw .wrongRole(self.role) }
        guard now >= validAfter else { throw .notYetValid(from: validAfter, now: now) }
        guard now < validBefore else { throw .expired(since: validBefore, now: now) }
        let covered =
            switch role {
            // Byte for byte: two spellings of a letter are two names.
            case .user: principals.contains { $0.utf8.elementsEqual(principal.utf8) }
            // A pattern, but no list: `!` means nothing here.
            case .host: principals.contains { !$0.hasPrefix("!") && HostPattern($0).covers(principal) }
            }
        guard !principals.isEmpty else { throw .noPrincipals }
        guard covered else { throw .wrongPrincipal(wanted: principal, principals: principals.map { PeerText($0) }) }
        if let unknown = criticalOptions.first(where: { !knownOptions.contains($0.name) }) {
            throw .unknownCriticalOption(PeerText(unknown.name))
        }
        guard signatureAlgorithms.contains(signatureAlgorithm) else {
            throw .disallowedSignature(algorithm: PeerText(signatureAlgorithm))
        }
    }
}

/// A moment as certificates write it, in seconds since 1970, told as a date in UTC.
package struct Timestamp: CustomStringConvertible {
    private let seconds: UInt64

    package init(_ seconds: UInt64) { self.seconds = seconds }

    package var description: String {
        // The year 10000 and later stand for no limit.
        guard seconds < 253_402_300_800 else { return "forever" }
        let time = seconds % 86400
        let (year, month, day) = Self.date(seconds / 86400)
        return "\(year)-\(Self.pad(month))-\(Self.pad(day))T\(Self.pad(time / 3600)):\(Self.pad(time / 60 % 60))"
            + ":\(Self.pad(time % 60))Z"
    }

    /// The date of a day counted from 1970-01-01, in the Gregorian calendar.
    private static func date(_ days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
        var (year, rest): (UInt64, UInt64) = (1970, days)
        func isLeap(_ year: UInt64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        while rest >= (isLeap(year) ? 366 : 365) {
            rest -= isLeap(year) ? 366 : 365
            year += 1
        }
        var month: UInt64 = 1
        for length in [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as [UInt64] {
            if rest < length { break }
            rest -= length
            month += 1
        }
        return (year, month, rest + 1)
    }

    private static func pad(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
