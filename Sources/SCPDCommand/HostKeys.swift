import Platform
import SSHKeys

/// The keys that the server is known by.
enum HostKeys {
    /// - Returns: the keys of files given, or the one that is kept for this user, made on first start.
    static func load(_ files: [String]) throws(StartFailure) -> [PrivateKey] {
        var keys: [PrivateKey] = []
        for file in files.isEmpty ? [try usualFile()] : files {
            let key = try read(file)
            guard !keys.contains(where: { $0.publicKey.type == key.publicKey.type }) else {
                throw StartFailure("\(file): there is another host key of type \(key.publicKey.type.name)")
            }
            keys.append(key)
        }
        return keys
    }

    static func certificates(_ files: [String], of keys: [PrivateKey]) throws(StartFailure) -> [Certificate] {
        var certificates: [Certificate] = []
        for file in files {
            let text = String(decoding: try SmallFile.read(file), as: UTF8.self)
            let certificate: Certificate
            do { certificate = try Certificate(openSSHLine: String(text.split(separator: "\n").first ?? "")) } catch {
                throw StartFailure("\(file): \(error)")
            }
            guard certificate.role == .host else { throw StartFailure("\(file): not a host certificate") }
            guard keys.contains(where: { $0.publicKey == certificate.key }) else {
                throw StartFailure("\(file): there is no host key that it certifies")
            }
            certificates.append(certificate)
        }
        return certificates
    }

    private static func read(_ file: String) throws(StartFailure) -> PrivateKey {
        var bytes = try SmallFile.readSecret(file)
        defer { wipe(&bytes) }
        do { return try PrivateKey(file: bytes) } catch { throw StartFailure("\(file): \(error)") }
    }

    /// The files that ``load(_:)`` reads.
    static func files(_ named: [String]) -> [String] { named.isEmpty ? [usualPath().file] : named }

    /// Where this user's host key is kept, by the XDG base directory specification.
    private static func usualPath() -> (directory: String, file: String) {
        let account = Account.current
        // systemd names several directories with colons between.
        let given = Account.environment("STATE_DIRECTORY")?.split(separator: ":").first.map(String.init)
        let state = given ?? Account.environment("XDG_STATE_HOME").map { $0 + "/scpd" }
        let directory = state ?? account.home + "/.local/state/scpd"
        return (directory, directory + "/ssh_host_ed25519_key")
    }

    /// The same, once it is there: it is made where there is none.
    private static func usualFile() throws(StartFailure) -> String {
        let (directory, file) = usualPath()
        guard !SmallFile.exists(file) else { return file }
        try SmallFile.makeDirectories(directory)
        do {
            let key = try PrivateKey.generate(.ed25519)
            var text = Array(try key.openSSHFile().utf8)
            defer { wipe(&text) }
            _ = try SmallFile.create(file, text)
        } catch let error as StartFailure {
            throw error
        } catch {
            throw StartFailure("\(file): \(error)")
        }
        return file
    }
}
