import SSHWire

/// The keys of hosts met before (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), of one file or several in order.
public struct KnownHosts: Sendable {
    /// The lines that hold a key, in the order of the files.
    public private(set) var entries: [Entry] = []
    /// The lines that could not be used, and were skipped.
    public private(set) var warnings: [Warning] = []

    /// No file, no host.
    public init() {}

    /// The hosts of one file.
    public init(file: String, text: String) { append(file: file, text: text) }

    /// Adds the lines of another file; malformed ones go to ``warnings``.
    ///
    /// - Parameters:
    ///   - file: the file's name, for messages.
    ///   - text: its content.
    public mutating func append(file: String, text: String) {
        // Bytes, not characters: CR LF is one character, and would hide a line's end.
        for (index, line) in text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            do throws(KeyError) {
                let entry = try Entry(file: file, line: index + 1, text: String(decoding: line, as: UTF8.self))
                if let entry { entries.append(entry) }
            } catch {
                warnings.append(Warning(file: file, line: index + 1, fault: error))
            }
        }
    }

    /// What the files say about the key a host showed.
    public enum Verdict: Hashable, Sendable {
        /// This line holds the host and the key.
        case known(Entry)
        /// The host is there with these other keys, and not with this one.
        case changed([Entry])
        /// This line revokes the key for the host.
        case revoked(Entry)
        /// The host is not there; these lines hold the same key for other hosts.
        case unknown(sameKey: [Entry])
    }

    /// Looks a host and its key up.
    ///
    /// A key that is known for the host without its port is known for another port too, where nothing is written for
    /// that port.
    ///
    /// - Parameters:
    ///   - host: the host's name or address, or the alias to look up in its place.
    ///   - port: the port connected to; any other than 22 stands in the files as `[host]:port`.
    ///   - addresses: the host's addresses; a key revoked for one of them is revoked.
    public func verdict(
        host: String, port: Int = KnownHosts.defaultPort, addresses: [String] = [], key: PublicKey
    ) -> Verdict {
        let name = Self.name(host: host, port: port)
        let names = [name, host] + addresses.flatMap { [Self.name(host: $0, port: port), $0] }
        if let entry = revocation(of: key, names: names) { return .revoked(entry) }
        let own = plainEntries(name)
        if let entry = own.first(where: { $0.key == key }) { return .known(entry) }
        if !own.isEmpty { return .changed(own) }
        if name != host, let entry = plainEntries(host).first(where: { $0.key == key }) { return .known(entry) }
        return .unknown(sameKey: entries.filter { $0.marker == nil && $0.key == key })
    }

    /// Looks up the authority that signed a host's certificate.
    ///
    /// An authority is never `.changed`: another one says nothing against it. Lines for the host without its port count
    /// for another port too.
    ///
    /// - Parameter certified: the key of the certificate, which may be revoked itself.
    public func verdict(
        host: String, port: Int = KnownHosts.defaultPort, addresses: [String] = [], authority: PublicKey,
        certified: PublicKey? = nil
    ) -> Verdict {
        let name = Self.name(host: host, port: port)
        let names = [name, host] + addresses.flatMap { [Self.name(host: $0, port: port), $0] }
        if let entry = revocation(of: authority, names: names) { return .revoked(entry) }
        if let certified, let entry = revocation(of: certified, names: names) { return .revoked(entry) }
        let found = authorities(host: host, port: port).first { $0.key == authority }
        return found.map { .known($0) } ?? .unknown(sameKey: [])
    }

    /// The authorities that may sign certificates of the host: those of its port first.
    public func authorities(host: String, port: Int = KnownHosts.defaultPort) -> [Entry] {
        let name = Self.name(host: host, port: port)
        func signing(for name: String) -> [Entry] {
            entries.filter { $0.marker == .certificateAuthority && $0.covers(name) }
        }
        return name == host ? signing(for: name) : signing(for: name) + signing(for: host)
    }

    /// The types of the keys known for the host, in the order of the files, each once.
    public func keyTypes(host: String, port: Int = KnownHosts.defaultPort) -> [KeyType] {
        let name = Self.name(host: host, port: port)
        var found = plainEntries(name)
        if found.isEmpty, name != host { found = plainEntries(host) }
        var types: [KeyType] = []
        for entry in found where !types.contains(entry.key.type) { types.append(entry.key.type) }
        return types
    }

    /// The names of host key algorithms with those first that what is known of the host can verify: certificates where
    /// there is an authority, and the types of its keys. So the server shows what is known, and no other key, which
    /// would look changed.
    ///
    /// Where the first algorithm is for a type that is known, the order stays as it is.
    public func preferring(
        _ algorithms: [String], host: String, port: Int = KnownHosts.defaultPort
    ) -> [String] {
        let known = keyTypes(host: host, port: port)
        if let first = algorithms.first, Self.type(of: first).map(known.contains) == true { return algorithms }
        let wanted = verifiable(algorithms, host: host, port: port)
        return wanted + algorithms.filter { !wanted.contains($0) }
    }

    /// Those of the names of host key algorithms that what is known of the host can verify.
    public func verifiable(
        _ algorithms: [String], host: String, port: Int = KnownHosts.defaultPort
    ) -> [String] {
        let known = keyTypes(host: host, port: port)
        let hasAuthority = !authorities(host: host, port: port).isEmpty
        return algorithms.filter { name in
            hasAuthority && Certificate.plainName(of: name) != nil || Self.type(of: name).map(known.contains) == true
        }
    }

    private static func type(of algorithm: String) -> KeyType? {
        SignatureAlgorithm.named(Certificate.plainName(of: algorithm) ?? algorithm)?.keyType
    }

    /// The port that files leave out.
    public static let defaultPort = 22

    /// What a host and port are called in the files: the host alone for port 22, else `[host]:port`.
    public static func name(host: String, port: Int) -> String {
        port == defaultPort ? host : "[\(host)]:\(port)"
    }

    private func plainEntries(_ name: String) -> [Entry] {
        entries.filter { $0.marker == nil && $0.covers(name) }
    }

    private func revocation(of key: PublicKey, names: [String]) -> Entry? {
        entries.first { entry in
            entry.marker == .revoked && entry.key == key && names.contains { entry.covers($0) }
        }
    }
}

extension KnownHosts {
    /// The line to add for a host's key, without a line end.
    ///
    /// - Parameters:
    ///   - names: the host as ``name(host:port:)`` gives it, and addresses of it; a hashed line takes the first alone.
    ///   - hashed: hides the name (ssh_config(5), HashKnownHosts).
    /// - Throws: `KeyError.malformed` for no name, or one that would mean something else in the file.
    public static func line(
        names: [String], key: PublicKey, hashed: Bool = false
    ) throws(KeyError) -> String {
        guard let first = names.first else {
            throw .malformed(what: "known hosts line", reason: "no host")
        }
        for name in names where !isPlain(name) {
            throw .malformed(what: "known hosts line", reason: "the host \"\(name)\" cannot be written")
        }
        guard hashed else { return names.map(\.asciiLowercased).joined(separator: ",") + " " + key.openSSHLine }
        var random = SystemRandomNumberGenerator()
        let salt = (0..<HashedHost.size).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        return HashedHost(name: first.asciiLowercased, salt: salt).field + " " + key.openSSHLine
    }

    /// Whether a name stands for itself in a file: printable, and none of the characters with a meaning there.
    private static func isPlain(_ name: String) -> Bool {
        guard let first = name.utf8.first, !"#|@!".utf8.contains(first) else { return false }
        return name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !",*?".utf8.contains($0) }
    }
}
