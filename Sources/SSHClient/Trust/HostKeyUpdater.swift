import NIOCore
import SSHConfig
import SSHCrypto
import SSHKeys
import SSHNIO
import SSHProtocol
import SSHWire
import Synchronization

/// Learns the other keys of a trusted host, and forgets those it has no longer (`UpdateHostKeys`; OpenSSH's PROTOCOL,
/// section 2.5). It works beside whatever the connection is for; nothing that goes wrong here is more than a note.
struct HostKeyUpdater {
    let options: ClientOptions
    let log: ClientLog
    /// What the files call the host.
    let name: String
    /// What they call its address, where that is looked up too.
    let address: String?
    /// The plain names of the host key algorithms in use.
    let algorithms: [String]
    let gate: UpdateGate

    /// No server has more keys.
    private static let mostKeys = 64

    private var offered: [PublicKey] = []
    private var change: KnownHosts.HostKeyChange?
    private var session: Session?

    /// What proofs are bound to.
    struct Session: Sendable {
        let id: [UInt8]
        /// The algorithm the host key was shown with, by its plain name.
        let algorithm: String
    }

    init(
        options: ClientOptions, log: ClientLog, name: String, address: String?, algorithms: [String], gate: UpdateGate
    ) {
        self.options = options
        self.log = log
        self.name = name
        self.address = address
        self.algorithms = algorithms
        self.gate = gate
    }

    /// Takes what the server said about the connection as a whole.
    mutating func receive(_ event: ConnectionEvent, _ transport: Transport) async {
        switch event {
        case .globalRequest(let request) where request.request == HostKeyRotation.announcement:
            await announced(request.fields, transport)
        case .globalReply(to: HostKeyRotation.proof, let fields):
            guard let session else { return }
            proved(fields, session)
        default:
            break
        }
    }

    private mutating func announced(_ fields: ByteBuffer, _ transport: Transport) async {
        guard change == nil else { return log.note(1, "host keys were announced before, and are not looked at again") }
        let keys: [PublicKey]
        do { keys = try Self.keys(fields) } catch {
            return log.note(1, "announced host keys: \(error)")
        }
        guard let difference = compare(keys), !difference.new.isEmpty else { return }
        var request = ByteBuffer()
        for key in difference.new { request.writeSSHString(key.blob) }
        log.note(1, "asking for proof of \(difference.new.count) new host keys")
        let payload = request
        session =
            (try? await transport.perform { (connection) throws(ConnectionError) -> Session? in
                guard let id = connection.sessionID, let shown = connection.negotiated?.hostKey else { return nil }
                try connection.globalRequest(HostKeyRotation.proof, wantReply: true, payload)
                return Session(id: id, algorithm: Certificate.plainName(of: shown) ?? shown)
            }) ?? nil
    }

    /// Compares keys with the files, and removes those that are gone where there are no new ones.
    ///
    /// - Returns: nil where nothing more is to be done.
    mutating func compare(_ keys: [PublicKey]) -> KnownHosts.HostKeyChange? {
        offered = keys.filter { key in
            SignatureAlgorithm.all.contains { $0.keyType == key.type && algorithms.contains($0.name) }
        }
        change = KnownHosts.HostKeyChange()
        guard !offered.isEmpty else { return nil }
        let difference = readFiles().change(offered: offered, name: name, address: address)
        change = difference
        guard !difference.isEmpty else {
            log.note(1, "no new or deprecated host keys")
            return nil
        }
        if let obstacle = difference.obstacle {
            log.note(1, "the known hosts files are not updated: \(obstacle)")
            return nil
        }
        if difference.new.isEmpty { update(difference, proved: []) }
        return difference
    }

    /// The keys of an announcement, without certificates and types unknown here.
    ///
    /// - Throws: `WireError`, `KeyError` for a malformed one, or one that is there twice.
    static func keys(_ fields: ByteBuffer) throws -> [PublicKey] {
        var fields = fields
        var keys: [PublicKey] = []
        while fields.readableBytes > 0 {
            let blob = try fields.readSSHString("host key")
            do {
                let key = try PublicKey(blob: blob)
                guard !keys.contains(key) else {
                    throw KeyError.malformed(what: "host keys", reason: "the same key twice")
                }
                keys.append(key)
            } catch KeyError.unsupportedKeyType {
                continue
            }
            guard keys.count <= mostKeys else {
                throw KeyError.malformed(what: "host keys", reason: "more than \(mostKeys)")
            }
        }
        return keys
    }

    /// Takes the server's signatures, one for each new key in its order; one that is wrong spoils them all.
    mutating func proved(_ fields: ByteBuffer?, _ session: Session) {
        guard let change, !change.new.isEmpty else { return }
        guard var fields else { return log.note(1, "the server does not prove that it has its host keys") }
        var proved: [PublicKey] = []
        do {
            for key in change.new {
                let signature = try fields.readSSHString("signature")
                var peek = signature
                let algorithm = try peek.readSSHText("algorithm")
                if key.type == .rsa, !isTrusted(algorithm, session) {
                    log.note(1, "proof of a host key with \(Printable.text(algorithm.utf8)) is not taken")
                    continue
                }
                let signed = HostKeyRotation.signedData(sessionID: session.id, key: key)
                try key.verify(signature: signature, of: signed.readableBytesView, algorithm: algorithm)
                proved.append(key)
            }
            guard fields.readableBytes == 0 else {
                throw KeyError.malformed(what: "proofs", reason: "\(fields.readableBytes) bytes after their end")
            }
        } catch {
            return log.note(1, "proof of host keys: \(error)")
        }
        update(change, proved: proved)
    }

    /// An RSA key is to sign as the host key did where that is one too, and not with SHA-1 otherwise.
    private func isTrusted(_ algorithm: String, _ session: Session) -> Bool {
        SignatureAlgorithm.named(session.algorithm)?.keyType == .rsa
            ? algorithm == session.algorithm : ["rsa-sha2-256", "rsa-sha2-512"].contains(algorithm)
    }

    // MARK: Files

    private func readFiles() -> KnownHosts {
        var hosts = KnownHosts()
        for path in options.userKnownHostsFiles {
            if let content = try? TextFile.read(path) { hosts.append(file: path, text: content.text) }
        }
        return hosts
    }

    /// Writes all keys of the host into the first file, and takes its lines out of the others.
    private func update(_ change: KnownHosts.HostKeyChange, proved: [PublicKey]) {
        let keys = offered.filter { !change.new.contains($0) || proved.contains($0) }
        guard !keys.isEmpty else { return }
        for key in proved { log.note(1, "Learned new hostkey: \(described(key))") }
        for key in change.deprecated { log.note(1, "Deprecating obsolete hostkey: \(described(key))") }
        let finished = gate.whileOpen {
            for (index, path) in options.userKnownHostsFiles.enumerated() {
                replace(path, keys: index == 0 ? keys : [])
            }
        }
        if !finished { log.note(1, "the connection is over: the known hosts files stay as they are") }
    }

    private func replace(_ path: String, keys: [PublicKey]) {
        do {
            let content = try TextFile.read(path).bytes
            let updated = try KnownHosts.replacing(
                in: content, name: name, address: address, keys: keys, hashed: options.hashKnownHosts)
            if updated != content { try TextFile.replace(path, with: updated) }
        } catch let failure as TextFile.Failure {
            log.note(1, "known hosts file \(path): \(SystemError.text(failure.number))")
        } catch {
            log.note(1, "known hosts file \(path): \(error)")
        }
    }

    private func described(_ key: PublicKey) -> String {
        "\(key.type.shortName) \(key.fingerprint(options.fingerprintHash))"
    }
}

/// Lets files be changed until the connection is closed, and holds the closing up while one is changed.
final class UpdateGate: Sendable {
    private let isOpen = Mutex(true)

    /// Runs `body`, unless the gate is closed.
    ///
    /// - Returns: whether it ran.
    func whileOpen(_ body: () -> Void) -> Bool {
        isOpen.withLock { isOpen in
            if isOpen { body() }
            return isOpen
        }
    }

    func close() { isOpen.withLock { $0 = false } }
}
