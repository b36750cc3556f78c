import NIOCore
import SSHKeys
import SSHTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Gathers the keys to offer, in OpenSSH's order: the agent's that are also named in files, the agent's others, then
/// the files' own.
struct IdentityList {
    let options: ClientOptions
    let interface: any UserInterface
    let log: ClientLog

    func load() async -> [Identity] {
        var files: [Identity] = []
        for path in options.identities { files += load(path) }
        for path in options.certificateFiles { addCertificate(path, to: &files) }
        var held = await agentIdentities()
        func names(_ identity: Identity) -> Bool {
            files.contains { $0.publicKey == identity.publicKey && $0.publicKey != nil }
        }
        files.removeAll(where: isTooShort)
        held.removeAll(where: isTooShort)
        var identities = held.filter(names)
        if !options.identitiesOnly { identities += held.filter { !names($0) } }
        let isHeld = Set(identities.compactMap { $0.certificate == nil ? $0.publicKey : nil })
        // A file's certificate is offered with the agent's signature where the agent has the key.
        for file in files {
            guard let key = file.publicKey, isHeld.contains(key) else {
                identities.append(file)
                continue
            }
            if let certificate = file.certificate, let index = identities.firstIndex(where: { $0.publicKey == key }) {
                var certified = identities[index]
                certified.certificate = certificate
                identities.insert(certified, at: index)
            }
        }
        return identities
    }

    private func isTooShort(_ identity: Identity) -> Bool {
        guard let key = identity.publicKey, key.isTooShort(options) else { return false }
        log.note(
            1, "Skipping key \(identity.name): \(key.bitCount) bits, and RequiredRSASize is \(options.requiredRSASize)")
        return true
    }

    // MARK: Files

    /// A key file, once with the certificate beside it where there is one and once without.
    private func load(_ path: String) -> [Identity] {
        do {
            let content = try TextFile.read(path)
            if let mode = tooOpen(content) {
                interface.tell(
                    "\(path): permissions \(mode) are too open: others may read this private key. It is not used.")
                return []
            }
            let plain = try identity(path, content.text)
            guard let key = plain.publicKey, let certificate = certificate("\(path)-cert.pub", for: key) else {
                return [plain]
            }
            var certified = plain
            certified.certificate = certificate
            return [certified, plain]
        } catch let failure as TextFile.Failure {
            if options.identityFiles != nil || !failure.isMissing {
                interface.tell("identity file \(path): \(SystemError.text(failure.number))")
            } else {
                log.note(1, "identity file \(path) is not there")
            }
        } catch {
            interface.tell("identity file \(path): \(error)")
        }
        return []
    }

    private func identity(_ path: String, _ text: String) throws(KeyError) -> Identity {
        do throws(KeyError) {
            let key = try PrivateKey(text: text)
            return Identity(name: path, publicKey: key.publicKey, signer: .key(key))
        } catch .passphraseNeeded {
            let shown = (try? PublicKey(privateKeyText: text)) ?? nil
            return Identity(name: path, publicKey: shown ?? publicKey("\(path).pub"), signer: .locked(text))
        }
    }

    private func publicKey(_ path: String) -> PublicKey? {
        (try? TextFile.read(path)).flatMap { try? PublicKey(openSSHLine: $0.text) }
    }

    private func certificate(_ path: String, for key: PublicKey) -> Certificate? {
        guard let content = try? TextFile.read(path) else { return nil }
        do throws(KeyError) {
            let certificate = try Certificate(openSSHLine: content.text)
            if certificate.key == key { return certificate }
            interface.tell("\(path): the certificate is for another key")
        } catch {
            interface.tell("\(path): \(error)")
        }
        return nil
    }

    /// `CertificateFile`: a certificate for a key that is known by another way.
    private func addCertificate(_ path: String, to identities: inout [Identity]) {
        do {
            let certificate = try Certificate(openSSHLine: try TextFile.read(path).text)
            guard let index = identities.firstIndex(where: { $0.publicKey == certificate.key }) else {
                return log.note(1, "\(path): no identity file has its key")
            }
            var certified = identities[index]
            certified.certificate = certificate
            identities.insert(certified, at: 0)
        } catch let failure as TextFile.Failure {
            interface.tell("certificate file \(path): \(SystemError.text(failure.number))")
        } catch {
            interface.tell("certificate file \(path): \(error)")
        }
    }

    /// The mode of a file of the user's own that others can read, in octal.
    private func tooOpen(_ content: TextFile.Content) -> String? {
        guard content.owner == getuid(), content.mode & 0o077 != 0 else { return nil }
        return "0" + String(content.mode & 0o777, radix: 8)
    }

    // MARK: Agent

    private func agentIdentities() async -> [Identity] {
        guard let path = options.agentSocket else { return [] }
        do {
            let agent = try AgentClient(path: path)
            return try await agent.identities().compactMap { held in
                if let certificate = try? Certificate(blob: held.blob) {
                    return Identity(
                        name: held.comment, publicKey: certificate.key, signer: .agent(agent), certificate: certificate)
                }
                guard let key = try? PublicKey(blob: held.blob) else {
                    log.note(1, "agent key \(held.comment): of a type that is not known here")
                    return nil
                }
                return Identity(name: held.comment, publicKey: key, signer: .agent(agent))
            }
        } catch {
            log.note(1, "agent: \(error)")
            return []
        }
    }
}
