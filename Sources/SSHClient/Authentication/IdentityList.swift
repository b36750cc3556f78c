import NIOCore
import Platform
import SSHConfig
import SSHKeys
import SSHNIO

/// Gathers the keys to offer: certificates that were named, the agent's keys that are also in files, then those of files
/// that somebody has named, so that the keys of a full agent do not use up the server's attempts; then the agent's
/// others and, as with OpenSSH last, the files that nobody named.
struct IdentityList {
    let options: ClientOptions
    let interface: any UserInterface
    let log: ClientLog
    /// What the agent is told about the connection its signatures are for.
    var binding: AgentBinding?

    /// Seconds an agent has to answer where `ConnectTimeout` says nothing.
    private static let agentLimit = 60

    func load() async -> [Identity] {
        let held = await agentIdentities().filter { !isTooShort($0) }
        // Where a file is encrypted and the agent has its key, the agent signs: no passphrase is asked for.
        let files = options.identities.flatMap(load).filter { !isTooShort($0) }.map { file in
            var file = file
            if let same = held.first(where: { $0.certificate == nil && $0.publicKey == file.publicKey }) {
                file.isInAgent = true
                if !file.signsUnasked { file.signer = same.signer }
            }
            return file
        }
        let named = Set(files.compactMap(\.blob))
        let isNamed = { (identity: Identity) in identity.blob.map(named.contains) ?? false }

        var identities = options.certificateFiles.compactMap { certified($0, files + held) }
        for one in held where isNamed(one) {
            identities += files.filter { $0.publicKey == one.publicKey && ($0.certificate != nil || $0.signsUnasked) }
            identities.append(one)
        }
        let others = options.identitiesOnly ? [] : held.filter { !isNamed($0) }
        identities += options.identityFiles == nil ? others + files : files + others
        // A key counts where it comes first.
        var seen: Set<ByteBuffer> = []
        return identities.filter { identity in
            guard identity.canSign else {
                log.note(1, "\(identity.name): only its public half is here, and no agent has the key")
                return false
            }
            return identity.blob.map { seen.insert($0).inserted } ?? true
        }
    }

    private func isTooShort(_ identity: Identity) -> Bool {
        guard let key = identity.publicKey, key.isTooShort(options) else { return false }
        log.note(
            1, "Skipping key \(identity.name): \(key.bitCount) bits, and RequiredRSASize is \(options.requiredRSASize)")
        return true
    }

    // MARK: Files

    /// The key files that the user named and that are not there.
    static func missingFiles(_ options: ClientOptions) -> [String] {
        (options.identityFiles ?? []).filter { path in
            do throws(TextFile.Failure) {
                _ = try TextFile.read(path)
                return false
            } catch {
                return error.isMissing
            }
        }
    }

    /// A key file, once with the certificate beside it where there is one and once without.
    private func load(_ path: String) -> [Identity] {
        do {
            var content = try TextFile.read(path)
            defer { content.wipe() }
            if !PrivateKey.isIn(content.bytes), let key = try? PublicKey(openSSHLine: content.text) {
                return withCertificate(Identity(name: path, publicKey: key, signer: .nobody))
            }
            if let mode = tooOpen(content) {
                interface.tell(
                    "\(path): permissions \(mode) are too open: others may read this private key. It is not used.",
                    at: .error)
                return []
            }
            return withCertificate(try identity(path, content.bytes))
        } catch let failure as TextFile.Failure {
            if failure.isMissing, let key = publicKey("\(path).pub") {
                return withCertificate(Identity(name: path, publicKey: key, signer: .nobody))
            }
            if options.identityFiles != nil || !failure.isMissing {
                interface.tell("identity file \(path): \(SystemError.text(failure.number))")
            } else {
                log.note(1, "identity file \(path) is not there")
            }
        } catch {
            interface.tell("identity file \(path): \(error)", at: .error)
        }
        return []
    }

    /// The key with the certificate beside its file, then alone. Where certificates were named, others do not count.
    private func withCertificate(_ plain: Identity) -> [Identity] {
        let stem = plain.name.hasSuffix(".pub") ? String(plain.name.dropLast(4)) : plain.name
        guard options.certificateFiles.isEmpty, let key = plain.publicKey,
            let certificate = certificate("\(stem)-cert.pub", for: key)
        else { return [plain] }
        return [plain.certified(by: certificate), plain]
    }

    private func identity(_ path: String, _ bytes: [UInt8]) throws(KeyError) -> Identity {
        do throws(KeyError) {
            let key = try PrivateKey(file: bytes)
            return Identity(name: path, publicKey: key.publicKey, signer: .key(key))
        } catch .passphraseNeeded {
            let shown = (try? PublicKey(privateKeyFile: bytes)) ?? nil
            return Identity(name: path, publicKey: shown ?? publicKey("\(path).pub"), signer: .locked(bytes))
        } catch .unsupported(let what, let name) {
            // The secret half of a FIDO key is in a token, which an agent can ask.
            if let key = (try? PublicKey(privateKeyFile: bytes)) ?? nil, key.type.isSecurityKey {
                return Identity(name: path, publicKey: key, signer: .nobody)
            }
            throw .unsupported(what: what, name: name)
        }
    }

    private func publicKey(_ path: String) -> PublicKey? {
        (try? TextFile.read(path)).flatMap { try? PublicKey(openSSHLine: $0.text) }
    }

    private func certificate(_ path: String, for key: PublicKey) -> Certificate? {
        guard let content = try? TextFile.read(path) else { return nil }
        do throws(KeyError) {
            let certificate = try Certificate(openSSHLine: content.text)
            guard certificate.role == .user else {
                log.note(1, "\(path): not a certificate for users")
                return nil
            }
            if certificate.key == key { return certificate }
            interface.tell("\(path): the certificate is for another key")
        } catch {
            interface.tell("\(path): \(error)")
        }
        return nil
    }

    /// `CertificateFile`: a certificate for a key that a file or the agent has.
    private func certified(_ path: String, _ keys: [Identity]) -> Identity? {
        do {
            let certificate = try Certificate(openSSHLine: try TextFile.read(path).text)
            guard certificate.role == .user else {
                log.note(1, "\(path): not a certificate for users")
                return nil
            }
            let owners = keys.filter { $0.publicKey == certificate.key && $0.canSign }
            guard let owner = owners.first(where: { $0.certificate == nil }) ?? owners.first else {
                interface.tell("certificate file \(path): neither an identity file nor the agent has its key")
                return nil
            }
            return owner.certified(by: certificate)
        } catch let failure as TextFile.Failure {
            interface.tell("certificate file \(path): \(SystemError.text(failure.number))")
        } catch {
            interface.tell("certificate file \(path): \(error)", at: .error)
        }
        return nil
    }

    /// The mode of a file of the user's own that others can read, in octal.
    private func tooOpen(_ content: TextFile.Content) -> String? {
        guard content.owner == getuid(), content.mode & 0o077 != 0 else { return nil }
        return "0" + String(content.mode & 0o777, radix: 8)
    }

    // MARK: Agent

    /// What the agent holds; an agent that talks nonsense holds nothing.
    private func agentIdentities() async -> [Identity] {
        guard let path = options.agentSocket else { return [] }
        do {
            let limit = options.connectTimeout ?? Self.agentLimit
            let agent = try await AgentClient.connected(to: path, limit: limit)
            if let binding {
                let isBound = try await agent.bind(binding)
                log.note(1, isBound ? "bound agent to hostkey" : "the agent knows of no binding to host keys")
            }
            let held = try await agent.identities()
            log.note(1, "agent returned \(held.count) keys")
            return held.compactMap { identity($0, agent) }
        } catch AgentClient.Fault.silent(let seconds) {
            interface.tell("the agent at \(path) has not answered for \(seconds) s; its keys are not used", at: .error)
            return []
        } catch {
            log.note(1, "agent: \(error)")
            return []
        }
    }

    private func identity(_ held: AgentIdentity, _ agent: AgentClient) -> Identity? {
        let signer = Identity.Signer.agent(agent, key: held.blob)
        do throws(KeyError) {
            return Identity(name: held.comment, publicKey: try PublicKey(blob: held.blob), signer: signer)
        } catch {
            if let certificate = try? Certificate(blob: held.blob) {
                guard certificate.role == .user else { return nil }
                return Identity(
                    name: held.comment, publicKey: certificate.key, signer: signer, certificate: certificate)
            }
            log.note(1, "agent key \(held.comment): \(error)")
            return nil
        }
    }
}
