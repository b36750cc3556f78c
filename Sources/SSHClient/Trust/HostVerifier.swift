import SSHConnection
import SSHKeys
import SSHTransport
import SSHWire

/// Decides whether a server's key is the right one (`StrictHostKeyChecking` and the known hosts files).
struct HostVerifier {
    let options: ClientOptions
    var interface: any UserInterface
    let log: ClientLog
    private let known: KnownHosts

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
    }

    /// The name the host is looked up by.
    private var name: String { (options.hostKeyAlias ?? options.host).lowercased() }
    /// An alias stands for the host whatever the port.
    private var port: Int { options.hostKeyAlias == nil ? options.port : KnownHosts.defaultPort }

    /// Host key algorithms with those first whose keys are known for this host.
    func preferring(_ algorithms: [String]) -> [String] {
        known.preferring(algorithms, host: name, port: port)
    }

    /// Judges a key the server has proved to hold.
    ///
    /// - Parameter address: the numeric address connected to.
    /// - Throws: `ClientError.hostKeyRejected`.
    func verify(_ key: PublicKey, address: String) async throws(ClientError) {
        switch known.verdict(host: name, port: port, addresses: [address], key: key) {
        case .known(let entry):
            log.note(1, "Host '\(name)' is known and matches the \(key.type.shortName) host key.")
            log.note(1, "Found key in \(entry.file):\(entry.line)")
        case .revoked(let entry):
            throw .hostKeyRejected(
                reason: "the \(key.type.shortName) key of \(options.host) is revoked by \(entry.file):\(entry.line)")
        case .changed(let entries):
            throw changed(key, entries)
        case .unknown(let sameKey):
            try await decide(key, address: address, sameKey: sameKey)
        }
    }

    private func changed(_ key: PublicKey, _ entries: [KnownHosts.Entry]) -> ClientError {
        // Another kind of key for a known host is as suspect as another key of the same kind.
        let entry = entries.first { $0.key.type == key.type } ?? entries.first
        let place = entry.map { "\($0.file):\($0.line)" } ?? ""
        interface.tell(
            """
            WARNING: THE HOST KEY OF \(options.host) HAS CHANGED.
            Either somebody is between you and the server, or the server was set up anew.
            It now shows the \(key.type.shortName) key \(key.fingerprint());
            known is another one, written in \(place).
            If you are sure that the new key is right, remove the old one:
              ssh-keygen -f '\(entry?.file ?? "")' -R '\(KnownHosts.name(host: name, port: port))'
            """)
        return .hostKeyRejected(reason: "the host key of \(options.host) has changed")
    }

    private func decide(_ key: PublicKey, address: String, sameKey: [KnownHosts.Entry]) async throws(ClientError) {
        let shown = KnownHosts.name(host: name, port: port)
        switch options.strictHostKeyChecking {
        case .yes:
            throw .hostKeyRejected(
                reason: "no \(key.type.shortName) host key is known for \(shown) and StrictHostKeyChecking is yes")
        case .ask:
            guard !options.batchMode else {
                throw .hostKeyRejected(reason: "no host key is known for \(shown), and nobody may be asked (BatchMode)")
            }
            guard await userAgrees(key, shown: shown, address: address, sameKey: sameKey) else {
                throw .hostKeyRejected(reason: "the key of \(shown) was not accepted")
            }
        case .no, .acceptNew:
            break
        }
        remember(key, as: shown)
    }

    private func userAgrees(
        _ key: PublicKey, shown: String, address: String, sameKey: [KnownHosts.Entry]
    ) async -> Bool {
        let fingerprint = key.fingerprint()
        let others =
            sameKey.isEmpty
            ? "This key is not known by any other names."
            : "The same key is known by: " + sameKey.prefix(8).map { "\($0.file):\($0.line)" }.joined(separator: ", ")
        var question = """
            The authenticity of host '\(shown) (\(address))' can't be established.
            \(key.type.shortName) key fingerprint is \(fingerprint).
            \(others)
            Are you sure you want to continue connecting (yes/no/[fingerprint])?\u{20}
            """
        while let answer = await interface.ask(question) {
            switch answer.lowercased() {
            case "yes": return true
            case "no": return false
            case _ where answer == fingerprint: return true
            default: question = "Please type 'yes', 'no' or the fingerprint: "
            }
        }
        return false
    }

    /// Writes the key down where the user's hosts are kept. A file that cannot be written stops nothing.
    private func remember(_ key: PublicKey, as shown: String) {
        guard let path = options.userKnownHostsFiles.first else { return }
        do {
            let line = try KnownHosts.line(names: [shown], key: key, hashed: options.hashKnownHosts)
            try TextFile.append(line: line, to: path)
            interface.tell(
                "Warning: Permanently added '\(shown)' (\(key.type.shortName)) to the list of known hosts.")
        } catch let failure as TextFile.Failure {
            interface.tell("the host key could not be added to \(path): \(SystemError.text(failure.number))")
        } catch {
            interface.tell("the host key could not be added to \(path): \(error)")
        }
    }
}
