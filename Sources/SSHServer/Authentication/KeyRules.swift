import NIOCore
import SSHKeys
import SSHWire

/// Everything that decides on a key: authorized keys, authorities, revoked keys and the time.
struct KeyRules: Sendable {
    var entries: [AuthorizedKeys.Entry] = []
    /// The authorities whose certificates are good for the users they name (`TrustedUserCAKeys` of sshd_config(5)).
    var authorities: [PublicKey] = []
    var revoked: [RevokedKeys] = []
    /// Seconds since 1970.
    var now: UInt64

    func verdict(on offered: OfferedKey, of attempt: LoginAttempt) -> KeyVerdict {
        for list in revoked {
            if let revocation = list.revocation(of: offered.key, certificate: offered.certificate) {
                return .refused("\(revocation)")
            }
        }
        guard let certificate = offered.certificate else { return verdict(on: offered.key, attempt) }
        var reason = "no trusted authority signed the certificate"
        if authorities.contains(certificate.authority) {
            switch judge(certificate, principals: nil, attempt) {
            case .success(let grant): return verdict(grant, key: offered.key)
            case .failure(let refusal): reason = refusal.reason
            }
        }
        for entry in entries where entry.options.isCertificateAuthority && entry.key == certificate.authority {
            switch grant(entry, certificate, attempt) {
            case .success(let grant): return verdict(grant, key: offered.key)
            case .failure(let refusal): reason = refusal.reason
            }
        }
        return .refused(reason)
    }

    /// What a line or a certificate leaves its holder.
    private struct Grant {
        var command: [UInt8]?
        var requiresTouch = true
        var requiresVerification = false
    }

    private struct Refusal: Error {
        let reason: String
    }

    private func verdict(_ grant: Grant, key: PublicKey) -> KeyVerdict {
        if grant.requiresVerification, !key.type.isSecurityKey {
            return .refused("its owner is to be verified, which only a security key can do")
        }
        let presence: OwnerPresence =
            grant.requiresVerification ? .verified : grant.requiresTouch ? .touched : .notNeeded
        return .accepted(
            LoginPermissions(forcedCommand: grant.command.map { ByteBuffer(bytes: $0) }), presence: presence)
    }

    private func verdict(on key: PublicKey, _ attempt: LoginAttempt) -> KeyVerdict {
        var reason = "the key is not among the authorized ones"
        for entry in entries where !entry.options.isCertificateAuthority && entry.key == key {
            switch grant(entry, attempt) {
            case .success(let grant):
                // A later line may still let the key in, where this one asks for what it cannot do.
                let verdict = verdict(grant, key: key)
                guard case .refused(let why) = verdict else { return verdict }
                reason = why
            case .failure(let refusal): reason = refusal.reason
            }
        }
        return .refused(reason)
    }

    /// What a line leaves to whoever comes now and from there.
    private func grant(_ entry: AuthorizedKeys.Entry, _ attempt: LoginAttempt) -> Result<Grant, Refusal> {
        let options = entry.options
        if let from = options.from, !from.admits(attempt.address) {
            return .failure(Refusal(reason: "line \(entry.line) does not let in from \(attempt.address)"))
        }
        if let expiry = options.expiry, now > expiry {
            return .failure(Refusal(reason: "line \(entry.line) expired at \(Timestamp(expiry))"))
        }
        return .success(
            Grant(
                command: options.command, requiresTouch: options.requiresTouch,
                requiresVerification: options.requiresVerification))
    }

    /// What a line with `cert-authority` and a certificate of that authority leave together: the lesser of each.
    private func grant(
        _ entry: AuthorizedKeys.Entry, _ certificate: Certificate, _ attempt: LoginAttempt
    ) -> Result<Grant, Refusal> {
        let (line, own): (Grant, Grant)
        switch (grant(entry, attempt), judge(certificate, principals: entry.options.principals, attempt)) {
        case (.failure(let refusal), _), (_, .failure(let refusal)): return .failure(refusal)
        case (.success(let first), .success(let second)): (line, own) = (first, second)
        }
        if let left = line.command, let right = own.command, left != right {
            return .failure(Refusal(reason: "the certificate's forced command is not that of line \(entry.line)"))
        }
        return .success(
            Grant(
                command: line.command ?? own.command, requiresTouch: line.requiresTouch || own.requiresTouch,
                requiresVerification: line.requiresVerification || own.requiresVerification))
    }

    /// Checks a certificate of a trusted authority.
    ///
    /// - Parameter principals: those of whom it must name one; nil for the user's name.
    private func judge(
        _ certificate: Certificate, principals: [String]?, _ attempt: LoginAttempt
    ) -> Result<Grant, Refusal> {
        let wanted = principals ?? [attempt.user]
        let named = wanted.first { name in certificate.principals.contains { $0.utf8.elementsEqual(name.utf8) } }
        let principal = named ?? wanted.first ?? attempt.user
        do throws(CertificateError) {
            try certificate.check(
                role: .user, principal: principal, at: now, knownOptions: Certificate.userCriticalOptions)
        } catch {
            return .failure(Refusal(reason: "\(error)"))
        }
        var grant = Grant()
        grant.requiresTouch = !certificate.extensions.contains { $0.name == "no-touch-required" }
        for option in certificate.criticalOptions {
            guard let refusal = apply(option, to: &grant, attempt) else { continue }
            return .failure(refusal)
        }
        return .success(grant)
    }

    /// Keeps to a critical option (OpenSSH's PROTOCOL.certkeys, Critical options); tells why it shuts out.
    private func apply(_ option: Certificate.Option, to grant: inout Grant, _ attempt: LoginAttempt) -> Refusal? {
        let malformed = Refusal(reason: "the certificate's \(option.name) is malformed")
        switch option.name {
        case "verify-required":
            guard option.data.isEmpty else { return malformed }
            grant.requiresVerification = true
        case "force-command":
            guard let command = Self.string(option.data) else { return malformed }
            grant.command = command
        case "source-address":
            guard let text = Self.string(option.data),
                let list = AddressList(networks: String(decoding: text, as: UTF8.self))
            else { return malformed }
            guard list.admits(attempt.address) else {
                return Refusal(reason: "the certificate does not let in from \(attempt.address)")
            }
        default:
            return Refusal(reason: "the certificate demands \(Printable.quoted(option.name.utf8)), unknown here")
        }
        return nil
    }

    /// The one string that is the whole of an option's data.
    private static func string(_ data: [UInt8]) -> [UInt8]? {
        var reader = ByteBuffer(bytes: data)
        guard let value = try? reader.readSSHString("data"), reader.readableBytes == 0 else { return nil }
        return Array(value.readableBytesView)
    }
}
