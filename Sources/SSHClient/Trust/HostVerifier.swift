import SSHConfig
import SSHKeys
import SSHNIO
import SSHProtocol
import SSHWire

/// Decides whether a server's key is the right one: known hosts, host certificates and revoked keys, by
/// `StrictHostKeyChecking` and its relatives in ssh_config(5).
struct HostVerifier {
    let options: ClientOptions
    var interface: any UserInterface
    let log: ClientLog
    private let known: KnownHosts
    private let command: KnownHostsCommand?

    /// Reads the known hosts files; those that do not exist are passed over.
    init(options: ClientOptions, interface: any UserInterface, log: ClientLog) {
        self.options = options
        self.interface = interface
        self.log = log
        var known = KnownHosts()
        for path in options.userKnownHostsFiles + options.globalKnownHostsFiles {
            do throws(TextFile.Failure) {
                known.append(file: path, text: try TextFile.read(path).text)
            } catch {
                if !error.isMissing { interface.tell("\(path): \(SystemError.text(error.number))") }
            }
        }
        for warning in known.warnings { log.note(1, "\(warning)") }
        self.known = known
        command = options.knownHostsCommand.map { KnownHostsCommand(template: $0, options: options) }
    }

    /// The name the host is looked up by.
    private var name: String { (options.hostKeyAlias ?? options.host).asciiLowercased }
    /// An alias stands for the host whatever the port.
    private var port: Int { options.hostKeyAlias == nil ? options.port : KnownHosts.defaultPort }
    /// What the files call the host.
    private var shown: String { KnownHosts.name(host: name, port: port) }

    // MARK: Algorithms

    /// The host key algorithms to offer, best first.
    ///
    /// - Throws: `ClientError.badOption`; `.hostKeyRejected` when the command for known hosts fails.
    func algorithms() async throws(ClientError) -> [String] {
        let list = try HostKeyAlgorithms.resolve(options)
        // What the user put in order stays in order.
        if let first = options.hostKeyAlgorithms?.first, first != "+", first != "-" { return list }
        return try await preferring(list)
    }

    /// Host key algorithms with those first that what is known of this host can verify, and without those that it need
    /// not see.
    func preferring(_ algorithms: [String]) async throws(ClientError) -> [String] {
        let hosts = try await hosts(.order, name: shown, key: nil, nil)
        let ordered = hosts.preferring(algorithms, host: name, port: port)
        guard options.reach == .usual, options.hostKeyAlgorithms == nil else { return ordered }
        let known = hosts.verifiable(algorithms, host: name, port: port)
        return ordered.filter { known.contains($0) || !HostKeyAlgorithms.fallbacks.contains($0) }
    }

    private func accepts(_ type: KeyType) throws(ClientError) -> Bool {
        let list = try HostKeyAlgorithms.resolve(options)
        return SignatureAlgorithm.all.contains { $0.keyType == type && list.contains($0.name) }
    }

    /// What the files know, and the command where there is one.
    private func hosts(
        _ reason: KnownHostsCommand.Reason, name: String, key: PublicKey?, _ certificate: Certificate?
    ) async throws(ClientError) -> KnownHosts {
        guard let command else { return known }
        var hosts = known
        let count = known.warnings.count
        hosts.append(
            file: reason.fileName, text: try await command.run(reason, name: name, key: key, certificate: certificate))
        for warning in hosts.warnings.dropFirst(count) { log.note(1, "\(warning)") }
        return hosts
    }

    // MARK: The verdict

    /// Judges a key the server has proved to hold.
    ///
    /// - Parameters:
    ///   - certificate: what the server showed the key in.
    ///   - address: the numeric address connected to; empty where there is none.
    /// - Throws: `ClientError.hostKeyRejected`.
    @discardableResult
    func verify(
        _ key: PublicKey, certificate: Certificate? = nil, address: String
    ) async throws(ClientError) -> HostTrust {
        if let expected = options.expectedHostKey {
            guard key == expected else {
                throw .hostKeyRejected(.changed, reason: "\(options.host) shows another host key than before")
            }
            return .indirect
        }
        try checkSize(key)
        if let certificate { describe(certificate) }
        try checkRevoked(key, certificate)
        let isLocal = Self.isLoopback(address)
        if options.noHostAuthenticationForLocalhost, isLocal, options.hostKeyAlias == nil {
            log.note(1, "Forcing accepting of host key for loopback/localhost.")
            return .indirect
        }
        let hosts = try await hosts(.hostname, name: shown, key: key, certificate)
        if let certificate, try trusts(certificate, address: address, hosts) { return .indirect }
        guard try accepts(key.type) else {
            throw .hostKeyRejected(
                .unacceptable, reason: "host key \(key.type.name) not permitted by HostKeyAlgorithms")
        }
        var onAddress: AddressCheck?
        if options.checkHostIP, !isLocal, !address.isEmpty, address != options.host.asciiLowercased {
            let name = KnownHosts.name(host: address, port: options.port)
            onAddress = AddressCheck(
                name: name,
                verdict: try await self.hosts(.address, name: name, key: key, certificate)
                    .verdict(host: address, port: options.port, key: key))
        }
        return try await judge(key, address: address, hosts, onAddress)
    }

    /// Who learns the host's other keys; nil where they are not to be learnt.
    ///
    /// - Throws: `ClientError.badOption`.
    func updater(after trust: HostTrust, address: String, gate: UpdateGate) throws(ClientError) -> HostKeyUpdater? {
        guard trust == .direct, options.learnsHostKeys else { return nil }
        let checksAddress = options.checkHostIP && !address.isEmpty && !Self.isLoopback(address)
        return HostKeyUpdater(
            options: options, log: log, name: shown,
            address: checksAddress ? KnownHosts.name(host: address, port: options.port) : nil,
            algorithms: try HostKeyAlgorithms.resolve(options), gate: gate)
    }

    private func judge(
        _ key: PublicKey, address: String, _ hosts: KnownHosts, _ onAddress: AddressCheck?
    ) async throws(ClientError) -> HostTrust {
        switch hosts.verdict(host: name, port: port, addresses: address.isEmpty ? [] : [address], key: key) {
        case .known(let entry):
            log.note(1, "Host '\(name)' is known and matches the \(key.type.shortName) host key.")
            log.note(1, "Found key in \(entry.file):\(entry.line)")
            if let onAddress { try await check(onAddress, key, matching: entry) }
            if options.visualHostKey {
                interface.tell("Host key fingerprint is: \(fingerprint(key))\n\(dialogue.picture(key))")
            }
            return isUsersOwn(entry) && !isGlobal(onAddress) && entry.covers(shown) ? .direct : .indirect
        case .revoked(let entry):
            throw .hostKeyRejected(
                .revoked,
                reason: "the \(key.type.shortName) key of \(options.host) is revoked by \(entry.file):\(entry.line)")
        case .changed(let entries):
            dialogue.warnOfChange(of: key, entries, onAddress)
            guard options.strictHostKeyChecking == .no else {
                throw .hostKeyRejected(.changed, reason: "the host key of \(options.host) has changed")
            }
            return .changed
        case .unknown(let sameKey):
            let isConfirmed = try await decide(key, address: address, sameKey: sameKey)
            if let onAddress { try await checkDifference(onAddress, key, matching: nil) }
            var names = [shown]
            if let onAddress, case .unknown = onAddress.verdict { names.append(onAddress.name) }
            remember(key, as: names)
            return isConfirmed ? .direct : .indirect
        }
    }

    private func isUsersOwn(_ entry: KnownHosts.Entry) -> Bool {
        options.userKnownHostsFiles.contains(entry.file) && !options.globalKnownHostsFiles.contains(entry.file)
    }

    private func isGlobal(_ check: AddressCheck?) -> Bool {
        guard case .known(let entry)? = check?.verdict else { return false }
        return options.globalKnownHostsFiles.contains(entry.file)
    }

    private static func isLoopback(_ address: String) -> Bool { address.hasPrefix("127.") || address == "::1" }

    // MARK: Checks of the key alone

    private func checkSize(_ key: PublicKey) throws(ClientError) {
        guard !key.isTooShort(options) else {
            throw .hostKeyRejected(
                .unacceptable,
                reason:
                    "the server's RSA key has \(key.bitCount) bits, and RequiredRSASize is \(options.requiredRSASize)")
        }
    }

    /// `RevokedHostKeys`. A file that cannot be read or understood might name this key.
    private func checkRevoked(_ key: PublicKey, _ certificate: Certificate?) throws(ClientError) {
        for path in options.revokedHostKeysFiles {
            let fault: String
            do {
                let revoked = try RevokedKeys(try TextFile.read(path).bytes)
                guard let reason = revoked.revocation(of: key, certificate: certificate) else { continue }
                throw ClientError.hostKeyRejected(
                    .revoked,
                    reason: "Host key \(key.type.shortName) \(fingerprint(key)) revoked by file \(path): \(reason)")
            } catch let error as ClientError {
                throw error
            } catch let failure as TextFile.Failure {
                fault = SystemError.text(failure.number)
            } catch {
                fault = "\(error)"
            }
            throw .hostKeyRejected(
                .revoked, reason: "cannot check host key \(fingerprint(key)) in revoked keys file \(path): \(fault)")
        }
    }

    // MARK: Certificates

    private func describe(_ certificate: Certificate) {
        log.note(
            1,
            "Server host certificate: \(certificate.typeName) \(fingerprint(certificate.key)), serial "
                + "\(certificate.serial) ID \"\(Printable.text(certificate.keyID.utf8))\" CA "
                + "\(certificate.authority.type.name) \(fingerprint(certificate.authority)) valid from "
                + "\(Timestamp(certificate.validAfter)) to \(Timestamp(certificate.validBefore))")
        for name in certificate.principals {
            log.note(2, "Server host certificate hostname: \(Printable.text(name.utf8))")
        }
    }

    /// Whether an authority known for the host signed the certificate, and it holds here and now. Where not, the key in
    /// it may still be known by itself.
    ///
    /// - Throws: `ClientError.hostKeyRejected` for a revoked key.
    private func trusts(
        _ certificate: Certificate, address: String, _ hosts: KnownHosts
    ) throws(ClientError) -> Bool {
        let verdict = hosts.verdict(
            host: name, port: port, addresses: address.isEmpty ? [] : [address], authority: certificate.authority,
            certified: certificate.key)
        switch verdict {
        case .revoked(let entry):
            throw .hostKeyRejected(
                .revoked, reason: "the certificate of \(options.host) is revoked by \(entry.file):\(entry.line)")
        case .known(let entry):
            log.note(1, "Found CA key in \(entry.file):\(entry.line)")
            let authorities = try AlgorithmKind.signature.names(
                options.caSignatureAlgorithms, option: "CASignatureAlgorithms")
            do throws(CertificateError) {
                try certificate.check(
                    role: .host, principal: name, at: Clock.now, signatureAlgorithms: authorities)
                log.note(1, "Host '\(name)' is known and matches the \(certificate.typeName) host certificate.")
                return true
            } catch {
                interface.tell("Host certificate of \(options.host) refused: \(error)", at: .error)
            }
        case .changed, .unknown:
            break
        }
        log.note(1, "No matching CA found. Retry with plain key")
        return false
    }

    // MARK: Messages and questions

    private var dialogue: HostKeyDialogue { HostKeyDialogue(options: options, interface: interface, shown: shown) }

    private func fingerprint(_ key: PublicKey) -> String { dialogue.fingerprint(key) }

    /// Whether an unknown key is taken.
    ///
    /// - Returns: whether it was the user who said so.
    private func decide(
        _ key: PublicKey, address: String, sameKey: [KnownHosts.Entry]
    ) async throws(ClientError) -> Bool {
        switch options.strictHostKeyChecking {
        case .yes:
            throw .hostKeyRejected(
                .unknown,
                reason: "no \(key.type.shortName) host key is known for \(shown) and StrictHostKeyChecking is yes")
        case .ask:
            guard !options.batchMode else {
                throw .hostKeyRejected(
                    .unknown, reason: "no host key is known for \(shown), and nobody may be asked (BatchMode)")
            }
            guard await dialogue.accepts(key, address: address, sameKey: sameKey) else {
                throw .hostKeyRejected(
                    .unknown, reason: "the key of \(shown) was not accepted")
            }
            return true
        case .no, .acceptNew:
            return false
        }
    }

    // MARK: The address of a known host

    private func check(
        _ check: AddressCheck, _ key: PublicKey, matching entry: KnownHosts.Entry
    ) async throws(ClientError) {
        if case .unknown = check.verdict {
            if options.userKnownHostsFiles.isEmpty || entry.file.hasPrefix(KnownHostsCommand.label) {
                interface.tell(
                    "\(key.type.shortName) host key for IP address '\(check.name)' not in list of known hosts.")
            } else {
                remember(key, as: [check.name], what: "IP address ")
            }
        }
        try await checkDifference(check, key, matching: entry)
    }

    /// Stops where another key is known for the address than for the name.
    private func checkDifference(
        _ check: AddressCheck, _ key: PublicKey, matching entry: KnownHosts.Entry?
    ) async throws(ClientError) {
        let offending: KnownHosts.Entry?
        switch check.verdict {
        case .changed(let entries): offending = entries.first
        case .revoked(let entry): offending = entry
        case .known, .unknown: return
        }
        var text =
            "Warning: the \(key.type.shortName) host key for '\(shown)' differs from the key for the IP address "
            + "'\(check.name)'"
        if let offending { text += "\nOffending key for IP in \(offending.file):\(offending.line)" }
        if let entry { text += "\nMatching host key in \(entry.file):\(entry.line)" }
        let refusal = ClientError.hostKeyRejected(
            .changed, reason: "the key of \(shown) is not the one known for its address \(check.name)")
        switch options.strictHostKeyChecking {
        case .no: interface.tell(text)
        case .ask where !options.batchMode:
            text += "\nAre you sure you want to continue connecting (yes/no)? "
            guard await dialogue.confirm(text, fingerprint: nil) else { throw refusal }
        case .yes, .acceptNew, .ask:
            interface.tell(text, at: .error)
            throw refusal
        }
    }

    /// Writes the key down where the user's hosts are kept. A file that cannot be written stops nothing.
    private func remember(_ key: PublicKey, as names: [String], what: String = "") {
        guard let path = options.userKnownHostsFiles.first else { return }
        let shown = names.joined(separator: ",")
        do {
            // A hashed line holds one name.
            for group in options.hashKnownHosts ? names.map({ [$0] }) : [names] {
                let line = try KnownHosts.line(names: group, key: key, hashed: options.hashKnownHosts)
                try TextFile.append(line: line, to: path)
            }
            interface.tell(
                "Warning: Permanently added \(what)'\(shown)' (\(key.type.shortName)) to the list of known hosts.")
        } catch let failure as TextFile.Failure {
            interface.tell("the host key could not be added to \(path): \(SystemError.text(failure.number))")
        } catch {
            interface.tell("the host key could not be added to \(path): \(error)")
        }
    }
}
